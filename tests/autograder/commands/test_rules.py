"""Due dates, penalties and faulty exercises from the configuration to marks, feedback and report, without new runs."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import cli
from autograder.course import Course
from autograder.gradebook import notices as notices_module
from autograder.gradebook.marks import AssignmentMarks, read_marks
from autograder.gradebook.notices import SETTINGS, notices
from autograder.gradebook.rules import Rules
from autograder.grading import preprocessors
from autograder.grading.batch import Batch, Options, grade_course
from autograder.results import read_results
from tests.support import made_up, small_course
from tests.support.downloads import Member, canvas_export, canvas_name, moodle_folder, moodle_worksheet, write_zip

NAME = made_up.ASSIGNMENT
DUE = f'c.Autograder.due = {{"{NAME}": "2026-05-01 12:00"}}\n'
TEN_A_DAY = 'c.Autograder.late = {"percent": 10, "per": "day", "grace_minutes": 10}\n'
Configure = Callable[[str], Course]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Right answers of Ada, in time, and of Bob, 25 hours late; one with a slip of Cyd, an hour late; graded once."""
    course = small_course.make(tmp_path_factory.mktemp("rules"))
    for student, time in {"ada": "2026-05-01 11:00", "bob": "2026-05-02 13:00", "cyd": "2026-05-01 13:00"}.items():
        answer = small_course.UNBIASED if student == "cyd" else small_course.RIGHT
        path = small_course.hand_in(course, student, answer, why=f"{student} says that the batch is small.")
        (path.parent / "timestamp.txt").write_text(f"{time}:00 UTC\n")
    assert _grade(course).graded == 3
    return course.root


@pytest.fixture
def configured(root: Path) -> Any:
    """Adds lines to the course's configuration for one test."""
    config = root / "nbgrader_config.py"
    before = config.read_text()

    def add(lines: str) -> Course:
        config.write_text(f"{before}\n{lines}")
        return Course.find(root)

    yield add
    config.write_text(before)
    (root / "extensions.csv").unlink(missing_ok=True)


def _grade(course: Course) -> Batch:
    return grade_course(course, NAME, Options(seed=7, workers=1, sandbox="none"))


def _marks(course: Course) -> AssignmentMarks:
    (found,) = read_marks(course.db_url, [NAME], Rules.of(course))
    return found


