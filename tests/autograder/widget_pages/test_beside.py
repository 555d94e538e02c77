"""Pages beside released notebooks: which widgets, made once, and never in the way of a release."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.releasing.student_environment import environment_files
from autograder.widget_pages import beside
from autograder.widget_pages.answers import NotAlikeError
from autograder.widget_pages.beside import write_pages
from autograder.widget_pages.library import widget_packages, widgets_in
from autograder.widget_pages.recording import Recording
from course_lib.batchnorm.widgets import fuse_it
from course_lib.widgets.explorer import Design
from tests.support.all_widgets import WIDGETS
from tests.support.course import COURSE
from tests.support.paths import ROOT
from tests.support.recorded import design_of

LIBRARIES = ("course_lib",)
PACKAGES = widget_packages(LIBRARIES)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A released notebook with a widget in code, and one in words."""
    cells = [
        "from course_lib.batchnorm import widgets",
        "# a note\nwidgets.fuse_it()",
        "%matplotlib inline",
        "print(1)",
    ]
    notebook: dict[str, Any] = {"cells": [{"cell_type": "code", "source": source.splitlines(True)} for source in cells]}
    notebook["cells"].append({"cell_type": "markdown", "source": "widgets.shared_means()"})
    folder = tmp_path / "01_norm"
    folder.mkdir()
    (folder / "norm.ipynb").write_text(json.dumps(notebook))
    return folder


def test_a_page_lies_beside_the_notebook_and_is_made_once(release: Path, tmp_path: Path) -> None:
    """The second time it is taken from what was kept, equal byte by byte."""
    told: list[str] = []
    assert write_pages(release, LIBRARIES, tmp_path / "kept", told.append) == []
    page = release / "widgets" / "fuse-it.html"
    first = page.read_bytes()
    assert [path.name for path in page.parent.iterdir()] == ["fuse-it.html"]
    assert told == ["norm.ipynb: recording widget 1 of 1, Fuse it: linear and batchnorm as one layer"]
    page.unlink()
    assert write_pages(release, LIBRARIES, tmp_path / "kept", told.append) == []
    assert page.read_bytes() == first
    assert len(told) == 1


def test_a_page_is_made_anew_when_what_it_is_made_of_changes(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And when the kept one is damaged."""
    told: list[str] = []
    write_pages(release, LIBRARIES, tmp_path / "kept", told.append)
    monkeypatch.setattr(beside, "_version", lambda libraries: "another")
    write_pages(release, LIBRARIES, tmp_path / "kept", told.append)
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_text(kept.read_text()[:1000])
    write_pages(release, LIBRARIES, tmp_path / "kept", told.append)
    assert len(told) == 3


@pytest.mark.parametrize("name", ["drawing.js", "runs.npz", "answers.safetensors", "words.txt"])
def test_every_file_of_a_library_decides_whether_pages_are_made_anew(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whatever kind: a widget may read any of them."""
    folder = tmp_path / "library_with_data"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / name).write_bytes(b"before")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, folder.name, raising=False)
    version = beside._version.__wrapped__
    before = version((folder.name,))
    assert version((folder.name,)) == before
    (folder / name).write_bytes(b"after")
    assert version((folder.name,)) != before


def test_a_widget_that_cannot_be_recorded_is_named_and_stops_nothing(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cell still shows the live one."""

    def cannot(design: Design) -> Recording:
        raise NotAlikeError("too many different things")

    monkeypatch.setattr(beside, "record", cannot)
    (line,) = write_pages(release, LIBRARIES, tmp_path / "kept")
    assert line == "norm.ipynb: no page for widgets.fuse_it(): NotAlikeError: too many different things"
    assert not (release / "widgets").exists()


def test_every_widget_of_the_course_is_found_in_its_notebooks() -> None:
    """Each once, with the cell that shows it."""
    found = []
    for path in sorted((ROOT / "notebooks").glob("*/*.ipynb")):
        notebook = json.loads(path.read_text("utf-8"))
        for shown in widgets_in(notebook, PACKAGES):
            assert shown.call in "".join(notebook["cells"][shown.cell]["source"])
            found.append(shown.design.name)
    assert sorted(found) == sorted(design_of(name).name for name in WIDGETS)


@given(
    st.lists(st.text(max_size=40) | st.sampled_from(["widgets.fuse_it(", "fuse_it", "fuse_it()", "%%time\nfuse_it()"]))
)
def test_any_cells_can_be_searched(sources: list[str]) -> None:
    """Code that is none shows no widget."""
    notebook = {"cells": [{"cell_type": "code", "source": source} for source in sources]}
    found = list(widgets_in(notebook, PACKAGES))
    assert [one.cell for one in found] == [i for i, source in enumerate(sources) if source == "fuse_it()"]


def test_a_still_picture_names_the_page_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only there: in the source notebook there is none.  Print gets an image, and words."""
    monkeypatch.chdir(tmp_path)
    assert "href" not in fuse_it()._still_bundle()["text/html"]
    (tmp_path / "widgets").mkdir()
    (tmp_path / "widgets" / "fuse-it.html").touch()
    widget = fuse_it()
    bundle = widget._still_bundle()
    assert '<a href="widgets/fuse-it.html">widgets/fuse-it.html</a>' in bundle["text/html"]
    assert bundle["image/png"].startswith("iVBOR")
    question = design_of("fuse_it").prediction.question
    assert question in bundle["text/html"]
    assert bundle["text/plain"].splitlines() == [f"{widget._design.title}.", widget.alt, question]


def test_the_readme_of_a_bundle_names_the_pages_where_there_are_some(release: Path, tmp_path: Path) -> None:
    """Whose widgets stay pictures has to find them."""
    assert "A widget stays a picture" not in environment_files(tmp_path, COURSE, [release.name])["README.md"]
    write_pages(release, LIBRARIES, tmp_path / "kept")
    assert "in `widgets` beside the notebook" in environment_files(tmp_path, COURSE, [release.name])["README.md"]
