"""Copies in a class are found, whatever was renamed, moved and reformatted; a page shows them and accuses nobody."""

from __future__ import annotations

import ast
import random
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.cli import main
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.batch import Options, grade_course
from autograder.pages.similar_page import render_similar
from autograder.similarity.fragments import fragments_of
from autograder.similarity.pairs import Work, find_pairs, typical
from autograder.similarity.works import Comparison, compare_class
from tests.support import small_course

STUB = 'def solve(x, weight, eps):\n    """Scale the rows."""\n    raise NotImplementedError'
_NAMES = "mean var spread total centre width rows scale shift count middle part".split()
_CALLS = "mean sum var sqrt rsqrt abs exp log norm clamp square amax amin cumsum".split()


def _honest(rng: random.Random) -> str:
    """A function of ten lines that nobody else is likely to write."""
    lines = ["def solve(x, weight, eps):", '    """Scale the rows."""']
    known = ["x", "weight"]
    for _ in range(10):
        name = rng.choice(_NAMES)
        calls = f"{rng.choice(known)}.{rng.choice(_CALLS)}(dim={rng.randrange(3)}, keepdim={rng.random() < 0.5})"
        lines.append(f"    {name} = {calls} {rng.choice('+-*/')} {rng.choice(known)} * {rng.randrange(9)}")
        known.append(name)
    return "\n".join([*lines, f"    return {rng.choice(known)} / {rng.choice(known)}"])


def _renamed(source: str) -> str:
    return re.sub(rf"\b({'|'.join([*_NAMES, 'x', 'weight', 'eps'])})\b", lambda name: f"my_{name[0][::-1]}", source)


def _reformatted(source: str) -> str:
    body = ast.unparse(ast.parse(source)).replace("    ", "  ")
    return "\n\n".join(f"{line}   # step" for line in body.splitlines()).replace(", ", " ,  ")


def _moved(source: str) -> str:
    head, doc, *lines, last = source.splitlines()
    return "\n".join([head, doc, *lines[5:], *lines[:5], last])


def _all(source: str) -> str:
    return _reformatted(_renamed(_moved(source)))


def _work(student: str, source: str, **more: object) -> Work:
    return Work(student, {"solve": fragments_of(source)}, **more)  # type: ignore[arg-type]


def _class(size: int) -> dict[str, str]:
    rng = random.Random(5)
    return {f"s{n:03d}": _honest(rng) for n in range(size)}


@pytest.mark.parametrize("how", [_renamed, _reformatted, _moved, _all, str], ids=lambda how: how.__name__.strip("_"))
def test_a_planted_copy_is_the_first_pair(how: object) -> None:
    """Of 40 who wrote their own, and far from what honest pairs have in common."""
    class_ = _class(40)
    works = [_work(student, source) for student, source in class_.items()]
    works.append(_work("copy", how(class_["s007"])))  # type: ignore[operator]
    pairs, every = find_pairs(works, [fragments_of(STUB)])
    assert set(pairs[0].students) == {"s007", "copy"}
    assert pairs[0].likeness > 1.8 * pairs[1].likeness
    assert pairs[0].likeness > typical(every)[1]
    assert all(line <= 60 for lines in pairs[0].exercises[0].lines for line in lines)


def test_what_was_handed_out_and_what_everybody_writes_counts_nothing() -> None:
    """Thirty with the same solution, in the form of the stub, are not thirty copies."""
    given = [fragments_of(STUB)]
    same = "def solve(x, weight, eps):\n    return weight * (x - x.mean(0)) / (x.var(0, correction=0) + eps).sqrt()"
    _, every = find_pairs([_work(f"s{n}", same) for n in range(30)], given)
    assert not every.any()
    _, every = find_pairs([_work(f"s{n}", STUB + f"\nx{n} = {n}") for n in range(30)], given)
    assert every.max() < 0.05


def test_a_rare_remark_and_a_rare_mistake_are_evidence() -> None:
    """They are named; what half the class does is none."""
    works = [
        _work(student, source, mistakes=frozenset({("solve", "common")})) for student, source in _class(30).items()
    ]
    odd = "# hold my coffee while this runs\n"
    works[3] = _work("a", odd + _honest(random.Random(91)), mistakes=frozenset({("solve", "common"), ("solve", "odd")}))
    works[4] = _work("b", odd.upper() + _honest(random.Random(92)), mistakes=frozenset({("solve", "odd")}))
    pairs, _ = find_pairs(works, most=1000)
    first = next(pair for pair in pairs if set(pair.students) == {"a", "b"})
    assert first.mistakes == (("solve", "odd", 2),)
    assert first.remarks == (("solve", "hold my coffee while this runs", 2),)


