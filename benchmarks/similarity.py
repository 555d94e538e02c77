"""Planted copies in a made-up class: on which ranks `autograder similar` puts them, and how long it takes.

    python -m benchmarks.similarity --students 300
    pip install --no-deps copydetect==0.5.0      # for this alone; then the same with it beside
    python -m benchmarks.similarity --students 120 --copydetect

Every student hands in, for each exercise of an assignment, the notebook's solution, an odd but right answer or a known
mistake, some with their functions in another order.  Copies are renamed, reformatted, reordered, all three, or all
three for half of the exercises.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import io
import itertools
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from autograder.course import Course
from autograder.releasing.release import release
from autograder.sample_class.kinds import cell_for
from autograder.sample_class.material import Material, load_material
from autograder.similarity.fragments import fragments_of
from autograder.similarity.pairs import Work, find_pairs, typical

__all__ = ["main", "planted_ranks"]

Cells = Mapping[str, str]
Change = Callable[[str, random.Random], str]
_COPIES = 15


def renamed(source: str, rng: random.Random) -> str:
    """Every name that the author chose is another one."""
    tree = ast.parse(source)
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names = {name: f"q{number}_{rng.randrange(99)}" for number, name in enumerate(sorted(own - {"self"}))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = names.get(node.arg, node.arg)
    return ast.unparse(tree)


def reformatted(source: str, rng: random.Random) -> str:
    """Other blank lines, brackets and remarks."""
    del rng
    return "\n\n".join(
        f"# step\n{line}" if line.startswith("def") else line for line in ast.unparse(ast.parse(source)).split("\n")
    )


def reordered(source: str, rng: random.Random) -> str:
    """Functions the other way round, and two lines of each exchanged."""
    tree = ast.parse(source)
    tree.body.reverse()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and len(node.body) > 3:
            at = rng.randrange(len(node.body) - 2)
            node.body[at], node.body[at + 1] = node.body[at + 1], node.body[at]
    return ast.unparse(tree)


def everything(source: str, rng: random.Random) -> str:
    """All three."""
    return reordered(reformatted(renamed(source, rng), rng), rng)


_CHANGES: tuple[Change, ...] = (renamed, reformatted, reordered, everything)


class _Class:
    """A class and its copies."""

    def __init__(self, material: Material, size: int, seed: int) -> None:
        self._rng, self._material = random.Random(seed), material
        self._odd = {name: self._cells(e, list(e.right_answers.values())) for name, e in material.exercises.items()}
        self._wrong = {
            name: self._cells(e, [mistake.wrong for mistake in e.misconceptions[:20]])
            for name, e in material.exercises.items()
        }
        self.code: dict[str, Cells] = {f"s{n:04d}": {e: self._draw(e) for e in material.exercises} for n in range(size)}
        self.copies: dict[frozenset[str], str] = {}
        for number, author in enumerate(self._rng.sample(sorted(self.code), min(_COPIES, size))):
            half = number % 5 == 4
            change = everything if half else _CHANGES[number % 5]
            copy = f"copy{number}"
            self.code[copy] = {
                name: self._draw(name) if half and self._rng.random() < 0.5 else change(source, self._rng)
                for name, source in self.code[author].items()
            }
            self.copies[frozenset((author, copy))] = "half copied" if half else change.__name__

    def _cells(self, exercise: object, answers: Sequence[object]) -> list[str]:
        found = (cell_for(self._material, exercise, answer) for answer in answers)  # type: ignore[arg-type]
        return [cell for cell in found if cell is not None]

    def _draw(self, exercise: str) -> str:
        kind = self._rng.random()
        choices = self._odd[exercise] if kind < 0.75 else self._wrong[exercise]
        source = self._material.solutions[exercise] if kind < 0.5 or not choices else self._rng.choice(choices)
        return reordered(source, self._rng) if self._rng.random() < 0.3 else source


def planted_ranks(
    material: Material, size: int, seed: int, copydetect: bool = False
) -> tuple[dict[str, list[int]], tuple[float, float], float]:
    """Kind of copy -> ranks among all pairs; likeness of the pair in the middle and of one in a hundred; seconds."""
    made = _Class(material, size, seed)
    given = ["".join(cell["source"]) for cell in material.released["cells"]]
    started = time.perf_counter()
    if copydetect:
        order, every = _by_copydetect(made.code, given), np.zeros(0)
    else:
        works = [Work(s, {e: fragments_of(text) for e, text in code.items()}) for s, code in made.code.items()]
        pairs, every = find_pairs(works, [fragments_of(text) for text in given], most=len(works) ** 2)
        order = [frozenset(pair.students) for pair in pairs]
    seconds = time.perf_counter() - started
    rank = {pair: number for number, pair in enumerate(order, start=1)}
    found: dict[str, list[int]] = {}
    for pair, kind in made.copies.items():
        found.setdefault(kind, []).append(rank.get(pair, len(rank) + 1))
    return {kind: sorted(ranks) for kind, ranks in found.items()}, typical(every), seconds


def _by_copydetect(code: Mapping[str, Cells], given: Sequence[str]) -> list[frozenset[str]]:
    found = importlib.import_module("copydetect")
    whole = io.StringIO("\n".join(given))
    known = np.array(list(found.CodeFingerprint("given.py", 25, 1, fp=whole, language="python").hashes))
    prints = {
        student: found.CodeFingerprint(
            f"{student}.py", 25, 4, boilerplate=known, fp=io.StringIO("\n".join(cells.values())), language="python"
        )
        for student, cells in code.items()
    }
    likeness = {}
    for one, other in itertools.combinations(prints, 2):
        likeness[frozenset((one, other))] = float(max(found.compare_files(prints[one], prints[other])[1]))
    return sorted(likeness, key=lambda pair: -likeness[pair])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the ranks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.similarity", description="Planted copies in a class.")
    parser.add_argument("--students", type=int, default=120)
    parser.add_argument("--assignment", default="01_batchnorm")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--copydetect", action="store_true", help="also with copydetect, if it is installed")
    args = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        course = Course.find(Path.cwd()).copy(Path(folder) / "course", [args.assignment])
        release(course, [args.assignment])
        material = load_material(course, args.assignment)
        for other in (False, True) if args.copydetect else (False,):
            ranks, (middle, unusual), seconds = planted_ranks(material, args.students, args.seed, other)
            size = args.students + _COPIES
            name = "copydetect" if other else "autograder similar"
            print(f"{name}: {size} students, {size * (size - 1) // 2} pairs, {seconds:.1f} s")
            for kind, found in ranks.items():
                print(f"  {kind:<12} ranks {', '.join(map(str, found))}")
            if not other:
                print(f"  likeness: half of the pairs below {middle:.2f}, one in a hundred above {unusual:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
