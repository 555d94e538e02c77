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
from course_lib.lab.missing_names import say_what_is_missing

__all__ = ["PYTHON", "TORCH", "Fault", "Tested", "check_environment", "faults", "tell_if_untested"]


@dataclass(frozen=True)
class Tested:
    """The versions of something with which every exercise of the course was tried.

    Attributes:
        oldest: older ones are refused by the bundle's requirements.
        newest: newer ones are welcome, and told.
    """

    oldest: str
    newest: str

    def __str__(self) -> str:
        return f"{self.oldest} to {self.newest}"


PYTHON = Tested("3.11", "3.13")
TORCH = Tested("2.5", "2.15")  # 2.4 has no `Module.set_submodule`, which a notebook advises

_PACKAGES = ("torch", "numpy", "matplotlib", "safetensors", "anywidget", "tqdm")
_BUNDLE = Path(__file__).parent.parent.parent
_BOUND = re.compile(r"^([A-Za-z0-9._-]+)>=(\d[\d.]*)", re.MULTILINE)
_told = False


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
        return f"Environment: {self.wrong}. To fix it: {self.mend}"


def check_environment() -> None:
    """Print one line: ready, or what is wrong and how to mend it, the most basic fault first.

    It is the first cell of every notebook, so it also sees to it that an open exercise does not stop *Run All*.
    """
    global _told
    _told = True
    keep_going()
    say_what_is_missing()
    found = list(faults())
    if not found:
        torch = _version("torch") or "?"
        newer = f"; the course was tested with PyTorch {TORCH}" if _is_newer(torch) else ""
        print(f"Environment: ready (Python {platform.python_version()}, PyTorch {torch}{newer}).")
        return
    more = f" (and {len(found) - 1} more after that)" if len(found) > 1 else ""
    print(f"{found[0]}{more}")


def tell_if_untested() -> None:
    """Print one line where PyTorch is older or newer than what was tested, unless `check_environment` has said so."""
    global _told
    torch = _version("torch")
    if _told or torch is None:
        return
    _told = True
    if _is_newer(torch):
        print(f"Environment: PyTorch {torch} is newer than {TORCH.newest}, the newest one tested with this course.")
    elif _numbers(torch) < _numbers(TORCH.oldest):
        print(
            Fault(
                f"PyTorch is {torch}, and the course needs {TORCH.oldest} or newer",
                f"in a terminal: {_install(_BUNDLE)}",
            )
        )


def faults(
    bundle: Path = _BUNDLE, folder: Path | None = None, find: Callable[[str], object] | None = None
) -> Iterator[Fault]:
    """What is wrong here, the most basic first.

    Args:
        bundle: where `course_lib` lies, and `requirements.txt` where it was handed out.
        folder: where the notebook keeps its progress; the working directory by default.
        find: looks a module up, as `importlib.util.find_spec`.
    """
    if sys.version_info[:2] < _numbers(PYTHON.oldest):
        old = f"Python {platform.python_version()} is too old"
        yield Fault(old, f"install Python {PYTHON.oldest} or newer, and set the course up again")
    install = "in a terminal: " + _install(bundle)
    missing = [name for name in _PACKAGES if not (find or importlib.util.find_spec)(name)]
    if missing:
        where = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed for {sys.executable}"
        yield Fault(where, f"{install}, then restart the kernel")
    else:
        yield from _too_old(bundle, install)
    answers = any((bundle / "course_lib" / "answers").glob("*.safetensors"))
    if not answers and "COURSE_ANSWERS" not in os.environ and answers_of_course(folder) is None:
        yield Fault("there is no answer data, so check() cannot work", "unpack the course's archive again, all of it")
    if not os.access(folder or Path(), os.W_OK):
        yield Fault("this folder cannot be written, so nothing is saved", "move the course to a folder of your own")


def _install(bundle: Path) -> str:
    requirements = bundle / "requirements.txt"
    return f'cd "{bundle}" && python -m pip install -r requirements.txt' if requirements.is_file() else "make setup"


def _too_old(bundle: Path, install: str) -> Iterator[Fault]:
    """Packages older than what the bundle asks for."""
    try:
        bounds = _BOUND.findall((bundle / "requirements.txt").read_text("utf-8"))
    except OSError:
        return
    for name, oldest in bounds:
        installed = _version(name) if name in _PACKAGES else None
        if installed is not None and _numbers(installed) < _numbers(oldest):
            yield Fault(
                f"{name} is {installed}, and the course needs {oldest} or newer", f"{install}, then restart the kernel"
            )


def _is_newer(torch: str) -> bool:
    """Whether first and second number are beyond the tested ones; the third does not count."""
    return _numbers(torch)[:2] > _numbers(TORCH.newest)


def _numbers(version: str) -> tuple[int, ...]:
    """``2.13.0+cpu`` as (2, 13): enough to order releases."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, re.sub(r"(\.0+)+$", "", found[0]).split("."))) if found else ()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
