"""Made-up results of a class, for tests of what is shown and exported."""

from __future__ import annotations

import random

from autograder.exercise import Exercise, Misconception
from autograder.results import ExerciseResult, SubmissionResult

__all__ = ["EXERCISES", "class_of", "exercise", "submission"]


def exercise(name: str, slugs: tuple[str, ...]) -> Exercise:
    """An exercise that is only described, never run."""
    made = Exercise(name, f"{name.replace('-', '_')}(x)", returns="y", dtype=1.0, inputs="nothing is run")
    value = made.criterion("right value", 3.0)
    made.misconceptions += [
        Misconception((slug,), lambda x: -x, (f"The hint of {slug}: it was probably forgotten.",), (value,), (3.0,))
        for slug in slugs
    ]
    return made


EXERCISES = {
    name: exercise(name, slugs)
    for name, slugs in {
        "batchnorm-forward": ("unbiased-variance", "epsilon-outside-the-root", "missing-affine"),
        "batchnorm-backward": ("missing-mean-path", "missing-variance-path"),
        "running-statistics": ("momentum-swapped", "biased-running-variance"),
        "layer-norm": ("normalizes-the-batch",),
    }.items()
}


def submission(student: str, **changes: object) -> SubmissionResult:
    """A submission with full marks, changed as asked."""
    full = {name: ExerciseResult(4.0, 4.0, {"right-value": True, "keeps-dtype-and-device": True}) for name in EXERCISES}
    values: dict[str, object] = {"status": "graded", "exercises": full, "seconds": 0.1, "sandbox": "bwrap"}
    return SubmissionResult(student, "01_batchnorm", **{**values, **changes})  # type: ignore[arg-type]


def class_of(size: int, seed: int = 1) -> list[SubmissionResult]:
    """A class with every status, misconceptions, flags and unexplained mistakes."""
    rng = random.Random(seed)
    results = []
    for number in range(size):
        student = f"student{number:04d}"
        if number % 20 == 7:
            status = rng.choice(["timeout", "crashed", "unreadable", "missing"])
            results.append(submission(student, status=status, exercises={}, message="no answer after 10 s"))
            continue
        ability = rng.betavariate(4, 2)
        answers = {name: _answer(definition, rng, ability) for name, definition in EXERCISES.items()}
        flags = ("banned-operation",) if number % 25 == 3 else ()
        results.append(submission(student, exercises=answers, flags=flags, seconds=round(rng.uniform(0.05, 0.4), 3)))
    return results


def _answer(definition: Exercise, rng: random.Random, ability: float) -> ExerciseResult:
    if rng.random() < ability:
        return ExerciseResult(4.0, 4.0, {"right-value": True, "keeps-dtype-and-device": True})
    criteria = {"right-value": False, "keeps-dtype-and-device": rng.random() < 0.6}
    named = rng.random() < 0.8
    found = (rng.choice(definition.misconceptions),) if named else ()
    return ExerciseResult(
        float(criteria["keeps-dtype-and-device"]),
        4.0,
        criteria,
        tuple(m.slug for m in found),
        message="Lost: right value. In the case “random”, `y` is 1 and should be 2.",
        hints=tuple(hint for m in found for hint in m.hints),
    )
