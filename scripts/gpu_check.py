"""Does the course grade on a GPU as it grades on the processor?  One table, in under five minutes.

    python scripts/gpu_check.py            # or: make gpu-check
    python scripts/gpu_check.py --dry      # the same on the processor alone, to see that the script itself works

It needs Python with torch, numpy and safetensors, and this checkout: no network, no bubblewrap.  Of every exercise the
notebook's solution, the reference and the odd but right answers are called on both devices and judged alike; so is the
solution with its result moved to the processor, which loses its point for the device there and nothing here.  Where
the packages for whole submissions are there, a notebook is graded too: without a sandbox, and in one if it works.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
os.environ.setdefault("MPLBACKEND", "Agg")

if TYPE_CHECKING:
    from autograder.course_code import CourseCode
    from autograder.exercise import Exercise
    from course_lib.checking.keys import ExerciseKey
    from course_lib.checking.verdict import Verdict

SEED = "gpu-check"
Answers = Mapping[str, Mapping[str, Any]]


@dataclass
class Row:
    """What was found of one exercise.

    Attributes:
        tried: number of answers.
        seconds: on the processor, on the device.
        differs: answers that are judged otherwise on the device, with the reason.
        wrong: those of them that should have been judged alike.
    """

    exercise: str
    tried: int = 0
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])
    differs: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if anything is judged otherwise that should not be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dry", action="store_true", help="use the processor in the place of the GPU")
    parser.add_argument("--whole", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    dry = args.dry
    try:
        import torch

        from autograder.course_code import CourseCode
    except ImportError as error:
        print(f"gpu-check: {error.name} is missing; it needs Python with torch, numpy and safetensors", file=sys.stderr)
        return 2
    if args.whole:
        lines = list(_whole_submissions(CourseCode(ROOT), args.whole))
        print("\n".join(line for line, _ in lines))
        return sum(not is_right for _, is_right in lines)
    if not dry and not torch.cuda.is_available():
        print("gpu-check: torch finds no CUDA device; --dry tries the script on the processor", file=sys.stderr)
        return 2
    device = "cpu" if dry else "cuda"
    name = "the processor again (a dry run: no GPU was used)" if dry else torch.cuda.get_device_name()
    print(f"Python {platform.python_version()}, PyTorch {torch.__version__}; {platform.machine()} against {name}\n")
    if not dry:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.ones(2, device="cuda").sum().item()  # the first call makes the context, and takes seconds
    started = time.perf_counter()
    code = CourseCode(ROOT)
    rows = [row for assignment in code.topics for row in _rows(assignment, code.exercises(assignment), device)]
    print(table(rows))
    print()
    failed = sum(len(row.wrong) for row in rows)
    failed += _grade_in_fresh_process(device)
    end = f"{failed} judged otherwise than they should be" if failed else "all is judged as it should be"
    tried, seconds = sum(row.tried for row in rows), time.perf_counter() - started
    print(f"\n{tried} answers to {len(rows)} exercises in {seconds:.0f} s; {end}")
    return int(failed > 0)


def _rows(assignment: str, exercises: Mapping[str, Exercise], device: str) -> Iterator[Row]:
    solved = _solutions(assignment)
    for exercise in exercises.values():
        key = exercise.make_key(SEED, diagnose=False)
        row = Row(exercise.id)
        for name, namespace in _answers(exercise, solved).items():
            _compare(row, name, namespace, key, device)
        yield row


def _answers(exercise: Exercise, solved: Mapping[str, Any]) -> Answers:
    """Name -> namespace of everything that is right; the first is what a student would write."""
    found: dict[str, Mapping[str, Any]] = {}
    if all(name in solved for name in exercise.names):
        found[_SOLUTION] = {name: solved[name] for name in exercise.names}
        if all(callable(value) and not isinstance(value, type) for value in found[_SOLUTION].values()):
            found[_MOVED] = {name: _moved(solved[name]) for name in exercise.names}
    found[_REFERENCE] = exercise.namespace(exercise.reference_answer)
    for name, answer in exercise.right_answers.items():
        found[name] = exercise.namespace(answer)
    return found


_SUBMISSIONS = 6
_SOLUTION = "the notebook's solution"
_REFERENCE = "the reference"
_MOVED = "the solution, its result moved to the processor"


def _moved(function: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*inputs: Any, **named: Any) -> Any:
        return _on_processor(function(*inputs, **named))

    return answer


def _on_processor(value: Any) -> Any:
    from torch import Tensor

    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        return type(value)(map(_on_processor, value))
    return value


def _compare(row: Row, name: str, namespace: Mapping[str, Any], key: ExerciseKey, device: str) -> None:
    verdicts = []
    for place, where in enumerate(("cpu", device)):
        started = time.perf_counter()
        # The reference is nobody's answer and may use what is forbidden.
        verdicts.append(_verdict(namespace, key, where, watched=name != _REFERENCE))
        row.seconds[place] += time.perf_counter() - started
    row.tried += 1
    here, there = verdicts
    if here.passed and there.passed:
        return
    lost = ", ".join(result.criterion.title for result in there.results if not result.holds) or "nothing"
    because = f" ({there.failure.message[:90]})" if there.failure is not None else ""
    row.differs.append(f"{name}: loses {lost}{because}")
    # A solution is right everywhere; a right answer that computes in NumPy or beside the device, on the processor only.
    if not here.passed or name == _SOLUTION:
        row.wrong.append(name)


def _verdict(namespace: Mapping[str, Any], key: ExerciseKey, device: str, watched: bool) -> Verdict:
    """As in grading: called twice, sent as bytes, and if asked for watched."""
    from course_lib.checking.drivers import run_case
    from course_lib.checking.keys import respond
    from course_lib.checking.values import pack, unpack
    from course_lib.checking.verdict import judge

    responses = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in key.cases:
            forbidden = key.forbidden if watched and case.name in key.watched else ()
            twice = case.name in key.called_twice
            raw = run_case(namespace, case.function, case.driver, case.inputs, device, forbidden=forbidden, twice=twice)
            responses[case.name] = respond(unpack(pack(raw)))
    return judge(key, responses)


def _solutions(assignment: str) -> dict[str, Any]:
    """What the solution cells of a notebook define, and the cells that they need; checks are left out."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for path in sorted((ROOT / "notebooks" / assignment).glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            source = "".join(cell["source"])
            skipped = "experiment" in cell["metadata"].get("tags", []) or source.startswith(
                ("check(", "check_environment")
            )
            if cell["cell_type"] == "code" and not skipped:
                try:
                    exec(compile(source, cell["id"], "exec"), namespace)
                except Exception as error:  # a cell for the eye may need what is not there
                    print(f"note: {assignment}, cell {cell['id']}: {type(error).__name__}: {error}")
    return namespace


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    head = "| exercise | answers | processor | device | judged otherwise on the device |\n|---|---|---|---|---|"
    lines = [
        f"| `{row.exercise}` | {row.tried} | {row.seconds[0]:.2f} s | {row.seconds[1]:.2f} s | "
        f"{'; '.join(text.replace('|', '/') for text in row.differs) or 'none'} |"
        for row in rows
    ]
    return "\n".join([head, *lines])


