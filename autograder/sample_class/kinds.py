"""The kinds of student in a class: how each differs from one who has everything right.

A kind is a function that edits a solved `Draft` and says what grading must find in it.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from autograder.exercise import Exercise, Misconception
from autograder.sample_class import tricks
from autograder.sample_class.draft import Draft
from autograder.sample_class.expectation import Expectation
from autograder.sample_class.material import Material
from autograder.sample_class.student_code import UnportableCodeError, student_code
from course_lib.checking.drivers import run_case
from course_lib.checking.keys import ExerciseKey

__all__ = ["KINDS", "Kind", "MisconceptionDeck", "cell_for", "shortcut_in"]

_STOPPED = frozenset({"graded", "timeout", "crashed"})


@dataclass(frozen=True)
class Kind:
    """One kind of student.

    Attributes:
        solved: whether the draft starts out with the solutions.
        hostile: not to be run without a sandbox.
        intact: the notebook has all cells as they were released; only answers differ.
    """

    name: str
    edit: Callable[[Draft], Expectation]
    solved: bool = True
    hostile: bool = False
    intact: bool = False


def _except(draft: Draft, *exercises: str) -> frozenset[str]:
    """Exercises that nothing done to the given ones can touch."""
    touched = frozenset().union(*(draft.material.touched_by(exercise) for exercise in exercises))
    return frozenset(draft.material.exercises) - touched


def _any_function(draft: Draft) -> Exercise:
    """Some exercise that asks for a function, preferably one that no other builds on."""
    material = draft.material
    functions = [
        e for e in material.exercises.values() if "(" in e.defines[0] and not e.defines[0].startswith("class ")
    ]
    alone = [e for e in functions if material.touched_by(e.id) == {e.id}]
    return draft.rng.choice(alone or functions)


def _solution(draft: Draft) -> Expectation:
    return Expectation(full=frozenset(draft.material.exercises))


def _stub(draft: Draft) -> Expectation:
    return Expectation(nothing=frozenset(draft.material.exercises))


def _odd(draft: Draft) -> Expectation:
    """Right answers that look nothing like the solution."""
    for exercise in draft.material.exercises.values():
        cells = [cell for what in exercise.right_answers.values() if (cell := cell_for(draft.material, exercise, what))]
        if cells:
            draft.write(exercise.id, draft.rng.choice(cells))
    return Expectation(full=frozenset(draft.material.exercises))


def cell_for(material: Material, exercise: Exercise, what: object) -> str | None:
    """A solution cell with this answer; names that it leaves out are the solution's.

    None if it cannot be handed in: it is not plain code, or it uses what the exercise forbids (which the registry's
    own implementations may do, since they only serve to compute values).
    """
    given = exercise.namespace(what)  # type: ignore[arg-type]
    own = {name: value for name, value in given.items() if _differs(exercise, name, value)}
    try:
        source = student_code(own, exercise.id.replace("-", "_"))
    except UnportableCodeError:
        return None
    if _is_forbidden(exercise, given):
        return None
    return source if len(own) == len(exercise.names) else f"{material.solutions[exercise.id].rstrip()}\n\n\n{source}"


def _is_forbidden(exercise: Exercise, given: dict[str, Any]) -> bool:
    key = _key(exercise)
    watched = [case for case in key.cases if case.name in key.watched]
    return any(run_case(given, c.function, c.driver, c.inputs, forbidden=key.forbidden).get("used") for c in watched)


@functools.cache
def _key(exercise: Exercise) -> ExerciseKey:
    return exercise.make_key("sample class", diagnose=False)


def _differs(exercise: Exercise, name: str, value: object) -> bool:
    return exercise.namespace(exercise.reference_answer).get(name) is not value


@dataclass(frozen=True)
class _Card:
    exercise: Exercise
    misconception: Misconception
    source: str


def _cards(material: Material, exercise: Exercise) -> list[_Card]:
    cells = [(m, cell_for(material, exercise, m.wrong)) for m in exercise.misconceptions]
    return [_Card(exercise, misconception, source) for misconception, source in cells if source is not None]


class MisconceptionDeck:
    """Deals misconceptions: all of an assignment's come up before any comes up again, and the common ones more often.

    An exercise's first misconceptions are taken for its common ones.
    """

    def __init__(self, material: Material) -> None:
        by_exercise = [_cards(material, exercise) for exercise in material.exercises.values()]
        # One of each exercise, then the next of each: the first cards are spread over the exercises.
        spread = itertools.chain.from_iterable(itertools.zip_longest(*by_exercise))
        self._cards = [card for card in spread if card is not None]
        self._common = [card for cards in by_exercise for card in cards[:2]]

    def edit(self, draft: Draft) -> Expectation:
        """Mistakes in up to half of the exercises, none of which builds on another."""
        wanted = draft.rng.randint(2, max(3, len(draft.material.exercises) // 2))
        hand = _Hand(draft)
        for card in list(self._cards):
            if len(hand.mistakes) < (wanted + 1) // 2 and hand.take(card):
                self._cards.remove(card)
                self._cards.append(card)
        for card in draft.rng.sample(self._common, k=len(self._common)):
            if len(hand.mistakes) < wanted:
                hand.take(card)
        return hand.expectation()


class _Hand:
    """The mistakes of one student."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._touched: frozenset[str] = frozenset()
        self.mistakes: dict[str, Misconception] = {}

    def take(self, card: _Card) -> bool:
        """Make this mistake, unless it would meet another one."""
        reach = self._draft.material.touched_by(card.exercise.id)
        if card.exercise.id in self._touched or reach & set(self.mistakes):
            return False
        self.mistakes[card.exercise.id] = card.misconception
        self._touched |= reach
        self._draft.write(card.exercise.id, card.source)
        return True

    def expectation(self) -> Expectation:
        """Each mistake is named and costs its criteria; what nothing touches is right."""
        exercises = self._draft.material.exercises
        return Expectation(
            full=frozenset(exercises) - self._touched,
            lost={name: _lost(exercises[name], mistake) for name, mistake in self.mistakes.items()},
            named={name: mistake.slug for name, mistake in self.mistakes.items()},
        )