def test_three_hundred_submissions_take_seconds() -> None:
    """Not minutes: the pairs are one sparse product."""
    class_ = _class(300)
    started = time.process_time()
    works = [Work(s, {f"e{n}": fragments_of(source) for n in range(2)}) for s, source in class_.items()]
    _, every = find_pairs(works)
    assert len(every) == 300 * 299 // 2
    assert time.process_time() - started < 60


def test_odd_cells_take_no_time() -> None:
    """A megabyte of anything in a cell, and code that is no code."""
    for unit in ("(", '"""', "\\", "a = 1\n", "# a remark\n", " " * 7 + "x\n", "\t", "'", "%%time\n", "\f", "é"):
        started = time.process_time()
        fragments_of(unit * (1_000_000 // len(unit)))
        assert time.process_time() - started < 3, unit


@given(st.lists(st.text(max_size=200), min_size=2, max_size=6))
def test_any_cells_can_be_compared(sources: list[str]) -> None:
    """And every likeness lies between 0 and 1."""
    _, every = find_pairs([_work(str(n), source) for n, source in enumerate(sources)])
    assert np.all((every >= 0) & (every <= 1 + 1e-9))


def test_the_page_says_that_it_is_no_verdict_and_runs_nothing() -> None:
    """Students' code and ids are text."""
    hostile = "<script>alert(1)</script>\u202e"
    code = f"# {hostile} is a remark\n" + _honest(random.Random(1))
    works = [_work(hostile, code, mistakes=frozenset({("solve", hostile)})),
             _work("b", code, mistakes=frozenset({("solve", hostile)})),
             *(_work(s, source) for s, source in _class(9).items())]  # fmt: skip
    pairs, every = find_pairs(works)
    sources = {work.student: {"solve": code} for work in works}
    page = render_similar(Comparison("01", tuple(sources), tuple(pairs), every, sources))
    assert "This is no verdict." in page
    assert "<script" not in page
    assert "\u202e" not in page
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert 'class="line hit"' in page


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A graded class of eight, in which two have one answer."""
    course = small_course.make(tmp_path_factory.mktemp("course"))
    rng = random.Random(8)
    for n in range(7):
        answer = _honest(rng).replace("solve(", "column_scale(")
        if n == 3:  # wrong in a way that nobody has named, and that runs
            answer = small_course.RIGHT.replace("gamma * deviation", "gamma * 3 * deviation")
        small_course.hand_in(course, f"s{n}", answer)
    copied = (course.submitted / "s3" / "00_made_up" / "made_up.ipynb").read_bytes()
    small_course.hand_in_bytes(course, "copy", copied.replace(b"middle", b"m"))
    small_course.hand_in(course, "stub", small_course.STUB, "def double(x):\n    raise NotImplementedError()")
    # The code above is our own: it needs no sandbox, and so runs on every machine.
    grade_course(course, "00_made_up", Options(workers=1, seed=1, sandbox="none"))
    return course


def test_the_command_compares_a_graded_class(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    """One page in the course; who wrote nothing is not compared."""
    assert main(["similar", "00_made_up", "--course", str(course.root)]) == 0
    assert "not a verdict" in capsys.readouterr().out
    page = (course.root / "similar_00_made_up.html").read_text()
    first = re.search(r'<h2 id="pair-1">(.*?)</h2>', page)
    assert first is not None
    assert {"s3", "copy"} <= set(re.findall(r"\w+", first[1]))
    assert "the same wrong values" in page
    assert set(compare_class(course, "00_made_up").students) >= {"s3", "copy"}


def test_a_class_that_is_not_graded_is_told_what_to_do(tmp_path: Path) -> None:
    """Two submissions make no rarity."""
    course = small_course.make(tmp_path)
    with pytest.raises(CourseError, match="at least 3 are compared") as caught:
        compare_class(course, "00_made_up")
    assert "autograder grade" in caught.value.hint
