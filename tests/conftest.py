"""What every test gets: quiet libraries, and a reason wherever a test cannot run on this machine."""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

# Before torch and matplotlib are imported: workers of the suite share the cores, and there is no screen.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# nbgrader starts `alembic` and `jupyter` by name.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

import pytest
from hypothesis import settings

import autograder  # noqa: F401 - before nbformat, whose import it makes a second shorter
from course_lib.lab.memory import keep_freed_memory

if TYPE_CHECKING:
    from playwright.sync_api import Browser

keep_freed_memory()  # trainings are made as in a notebook

# A deadline measures the machine's load, not the code.
settings.register_profile("course", deadline=None, print_blob=True)
settings.load_profile("course")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What collecting makes, a million objects, is there to the end: no search for garbage need go through it.

    Otherwise a twentieth of the time of tests that compute goes into that, and seconds of collecting.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def small_pages() -> Iterator[None]:
    """Releases record one small widget in place of all: the real ones take long and have tests of their own."""
    from autograder.widget_pages import beside
    from tests.support.recorded import recording_of

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beside, "record", lambda design: recording_of("fuse_it"))
        yield


@pytest.fixture(autouse=True, scope="session")
def one_question_to_alembic() -> Iterator[None]:
    """Every new gradebook asks a program for the newest layout of nbgrader's tables: two seconds, one answer."""
    from nbgrader import api

    from autograder.gradebook import moving

    asked = functools.cache(api.get_alembic_version)
    with pytest.MonkeyPatch.context() as patch:
        for module in (api, moving):
            patch.setattr(module, "get_alembic_version", asked)
        yield


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium: one for a worker of the suite, for two cannot be driven from one process."""
    from tests.browser.lab import browser

    with browser() as running:
        yield running


@dataclass(frozen=True)
class Lack:
    """Why a kind of test cannot run here.

    Attributes:
        installable: whether installing a package would change that.
    """

    reason: str
    installable: bool = False


@functools.cache
def lack_of_sandbox() -> Lack | None:
    """None if the sandbox works."""
    from autograder.sandbox import probe

    found = probe()
    return None if found.ok else Lack(f"no sandbox: {found.reason}", installable=shutil.which("bwrap") is None)


@functools.cache
def lack_of_browser() -> Lack | None:
    """None if there is a chromium."""
    from autograder.commands.doctor import find_chromium

    return None if find_chromium() else Lack("no browser: chromium is not installed", installable=True)


@functools.cache
def lack_of_gpu() -> Lack | None:
    """None if there is a CUDA device."""
    from autograder.sandbox.devices import has_gpu

    return None if has_gpu() else Lack("no CUDA device")


@functools.cache
def lack_of_postgres() -> Lack | None:
    """None if there are a PostgreSQL server's programs and the driver."""
    from tests.support.postgres import find_postgres

    if importlib.util.find_spec("psycopg") is None:
        return Lack("no PostgreSQL: psycopg is not installed (extra cluster)")
    return None if find_postgres() else Lack("no PostgreSQL: Debian's package postgresql is not installed", True)


LACKS: dict[str, Callable[[], Lack | None]] = {
    "sandbox": lack_of_sandbox,
    "browser": lack_of_browser,
    "gpu": lack_of_gpu,
    "postgres": lack_of_postgres,
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what cannot run here; where the set-up should have installed what is missing, fails instead."""
    for name, lack_of in LACKS.items():
        lack = lack_of() if item.get_closest_marker(name) else None
        if lack is None:
            continue
        if lack.installable and os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(f"{lack.reason}, and nothing hinders its installation here: see scripts/setup_system.sh")
        pytest.skip(lack.reason)
