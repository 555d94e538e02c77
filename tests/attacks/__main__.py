"""`make attacks`: every attack as a row of a table, beside what stock nbgrader gives for some of them.

Stock nbgrader grades the same notebook with the test cells that students get (`check`), which is how it would be used.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from autograder.sandbox import probe
from tests.attacks.arena import Arena, open_arena
from tests.attacks.attack import Attack, submission
from tests.attacks.collection import ATTACKS
from tests.attacks.real import TRANSFERABLE
from tests.support import made_up
from tests.support.course import ASSIGNMENTS

_STOCK_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "stock"
c.ExecutePreprocessor.timeout = 60
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if any attack gained a point."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("--ours", action="store_true", help="without stock nbgrader, which takes about 5 s an attack")
    parser.add_argument(
        "--assignment", choices=sorted(ASSIGNMENTS), help="on one of the course's own, instead of the made-up one"
    )
    parser.add_argument("names", nargs="*", help="only attacks whose names hold one of these words")
    args = parser.parse_args(arguments)
    # nbgrader starts `alembic` by name.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = probe()
    if not found.ok:
        print(f"no sandbox: {found.reason}\nhint: {found.hint}", file=sys.stderr)
        return 2
    attacks = TRANSFERABLE if args.assignment else ATTACKS
    attacks = tuple(a for a in attacks if not args.names or any(name in a.name for name in args.names))
    if not attacks:
        parser.error(f"no attack has {' or '.join(args.names)} in its name; without a name all are made")
    name = args.assignment or made_up.ASSIGNMENT
    with tempfile.TemporaryDirectory() as folder, open_arena(Path(folder), name) as arena:
        stock = None if args.ours or args.assignment else _Stock(Path(folder) / "stock", arena)
        return _table(arena, stock, attacks)


def _table(arena: Arena, stock: _Stock | None, attacks: Sequence[Attack]) -> int:
    reference = arena.honest()
    width = max(len(attack.name) for attack in attacks)
    print(f"{'attack':<{width}}  {'stock':>7}  {'ours':>5}  {'allowed':>7}  {'status':<10}  {'s':>4}  what it tries")
    forged = harmed = count = 0
    for attack in attacks:
        started = time.perf_counter()
        result = arena.grade(attack).result
        seconds = time.perf_counter() - started
        baseline = arena.baseline(attack)
        theirs = stock.score(attack) if stock is not None and attack.stock else "-"
        row = (
            f"{theirs:>7}  {result.score:>5g}  {baseline.score:>7g}  {result.status:<10}  {seconds:>4.1f}  {attack.aim}"
        )
        print(f"{attack.name:<{width}}  {row}", flush=True)
        count += 1
        forged += any(e.score > baseline.exercises[name].score for name, e in result.exercises.items())
        harmed += arena.honest() != reference
    print(f"\n{count} attacks: {forged} gained points, {harmed} changed an honest submission's result")
    return 1 if forged or harmed else 0


class _Stock:
    """A course of stock nbgrader with the same assignment."""

    def __init__(self, root: Path, arena: Arena) -> None:
        self._root = root
        self._arena = arena
        shutil.copytree(arena.place / "notebooks", root / "source")
        (root / "nbgrader_config.py").write_text(_STOCK_CONFIG)
        self._run("generate_assignment", made_up.ASSIGNMENT, "--create")

    def score(self, attack: Attack) -> str:
        """Automatic points, or that there are none."""
        student = attack.name
        path = self._root / "submitted" / student / made_up.ASSIGNMENT / "made_up.ipynb"
        path.parent.mkdir(parents=True)
        released = json.loads((self._root / "release" / made_up.ASSIGNMENT / "made_up.ipynb").read_text())
        path.write_bytes(submission(released, attack))
        self._run("autograde", made_up.ASSIGNMENT, "--student", student)
        with Gradebook(f"sqlite:///{self._root / 'gradebook.db'}") as gradebook:
            try:
                graded = gradebook.find_submission(made_up.ASSIGNMENT, student)
            except MissingEntry:
                return "nothing"
            grades = [
                grade for notebook in graded.notebooks for grade in notebook.grades if grade.name in made_up.EXERCISES
            ]
            if any(grade.auto_score is None for grade in grades):
                return "none"
            return f"{sum(grade.auto_score for grade in grades):g}"

    def _run(self, *arguments: str) -> None:
        bundle = self._arena.place / "bundle"
        paths = [str(bundle), str(Path(__file__).parent.parent.parent)]
        answers = next(bundle.rglob("answers"), bundle)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COURSE_ANSWERS": str(answers)}
        subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments, "--log-level=CRITICAL"],
            cwd=self._root,
            env=environment,
            capture_output=True,
            timeout=180,
            check=False,  # a submission that cannot be graded is a result, too
        )


if __name__ == "__main__":
    sys.exit(main())
