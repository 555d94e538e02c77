"""The student bundle: a folder (and a .zip) with everything a student needs and nothing else.

It holds the released notebooks, `course_lib` with the answer data of these assignments, and the files that make an
environment.  It is built beside its place, searched for leaks, and only then put there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import course_lib
from autograder.course import Course
from autograder.errors import CourseError, SourceNotebookError
from autograder.exercise import Exercise
from autograder.releasing.answers import write_answers
from autograder.releasing.colab import ColabDoor
from autograder.releasing.leaks import Secret, find_leaks
from autograder.releasing.student_environment import environment_files
from course_lib.checking.progress import FILE_NAME as PROGRESS_FILE
from course_lib.widgets.predictions import FILE_NAME as PREDICTIONS_FILE

__all__ = ["MANIFEST", "Bundle", "build_bundle", "build_colab"]

MANIFEST = ".bundle.json"
"""Lists the files with their SHA-256; also the sign that a folder is a bundle and may be replaced."""

_START_PAGE = Path(__file__).parent / "templates" / "start.ipynb"
_NEVER = ("__pycache__", ".ipynb_checkpoints", "answers")
_FOR_EVERY_COURSE = ("checking", "lab", "widgets")
"""Folders of `course_lib` that are about no topic."""

_KEPT_SILENTLY = (PROGRESS_FILE, PREDICTIONS_FILE)
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """What was built.

    Attributes:
        files: number of files.
        size: their bytes.
        kept: notebooks with somebody's work that were found in the old folder and kept.
    """

    folder: Path
    archive: Path
    files: int
    size: int
    kept: tuple[str, ...] = ()


def build_bundle(
    folder: Path,
    course: Course,
    assignments: Mapping[str, Mapping[str, Exercise]],
    secrets: Sequence[Secret],
    door: ColabDoor | None = None,
) -> Bundle:
    """Build the bundle of some assignments, replacing an older one.

    Args:
        folder: where it shall stand; the archive stands beside it.
        course: whose released notebooks, library and licence go along.
        assignments: assignment -> its exercises.
        secrets: what must not be found in it.
        door: how students get into Colab, if there are notebooks for it.

    Raises:
        CourseError: if something that is not a bundle stands there.
        SourceNotebookError: if a secret is found; nothing is replaced then.
    """

    def fill(fresh: Path) -> None:
        _fill(fresh, course, assignments, door)

    return _build(folder, fill, list(assignments), secrets, course.code.libraries)


def build_colab(
    folder: Path, door: ColabDoor, bundle: Bundle, assignments: Sequence[str], secrets: Sequence[Secret]
) -> Bundle:
    """Build the folder of notebooks for Colab from those of a bundle; as careful as `build_bundle`."""

    def fill(fresh: Path) -> None:
        door.write(fresh, bundle.folder, assignments)

    return _build(folder, fill, assignments, secrets, ())


def _build(
    folder: Path,
    fill: Callable[[Path], None],
    assignments: Sequence[str],
    secrets: Sequence[Secret],
    libraries: Sequence[str],
) -> Bundle:
    _require_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        fresh = Path(scratch) / folder.name
        fill(fresh)
        _require_no_leaks(fresh, secrets)
        manifest = _write_manifest(fresh, list(assignments))
        archive = folder.with_name(f"{folder.name}.zip")
        _zip(fresh, archive)
        size = sum((fresh / name).stat().st_size for name in manifest)
        kept = _keep_work(folder, fresh, manifest, libraries)
        _swap(fresh, folder, Path(scratch) / "old")
    return Bundle(folder, archive, len(manifest), size, kept)


def _require_replaceable(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise CourseError(
            f"{folder} exists and is not a student bundle; it would be replaced",
            "choose another folder with --bundle DIR, or empty this one yourself",
        )
    if folder.exists() and not folder.is_dir():
        raise CourseError(f"{folder} is a file, expected a folder", "choose another folder with --bundle DIR")


def _fill(
    fresh: Path, course: Course, assignments: Mapping[str, Mapping[str, Exercise]], door: ColabDoor | None
) -> None:
    ignore = shutil.ignore_patterns(*_NEVER, "*.pyc", *_KEPT_SILENTLY)
    for name in assignments:
        shutil.copytree(course.release / name, fresh / name, ignore=ignore)
    _write_start_page(fresh / _START_PAGE.name, course)
    _copy_course_lib(fresh / "course_lib", course, ignore)
    if course.code.library_folder is not None:
        shutil.copytree(course.code.library_folder, fresh / course.code.library, ignore=ignore)
    for name, exercises in assignments.items():
        write_answers(name, fresh / "course_lib" / "answers", exercises)
    licence = course.root / "LICENSE"
    if licence.is_file():
        shutil.copy(licence, fresh / "LICENSE")
    for name, text in environment_files(fresh, course, list(assignments), door).items():
        (fresh / name).write_text(text, "utf-8")


def _copy_course_lib(place: Path, course: Course, ignore: Callable[[str, list[str]], set[str]]) -> None:
    """All of `course_lib` where it is the course's library; else what serves every course."""
    package = Path(course_lib.__file__ or "").parent
    shutil.copytree(package, place, ignore=ignore)
    if course.code.library_folder is not None:
        for folder in (path for path in place.iterdir() if path.is_dir() and path.name not in _FOR_EVERY_COURSE):
            shutil.rmtree(folder)


