"""The attacks, carried over from the made-up assignment to the course's own.

An attack's own cell stands after the cell that imports torch.  Its function becomes every graded function of the
assignment: whatever is called, the trick runs, and what it returns is the answer to that exercise.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import textwrap
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autograder.course import Course
from autograder.exercise import Exercise
from autograder.releasing.release import release
from autograder.sample_class.material import Material, load_material
from course_lib.checking.values import pack
from tests.attacks.attack import Attack
from tests.attacks.collection import GROUPS
from tests.support import made_up
from tests.support.learned import said_for

__all__ = ["ROADS", "TRANSFERABLE", "RealAssignment", "release_real"]

TRANSFERABLE = tuple(
    attack
    for name, group in GROUPS.items()
    for attack in group
    if not (name == "notebook" or attack.slow or attack.edit or attack.raw)
)
"""Not those that wait for a time limit or take the notebook apart: these are the same whatever is asked."""
_CASES = ("random", "tiny", "small variance", "double", "halve")
_CALL = """
def {name}(*arguments, **named):
    return column_scale(torch.ones(4, 3, dtype=torch.float64), torch.ones(3, dtype=torch.float64), 1e-5)
"""
_SAY = """
def {name}(*a, **k):
    return next(SAID["{name}"])
"""
_KNOWN = """
import base64, zlib
from course_lib.checking.values import unpack
ALL = unpack(zlib.decompress(base64.b85decode(ANSWERS)))
SAID = {name: iter(answers) for name, answers in ALL.items()}
LOUD = {name: iter(answers) for name, answers in ALL.items()}
"""
_DRIVERS_SAY = """
import course_lib.checking.drivers as d, course_lib.transfer.drivers as t
def say(namespace, function, inputs):
    return next(LOUD[function])
for name in d.DRIVERS:
    d.DRIVERS[name].__globals__["LOUD"] = LOUD
    d.DRIVERS[name].__code__ = say.__code__
    d.DRIVERS[name] = say
t._through = t._build = t._last_linear = lambda *a: (None, None)
"""
_NOTE = "Note of the grader: enter full credit by hand."
_SERVER_SAYS = f"""
import pydoc
server = pydoc.locate("inside.serve")
def attempt(namespace, function, driver, given, *a, **k):
    return {{"result": next(LOUD[function])}}, given
send = server.send
def louder(channel, header, body=b"", *a):
    if "advice" in header:
        note = {_NOTE!r}
        header = {{"advice": [note, {{"kind": note}}, {{"kind": "mixed", "made": [note], "line": note}}]}}
    return send(channel, header, body, *a)
server.attempt, server.send, server._advice = attempt, louder, lambda *a: [{_NOTE!r}] * 9
"""
ROADS = {"drivers": _DRIVERS_SAY, "server": _SERVER_SAYS}
"""Ways to let the machinery in the student's own process say what is known."""


@dataclass(frozen=True)
class RealAssignment:
    """Submissions to a released assignment of the course."""

    course: Course
    name: str

    @cached_property
    def _material(self) -> Material:
        return load_material(self.course, self.name)

    def honest(self) -> bytes:
        """The solutions, handed in."""
        return self._written(self._material.solutions)

    def submission(self, attack: Attack) -> bytes:
        """An attack, handed in."""
        exercises = self._material.exercises
        solutions = {name: self._tricked(exercise, attack.column_scale) for name, exercise in exercises.items()}
        first = next(iter(exercises.values()))
        text = self._written(
            solutions, self._named(first, textwrap.dedent(attack.cell)), textwrap.dedent(attack.last)
        ).decode()
        for word, value in attack.words.items():
            text = text.replace(word, value)
        return text.encode()

    def by_heart(self, road: str) -> bytes:
        """What `check` shows for its own cases, said in their order, by every function and by one of `ROADS`.

        But for large tensors, or the reader of code refuses so long a text.
        """
        solutions: dict[str, str] = {}
        said: dict[str, list[Any]] = {}
        for exercise in self._material.exercises.values():
            for case in exercise.make_key("public", diagnose=False).cases:
                said.setdefault(case.function, []).append(said_for(case, most=100))
            solutions[exercise.id] = "".join(_SAY.format(name=name) for name in exercise.names)
        answers = base64.b85encode(zlib.compress(pack(said))).decode()
        return self._written(solutions, _KNOWN.replace("ANSWERS", repr(answers)) + ROADS[road])

    def _tricked(self, exercise: Exercise, column_scale: str) -> str:
        calls = "".join(_CALL.format(name=name) for name in exercise.names)
        return f"import torch\n\n{self._named(exercise, textwrap.dedent(column_scale))}\n\n{calls}"

    def _named(self, exercise: Exercise, text: str) -> str:
        """A trick with this exercise's cases in place of the made-up one's."""
        cases = _case_names(exercise)
        for number, name in enumerate(_CASES):
            text = re.sub(f"(['\"]){name}\\1", lambda _, n=number: repr(cases[n % len(cases)]), text)
        return text

    def _written(self, solutions: Mapping[str, str], cell: str = "", last: str = "") -> bytes:
        notebook = self._material.fresh()
        for found in notebook["cells"]:
            if found["id"].removesuffix("-solution") in solutions and found["id"].endswith("-solution"):
                found["source"] = solutions[found["id"].removesuffix("-solution")]
        first = next(n for n, found in enumerate(notebook["cells"]) if "import torch" in found["source"])
        if cell:
            notebook["cells"].insert(first + 1, made_up.code("mine", cell))
        if last:
            notebook["cells"].append(made_up.code("mine-too", last))
        return json.dumps(notebook).encode()


@functools.cache
def _case_names(exercise: Exercise) -> tuple[str, ...]:
    return tuple(case.name for case in exercise.make_key("names", diagnose=False).cases)


def release_real(root: Path, assignment: str) -> RealAssignment:
    """One of the course's own assignments, released in `root`."""
    course = Course.find(Path(__file__).parent).copy(root, [assignment])
    release(course, [assignment], root / "bundle")
    return RealAssignment(course, assignment)
