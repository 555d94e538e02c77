"""A class with attackers in it: honest students' results are the same, byte for byte, with and without them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from autograder import cli
from autograder.course import Course
from autograder.grading.batch import Batch, Options, grade_course
from autograder.pages.feedback import make_feedback
from autograder.results import read_results
from autograder.sandbox import Limits
from tests.attacks.attack import Attack, submission
from tests.attacks.collection import ATTACKS
from tests.support import made_up, small_course

pytestmark = pytest.mark.sandbox

NAME = made_up.ASSIGNMENT
_LIMITS = Limits(cell_s=10, call_s=10, submission_s=30, memory_mib=512, scratch_mib=16, restarts=3)
# The slow ones wait for time limits, which the arena tests cover.
ATTACKERS = [a for a in ATTACKS[::2] if not a.slow and "markup" not in a.name] + [
    a for a in ATTACKS if "markup" in a.name
]
_RUNS = re.compile(r"<script>alert|<img src=x|<svg onload|\x1b|onerror=alert\(1\)>", re.IGNORECASE)


def _hand_in_honest(course: Course) -> None:
    for kind, (column_scale, pair) in small_course.ANSWERS.items():
        small_course.hand_in(course, f"honest-{kind}", column_scale, pair)


def _grade(course: Course) -> Batch:
    return grade_course(course, NAME, Options(seed=7, workers=2, limits=_LIMITS))


def _honest_records(course: Course) -> dict[str, Any]:
    """All that is kept about the honest students: results without their times, notebooks, gradebook rows."""
    results = {
        student: dataclasses.asdict(dataclasses.replace(result, seconds=0.0))
        for student, result in read_results(course.results(NAME)).items()
        if student.startswith("honest-")
    }
    notebooks = {str(p.relative_to(course.root)): p.read_bytes() for p in course.autograded.glob("honest-*/*/*")}
    rows = [row for row in small_course.scores(course) if row[0].startswith("honest-")]
    texts = {f"result of {student}": json.dumps(result, sort_keys=True) for student, result in results.items()}
    return {**texts, **notebooks, "rows": rows}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released course with the honest submissions."""
    root = tmp_path_factory.mktemp("class") / "released"
    _hand_in_honest(small_course.make(root))
    return root


@pytest.fixture(scope="module")
def alone(released: Path) -> dict[str, Any]:
    """The honest students' records in a class without attackers."""
    root = released.with_name("alone")
    shutil.copytree(released, root)
    course = Course.find(root)
    assert not _grade(course).failed
    return _honest_records(course)


@pytest.fixture(scope="module")
def beset(released: Path) -> tuple[Course, Batch, dict[str, Any]]:
    """The same class with attackers: the course, what grading said, and the host's files before."""
    root = released.with_name("beset")
    shutil.copytree(released, root)
    course = Course.find(root)
    template = json.loads((course.release / NAME / "made_up.ipynb").read_text(encoding="utf-8"))
    for attack in ATTACKERS:
        small_course.hand_in_bytes(course, f"evil-{attack.name}", submission(template, attack))
    _folder_tricks(course)
    before = _guarded(course)
    return course, _grade(course), before


