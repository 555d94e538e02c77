"""The attacks on the course's own assignments: nothing forged, nobody harmed, nothing found."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from autograder.exercise import Criterion
from autograder.results import SubmissionResult
from tests.attacks.arena import Arena, open_arena
from tests.attacks.attack import Attack
from tests.attacks.real import ROADS, TRANSFERABLE, RealAssignment
from tests.support.course import ASSIGNMENTS
from tests.support.learned import FACT, LEARNED

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

NAMES = sorted(ASSIGNMENTS)
EVERY = os.environ.get("ATTACKS") == "full"
"""Every attack on every assignment, and the solutions after each; otherwise each on two of the six, and at the end."""
each_assignment = pytest.mark.parametrize("arena", NAMES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """One assignment and one warm sandbox for all attacks on it."""
    with open_arena(tmp_path_factory.mktemp("arena"), request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def honest(arena: Arena) -> Iterator[str]:
    """What the solutions yield before any attack, and after all of them.

    That each attack leaves the next submission alone, `test_attacks.py` asserts after every one.
    """
    before = arena.honest()
    yield before
    assert arena.honest() == before


@pytest.mark.parametrize(
    ("arena", "attack"),
    [
        pytest.param(name, attack, id=f"{name}-{attack.name}")
        for i, name in enumerate(NAMES)
        for j, attack in enumerate(TRANSFERABLE)
        if EVERY or (i + j) % 3 == 0
    ],
    indirect=["arena"],
    scope="module",  # or each test would get a sandbox of its own
)
def test_an_attack_on_a_real_assignment_gains_nothing(arena: Arena, honest: str, attack: Attack) -> None:
    """No more points for any exercise than without the trick; the solutions are graded as before, at the end."""
    graded = arena.grade(attack)
    for name, exercise in arena.baseline(attack).exercises.items():
        assert graded.result.exercises[name].score <= exercise.score, f"{name}: forged"
    lost = [exercise for exercise in graded.result.exercises.values() if exercise.score < exercise.max_score]
    assert all(exercise.message for exercise in lost), "every lost point has its reason"
    assert arena.secret not in graded.notebook + repr(graded.result)
    assert not EVERY or arena.honest() == honest


@pytest.mark.parametrize("road", ROADS)
@each_assignment
def test_public_answers_learned_by_heart_are_worth_no_more_than_facts(arena: Arena, road: str) -> None:
    """Said in their order by functions and the machinery, they meet only criteria with one right answer for everybody.

    And nobody can put words into the grader's mouth.
    """
    target = arena.target
    assert isinstance(target, RealAssignment)
    results = [arena.graded(f"by heart {road} {number}", target.by_heart(road)).result for number in range(4)]
    assert "full credit" not in repr(results)
    # Sizes are drawn from few: one of them can be the public one by chance.
    met = set.intersection(*map(_met, results))
    slugs = {(name, Criterion(title, 0).slug) for (name, title), why in LEARNED.items() if why == FACT}
    assert met <= slugs
    assert {result.flags for result in results} == {("dynamic-code",)}


def _met(result: SubmissionResult) -> set[tuple[str, str]]:
    return {(name, slug) for name, e in result.exercises.items() for slug, holds in e.criteria.items() if holds}


@each_assignment
def test_the_solutions_get_everything_and_the_wrong_answer_next_to_nothing(arena: Arena, honest: str) -> None:
    """Or the comparison above would say nothing."""
    exercises = json.loads(honest)[0]["exercises"].values()
    assert all(exercise["score"] == exercise["max_score"] for exercise in exercises)
    baseline = arena.baseline(TRANSFERABLE[0])
    assert baseline.score <= 0.02 * baseline.max_score