def _grade_in_fresh_process(device: str) -> int:
    """Whole submissions, in a process that has not used the GPU: how many were not graded as they should be."""
    sys.stdout.flush()
    return subprocess.run([sys.executable, __file__, "--whole", device], check=False).returncode


def _whole_submissions(code: CourseCode, device: str) -> Iterator[tuple[str, bool]]:
    """A notebook graded as `autograder grade --device` does it, by two workers: a line, and whether it is right."""
    try:
        from autograder.grading.pool import Failed, LocalPool
        from autograder.grading.task import Task
        from autograder.sandbox import Limits, Sandbox, probe
        from autograder.sandbox.devices import hide_gpus
        from autograder.submissions.notebook import Master
        from autograder.submissions.submission import Job
    except ImportError as error:
        yield f"whole submissions: not tried, {error.name} is not installed", True
        return
    hide_gpus()
    assignment = next(iter(code.topics))
    (path,) = (ROOT / "notebooks" / assignment).glob("*.ipynb")
    text = path.read_text("utf-8")
    full = sum(exercise.points for exercise in code.exercises(assignment).values())
    found = probe()
    task = Task(Master(assignment, path.stem, text), code, SEED, Limits(), device)
    jobs = [Job(f"solution-{number}", text.encode()) for number in range(_SUBMISSIONS)]
    for kind in ("none", "bwrap"):
        if kind == "bwrap" and not found.ok:
            yield f"{assignment}, --sandbox bwrap: not tried, {found.reason}", True
            continue
        with Sandbox(kind, device, code) as sandbox, contextlib.closing(LocalPool(2, task, sandbox)) as pool:
            started = time.perf_counter()
            outcomes = list(pool.run(jobs))
            seconds = (time.perf_counter() - started) / len(jobs)
        reasons = [outcome.reason if isinstance(outcome, Failed) else outcome.result.message for outcome in outcomes]
        scores = [0.0 if isinstance(outcome, Failed) else outcome.result.score for outcome in outcomes]
        points = f"{min(scores):g} of {full:g} points, {seconds:.2f} s each"
        line = f"{assignment}, --device {device} --sandbox {kind}: {points}"
        why = next(filter(None, reasons), "")
        yield f"{line}{', ' + why if why else ''}", abs(min(scores) - full) < 1e-9


if __name__ == "__main__":
    sys.exit(main())
