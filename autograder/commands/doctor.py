"""`autograder doctor`: what this machine can do, and what to do about what it cannot."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, func, inspect, select, table
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from autograder.course import Course
from autograder.errors import AutograderError, GradebookInUseError

__all__ = ["Check", "add_arguments", "examine", "find_chromium", "run", "user_namespaces"]

_APPARMOR = """\
allow them for bubblewrap alone (Ubuntu 24.04 and later forbid them to programs without an AppArmor profile):
sudo tee /etc/apparmor.d/bwrap <<'END'
abi <abi/4.0>,
include <tunables/global>
profile bwrap /usr/bin/bwrap flags=(unconfined) {
  userns,
}
END
sudo apparmor_parser -r /etc/apparmor.d/bwrap"""

_LEAST_MIB = 100
"""Room for a class's results; below it, grading would stop in the middle."""


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        todo: what to do if it is not ok; may have several lines.
        needed: whether grading cannot work without it.
        trouble: what to call it if it is not ok, other than missing.
    """

    name: str
    ok: bool
    found: str
    todo: str = ""
    needed: bool = True
    trouble: str = ""

    @property
    def word(self) -> str:
        """The state in words: nothing is told by color alone."""
        if self.ok:
            return "ok"
        return self.trouble or ("MISSING" if self.needed else "without")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`autograder doctor` has no arguments of its own."""


def run(args: argparse.Namespace, course: Course | None) -> int:
    """Print the table; 0 if grading can work here, else 2."""
    del args
    checks = []
    for check in examine(course):  # a line appears as soon as it is known: some take seconds
        checks.append(check)
        print(f"{check.word:<8} {check.name:<16} {check.found}", flush=True)
        if not check.ok and check.todo:
            print("\n".join(f"{'':25} {line}" for line in check.todo.splitlines()))
    missing = [check.name for check in checks if check.needed and not check.ok]
    print(
        f"\nGrading cannot work here yet: {', '.join(missing)}." if missing else "\nGrading can work on this machine."
    )
    return 2 if missing else 0


def examine(course: Course | None) -> Iterator[Check]:
    """All checks, in the order of the table."""
    yield _python()
    yield from _torch()
    yield from _nbgrader()
    yield from _sandbox()
    yield _machine()
    yield _course(course)
    if course is not None:
        yield _room(course)
        yield _gradebook(course)
        yield _settings(course)
    yield _optional("Dask", "distributed", "only for --cluster: pip install 'cnn-course-notebooks[cluster]'")
    chromium = find_chromium()
    todo = "only for the browser tests: sudo apt-get install chromium"
    yield Check("chromium", chromium is not None, chromium or "not found", todo, needed=False)


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome on this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check("Python", ok, f"{platform.python_version()} in {sys.prefix}", "install Python 3.11 or later")


def _torch() -> Iterator[Check]:
    try:
        import torch
    except ImportError as error:
        yield Check("torch", False, str(error), "pip install -r requirements.lock")
        return
    yield Check("torch", True, torch.__version__)
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield Check("CUDA", bool(names), ", ".join(names) or "no device", "--device cuda needs one", needed=False)


def _nbgrader() -> Iterator[Check]:
    yield _package("nbgrader", "nbgrader", "pip install -r requirements.lock")
    alembic = shutil.which("alembic")
    todo = "nbgrader calls it when it opens a gradebook: pip install alembic"
    yield Check("alembic", alembic is not None, alembic or "not on PATH", todo)


def _package(name: str, distribution: str, todo: str, needed: bool = True) -> Check:
    try:
        return Check(name, True, importlib.metadata.version(distribution), todo, needed)
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, "not installed", todo, needed)


def _optional(name: str, distribution: str, todo: str) -> Check:
    return _package(name, distribution, todo, needed=False)


def _sandbox() -> Iterator[Check]:
    from autograder.sandbox import probe  # after torch: a broken torch gets its own line

    program = shutil.which("bwrap")
    if program is None:
        yield Check("bubblewrap", False, "not installed", "sudo apt-get install bubblewrap (or dnf, pacman, zypper)")
        return
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    yield Check("bubblewrap", True, f"{version or 'unknown version'}, {program}")
    yield user_namespaces()  # also for root: submissions run as nobody
    found = probe()
    yield Check("sandbox", found.ok, "tried: it works" if found.ok else found.reason, found.hint)


