"""Downloads into the course, as an instructor does it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder import cli
from autograder.course import Course
from autograder.submissions.tries import Tries
from tests.support import made_up, small_course
from tests.support.downloads import Member, canvas_export, canvas_name, moodle_folder, moodle_worksheet, write_zip

NAME = made_up.ASSIGNMENT
ADA = Member("Ada", "Lovelace", "ada", "1815", 12, 4711)
BOB = Member("José", "van der Berg", "jberg", "1816", 13, 4712)
CYD = Member("Cyd", "Late", "cyd", "1817", 14, 4713)
CLASS = (ADA, BOB, CYD)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A released course without submissions."""
    return small_course.make(tmp_path_factory.mktemp("collect"))


@pytest.fixture
def course(released: Course, tmp_path: Path) -> Course:
    """A copy of it."""
    root = tmp_path / "course"
    shutil.copytree(released.root, root)
    return Course.find(root)


def _notebook(course: Course, answer: str = "") -> bytes:
    released = json.loads(next((course.release / NAME).glob("*.ipynb")).read_text())
    for cell in released["cells"]:
        if answer and cell["id"] == "column-scale-solution":
            cell["source"] = answer
    return json.dumps(released).encode()


def _collect(course: Course, *arguments: object) -> int:
    return cli.main(["--course", str(course.root), "collect", NAME, *map(str, arguments)])


def _file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _there(course: Course) -> dict[str, set[str]]:
    return {path.parent.name: {file.name for file in path.iterdir()} for path in course.submitted.glob(f"*/{NAME}")}


