"""The answer data that ships with the course: numbers, no code.

One safetensors file per assignment, ``<assignment>.safetensors``.  Its tensors
are bytes: for each exercise id one value written by `values.pack`, so that a
check reads only the exercise it needs.  A wrong answer is stored as what it
gives at the entries where it is wrong, never as how it is computed.
"""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from course_lib.checking.errors import AnswersMissingError, UnknownExerciseError
from course_lib.checking.keys import CaseKey, CriterionKey, Entry, ExerciseKey, Failure, MisconceptionKey
from course_lib.checking.values import MAX_BYTES, pack, unpack
from course_lib.lab.course_folder import answers_of_course

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "answer_folders",
    "assignment_of",
    "decode_key",
    "encode_key",
    "exercise_ids",
    "installed_answers",
    "load_key",
    "write_keys",
]

ENVIRONMENT_VARIABLE = "COURSE_ANSWERS"
"""Names a folder that is looked into before the one in this package."""

_NAME, _VERSION = "course answers", 3
_FORMAT = f"{_NAME} {_VERSION}"
_BESIDE = Path(__file__).parent.parent / "answers"


def encode_key(key: ExerciseKey) -> dict[str, Any]:
    """A key as plain data for `values.pack`.

    The message of a wrong answer's failure is left out: it could quote the code that failed.
    """
    return {
        "id": key.id,
        "signatures": list(key.signatures),
        "cases": [_encode_case(case) for case in key.cases],
        "criteria": [
            {"slug": c.slug, "title": c.title, "points": c.points, "entries": [_place(e) for e in c.entries]}
            for c in key.criteria
        ],
        "misconceptions": [
            {
                "slugs": list(m.slugs),
                "hints": list(m.hints),
                "loses": sorted(m.loses),
                "prices": list(m.prices),
                "footprint": [_encode_print(*item) for case in key.cases for item in m.at(case).items()],
            }
            for m in key.misconceptions
        ],
        "forbidden": list(key.forbidden),
        "tells": key.tells,
        "observes": sorted(key.observes),
    }


def _encode_case(case: CaseKey) -> dict[str, Any]:
    return {
        "name": case.name,
        "function": case.function,
        "driver": case.driver,
        "inputs": dict(case.inputs),
        "outputs": list(case.outputs),
        "expected": dict(case.expected),
        "tolerance": case.tolerance,
        "returns": case.returns,
    }


def _place(entry: Entry) -> list[str]:
    return [entry.case, entry.output, entry.aspect]


def _encode_print(entry: Entry, seen: Any) -> dict[str, Any]:
    if isinstance(seen, Failure):
        return {"entry": _place(entry), "failure": seen.kind}
    return {"entry": _place(entry), "value": seen}


def decode_key(data: Mapping[str, Any]) -> ExerciseKey:
    """The key that `encode_key` made plain."""
    return ExerciseKey(
        id=data["id"],
        signatures=tuple(data["signatures"]),
        cases=tuple(_decode_case(case) for case in data["cases"]),
        criteria=tuple(
            CriterionKey(c["slug"], c["title"], c["points"], tuple(Entry(*place) for place in c["entries"]))
            for c in data["criteria"]
        ),
        misconceptions=tuple(
            MisconceptionKey(
                tuple(m["slugs"]),
                tuple(m["hints"]),
                frozenset(m["loses"]),
                tuple(m["prices"]),
                dict(map(_decode_print, m["footprint"])),
            )
            for m in data["misconceptions"]
        ),
        forbidden=tuple(data["forbidden"]),
        tells=data["tells"],
        observes=frozenset(data["observes"]),
    )


def _decode_case(data: Mapping[str, Any]) -> CaseKey:
    return CaseKey(**{**data, "outputs": tuple(data["outputs"])})


def _decode_print(data: Mapping[str, Any]) -> tuple[Entry, Any]:
    entry = Entry(*data["entry"])
    return entry, Failure(data["failure"], "") if "failure" in data else data["value"]


def write_keys(path: Path, assignment: str, keys: Iterable[ExerciseKey]) -> None:
    """Write the answer data of an assignment; a reader never sees half a file."""
    blobs = {key.id: torch.frombuffer(bytearray(pack(encode_key(key), MAX_BYTES)), dtype=torch.uint8) for key in keys}
    about = {"format": _FORMAT, "assignment": assignment, "exercises": list(blobs)}
    # One entry only: safetensors writes several in an order that differs from run to run.
    data = safetensors.torch.save(blobs, {"about": json.dumps(about)})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def installed_answers() -> Path:
    """Where answer data lies beside this library, or where the environment says."""
    return Path(os.environ.get(ENVIRONMENT_VARIABLE) or _BESIDE)