def _folder_tricks(course: Course) -> None:
    """Submission folders that hold something else than a notebook."""
    right = course.submitted / "honest-right" / NAME / "made_up.ipynb"

    def folder(student: str) -> Path:
        path = course.submitted / student / NAME
        path.mkdir(parents=True)
        return path

    (folder("trick-link") / "made_up.ipynb").symlink_to(right)
    (folder("trick-gradebook") / "made_up.ipynb").symlink_to(course.root / "gradebook.db")
    os.link(course.root / "nbgrader_config.py", folder("trick-hardlink") / "made_up.ipynb")
    os.mkfifo(folder("trick-fifo") / "made_up.ipynb")
    (folder("trick-folder") / "made_up.ipynb").mkdir()
    (course.submitted / "trick-linked-folder").mkdir()
    (course.submitted / "trick-linked-folder" / NAME).symlink_to(right.parent)
    (course.submitted / "trick-file").mkdir()
    (course.submitted / "trick-file" / NAME).write_text("a file")
    many = folder("trick-many")
    for number in range(300):
        (many / f"copy{number}.ipynb").write_bytes(right.read_bytes())
    (folder("trick-names") / "..\\made_up\x1b[31m<script>alert(1)<.ipynb").write_bytes(b"{}")
    (folder("trick-time") / "timestamp.txt").write_bytes(b"\xff99999-99-99 UTC <script>alert(1)</script>")
    (course.submitted / "trick-time" / NAME / "made_up.ipynb").write_bytes(b"{}")
    (folder("trick-<img src=x onerror=alert(1)>") / "made_up.ipynb").write_bytes(b"{}")
    (folder("trick-" + "ü" * 100) / "made_up.ipynb").write_bytes(right.read_bytes())


def _guarded(course: Course) -> dict[str, Any]:
    """Files that grading must not change: sources, releases, submissions, configuration."""
    kept: dict[str, Any] = {"nbgrader_config.py": (course.root / "nbgrader_config.py").read_bytes()}
    for folder in (course.source, course.release, course.submitted):
        for path in sorted(folder.rglob("*")):
            what = path.read_bytes() if path.is_file() and not path.is_symlink() else path.is_symlink()
            kept[os.fsencode(path).decode(errors="replace")] = (path.lstat().st_mode, what)
    return kept


def test_honest_results_are_the_same_with_and_without_attackers(
    alone: dict[str, Any], beset: tuple[Course, Batch, dict[str, Any]]
) -> None:
    """Results, autograded notebooks and gradebook rows of honest students do not depend on who else is in the class."""
    records = _honest_records(beset[0])
    assert set(records) == set(alone)
    for name, record in records.items():
        assert record == alone[name], name


def test_every_attacker_has_a_result_and_no_points(beset: tuple[Course, Batch, dict[str, Any]]) -> None:
    """Nobody is lost: each attacker is in the gradebook, with what the wrong answer earns."""
    course, batch, _ = beset
    assert batch.failed == ()
    results = {result.student: result for result in batch.results}
    plain = {attack.plain for attack in ATTACKERS} - {Attack("", "").plain}
    earned = {f"evil-{attack.name}" for attack in ATTACKERS if attack.plain in plain}
    for attack in ATTACKERS:
        student = f"evil-{attack.name}"
        assert student in results
        assert student in earned or results[student].score == 0
    tricks = [result for student, result in results.items() if student.startswith("trick-")]
    assert len(tricks) == 12
    assert {r.student for r in tricks if r.score} <= {"trick-" + "ü" * 100}
    assert {row[0] for row in small_course.scores(course)} == set(results)


def test_the_hosts_files_are_as_they_were(beset: tuple[Course, Batch, dict[str, Any]]) -> None:
    """Grading attackers changes no source, release, submission or configuration."""
    assert _guarded(beset[0]) == beset[2]


@pytest.mark.slow
def test_pages_made_of_attacks_run_nothing(
    beset: tuple[Course, Batch, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Report and feedback of a class of attackers hold their markup as text only; the terminal gets no codes."""
    course = str(beset[0].root)
    page = tmp_path / "report.html"
    authors = [f"evil-{attack.name}" for attack in ATTACKERS if attack.name.startswith("markup")]
    feedback = make_feedback(beset[0], NAME, authors)
    assert len(feedback.pages) == len(authors) > 0
    for path in feedback.pages:
        assert not _RUNS.search(path.read_text(encoding="utf-8"))
    assert cli.main(["--course", course, "report", NAME, "--out", str(page)]) == 0
    assert cli.main(["--course", course, "grade", NAME, "--seed", "7"]) == 0
    assert "\x1b[31m" not in capsys.readouterr().out
    assert not _RUNS.search(page.read_text(encoding="utf-8"))