def user_namespaces(sysctl: Path = Path("/proc/sys")) -> Check:
    """Whether the kernel's settings let an ordinary user make namespaces, as bubblewrap must.

    Args:
        sysctl: the folder of the kernel's settings.
    """
    name = "user namespaces"
    if _setting(sysctl / "kernel/apparmor_restrict_unprivileged_userns") == 1:
        # A profile may allow bubblewrap all the same, so the trial of the sandbox decides.
        return Check(name, False, "forbidden by AppArmor unless a profile allows them", _APPARMOR, needed=False)
    if _setting(sysctl / "kernel/unprivileged_userns_clone") == 0:
        return Check(name, False, "forbidden to ordinary users", "sudo sysctl kernel.unprivileged_userns_clone=1")
    if _setting(sysctl / "user/max_user_namespaces") == 0:
        return Check(name, False, "none may be made", "sudo sysctl user.max_user_namespaces=10000")
    return Check(name, True, "allowed")


def _setting(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # this kernel does not have the setting
        return None


def _machine() -> Check:
    cores = len(os.sched_getaffinity(0))
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    todo = "a grader with fewer than 2 GiB may be killed: --workers 1"
    return Check("machine", memory_gib >= 2, f"{cores} cores, {memory_gib:.0f} GiB memory", todo, needed=False)


def _course(course: Course | None) -> Check:
    if course is None:
        return Check("course", False, "no nbgrader_config.py here or above", "--course DIR names one", needed=False)
    names = sorted(path.name for path in course.source.glob("*/") if path.is_dir())
    return Check("course", True, f"{course.root}: {', '.join(names) or 'no assignments yet'}")


def _room(course: Course) -> Check:
    """Whether results can be written, found out without writing any."""
    made = (course.root / ".autograder", course.autograded, course.feedback)
    locked = [path for path in (course.root, *made) if path.exists() and not os.access(path, os.W_OK | os.X_OK)]
    if locked:
        todo = "make it writable for you: results, marks and pages go there"
        return Check("writing", False, f"{locked[0]} is read-only", todo, trouble="LOCKED")
    free_mib = shutil.disk_usage(course.root).free >> 20
    found = f"{free_mib / 1024:.1f} GiB free"
    return Check("writing", free_mib >= _LEAST_MIB, found, "make room on the disk of the course", trouble="FULL")


def _gradebook(course: Course) -> Check:
    url = make_url(course.db_url)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        return Check("gradebook", True, "none yet; `autograder release` makes it")
    try:
        return Check("gradebook", True, f"{shown}: {_contents(create_engine(url))}")
    except (SQLAlchemyError, ImportError) as error:  # ImportError: the database's driver is not installed
        from autograder.gradebook.opening import refusal

        known = refusal(error, course.db_url)
        todo = known.hint if not known.hint.startswith("autograder doctor") else "correct db_url in nbgrader_config.py"
        trouble = "IN USE" if isinstance(known, GradebookInUseError) else "BROKEN"
        return Check("gradebook", False, known.message.removeprefix("the gradebook "), todo, trouble=trouble)


def _settings(course: Course) -> Check:
    from autograder.gradebook.notices import notices
    from autograder.gradebook.rules import Rules

    try:
        lines = notices(course, Rules.of(course))
    except AutograderError as error:
        return Check("settings", False, error.message, error.hint, trouble="BROKEN")
    found = "understood" if not lines else f"{len(lines)} without effect"
    return Check("settings", not lines, found, "\n".join(lines), needed=False, trouble="UNCLEAR")


def _contents(engine: Engine) -> str:
    """What the gradebook holds, read without nbgrader, which would change an old one."""
    try:
        if not inspect(engine).has_table("submitted_assignment"):
            return "empty"
        with engine.connect() as connection:
            count = connection.scalar(select(func.count()).select_from(table("submitted_assignment")))
        return f"{count} submissions"
    finally:
        engine.dispose()
