"""`autograder collect`: from a platform's download to `submitted/`, with every earlier try kept."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from nbgrader.api import Student as GradebookStudent

from autograder.course import Course
from autograder.errors import UsageError
from autograder.gradebook.marks import Student
from autograder.gradebook.opening import open_gradebook
from autograder.gradebook.rules import Rules
from autograder.grading.lock import hold
from autograder.grading.records import load_master
from autograder.platforms.roster import Person, Roster, read_roster, roster_of
from autograder.platforms.sorting import Delivery, Sorted, sort_uploads
from autograder.platforms.uploads import Refused, Upload, read_uploads
from autograder.submissions.notebook import is_notebook
from autograder.submissions.tries import Tries
from autograder.whole_files import write_whole

__all__ = ["Collected", "Returning", "collect", "everybody_of", "read_returning", "stored_roster"]

MAX_STUDENT_BYTES = 256 << 20
_RESERVED = ("timestamp.txt", "submission_secret.txt")
_CONFIGURATIONS = re.compile(
    r"(nbgrader|ipython\w*|jupyter\w*)_config\.(py|json)|(pytest|tox)\.ini"
    r"|\.?pytest\.toml|setup\.cfg|pyproject\.toml|(gnu)?makefile"
)
"""What nbgrader, Jupyter, IPython, pytest and make read where they are started."""
_MODULES = sys.stdlib_module_names | {
    "alembic", "autograder", "conftest", "course_lib", "exercises", "ipykernel", "ipykernel_launcher", "ipython",
    "jupyter", "jupyter_core", "jupyterlab", "matplotlib", "nbconvert", "nbformat", "nbgrader", "notebook", "numpy",
    "pip", "pytest", "ruff", "sitecustomize", "torch", "traitlets", "usercustomize",
}  # fmt: skip
"""What a program that was started in a folder would import from there in place of the right module."""
_LOW_MODULES = frozenset(name.casefold() for name in _MODULES)
_CODE = (".py", ".pyw", ".pyc", ".pyd", ".so")
_RENAMED = "handed in "
_MAX_NAME_BYTES = 200


@dataclass(frozen=True)
class Row:
    """One student in one download.

    Attributes:
        what: `new`, `again` (an earlier try is kept), `unchanged`.
        notes: what a person should know.
    """

    student: str
    name: str
    files: int
    what: str
    when: dt.datetime | None = None
    late: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collected:
    """What `collect` did, or would do.

    Attributes:
        unclear: files that nobody got.
        without: members of the roster of whom nothing came and nothing lies there.
        roster: how many are in it.
        unnamed: names given with `--owner` that are in no download.
    """

    rows: tuple[Row, ...]
    unclear: tuple[Refused, ...]
    without: tuple[str, ...]
    roster: int
    platform: str
    unclear_times: int = 0
    unnamed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Returning:
    """How a student's feedback and marks find their way back.

    Attributes:
        parts: folders or files of the platform's download.
    """

    platform: str = ""
    parts: tuple[str, ...] = ()


def collect(
    course: Course,
    assignment: str,
    paths: Sequence[Path],
    roster: Path | None = None,
    owners: Mapping[str, str] | None = None,
    *,
    dry_run: bool = False,
) -> Collected:
    """Bring downloads into `submitted/`.

    Args:
        paths: folders, zips or notebooks; each is one download, the oldest first.
        roster: a CSV file; by default the one of the last time, and nbgrader's student table.
        owners: name in the download -> id, for what is unclear otherwise.
        dry_run: look, and write nothing.

    Raises:
        UnknownAssignmentError, CourseError: as for grading; or for a path or roster that is none.
        UsageError: if the download names people and there is no roster, or an owner is not in the roster.
    """
    master = load_master(course, assignment)
    rules = Rules.of(course)
    for path in paths:
        if not path.exists():
            read_uploads(path)  # says it
    own = read_roster(roster, rules.zone) if roster is not None else stored_roster(course, assignment, rules.zone)
    everybody = roster_of(_students(course), own)
    if own is not None:
        _require_known(owners or {}, everybody.people)
    downloads = [
        sort_uploads(read_uploads(path), everybody.people, assignment, master.notebook, owners) for path in paths
    ]
    platforms = {download.platform for download in downloads if download.platform}
    if platforms and not everybody.people and not owners:
        raise UsageError(
            f"this is a download of {' and '.join(sorted(platforms)).title()}, but nobody is known here",
            "give a roster: --roster FILE.csv (Canvas: Grades > Export; Moodle: Download grading worksheet)",
        )
    named = {name for download in downloads for name in download.named}
    unnamed = tuple(name for name in owners or {} if name not in named)
    if dry_run:
        rows = _write(course, assignment, downloads, master.notebook, dry_run=True)
        return replace(_told(course, assignment, downloads, everybody, rows), unnamed=unnamed)
    with hold(course.root / ".autograder" / "lock"):
        if roster is not None:
            _store_roster(course, assignment, roster)
        _enrol(course, everybody, downloads)
        rows = _write(course, assignment, downloads, master.notebook, dry_run=False)
        _store_returning(course, assignment, downloads)
    return replace(_told(course, assignment, downloads, everybody, rows), unnamed=unnamed)


def _require_known(owners: Mapping[str, str], people: Sequence[Person]) -> None:
    """A typing error must not make a student.

    Raises:
        UsageError: for an id that neither the roster nor the gradebook has, with the nearest one.
    """
    known = [person.id for person in people if person.id]
    for name, student in owners.items():
        if student not in known:
            near = difflib.get_close_matches(student, known, n=1)
            what = f"did you mean {near[0]!r}? Else" if near else "give an id of the roster, or"
            raise UsageError(
                f"--owner {name}={student}: the roster has no id {student!r}",
                f"{what} add them to the roster: --roster FILE.csv",
            )


def _told(
    course: Course, assignment: str, downloads: Sequence[Sorted], everybody: Roster, rows: list[Row]
) -> Collected:
    came = {row.student for row in rows}
    without = [
        p.id
        for p in everybody.people
        if p.id and p.id not in came and not (course.submitted / p.id / assignment).exists()
    ]
    unclear = tuple(one for download in downloads for one in download.unclear)
    platforms = sorted({download.platform for download in downloads if download.platform})
    refused = tuple(Refused(row.student, note) for row in rows if row.what == "refused" for note in row.notes)
    kept = tuple(row for row in rows if row.what != "refused")
    return Collected(
        kept,
        (*unclear, *refused),
        tuple(sorted(without)),
        len(everybody.people),
        ", ".join(platforms),
        everybody.unclear_times,
    )


def _write(course: Course, assignment: str, downloads: Sequence[Sorted], notebook: str, *, dry_run: bool) -> list[Row]:
    """Keep each delivery as a try, and let the latest one be graded."""
    rows: dict[str, Row] = {}
    for download in downloads:
        for delivery in download.deliveries:
            row = _keep(course, assignment, delivery, notebook, dry_run=dry_run)
            before = rows.get(row.student)
            if before is not None and before.what == "new" and row.what in ("again", "unchanged"):
                row = replace(row, what="new", notes=(*before.notes, *row.notes))
            rows[row.student] = row
    return [rows[student] for student in sorted(rows)]


def _keep(course: Course, assignment: str, delivery: Delivery, notebook: str, *, dry_run: bool) -> Row:
    student, notes = delivery.person.id, []
    if reason := _bad_id(student):
        return Row(student, delivery.person.name, 0, "refused", notes=(reason,))
    try:
        files = _files(delivery, notebook)
    except OSError as error:
        return Row(student, delivery.person.name, 0, "refused", notes=(str(error.strerror or error),))
    if not delivery.has_notebook:
        is_one = f"{notebook}.ipynb" in files
        notes.append("a notebook by its content, not by its name" if is_one else "no notebook among the files")
    notes += [f"stored as {name!r}: a program would run it" for name in files if _is_renamed(name)]
    when = delivery.person.time or _own_time(delivery)
    if delivery.late and when is None:
        notes.append("late, says Canvas, but not when")
    tries = Tries(course, assignment, student)
    was_there = bool(tries.all()) or tries.place.exists()
    if dry_run:
        what = "new" if not was_there else "unchanged" if tries.has(files) else "again"
        return Row(student, delivery.person.shown, len(files), what, when, delivery.late, tuple(notes))
    origin = tuple(file.name for file in delivery.files)
    added = tries.add(files, origin, when, delivery.late)
    tries.put_in_place(max(tries.all(), key=lambda one: one.order).number)
    what = "unchanged" if added is None else "again" if was_there else "new"
    return Row(student, delivery.person.shown, len(files), what, when, delivery.late, tuple(notes))


def _files(delivery: Delivery, notebook: str) -> dict[str, bytes]:
    """Names in the submission's folder -> contents: all in one folder, a single notebook under the released name.

    Raises:
        OSError: if one cannot be read, or all together are too much.
    """
    total = sum(file.size for file in delivery.files)
    if total > MAX_STUDENT_BYTES:
        raise OSError(f"the files have {total >> 20} MiB; at most {MAX_STUDENT_BYTES >> 20} are taken from one student")
    labels = {label.part: label for label in delivery.labels}
    contents = [_content(file) for file in delivery.files]
    notebooks = [file for file in delivery.files if file.parts[-1].lower().endswith(".ipynb")] or [
        file for file, content in zip(delivery.files, contents, strict=True) if is_notebook(content)
    ]
    found: dict[str, bytes] = {}
    for file, content in zip(delivery.files, contents, strict=True):
        label = next((labels[part] for part in file.parts if part in labels), None)
        own = label.files[-1] if label is not None and file.parts[-1] == label.part else file.parts[-1]
        if notebooks == [file]:
            own = f"{notebook}.ipynb"
        name = _free(_safe(own), found)
        if found.get(_safe(own)) != content:
            found[name] = content
    return found


def _content(file: Upload) -> bytes:
    try:
        return file.read()
    except OSError as error:
        raise OSError(f"{file.name}: {error.strerror or error}") from error


def _safe(name: str) -> str:
    """A name that is one file here, and none of ours, nor one that a program would run if started beside it."""
    plain = re.sub(r'[/\\:*?"<>|\x00-\x1f]', "_", name).lstrip(". ") or "file"
    while len(plain.encode("utf-8", "replace")) > _MAX_NAME_BYTES:
        path = PurePosixPath(plain)
        plain = f"{path.stem[:-1]}{path.suffix}" if len(path.suffix) < 20 and len(path.stem) > 1 else plain[:-1]
    return f"{_RENAMED}{plain}" if plain in _RESERVED or _would_run(plain) else plain


def _would_run(name: str) -> bool:
    """Whether a program that is started in a folder runs a file of this name, or what it says."""
    low = name.casefold()  # some file systems make no difference
    module = low.partition(".")[0] in _LOW_MODULES and low.endswith(_CODE)
    return module or _CONFIGURATIONS.fullmatch(low) is not None


def _is_renamed(name: str) -> bool:
    return name.startswith(_RENAMED) and _would_run(name.removeprefix(_RENAMED))


def _free(name: str, taken: Mapping[str, object]) -> str:
    path, number, free = PurePosixPath(name), 2, name
    while free in taken:
        free, number = f"{path.stem} ({number}){path.suffix}", number + 1
    return free


def _bad_id(student: str) -> str:
    """Why an id cannot be a folder's name; empty if it can."""
    if not student or student.startswith(".") or "/" in student or "\\" in student or not student.isprintable():
        return f"{student!r} cannot be a folder's name: give them another id in the roster"
    too_long = len(student) > 128 or len(student.encode("utf-8", "replace")) > _MAX_NAME_BYTES
    return f"the id {student[:40]!r}... is too long" if too_long else ""