def test_a_notebook_is_known_by_its_content(course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Browsers save `made_up.ipynb.txt` and `made_up.json`; beside a real notebook such a file is left as it is."""
    files = {
        f"{moodle_folder(ADA)}/made_up.ipynb.txt": _notebook(course),
        f"{moodle_folder(ADA)}/data.json": b'{"cells": 3}',
        f"{moodle_folder(BOB)}/made_up.ipynb": _notebook(course),
        f"{moodle_folder(BOB)}/old.json": _notebook(course),
    }
    sheet = _file(tmp_path / "sheet.csv", moodle_worksheet(CLASS))
    assert _collect(course, write_zip(tmp_path / "moodle.zip", files), "--roster", sheet) == 0
    assert _there(course) == {"1815": {"made_up.ipynb", "data.json"}, "1816": {"made_up.ipynb", "old.json"}}
    assert "a notebook by its content, not by its name" in capsys.readouterr().out
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "1817.ipynb.txt").write_bytes(_notebook(course))
    assert _collect(course, tmp_path / "folder") == 0
    assert _there(course)["1817"] == {"made_up.ipynb"}


def test_two_lines_of_a_roster_with_one_id_are_named(
    course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not only that somebody has two folders: who mends the roster must know where."""
    twin = Member("Zoë", "Müller", "zoe", ADA.number, 15, 4715)
    sheet = _file(tmp_path / "sheet.csv", moodle_worksheet((ADA, BOB, twin)))
    files = {f"{moodle_folder(member)}/made_up.ipynb": _notebook(course) for member in (ADA, twin)}
    assert _collect(course, write_zip(tmp_path / "moodle.zip", files), "--roster", sheet) == 1
    shown = capsys.readouterr().out
    assert f"lines 2 ({ADA.full}) and 4 ({twin.full}) of the roster have the same id 1815: correct one of them" in shown


def test_a_moodle_download_with_its_worksheet_is_collected(
    course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names, addresses and times come from the worksheet; the class is in nbgrader's student table."""
    sheet = moodle_worksheet(CLASS, {"ada": "Friday, 3 April 2026, 2:05 PM"})
    download = write_zip(
        tmp_path / "moodle.zip",
        {
            f"{moodle_folder(ADA)}/my work (1).ipynb": _notebook(course),
            f"{moodle_folder(ADA)}/timestamp.txt": "1999-01-01 00:00:00 UTC",
            f"{moodle_folder(BOB)}/all.zip": _zip(
                {"work/made_up.ipynb": _notebook(course), "work/helper.py": b"x = 1"}, tmp_path
            ),
        },
    )
    assert _collect(course, download, "--roster", _file(tmp_path / "sheet.csv", sheet)) == 0
    assert _there(course) == {
        "1815": {"made_up.ipynb", "handed in timestamp.txt", "timestamp.txt"},
        "1816": {"made_up.ipynb", "helper.py"},
    }
    time = course.submitted / "1815" / NAME / "timestamp.txt"
    assert time.read_text() == "2026-04-03 14:05:00 UTC\n"
    shown = capsys.readouterr().out
    assert "of 3 in the roster" in shown
    assert "1817" in shown
    with Gradebook(course.db_url) as book:
        student = book.find_student("1815")
        assert (student.first_name, student.last_name, student.email) == ("Ada", "Lovelace", "ada@example.edu")
        assert len(book.students) == 3


def _zip(files: dict[str, bytes], tmp_path: Path) -> bytes:
    return write_zip(tmp_path / "inner.zip", dict(files)).read_bytes()


def test_a_canvas_download_says_who_was_late(
    course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Canvas tells only that, not when."""
    files = {
        canvas_name(ADA, 8842, "made_up-1.ipynb"): _notebook(course),
        canvas_name(CYD, 8843, "made_up.ipynb", late=True): _notebook(course),
        canvas_name(BOB, 8844, "essay.pdf"): b"%PDF",
    }
    roster = _file(tmp_path / "grades.csv", canvas_export(CLASS))
    assert _collect(course, write_zip(tmp_path / "submissions.zip", files), "--roster", roster) == 0
    shown = capsys.readouterr().out
    assert "1 late, says Canvas" in shown
    assert "no notebook among the files" in shown
    assert _there(course) == {"ada": {"made_up.ipynb"}, "cyd": {"made_up.ipynb"}, "jberg": {"essay.pdf"}}


def test_a_download_of_a_platform_needs_a_roster_once(
    course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one it says which; the roster is kept for the next time."""
    download = write_zip(tmp_path / "a.zip", {canvas_name(ADA, 1, "made_up.ipynb"): _notebook(course)})
    assert _collect(course, download) == 2
    assert "--roster FILE.csv" in capsys.readouterr().err
    assert _collect(course, download, "--roster", _file(tmp_path / "grades.csv", canvas_export(CLASS))) == 0
    assert _collect(course, download) == 0


def test_a_dry_run_writes_nothing(course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the same figures."""
    download = write_zip(tmp_path / "a.zip", {canvas_name(ADA, 1, "made_up.ipynb"): _notebook(course)})
    before = sorted(path for path in course.root.rglob("*"))
    assert (
        _collect(course, download, "--dry-run", "--roster", _file(tmp_path / "grades.csv", canvas_export(CLASS))) == 0
    )
    assert "nothing is written" in capsys.readouterr().out
    assert sorted(path for path in course.root.rglob("*")) == before


def test_what_is_unclear_is_listed_and_can_be_settled(
    course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 until an instructor says whose it is."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "ada.ipynb").write_bytes(_notebook(course))
    (folder / "scan.ipynb").write_bytes(_notebook(course, "def f(): pass"))
    roster = _file(tmp_path / "class.csv", "id,name\nada,Ada Lovelace\nbob,Bob\n")
    assert _collect(course, folder, "--roster", roster) == 1
    assert "UNCLEAR scan.ipynb: nobody is called 'scan'" in capsys.readouterr().out
    assert _collect(course, folder, "--owner", "scan.ipynb=bob") == 0
    assert set(_there(course)) == {"ada", "bob"}


def test_nothing_that_was_handed_in_is_ever_lost(course: Course, tmp_path: Path) -> None:
    """Later tries replace earlier ones in `submitted/`; all are kept, also what came by hand or with links in it."""
    own = small_course.hand_in_bytes(course, "ada", b"by hand")
    roster = _file(tmp_path / "class.csv", "id\nada\n")
    for answer in ("first = 1", "second = 2"):
        folder = tmp_path / answer[:5]
        folder.mkdir()
        (folder / "ada.ipynb").write_bytes(_notebook(course, answer))
        assert _collect(course, folder, "--roster", roster) == 0
    tries = Tries(course, NAME, "ada")
    assert [one.number for one in tries.all()] == [1, 2, 3]
    assert (tries.files(1) / "made_up.ipynb").read_bytes() == b"by hand"
    assert b"second" in own.read_bytes()
    assert _collect(course, folder) == 0
    assert len(tries.all()) == 3
    (own.parent / "link").symlink_to("/etc/passwd")
    assert _collect(course, tmp_path / "first") == 0
    assert len(tries.all()) == 4
    assert (tries.files(4) / "link").is_symlink()
    assert set(_there(course)["ada"]) == {"made_up.ipynb", "link"}, "an old download replaces nothing newer"


def test_two_downloads_in_one_command_are_two_tries(course: Course, tmp_path: Path) -> None:
    """In the order in which they are named."""
    downloads = []
    for number, answer in enumerate(("first = 1", "second = 2")):
        downloads.append(
            write_zip(tmp_path / f"{number}.zip", {"ada/made_up.ipynb": _notebook(course, answer), "bob/x.ipynb": b"1"})
        )
    assert _collect(course, *downloads) == 0
    assert len(Tries(course, NAME, "ada").all()) == 2
    assert len(Tries(course, NAME, "bob").all()) == 1
    assert b"second" in (course.submitted / "ada" / NAME / "made_up.ipynb").read_bytes()


def test_the_time_of_the_same_files_comes_with_a_later_roster(course: Course, tmp_path: Path) -> None:
    """Who collected before they had the worksheet does it again."""
    download = write_zip(tmp_path / "a.zip", {f"{moodle_folder(ADA)}/made_up.ipynb": _notebook(course)})
    assert _collect(course, download, "--roster", _file(tmp_path / "a.csv", moodle_worksheet([ADA]))) == 0
    time = course.submitted / "1815" / NAME / "timestamp.txt"
    assert not time.exists()
    sheet = moodle_worksheet([ADA], {"ada": "Friday, 3 April 2026, 2:05 PM"})
    assert _collect(course, download, "--roster", _file(tmp_path / "b.csv", sheet)) == 0
    assert time.read_text().startswith("2026-04-03 14:05")
    assert len(Tries(course, NAME, "1815").all()) == 1


@pytest.mark.parametrize("bad", [".hidden", "a/b", "x" * 200, "..", "new\nline"])
def test_an_id_that_is_no_folder_name_is_refused(
    course: Course, tmp_path: Path, bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written outside of the student's folder."""
    roster = _file(tmp_path / "class.csv", f'id,name\n"{bad}",Ada Lovelace\n')
    download = write_zip(tmp_path / "a.zip", {f"{moodle_folder(ADA)}/made_up.ipynb": b"1"})
    assert _collect(course, download, "--roster", roster) in (1, 2)
    assert not _there(course)
    assert not list(tmp_path.glob("made_up.ipynb"))


def test_a_class_of_a_thousand_is_collected_in_seconds(course: Course, tmp_path: Path) -> None:
    """Time grows evenly with the class."""
    import time

    members = [Member(f"F{n}", f"L{n}", f"s{n}", f"{10_000 + n}", n, 50_000 + n) for n in range(1000)]
    data = _notebook(course)
    download = write_zip(tmp_path / "a.zip", {canvas_name(m, m.user, "made_up.ipynb"): data for m in members})
    roster = _file(tmp_path / "grades.csv", canvas_export(members))
    started = time.process_time()
    assert _collect(course, download, "--roster", roster) == 0
    assert time.process_time() - started < 30
    assert len(_there(course)) == 1000


def test_no_file_keeps_a_name_that_a_program_would_run(
    course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Configurations, and modules that hide others; helpers and data stay as they are called."""
    hostile = [
        "nbgrader_config.py", "NBGrader_Config.py", "nbgrader_config.json", "jupyter_server_config.py",
        "jupyter_config.json", "ipython_config.py", "sitecustomize.py", "usercustomize.py", "conftest.py", "difflib.py",
        "random.cpython-311-x86_64-linux-gnu.so", "torch.py", "Makefile", "pyproject.toml",
    ]  # fmt: skip
    plain = {"helper.py", "model_config.json", "random.csv", "my random.py"}
    files = {f"{moodle_folder(ADA)}/{name}": name.encode() for name in (*hostile, *plain)}
    files[f"{moodle_folder(ADA)}/made_up.ipynb"] = _notebook(course)
    sheet = _file(tmp_path / "sheet.csv", moodle_worksheet(CLASS))
    assert _collect(course, write_zip(tmp_path / "moodle.zip", files), "--roster", sheet) == 0
    assert _there(course)["1815"] == {"made_up.ipynb", *plain, *(f"handed in {name}" for name in hostile)}
    assert "stored as 'handed in nbgrader_config.py': a program would run it" in capsys.readouterr().out


def test_owners_that_fit_nothing_are_said(course: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is not there is named, one that is wanted can be copied, and an id must be in the roster."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "scan 1.ipynb").write_bytes(_notebook(course))
    sheet = _file(tmp_path / "sheet.csv", moodle_worksheet(CLASS))
    assert _collect(course, folder, "--roster", sheet, "--owner", "scan1.ipynb=1815") == 1
    told = capsys.readouterr().out
    assert "--owner: nothing in the download is called 'scan1.ipynb'" in told
    assert "nobody is called 'scan 1' (--owner 'scan 1.ipynb=ID')" in told
    assert _collect(course, folder, "--owner", "scan 1.ipynb=18115") == 2
    assert "--owner scan 1.ipynb=18115: the roster has no id '18115'" in capsys.readouterr().err
    assert _there(course) == {}
    assert _collect(course, folder, "--owner", "scan 1.ipynb=1815") == 0
    assert set(_there(course)) == {"1815"}
