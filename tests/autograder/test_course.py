"""Finding and reading a course folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.course import Course
from autograder.errors import CourseError


def make_course(folder: Path, *lines: str) -> Path:
    """A course folder with this configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nbgrader_config.py").write_text("\n".join(["c = get_config()", *lines]) + "\n")
    return folder.resolve()


def test_the_nearest_folder_above_with_a_configuration_is_the_course(tmp_path: Path) -> None:
    """From a folder deep in a course the course is found, and the inner one if two are nested."""
    make_course(tmp_path)
    inner = make_course(tmp_path / "inner")
    deep = inner / "a" / "b"
    deep.mkdir(parents=True)
    assert Course.find(deep).root == inner


def test_the_working_directory_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --course the search starts here."""
    root = make_course(tmp_path)
    monkeypatch.chdir(root)
    assert Course.find().root == root


def test_folders_follow_the_configuration_and_else_nbgraders_names(tmp_path: Path) -> None:
    """`source_directory` may be renamed; the rest keeps nbgrader's default."""
    course = Course.find(make_course(tmp_path, "c.CourseDirectory.source_directory = 'notebooks'"))
    steps = [course.source, course.release, course.submitted, course.autograded, course.feedback]
    names = ["notebooks", "release", "submitted", "autograded", "feedback"]
    assert steps == [course.root / name for name in names]


def test_folders_and_gradebook_agree_with_nbgrader(tmp_path: Path) -> None:
    """nbgrader's own objects, given the configuration, look in the same places."""
    from nbgrader.coursedir import CourseDirectory

    course = Course.find(make_course(tmp_path, "c.CourseDirectory.source_directory = 'notebooks'"))
    theirs = CourseDirectory(config=course.config)
    assert Path(theirs.format_path(theirs.source_directory, ".", "x")) == course.source / "x"
    assert Path(theirs.format_path(theirs.submitted_directory, "ada", "x")) == course.submitted / "ada" / "x"
    assert theirs.db_url == course.db_url


def test_another_database_is_taken_from_the_configuration(tmp_path: Path) -> None:
    """PostgreSQL comes in by nbgrader's own option."""
    course = Course.find(make_course(tmp_path, "c.CourseDirectory.db_url = 'postgresql://db/marks'"))
    assert course.db_url == "postgresql://db/marks"


def test_no_course_is_a_known_error(tmp_path: Path) -> None:
    """The message names the folder, the hint the option."""
    with pytest.raises(CourseError, match=r"no nbgrader_config\.py in") as caught:
        Course.find(tmp_path)
    assert "--course" in caught.value.hint


def test_a_missing_folder_is_a_known_error(tmp_path: Path) -> None:
    """A typing error in --course is not answered with the parent's course."""
    make_course(tmp_path)
    with pytest.raises(CourseError, match="no such folder"):
        Course.find(tmp_path / "typo")


@pytest.mark.parametrize("line", ["c.Foo = (", "raise SystemError('x')", "import no_such_module"])
def test_a_broken_configuration_is_a_known_error(line: str, tmp_path: Path) -> None:
    """Whatever the file does wrong, the message names it."""
    with pytest.raises(CourseError, match=r"nbgrader_config\.py cannot be read"):
        Course.find(make_course(tmp_path, line))


@pytest.mark.parametrize("folder", ["submitted", "autograded", "feedback", "release", ".autograder/01/tries", "in"])
def test_a_configuration_among_files_of_students_is_not_run(folder: str, tmp_path: Path) -> None:
    """Also where the course calls its folder for submissions otherwise."""
    make_course(tmp_path, "c.CourseDirectory.submitted_directory = 'in'")
    ran = tmp_path / "ran"
    theirs = make_course(tmp_path / folder / "eve" / "01_first", f"open({str(ran)!r}, 'w').close()")
    for start in (theirs, tmp_path / folder / "eve" / "01_first" / "deeper"):
        start.mkdir(exist_ok=True)
        with pytest.raises(CourseError, match="among files of students") as caught:
            Course.find(start)
        assert "--course" in caught.value.hint
    assert not ran.exists()
    (theirs / "nbgrader_config.py").unlink()
    assert Course.find(theirs).root == tmp_path


@pytest.mark.parametrize("folder", ["submitted/eve/01", "exchange/c/inbound/eve+01+2026"])
def test_a_submission_outside_of_a_course_is_not_run(folder: str, tmp_path: Path) -> None:
    """`submitted_directory` may lie on another disk, and the exchange does."""
    theirs = make_course(tmp_path / folder, "raise SystemExit('it ran')")
    with pytest.raises(CourseError, match="among files of students"):
        Course.find(theirs)


def test_a_course_may_lie_in_another_one(tmp_path: Path) -> None:
    """As the demonstration does; where the outer configuration cannot be read, nbgrader's names still hold."""
    make_course(tmp_path, "c.CourseDirectory.submitted_directory = 1 +")
    assert Course.find(make_course(tmp_path / "demo_course")).root == tmp_path / "demo_course"
    assert Course.find(make_course(tmp_path / "feedback_course")).root == tmp_path / "feedback_course"
    with pytest.raises(CourseError, match="among files of students"):
        Course.find(make_course(tmp_path / "feedback" / "eve"))