def _own_time(delivery: Delivery) -> dt.datetime | None:
    if delivery.taken is None:
        return None
    try:
        text = delivery.taken.read()[:100].decode().strip().removesuffix(" UTC")
        found = dt.datetime.fromisoformat(text)
    except (OSError, ValueError):
        return None
    return found.astimezone(dt.UTC).replace(tzinfo=None) if found.tzinfo else found


def everybody_of(course: Course, assignment: str, zone: dt.tzinfo) -> Roster:
    """The stored roster of an assignment, joined with nbgrader's student table."""
    return roster_of(_students(course), stored_roster(course, assignment, zone))


def _students(course: Course) -> list[Student]:
    """nbgrader's student table; empty if there is no gradebook yet."""
    url = course.db_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return []
    with open_gradebook(url) as gradebook:
        return [
            Student(s.id, s.first_name or "", s.last_name or "", s.email or "", s.lms_user_id or "")
            for s in gradebook.db.query(GradebookStudent)
        ]


def _enrol(course: Course, everybody: Roster, downloads: Sequence[Sorted]) -> None:
    """The class into nbgrader's student table; what stands there already stays."""
    came = {delivery.person.id: delivery.person for download in downloads for delivery in download.deliveries}
    people = {
        person.id: person for person in (*came.values(), *everybody.people) if person.id and not _bad_id(person.id)
    }
    with open_gradebook(course.db_url) as gradebook:
        known = {student.id: student for student in gradebook.db.query(GradebookStudent)}
        for person in people.values():
            student = known.get(person.id)
            if student is None:
                student = GradebookStudent(id=person.id)
                gradebook.db.add(student)
            first, last = _names(person)
            values = {
                "first_name": first,
                "last_name": last,
                "email": person.email,
                "lms_user_id": person.canvas or person.number,
            }
            for name, value in values.items():
                if value and not getattr(student, name):
                    setattr(student, name, value)
        gradebook.db.commit()


