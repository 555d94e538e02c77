"""Commands as another user of this machine would run them, though Python may lie in a private folder of root's."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["readable_by_all", "within"]


def within(script: str, *command: str) -> list[str]:
    """A command after a script that changes what its own mounts show."""
    return ["unshare", "--mount", "bash", "-euc", f'{script}\nexec "$@"', "bash", *command]


def readable_by_all(*paths: str) -> str:
    """A script that makes paths reachable for everybody, though they lie in somebody's private folder."""
    places = {os.path.realpath(path) for path in paths}
    private = {str(parent) for path in places for parent in Path(path).parents if not os.stat(parent).st_mode & 0o001}
    outermost = [p for p in sorted(private) if not any(p.startswith(f"{other}/") for other in private - {p})]
    lines = ["kept=$(mktemp -d)"]
    for number, path in enumerate(sorted(places)):
        lines += [f"mkdir $kept/{number}", f"mount --bind '{path}' $kept/{number}"]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs '{folder}'" for folder in outermost]
    for number, path in enumerate(sorted(places)):
        if any(path.startswith(f"{folder}/") for folder in outermost):
            lines += [f"mkdir -p '{path}'", f"mount --bind $kept/{number} '{path}'"]
    return "\n".join(lines)
