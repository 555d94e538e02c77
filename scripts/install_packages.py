"""Installs requirements.lock into the environment that runs this: with uv where it can be had, else with pip.

    .venv/bin/python scripts/install_packages.py

uv is many times faster, and reads none of pip's configuration.  So it is handed what pip would do here: indexes,
folders of wheels, constraints.  And pip itself is asked which PyTorch it would take, because that may be the build for
processors, a tenth of the other's size.  Where uv fails, pip does the work.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
# The warnings that -qq hides are about package indexes; errors are still shown.
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
_MANY = {
    "extra-index-url": "--extra-index-url",
    "find-links": "--find-links",
    "constraint": "--constraint",
    "trusted-host": "--allow-insecure-host",
}
"""Options of pip that take several values, and uv's names for them."""


def main() -> int:
    """The exit status of whichever program did it."""
    uv = find_uv()
    if uv is not None:
        with tempfile.TemporaryDirectory() as scratch:
            done = _with_uv(uv, Path(scratch))
        if done.returncode == 0:
            return 0
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"uv could not ({last[:200].strip()}), so pip does it ... ", end="", flush=True)
    return subprocess.run([*PIP, "install", "-qq", "-r", str(LOCK)], check=False).returncode


def find_uv() -> str | None:
    """The program uv: the machine's, or one of this environment's own; None where there is none."""
    own = Path(sys.executable).with_name("uv")
    found = shutil.which("uv") or (str(own) if own.exists() else None)
    if found is None:
        subprocess.run([*PIP, "install", "-qq", "uv"], check=False, capture_output=True)
        found = str(own) if own.exists() else None
    return found


def _with_uv(uv: str, scratch: Path) -> subprocess.CompletedProcess[str]:
    settings = pip_settings(_output([*PIP, "config", "list"]))
    lock = scratch / "requirements.txt"
    lock.write_text(with_pytorch_of_pip(LOCK.read_text("utf-8"), _pytorch_of_pip()), "utf-8")
    # Compiled now, as pip does: the sandbox may not write into the environment, and would compile at every start.
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--compile-bytecode", "-r", str(lock)]
    environment = {**os.environ, **uv_environment(settings)}
    return subprocess.run(
        [*command, *uv_options(settings)], check=False, capture_output=True, text=True, env=environment
    )


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def pip_settings(listed: str) -> dict[str, str]:
    """What `pip config list` prints, as option -> value: the environment before a command's own before the general."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        match = re.match(r"^(:env:|install|global)\.([a-z-]+)=(.*)$", line)
        if match:
            found[match[1]][match[2]] = str(ast.literal_eval(match[3]))
    return {name: value for values in found.values() for name, value in values.items()}


def uv_options(settings: Mapping[str, str]) -> list[str]:
    """The same for uv, which by default takes the first index that knows a package, where pip takes the best."""
    options = ["--index-strategy", "unsafe-best-match"]
    if index := settings.get("index-url"):
        options += ["--default-index", index]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    for name, option in _MANY.items():
        for value in settings.get(name, "").split():
            options += [option, value]
    return options


def uv_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """What uv takes from the environment."""
    names = {"cert": "SSL_CERT_FILE", "timeout": "UV_HTTP_TIMEOUT", "default-timeout": "UV_HTTP_TIMEOUT"}
    return {names[name]: value for name, value in settings.items() if name in names}


def _pytorch_of_pip() -> str:
    """Where the file lies that pip would install; empty if pip does not say."""
    wanted = re.search(r"^torch==.*$", LOCK.read_text("utf-8"), re.MULTILINE)
    if wanted is None:
        return ""
    dry = [*PIP, "install", "-qq", "--dry-run", "--ignore-installed", "--no-deps", "--report", "-", wanted[0]]
    try:
        (item,) = json.loads(_output(dry))["install"]
        return str(item["download_info"]["url"])
    except (ValueError, KeyError, TypeError):
        return ""


def with_pytorch_of_pip(lock: str, address: str) -> str:
    """The lock file with an address in the place of PyTorch's version."""
    return re.sub(r"^torch==.*$", lambda _: f"torch @ {address}", lock, flags=re.MULTILINE) if address else lock


if __name__ == "__main__":
    sys.exit(main())
