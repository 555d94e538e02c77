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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import course_lib
from autograder.answers import write_answers
from autograder.errors import CourseError, SourceNotebookError
from autograder.exercises import Exercise
from autograder.leaks import Secret, find_leaks
from autograder.student_environment import environment_files
from course_lib.progress import FILE_NAME as PROGRESS_FILE
from course_lib.widgets.predictions import FILE_NAME as PREDICTIONS_FILE

__all__ = ["MANIFEST", "Bundle", "build_bundle"]

MANIFEST = ".bundle.json"
"""Lists the files with their SHA-256; also the sign that a folder is a bundle and may be replaced."""

_START_PAGE = Path(__file__).parent / "templates" / "start.ipynb"
_NEVER = ("__pycache__", ".ipynb_checkpoints", "answers")
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
    release: Path,
    assignments: Mapping[str, Mapping[str, Exercise]],
    secrets: Sequence[Secret],
    licence: Path | None = None,
) -> Bundle:
    """Build the bundle of some assignments, replacing an older one.

    Args:
        folder: where it shall stand; the archive stands beside it.
        release: nbgrader's release folder.
        assignments: assignment -> its exercises.
        secrets: what must not be found in it.
        licence: a file that goes along.

    Raises:
        CourseError: if something that is not a bundle stands there.
        SourceNotebookError: if a secret is found; nothing is replaced then.
    """
    _require_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        fresh = Path(scratch) / folder.name
        _fill(fresh, release, assignments, licence)
        _require_no_leaks(fresh, secrets)
        manifest = _write_manifest(fresh, list(assignments))
        archive = folder.with_name(f"{folder.name}.zip")
        _zip(fresh, archive)
        size = sum((fresh / name).stat().st_size for name in manifest)
        kept = _keep_work(folder, fresh, manifest)
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


def _fill(fresh: Path, release: Path, assignments: Mapping[str, Mapping[str, Exercise]], licence: Path | None) -> None:
    ignore = shutil.ignore_patterns(*_NEVER, "*.pyc", *_KEPT_SILENTLY)
    for name in assignments:
        shutil.copytree(release / name, fresh / name, ignore=ignore)
    shutil.copyfile(_START_PAGE, fresh / _START_PAGE.name)
    package = Path(course_lib.__file__ or "").parent
    shutil.copytree(package, fresh / "course_lib", ignore=ignore)
    for name, exercises in assignments.items():
        write_answers(name, fresh / "course_lib" / "answers", exercises)
    if licence is not None and licence.is_file():
        shutil.copy(licence, fresh / "LICENSE")
    for name, text in environment_files(fresh, list(assignments)).items():
        (fresh / name).write_text(text, "utf-8")


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


def _keep_work(old: Path, fresh: Path, manifest: Mapping[str, str]) -> tuple[str, ...]:
    """Carry over what somebody did in the old folder: edited notebooks, own files beside them, progress.

    An edited notebook stays in its place while its released version is unchanged, and gets another name otherwise.
    """
    before = _read_manifest(old)
    kept = []
    for path in sorted(path for path in old.glob("*/**/*") if path.is_file()):
        name = path.relative_to(old).as_posix()
        if name.startswith("course_lib/") or any(part in _NEVER for part in path.parts) or path.suffix == ".pyc":
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