def _lost(exercise: Exercise, misconception: Misconception) -> frozenset[str]:
    key = exercise.with_suspects(_key(exercise))
    verdict = exercise.verdict(misconception.wrong, key)
    return frozenset(result.criterion.slug for result in verdict.results if result.state == "lost")


def _syntax_error(draft: Draft) -> Expectation:
    exercise = _any_function(draft)
    source = draft.read(exercise.id)
    draft.write(exercise.id, source.replace("):", ")", 1) if "):" in source else f"{source}\nreturn (")
    return Expectation(full=_except(draft, exercise.id), nothing=frozenset({exercise.id}))


def _renamed(draft: Draft) -> Expectation:
    exercise = _any_function(draft)
    name = exercise.names[0]
    draft.write(exercise.id, draft.read(exercise.id).replace(f"def {name}(", f"def my_{name}("))
    nothing = frozenset({exercise.id}) if len(exercise.names) == 1 else frozenset()
    return Expectation(full=_except(draft, exercise.id), nothing=nothing)


def _deleted_solution(draft: Draft) -> Expectation:
    exercise = _any_function(draft)
    draft.remove(f"{exercise.id}-solution")
    return Expectation(full=_except(draft, exercise.id), nothing=frozenset({exercise.id}))


def _deleted_test(draft: Draft) -> Expectation:
    for exercise in draft.rng.sample(sorted(draft.material.exercises), k=min(2, len(draft.material.exercises))):
        draft.remove(exercise)
    return Expectation(full=frozenset(draft.material.exercises))


def _duplicated(draft: Draft) -> Expectation:
    exercise = _any_function(draft)
    draft.duplicate(f"{exercise.id}-solution")
    draft.duplicate(exercise.id)
    return Expectation(full=frozenset(draft.material.exercises))


def _edited_test(draft: Draft) -> Expectation:
    """The test cell of a wrong answer now prints what a right one would."""
    exercise = _any_function(draft)
    draft.write(exercise.id, tricks.answer(exercise, "return None"))
    for cell in draft.cells:
        if cell.get("id") == exercise.id:
            cell["source"] = f"print('{exercise.id}: all criteria hold')\n{exercise.points}"
            cell["metadata"]["nbgrader"]["points"] = 100
    return Expectation(full=_except(draft, exercise.id), nothing=frozenset({exercise.id}), flag="edited-tests")