def _names(person: Person) -> tuple[str, str]:
    if person.first or person.last or not person.name:
        return person.first, person.last
    before, comma, after = person.name.partition(",")
    if comma:
        return after.strip(), before.strip()
    first, _, last = person.name.rpartition(" ")
    return first, last


def _folder(course: Course, assignment: str) -> Path:
    return course.root / ".autograder" / assignment


def _store_roster(course: Course, assignment: str, path: Path) -> None:
    """A copy, which marks go back with."""
    target = _folder(course, assignment) / "roster.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, path.read_bytes())


def stored_roster(course: Course, assignment: str, zone: dt.tzinfo) -> Roster | None:
    """The roster that the last `collect` of this assignment was given; None if there was none."""
    path = _folder(course, assignment) / "roster.csv"
    return read_roster(path, zone) if path.is_file() else None


def _store_returning(course: Course, assignment: str, downloads: Sequence[Sorted]) -> None:
    kept: dict[str, Any] = {student: vars(one) for student, one in read_returning(course, assignment).items()}
    for download in downloads:
        for delivery in download.deliveries:
            if delivery.labels:
                parts = list(dict.fromkeys(label.part for label in delivery.labels))
                kept[delivery.person.id] = {"platform": delivery.labels[0].platform, "parts": parts}
    path = _folder(course, assignment) / "returning.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(kept, ensure_ascii=False).encode())


def read_returning(course: Course, assignment: str) -> dict[str, Returning]:
    """Student -> where their submission came from."""
    try:
        data = json.loads((_folder(course, assignment) / "returning.json").read_text(encoding="utf-8"))
        return {student: Returning(one["platform"], tuple(one["parts"])) for student, one in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
