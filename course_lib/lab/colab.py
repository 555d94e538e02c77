"""Google Colab: what a notebook's first cell does there once the course's library lies beside the notebook.

Colab brings its own PyTorch, NumPy and kernel, which run already: replacing one of them would take minutes and break
the session.  So only what is missing is installed, and pip may touch nothing that is there.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["missing", "pip_command", "set_up"]

_NEVER = frozenset(
    "ipykernel ipython ipywidgets jupyterlab matplotlib numpy pillow scikit-learn scipy torch traitlets".split()
)
"""What Colab brings and runs, whatever its version: `check_environment` says if one is too old."""

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)>=\d[\d.]*$", re.MULTILINE)
_VERSION = re.compile(r"[0-9A-Za-z.+!]+")
_LAST = 3
"""Lines of pip's output that say what went wrong."""


def set_up(folder: Path | None = None) -> None:
    """Install what is missing, and let widgets be drawn; one line says what was done.

    Args:
        folder: where the library and `requirements.txt` lie; the working directory by default.
    """
    wanted = list(missing((folder or Path()) / "requirements.txt"))
    if wanted:
        print(f"Installing {', '.join(wanted)} ...")
        with tempfile.TemporaryDirectory() as scratch:
            done = subprocess.run(pip_command(wanted, Path(scratch)), capture_output=True, text=True, check=False)
        if done.returncode:
            print("\n".join((done.stderr or done.stdout).strip().splitlines()[-_LAST:]))
            print("That failed. Run this cell again; if it fails again, ask the course's staff and show these lines.")
            return
        importlib.invalidate_caches()
    try:
        output = importlib.import_module("google.colab.output")
        output.enable_custom_widget_manager()
    except (ImportError, AttributeError):
        print("Colab does not say how to show live widgets: their still pictures stand in.")
    print("Ready. After a restart of the runtime the library is still there; on a new machine run this cell again.")


def missing(requirements: Path) -> Iterator[str]:
    """The requirements that are not installed at all and may be."""
    for match in _REQUIREMENT.finditer(requirements.read_text("utf-8")):
        if match[1].lower() not in _NEVER and not _is_installed(match[1]):
            yield match[0]


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def pip_command(wanted: list[str], scratch: Path) -> list[str]:
    """What installs the wanted packages and whatever they need, and leaves everything that is there at its version.

    Args:
        scratch: a folder for the list of what is there.
    """
    there = {
        f"{name}=={found.version}"
        for found in importlib.metadata.distributions()
        if (name := found.metadata["Name"]) and _VERSION.fullmatch(found.version or "")
    }
    constraints = scratch / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in sorted(there)), "utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return [*pip, "--constraint", str(constraints), *wanted]
