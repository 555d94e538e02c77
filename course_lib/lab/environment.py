"""Is this environment able to run the notebook?  One line: that it is, or what is wrong and how to mend it.

This runs before anything heavy is imported, so that a missing package is told as such and not as a traceback.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from course_lib.lab.course_folder import answers_of_course
from course_lib.lab.interrupted import keep_going

__all__ = ["Fault", "check_environment", "faults"]

_PYTHON = (3, 11)
_PACKAGES = ("torch", "numpy", "matplotlib", "safetensors", "ipywidgets", "anywidget", "tqdm")
_BUNDLE = Path(__file__).parent.parent.parent
_PIN = re.compile(r"([A-Za-z0-9._-]+)==(\d+)\.(\d+)\S*")


@dataclass(frozen=True)
class Fault:
    """Something that will not work.

    Attributes:
        wrong: what is wrong.
        mend: what to do about it.
    """

    wrong: str
    mend: str

    def __str__(self) -> str:
        return f"Environment: {self.wrong}. To mend it: {self.mend}"


def check_environment() -> None:
    """Print one line: ready, or what is wrong and how to mend it, the most basic fault first.

    It is the first cell of every notebook, so it also sees to it that an open exercise does not stop *Run All*.
    """
    keep_going()
    found = list(faults())
    if not found:
        torch = _version("torch") or "?"
        print(f"Environment: ready (Python {platform.python_version()}, PyTorch {torch}).")
        return
    more = f" (and {len(found) - 1} more after that)" if len(found) > 1 else ""
    print(f"{found[0]}{more}")


def faults(
    bundle: Path = _BUNDLE, folder: Path | None = None, find: Callable[[str], object] | None = None
) -> Iterator[Fault]:
    """What is wrong here, the most basic first.

    Args:
        bundle: where `course_lib` lies, and `requirements.txt` where it was handed out.
        folder: where the notebook keeps its progress; the working directory by default.
        find: looks a module up, as `importlib.util.find_spec`.
    """
    if sys.version_info < _PYTHON:
        yield Fault(
            f"Python {platform.python_version()} is too old", "install Python 3.11 or newer, and the course anew"
        )
    install = "in a terminal: " + _install(bundle)
    missing = [name for name in _PACKAGES if not (find or importlib.util.find_spec)(name)]
    if missing:
        where = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed for {sys.executable}"
        yield Fault(where, f"{install}, then restart the kernel")
    else:
        yield from _other_versions(bundle, install)
    answers = any((bundle / "course_lib" / "answers").glob("*.safetensors"))
    if not answers and "COURSE_ANSWERS" not in os.environ and answers_of_course(folder) is None:
        yield Fault("there is no answer data, so check() cannot work", "unpack the course's archive again, all of it")
    if not os.access(folder or Path(), os.W_OK):
        yield Fault("this folder cannot be written, so nothing is saved", "move the course to a folder of your own")


def _install(bundle: Path) -> str:
    requirements = bundle / "requirements.txt"
    return f'cd "{bundle}" && python -m pip install -r requirements.txt' if requirements.is_file() else "make setup"


def _other_versions(bundle: Path, install: str) -> Iterator[Fault]:
    """Packages that differ from what the course was tested with in the first or second number."""
    try:
        pins = _PIN.findall((bundle / "requirements.txt").read_text("utf-8"))
    except OSError:
        return
    for name, major, minor in pins:
        installed = _version(name) if name in _PACKAGES else None
        if installed is not None and installed.split(".")[:2] != [major, minor]:
            wrong = f"{name} is {installed}, and the course was tested with {major}.{minor}"
            yield Fault(wrong, f"{install}, then restart the kernel; or try whether it works as it is")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
