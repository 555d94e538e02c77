"""Writes requirements.lock and the pip section of environment.yml from the dependencies in pyproject.toml.

    .venv/bin/python scripts/lock.py            # or: make lock

pip itself resolves the dependencies for the running Python, without installing anything.  requirements.lock gets the
whole closure, tools for tests included; environment.yml gets the direct dependencies only, at the same versions.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# These follow from the build of torch that a machine gets (CPU or CUDA), so they must not be pinned for all machines.
BUILD_DEPENDENT = re.compile(r"(nvidia|cuda)-.*|triton")


def normalized(name: str) -> str:
    """The name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The project that a requirement such as ``torch==2.13.*`` asks for."""
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    if match is None:
        raise ValueError(f"expected a requirement such as 'numpy>=2' in pyproject.toml, found {requirement!r}")
    return normalized(match.group())


def direct_requirements() -> tuple[list[str], list[str]]:
    """The course's own requirements, and those of extras and of the build."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return project["dependencies"], extras + pyproject["build-system"]["requires"]


def resolve(requirements: Iterable[str]) -> dict[str, str]:
    """The version of every package that pip would install, by name."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        subprocess.run([*command, "--report", str(report), *requirements], check=True)
        installs = json.loads(report.read_text())["install"]
    found = ((normalized(item["metadata"]["name"]), item["metadata"]["version"]) for item in installs)
    # A local version such as 2.13.0+cpu names a build; which build fits is the business of the machine.
    return {name: version.split("+")[0] for name, version in found if not BUILD_DEPENDENT.fullmatch(name)}


def lock_text(versions: Mapping[str, str]) -> str:
    """The content of requirements.lock."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    head = f"# Every package that the course, its tests and its cluster extra need, for Python {python}.\n"
    return (
        head + "# Made by: make lock\n" + "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))
    )


def environment_text(direct: Iterable[str], versions: Mapping[str, str]) -> str:
    """The content of environment.yml."""
    pins = "".join(f"      - {name}=={versions[name]}\n" for name in sorted(map(name_of, direct)))
    return f"""\
# For those who work with conda: conda env create -f environment.yml, then pip install --no-deps -e .
# Made by: make lock
name: cnn-course
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
{pins}"""


def main() -> None:
    """Resolves and writes both files."""
    course, rest = direct_requirements()
    versions = resolve([*course, *rest])
    (ROOT / "requirements.lock").write_text(lock_text(versions))
    (ROOT / "environment.yml").write_text(environment_text(course, versions))
    print(f"requirements.lock: {len(versions)} packages; environment.yml: {len(course)}")


if __name__ == "__main__":
    main()