def _write_start_page(place: Path, course: Course) -> None:
    notebook = json.loads(_START_PAGE.read_text("utf-8"))
    first = notebook["cells"][0]
    first["source"] = [f"# {course.title}\n", *first["source"][1:]]
    place.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _require_no_leaks(fresh: Path, secrets: Sequence[Secret]) -> None:
    leaks = find_leaks(fresh, secrets)
    if leaks:
        lines = "".join(f"\n  {leak}" for leak in leaks)
        raise SourceNotebookError(
            f"the bundle would give solutions away, so it was not made:{lines}", "reword or remove these lines"
        )


def _write_manifest(fresh: Path, assignments: list[str]) -> dict[str, str]:
    paths = sorted(path for path in fresh.rglob("*") if path.is_file())
    files = {path.relative_to(fresh).as_posix(): _sha256(path) for path in paths}
    text = json.dumps({"assignments": assignments, "files": files}, indent=1)
    (fresh / MANIFEST).write_text(text + "\n", "utf-8")
    return files


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _zip(fresh: Path, archive: Path) -> None:
    """Equal bundles give equal archives: sorted, without times."""
    partial = fresh.with_name(archive.name)
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(path for path in fresh.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"{fresh.name}/{path.relative_to(fresh).as_posix()}", _ZIP_TIME)
            entry.external_attr = 0o644 << 16
            file.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    partial.replace(archive)


def _keep_work(old: Path, fresh: Path, manifest: Mapping[str, str], libraries: Sequence[str]) -> tuple[str, ...]:
    """Carry over what somebody did in the old folder: edited notebooks, own files beside them, progress.

    An edited notebook stays in its place while its released version is unchanged, and gets another name otherwise.
    """
    before = _read_manifest(old)
    kept = []
    for path in sorted(path for path in old.glob("*/**/*") if path.is_file()):
        name = path.relative_to(old).as_posix()
        if name.partition("/")[0] in libraries or any(part in _NEVER for part in path.parts) or path.suffix == ".pyc":
            continue
        if before.get(name) == _sha256(path):
            continue
        target = fresh / name
        if target.exists() and manifest.get(name) != before.get(name):
            target = target.with_name(f"{target.stem}.edited-{datetime.now():%Y%m%d-%H%M%S}{target.suffix}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
        kept += [target.relative_to(fresh).as_posix()] if path.name not in _KEPT_SILENTLY else []
    return tuple(kept)


def _read_manifest(folder: Path) -> dict[str, str]:
    try:
        files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files if isinstance(files, dict) else {}


def _swap(fresh: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