def _by_hand(course: Course, student: str, points: float) -> None:
    with Gradebook(course.db_url) as book:
        grade = book.find_grade("why", "made_up", NAME, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()


def _in_gradebook(course: Course, student: str) -> float | None:
    with Gradebook(course.db_url) as book:
        found: float | None = book.find_submission(NAME, student).notebooks[0].late_submission_penalty
        return found


def test_a_policy_penalizes_without_a_new_run_and_follows_what_is_graded_by_hand(configured: Configure) -> None:
    """From written and automatic points; policy, due date and hand grading may change at any time."""
    course = configured(DUE + TEN_A_DAY)
    _by_hand(course, "bob", 3.0)
    batch = _grade(course)
    assert batch.graded == 0
    assert {r.student: r.status for r in batch.results} == {"ada": "graded", "bob": "late", "cyd": "late"}
    penalties = {mark.student.id: mark.penalty for mark in _marks(course).marks}
    assert penalties == {"ada": 0, "bob": pytest.approx(2.0), "cyd": pytest.approx(0.1 * _marks(course).marks[2].raw)}
    assert _in_gradebook(course, "bob") == pytest.approx(2.0)
    with Gradebook(course.db_url) as book:
        assert book.find_assignment(NAME).duedate == dt.datetime(2026, 5, 1, 12)
    _by_hand(course, "bob", 4.0)
    assert _marks(course).marks[1].penalty == pytest.approx(2.2), "also before the next `grade`"
    course = configured(DUE.replace("05-01", "05-02") + TEN_A_DAY)
    batch = _grade(course)
    assert batch.graded == 0
    assert {r.student: r.status for r in batch.results} == {"ada": "graded", "bob": "late", "cyd": "graded"}
    assert (_in_gradebook(course, "bob"), _in_gradebook(course, "cyd")) == (pytest.approx(1.1), None)
    course = configured('c.Autograder.late = "none"\n' + DUE)
    _grade(course)
    assert {mark.penalty for mark in _marks(course).marks} == {0.0}


def test_one_student_may_have_longer(configured: Configure, root: Path) -> None:
    """nbgrader's own programs are told of it as well; a line that is gone is taken back."""
    course = configured(DUE + TEN_A_DAY)
    (root / "extensions.csv").write_text(f"student,assignment,until\nbob,{NAME},2026-05-02 12:55\n")
    _grade(course)
    assert {mark.student.id: mark.late_s for mark in _marks(course).marks} == {"ada": 0, "bob": 0, "cyd": 3600}
    with Gradebook(course.db_url) as book:
        assert book.find_submission(NAME, "bob").extension == dt.timedelta(hours=24, minutes=55)
    (root / "extensions.csv").write_text("student,assignment,until\n")
    _grade(course)
    assert _marks(course).marks[1].late_s == 90000


def test_dates_and_penalties_go_with_the_settings_they_came_from(configured: Configure, root: Path) -> None:
    """In exports at once, in nbgrader's tables with the next `grade`; what its own programs entered comes back."""
    own = dt.datetime(2026, 5, 1, 12, 30)
    with Gradebook(configured("").db_url) as book:
        book.find_assignment(NAME).duedate = own
        book.find_submission(NAME, "bob").extension = dt.timedelta(hours=1)
        book.db.commit()
    (root / "extensions.csv").write_text(f"student,assignment,until\nada,{NAME},+1 days\n")
    course = configured(DUE + TEN_A_DAY)
    _grade(course)
    assert _times(course) == (dt.datetime(2026, 5, 1, 12), {"ada": dt.timedelta(days=1)})
    assert _in_gradebook(course, "cyd")
    (root / "extensions.csv").unlink()
    course = configured("")
    marks = _marks(course)
    assert marks.due == own
    assert {mark.student.id: mark.penalty for mark in marks.marks} == {"ada": 0, "bob": 0, "cyd": 0}
    _grade(course)
    assert _times(course) == (own, {"bob": dt.timedelta(hours=1)})
    assert _in_gradebook(course, "cyd") is None
    assert _in_gradebook(course, "bob") is None
    course = configured(f'c.Autograder.due = {{"{NAME}": None}}\n')
    assert {result.status for result in _grade(course).results} == {"graded"}
    assert _times(course)[0] is None
    course = configured("")
    _grade(course)
    assert _times(course)[0] == own
    with Gradebook(course.db_url) as book:
        book.find_assignment(NAME).duedate = None
        book.find_submission(NAME, "bob").extension = None
        book.db.commit()
    assert {result.status for result in _grade(course).results} == {"graded"}


def _times(course: Course) -> tuple[dt.datetime | None, dict[str, dt.timedelta]]:
    """Due date and extensions in nbgrader's own tables."""
    with Gradebook(course.db_url) as book:
        found = book.find_assignment(NAME)
        return found.duedate, {one.student_id: one.extension for one in found.submissions if one.extension}


def test_what_has_no_effect_is_named(configured: Configure, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest name, by everything that somebody types before marks go out."""
    course = configured(
        "c.Autograder.latte = 3\nc.Autograder.deu = {}\nc.Autograder.colour_scheme = 1\n"
        f'c.Autograder.limits = {{"{NAME}x": {{"cell_s": 3}}, "*": {{}}, "01_x": {{"cells_s": 3}}}}\n'
    )
    (root / "extensions.csv").write_text(
        "student,assignment,until\nada,*,+1 days\nAda,*,+1 days\nGrace Hopper,*,+1 days\nxyz,*,+1 days\n"
    )
    with Gradebook(course.db_url) as book:
        book.update_or_create_student("cyd", first_name="Grace", last_name="Hopper")
    lines = notices(course, Rules.of(course))
    assert [line.partition("; ")[2] for line in lines] == [
        "did you mean c.Autograder.late?",
        "did you mean c.Autograder.due?",
        f"there are: {', '.join(SETTINGS)}",
        f"did you mean {NAME}?",
        f"there are: {NAME}",
        "did you mean cell_s?",
        "did you mean 'ada'?",
        "did you mean 'cyd'?",
        "write the name of their folder in submitted/",
    ]
    assert "line 3: nobody here has the id 'Ada'" in lines[6]
    for command in (["grade", NAME, "--sandbox", "none", "--seed", "7"], ["export", NAME], ["doctor"]):
        capsys.readouterr()
        cli.main(["--course", str(course.root), *command])
        told = capsys.readouterr().out
        assert all(line in told for line in lines), command


def test_every_setting_that_is_read_is_known() -> None:
    """A new one does not turn into a warning."""
    folder = Path(notices_module.__file__).parents[1]
    read = {name for path in folder.rglob("*.py") for name in re.findall(r'setting\("(\w+)"\)', path.read_text())}
    assert read == set(SETTINGS)


@pytest.mark.parametrize(
    ("adjust", "ada", "cyd", "most"),
    [
        ('{"column-scale": "drop"}', 2, 2, 6),
        ('{"column-scale": "full marks"}', 7, 7, 11),
        ('{"column-scale": 0.5}', 4.5, None, 8.5),
        ('{"pair": "bonus"}', 7, None, 9),
        ('{"why": "drop"}', 7, None, 7),
    ],
)
def test_a_faulty_exercise_counts_as_the_course_says(
    configured: Configure, adjust: str, ada: float, cyd: float | None, most: float
) -> None:
    """Without a new run, and what was earned stays in the gradebook."""
    before = small_course.scores(configured(""))
    course = configured(f'c.Autograder.adjust = {{"{NAME}": {adjust}}}\n')
    assert _grade(course).graded == 0
    found = _marks(course)
    assert (found.marks[0].automatic, found.max_score) == (ada, most)
    assert cyd is None or found.marks[2].automatic == cyd
    assert small_course.scores(course) == before
    assert not found.marks[0].needs_grading or "why" not in adjust


def test_feedback_report_and_export_say_what_counts(configured: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """Late, extended, dropped: in all three."""
    course = configured(DUE + TEN_A_DAY + f'c.Autograder.adjust = {{"{NAME}": {{"pair": "drop"}}}}\n')
    (course.root / "extensions.csv").write_text(f"student,assignment,until\ncyd,{NAME},+3 days\n")
    _by_hand(course, "bob", 3.0)
    _grade(course)
    for command in (["feedback", NAME], ["report", NAME], ["export", NAME]):
        assert cli.main(["--course", str(course.root), *command]) == 0
    pages = {name: (course.feedback / name / NAME / "made_up.html").read_text() for name in ("ada", "bob", "cyd")}
    assert "1.6 of 8 points are taken off" in pages["bob"]
    assert "6.4</span> of 9 points" in pages["bob"]
    assert "2026-05-02 13:00 UTC, 25 hours after 2026-05-01 12:00 UTC" in pages["bob"]
    assert all("pair: not counted." in page for page in pages.values())
    assert "an extension" in pages["cyd"]
    assert "Handed in" not in pages["ada"]
    report = (course.root / f"report_{NAME}.html").read_text()
    assert "1 submission was late, which cost 1.6 points (10% of the points for every day begun" in report
    assert "pair: not counted" in report
    assert "/ 5</small>" in report
    printed = capsys.readouterr().out
    assert "pair: not counted" in printed
    rows = list(csv.DictReader((course.root / "marks_csv.csv").read_text("utf-8-sig").splitlines()))
    assert [(r["student_id"], r["score"], r["percent"]) for r in rows[1:2]] == [("bob", "6.4", "71.11")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('c.Autograder.late = {"percent": 10, "per": "week"}', "expected day or hour"),
        (f'c.Autograder.due = {{"{NAME}": "soon"}}', "'soon' is not a time"),
        ('c.Autograder.due = {"00_made_upp": "2026-05-01 12:00"}', "no assignment '00_made_upp'"),
        (f'c.Autograder.adjust = {{"{NAME}": {{"column-scal": "drop"}}}}', "did you mean 'column-scale'"),
        (f'c.Autograder.adjust = {{"{NAME}": {{"pair": "half"}}}}', "'half' is no adjustment"),
        ('c.Autograder.timezone = "Mars"', "no time zone is called 'Mars'"),
        ('c.AssignLatePenalties.plugin_class = "no.such.Plugin"', "is no late-submission plugin"),
    ],
)
def test_a_wrong_setting_is_one_line(
    configured: Configure, capsys: pytest.CaptureFixture[str], lines: str, words: str
) -> None:
    """Of grade and of feedback alike, with what to write."""
    course = configured(lines + "\n")
    for command in (["grade", NAME, "--sandbox", "none"], ["feedback", NAME]):
        assert cli.main(["--course", str(course.root), *command]) == 2
        text = capsys.readouterr().err
        assert words in text
        assert len(text.strip().splitlines()) <= 2


def test_nbgraders_own_command_penalizes_alike(configured: Configure) -> None:
    """By our preprocessor in its place; without a policy nbgrader's plugin decides, which takes nothing."""
    about = {"nbgrader": {"assignment": NAME, "student": "bob", "notebook": "made_up"}}
    for lines, takes in ((DUE + TEN_A_DAY, True), (DUE, False)):
        course = configured(lines)
        about["nbgrader"]["db_url"] = course.db_url
        preprocessors._course.cache_clear()
        preprocessors.LatePenalties(config=course.config).preprocess(nbformat.v4.new_notebook(), about)
        assert bool(_in_gradebook(course, "bob")) == takes


def test_pages_go_back_to_the_platform(
    configured: Configure, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Moodle's folders and Canvas' names, as they were downloaded; marks in the file that the roster came in."""
    course = configured("")
    members = [Member(s.title(), "X", s, str(n), 10 + n, 4710 + n) for n, s in enumerate(("ada", "bob", "cyd"))]
    data = {m.login: (root / "submitted" / m.login / NAME / "made_up.ipynb").read_bytes() for m in members}
    for platform in ("moodle", "canvas"):
        if platform == "moodle":
            files = {f"{moodle_folder(m)}/made_up.ipynb": data[m.login] for m in members[:2]}
            roster, folder = moodle_worksheet(members), "Bob X_11_assignsubmission_file_/made_up.html"
        else:
            files = {canvas_name(m, 90 + m.user, "made_up-2.ipynb", late=True): data[m.login] for m in members[:2]}
            roster, folder = canvas_export(members), "xbob_LATE_4711_4801_made_up-2.html"
        (tmp_path / "roster.csv").write_text(roster)
        download = write_zip(tmp_path / f"{platform}.zip", files)
        with Gradebook(course.db_url) as book:
            for m in members:
                book.update_or_create_student(m.login, first_name=m.first, last_name=m.last, email=m.email)
        collect = ["collect", NAME, str(download), "--roster", str(tmp_path / "roster.csv")]
        assert cli.main(["--course", str(root), *collect]) == 0
        assert cli.main(["--course", str(root), "feedback", NAME, "--zip", platform]) == 0
        with zipfile.ZipFile(root / f"feedback_{NAME}_{platform}.zip") as archive:
            assert folder in archive.namelist()
            assert archive.read(folder) == (course.feedback / "bob" / NAME / "made_up.html").read_bytes()
            assert len(archive.namelist()) == (3 if platform == "moodle" else 2)
        out = tmp_path / f"{platform}_marks.csv"
        export = ["export", NAME, "--format", platform, "--partial", "--out", str(out)]
        assert cli.main(["--course", str(root), *export]) == 0
        rows = list(csv.reader(io.StringIO(out.read_text("utf-8-sig"))))
        assert rows[0][:2] == (["Identifier", "Full name"] if platform == "moodle" else ["Student", "ID"])
        assert len(rows) == (4 if platform == "moodle" else 5)
    assert "no way back for cyd" in capsys.readouterr().err


def test_every_criterion_and_mistake_is_a_line_of_its_own(
    configured: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    """For spreadsheets and R: what was met, lost or not judged, and which mistakes were named."""
    course = configured("")
    tables = {}
    for kind in ("criteria", "mistakes"):
        assert cli.main(["--course", str(course.root), "export", NAME, "--format", kind, "--out", "-"]) == 0
        tables[kind] = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert {row["state"] for row in tables["criteria"] if row["student_id"] == "ada"} == {"met"}
    lost = [row for row in tables["criteria"] if row["state"] == "lost"]
    assert {(row["student_id"], row["exercise"]) for row in lost} == {("cyd", "column-scale")}
    assert [(row["student_id"], row["mistake"]) for row in tables["mistakes"]] == [("cyd", "unbiased-variance")]
    results = read_results(course.results(NAME))
    assert len(tables["criteria"]) == sum(len(e.criteria) for r in results.values() for e in r.exercises.values())