def answer_folders() -> tuple[Path, ...]:
    """Where answer data is looked for: as the environment says, in the course's folder, beside this library."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    return tuple(Path(folder) for folder in (chosen, answers_of_course(), _BESIDE) if folder)


def load_key(exercise_id: str) -> ExerciseKey:
    """The public key of an exercise, from whichever assignment has it.

    Raises:
        AnswersMissingError: if there is no answer data at all, or it is damaged.
        UnknownExerciseError: with the nearest name, if no assignment has the exercise.
    """
    index, unreadable = _index()
    path = index.get(exercise_id)
    if path is None and unreadable:  # it may be in there
        raise unreadable[0]
    if path is None:
        raise UnknownExerciseError(_unknown(exercise_id, tuple(index)))
    return _read_key(path, _stamp(path), exercise_id)


def _unknown(exercise_id: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(exercise_id, known, n=1, cutoff=0.4)
    guess = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}."
    return f"there is no exercise {exercise_id!r}; {guess}"


def exercise_ids(assignment: str) -> tuple[str, ...]:
    """The exercises of an assignment in the order of its notebook; empty if there is no such answer data."""
    path = _files().get(assignment)
    return _read_ids(path, _stamp(path)) if path is not None else ()


def assignment_of(exercise_id: str) -> str | None:
    """The assignment that has the exercise."""
    path = _index()[0].get(exercise_id)
    return path.stem if path is not None else None


def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in answer_folders():
        for path in sorted(folder.glob("*.safetensors")):
            found.setdefault(path.stem, path)
    if not found:
        places = " or ".join(str(folder) for folder in answer_folders())
        raise AnswersMissingError(
            f"no answer data in {places}. Students: unpack the course bundle again, the folder `course_lib/answers` "
            "is missing. Instructors: run `autograder release ASSIGNMENT` first."
        )
    return found


def _index() -> tuple[dict[str, Path], list[AnswersMissingError]]:
    """Where each exercise is, and why some files cannot be read: the others can be used all the same."""
    found: dict[str, Path] = {}
    unreadable = []
    for path in _files().values():
        try:
            found.update(dict.fromkeys(_read_ids(path, _stamp(path)), path))
        except AnswersMissingError as error:
            unreadable.append(error)
    return found, unreadable


def _stamp(path: Path) -> tuple[int, int]:
    # Part of the cache key, so that a new release is seen without a restart.
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=64)
def _read_ids(path: Path, stamp: tuple[int, int]) -> tuple[str, ...]:
    del stamp
    with _opened(path) as file:
        return tuple(_about(file)["exercises"])


@lru_cache(maxsize=256)
def _read_key(path: Path, stamp: tuple[int, int], exercise_id: str) -> ExerciseKey:
    del stamp
    with _opened(path) as file:
        blob = file.get_tensor(exercise_id)
    try:
        return decode_key(unpack(blob.numpy().tobytes(), max_header=MAX_BYTES))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error


def _opened(path: Path) -> Any:
    try:
        file: Any = safetensors.safe_open(path, framework="pt")
        found = str(_about(file)["format"])
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise _damaged(path) from error
    if found == _FORMAT:
        return file
    name, _, version = found.rpartition(" ")
    if name != _NAME or not version.isdigit():
        raise _damaged(path)
    older = int(version) < _VERSION
    raise AnswersMissingError(
        f"the answer data {path} is of {'an older' if older else 'a newer'} version of the course (format {version}, "
        f"this library reads {_VERSION}). Students: download the course bundle again; your notebooks and answers stay. "
        f"Instructors: run `autograder release {path.stem}` again."
    )


def _about(file: Any) -> dict[str, Any]:
    about: dict[str, Any] = json.loads((file.metadata() or {})["about"])
    return about


def _damaged(path: Path) -> AnswersMissingError:
    return AnswersMissingError(
        f"the answer data {path} is damaged. Students: unpack the course bundle again. "
        f"Instructors: run `autograder release {path.stem}` again."
    )
