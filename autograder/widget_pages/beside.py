"""The pages beside the notebooks of a release, made once as long as nothing changes that they are made of."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

from autograder.whole_files import write_whole
from autograder.widget_pages.library import Shown, widget_packages, widgets_in
from autograder.widget_pages.page import render_page
from autograder.widget_pages.recording import record
from course_lib.widgets.still import PAGES

__all__ = ["write_pages"]

_PACKAGES = ("numpy", "torch", "pillow", "matplotlib")


def write_pages(
    release: Path, libraries: Sequence[str], kept: Path, say: Callable[[str], None] = lambda line: None
) -> list[str]:
    """Write a page for each widget that the notebooks of a released assignment show.

    Args:
        release: the folder of the assignment.
        libraries: packages that its notebooks import.
        kept: a folder for pages that were made before.
        say: is told of each page that takes time.

    Returns:
        one line for each widget that cannot be recorded.
    """
    packages, problems = widget_packages(libraries), []
    found = [(path, shown) for path in sorted(release.glob("*.ipynb")) for shown in _shown(path, packages)]
    for number, (path, shown) in enumerate(found, 1):
        try:
            page = _kept_page(shown, path.name, kept, _version(tuple(libraries)))
            if page is None:
                say(f"{path.name}: recording widget {number} of {len(found)}, {shown.design.title}")
                page = _new_page(shown, path.name, kept, _version(tuple(libraries)))
        except Exception as error:  # a widget is the course's own code; the release goes on without its page
            problems.append(f"{path.name}: no page for {shown.call}: {type(error).__name__}: {error}")
            continue
        (release / PAGES).mkdir(exist_ok=True)
        write_whole(release / PAGES / f"{shown.design.name}.html", page)
    return problems


def _shown(path: Path, packages: Mapping[str, str]) -> list[Shown]:
    return list(widgets_in(json.loads(path.read_text("utf-8")), packages))


def _kept_page(shown: Shown, notebook: str, kept: Path, version: str) -> str | None:
    place, stamp = kept / _name(shown, notebook), _stamp(version)
    if not place.is_file():
        return None
    page = place.read_text("utf-8")
    return page.removesuffix(stamp) if page.endswith(stamp) else None


def _new_page(shown: Shown, notebook: str, kept: Path, version: str) -> str:
    page = render_page(record(shown.design), shown.call, notebook)
    kept.mkdir(parents=True, exist_ok=True)
    write_whole(kept / _name(shown, notebook), page + _stamp(version))
    return page


def _name(shown: Shown, notebook: str) -> str:
    what = f"{shown.design.name}\0{shown.call}\0{notebook}"
    return f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.html"


def _stamp(version: str) -> str:
    return f"<!-- {version} -->\n"


@cache
def _version(libraries: tuple[str, ...]) -> str:
    """Changes whenever a page may become another."""
    digest = hashlib.sha256(f"{sys.version} {[importlib.metadata.version(name) for name in _PACKAGES]}".encode())
    folders = [folder for name in libraries for folder in import_module(name).__path__]
    for folder in (*folders, str(Path(__file__).parent)):
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
        for path in files:
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