def _broken_json(draft: Draft) -> Expectation:
    text = draft.text()
    draft.damage(text[: len(text) * 2 // 3])
    return Expectation(statuses=frozenset({"unreadable"}), nothing=frozenset(draft.material.exercises))


def _wrong_name(draft: Draft) -> Expectation:
    """A good notebook under a name of the student's own: graded, with a remark."""
    draft.file_name = draft.file_name.replace(".ipynb", "_final_v2.ipynb")
    return Expectation(full=frozenset(draft.material.exercises), flag="renamed-notebook")


def _loud(draft: Draft) -> Expectation:
    exercise = _any_function(draft)
    draft.write(exercise.id, f"{tricks.LOUD}\n\n{draft.read(exercise.id)}")
    return Expectation(full=frozenset(draft.material.exercises))


def _flood(draft: Draft) -> Expectation:
    exercise = _any_function(draft)
    draft.write(exercise.id, f"{draft.read(exercise.id)}\n\nfor _ in range(200):\n    print('debug ' * 20_000)\n")
    return Expectation(full=frozenset(draft.material.exercises))


def _shortcut(draft: Draft) -> Expectation:
    """Calls what the exercise is about to implement, to compare with it, and leaves it there."""
    exercises = draft.material.exercises.values()
    shortcuts = {e.id: source for e in exercises if (source := shortcut_in(e, draft.read(e.id)))}
    if not shortcuts:
        return _solution(draft)
    chosen = draft.rng.choice(list(shortcuts))
    draft.write(chosen, shortcuts[chosen])
    return Expectation(full=_except(draft, chosen), nothing=frozenset({chosen}), flag="banned-operation")


def shortcut_in(exercise: Exercise, source: str) -> str:
    """A solution with a call of what the exercise forbids in it; empty if it forbids nothing of PyTorch's."""
    call = next(filter(None, map(_call_of, exercise.forbidden)), "")
    if not call:
        return ""
    tree = ast.parse(source)
    definition: Any = next((node for node in tree.body if getattr(node, "name", None) in exercise.names), None)
    if definition is None:
        return ""
    inner = next((node for node in definition.body if isinstance(node, ast.FunctionDef)), definition)
    inner.body[:0] = ast.parse(f"try:\n    {call}\nexcept Exception:\n    pass").body
    return f"import torch\n\n\n{ast.unparse(tree)}\n"


def _call_of(operation: str) -> str:
    """A call of one of PyTorch's functions with a tensor for each argument that it needs; empty for anything else."""
    try:
        found: Any = functools.reduce(getattr, operation.split(".")[1:], torch)
    except AttributeError:
        return ""
    if not operation.startswith("torch.") or not inspect.isfunction(found):
        return ""
    needed = [p for p in inspect.signature(found).parameters.values() if p.default is p.empty]
    return f"{operation}({', '.join(['torch.ones(4, 4)'] * max(1, len(needed)))})"


def _stopping(trick: str) -> Callable[[Draft], Expectation]:
    """A function that never answers costs its own exercise, and no other."""

    def edit(draft: Draft) -> Expectation:
        exercise = _any_function(draft)
        draft.write(exercise.id, tricks.answer(exercise, tricks.FUNCTION_TRICKS[trick], "import torch"))
        full = _except(draft, exercise.id)
        return Expectation(statuses=_STOPPED, full=full, nothing=frozenset({exercise.id}))

    return edit


def _cell_loop(draft: Draft) -> Expectation:
    exercise = _any_function(draft)
    draft.write(exercise.id, f"{tricks.CELL_LOOP}{draft.read(exercise.id)}")
    return Expectation(statuses=_STOPPED, nothing=frozenset({exercise.id}))


def _curious(code: str) -> Callable[[Draft], Expectation]:
    """Code that looks elsewhere for the answer and finds none."""

    def edit(draft: Draft) -> Expectation:
        exercise = _any_function(draft)
        draft.write(exercise.id, code)
        return Expectation(full=_except(draft, exercise.id), nothing=frozenset({exercise.id}))

    return edit


def _forged(body: str, prelude: str = "") -> Callable[[Draft], Expectation]:
    """Wrong everywhere, with a trick that makes the checks of this process agree."""

    def edit(draft: Draft) -> Expectation:
        for position, exercise in enumerate(draft.material.exercises.values()):
            draft.write(exercise.id, tricks.answer(exercise, body, prelude if position == 0 else ""))
        return Expectation(statuses=_STOPPED, nothing=frozenset(draft.material.exercises))

    return edit


KINDS = (
    Kind("solution", _solution, intact=True),
    Kind("right but odd", _odd, intact=True),
    Kind("stub untouched", _stub, solved=False, intact=True),
    Kind("syntax error", _syntax_error),
    Kind("renamed function", _renamed),
    Kind("endless loop in a function", _stopping("endless loop"), hostile=True),
    Kind("forged verdict: display hook", _forged(tricks.DISPLAY_HOOK), hostile=True),
    Kind("broken JSON", _broken_json),
    Kind("forbidden operation", _shortcut),
    Kind("deleted solution cell", _deleted_solution),
    Kind("deleted test cells", _deleted_test),
    Kind("duplicated cells", _duplicated),
    Kind("edited test cell", _edited_test),
    Kind("wrong notebook name", _wrong_name),
    Kind("noise on stderr", _loud),
    Kind("huge output", _flood),
    Kind("endless loop in a cell", _cell_loop, hostile=True),
    Kind("memory bomb", _stopping("memory bomb"), hostile=True),
    Kind("os._exit", _stopping("os._exit"), hostile=True),
    Kind("network", _curious(tricks.NETWORK), hostile=True),
    Kind("file snooping", _curious(tricks.SNOOP), hostile=True),
    Kind("forged verdict: patched comparison", _forged("return torch.zeros(())", tricks.PATCHED), hostile=True),
    Kind("forged verdict: always equal", _forged("return Same()", tricks.ALWAYS_EQUAL), hostile=True),
)
"""Every kind but the misconceptions, in the order in which a small class gets them."""
