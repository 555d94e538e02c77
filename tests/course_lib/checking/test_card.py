"""The card: what it says, that it is safe to show, and that its example really shows the mistake."""

from __future__ import annotations

import contextlib
import re
import warnings
from html.parser import HTMLParser
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.exercise import Exercise
from course_lib.checking.card import Card, plain, points, reason, shown
from course_lib.checking.check import examine
from course_lib.checking.counterexample import counterexample
from course_lib.checking.fault import Fault
from course_lib.checking.keys import CaseKey, CriterionKey, Entry, ExerciseKey, Failure, Response
from course_lib.checking.verdict import Verdict, judge
from tests.support import made_up
from tests.support.course import ASSIGNMENTS

KEY = made_up.EXERCISE.make_key("card")


def verdict_of(function: Any) -> tuple[Verdict, Fault | None]:
    """The verdict on a function, and its fault."""
    verdict, fault, _ = examine(KEY, [function])
    return verdict, fault


def changes_inputs(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Right, but spoils its input."""
    result = made_up.reference(x, gamma, eps)
    x += 1
    return result


def widens(x: torch.Tensor, gamma: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Right numbers in float64 whatever comes in."""
    y, centre = made_up.reference(x, gamma, eps)
    return y.double(), centre.double()


class Reader(HTMLParser):
    """Collects tags and text, and notices tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag and what it carries."""
        self.tags.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Only the tag opened last may close."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        self.text += data


def read(html: str) -> Reader:
    """The HTML, parsed; every tag must be closed."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("render", [Card.html, Card.text], ids=["html", "text"])
def test_both_forms_say_the_same(render: Any) -> None:
    """Points, criteria, hint, first wrong element and case are in the HTML and in the text."""
    verdict, _ = verdict_of(made_up.unbiased)
    said = render(Card(verdict))
    said = read(said).text if render is Card.html else said
    for wanted in (
        "column-scale: 4 of 5 points",
        "centre of the columns",
        "The sum was divided by",
        "unbiased variance, 1 point off",
        "are not counted again",
    ):
        assert wanted in said
    words = " ".join(said.replace("`", "").split())
    assert "In the case “tiny”, 4 of 6 elements of y are wrong, by up to 0.22" in words
    assert "the first of them, y[0, 0], is -1 and should be -1.22474." in words


def test_signs_come_with_words() -> None:
    """Nothing is said by colour or by a sign alone."""
    text = read(Card(verdict_of(made_up.unbiased)[0]).html()).text
    assert "✗ not yet" in text
    assert "✓ right" in text
    assert "✗ wrong" in text
    assert "– not judged" in text
    assert "✗ lost" in read(Card(verdict_of(lambda x, eps: x)[0]).html()).text


def test_what_a_known_mistake_costs_is_not_said_twice() -> None:
    """A criterion that is wrong by a mistake costs its price, not its own points: its mark says so."""
    text = Card(verdict_of(made_up.unbiased)[0]).text()
    assert "What is marked wrong costs what the mistake below costs, and no more." in " ".join(text.split())
    assert "marked wrong" not in Card(verdict_of(lambda x, eps: x)[0]).text()


def _unwritten(x: Any) -> Any:
    raise NotImplementedError


def _stopped(x: Any) -> Any:
    raise ValueError("no")


@pytest.mark.parametrize("double", [lambda x: 2 * x, lambda x: 3 * x, _stopped])
def test_a_function_that_is_still_a_stub_is_open_and_hides_nothing_of_the_others(double: Any) -> None:
    """Its criterion is open, not lost, and it is no crash; what is wrong with the other function is explained."""
    verdict, fault, advice = examine(made_up.PAIR.make_key(1), (double, _unwritten))
    text = " ".join(Card(verdict, fault, tuple(advice)).text().split())
    assert "○" in text
    assert "`halve` is not written yet, or not all of it" in text
    assert "NotImplementedError`" not in text.replace("raise NotImplementedError()`", "")
    assert ("paste and run" in text) == (verdict.score < verdict.key.points / 2)
    assert "halve(" not in text.partition("paste and run")[2]
    assert ("ValueError: no" in text) == (double is _stopped)


def test_where_a_pytorch_warning_comes_from_is_left_out() -> None:
    """A path in PyTorch's own code, cut in the middle, tells a student nothing."""

    def warns(x: Any) -> Any:
        warnings.warn("var(): too few (Triggered internally at /a/b/ReduceOps.cpp:1857.)", stacklevel=1)
        return 2 * x

    _, _, remarks = examine(made_up.PAIR.make_key(1), (warns, lambda x: x / 2))
    assert "Your code warns: var(): too few" in remarks


def test_the_card_has_a_name_for_screen_readers_and_a_scroll_area_that_can_be_reached() -> None:
    """The group is labelled; the code, which may scroll, takes the focus."""
    tags = read(Card(verdict_of(made_up.unbiased)[0]).html()).tags
    assert tags[0] == (
        "div",
        tags[0][1] | {"role": "group", "aria-label": "Check of column-scale: 4 of 5 points, not yet"},
    )
    assert next(attributes for tag, attributes in tags if tag == "pre")["tabindex"] == "0"


@settings(max_examples=80, deadline=None)
@given(message=st.text(max_size=200), line=st.text(max_size=80), advice=st.text(max_size=80))
def test_text_from_a_student_stays_text(message: str, line: str, advice: str) -> None:
    """No exception text, source line or warning can add an element, an attribute or a control character."""
    evil = f"{message}<script>alert(1)</script>' onload='x\x1b[31m"
    verdict = judge(KEY, {case.name: Response(failure=Failure("ValueError", evil)) for case in KEY.cases})
    fault = Fault("Evil<b>", evil, "<i>", evil, 3, f"{line}<img src=x onerror=y>", "")
    reader = read(Card(verdict, fault, (advice, evil)).html())
    allowed = {"div", "p", "span", "strong", "ul", "li", "br", "code", "details", "summary", "pre"}
    assert {tag for tag, _ in reader.tags} <= allowed
    assert {name for _, attributes in reader.tags for name in attributes} <= {"style", "role", "aria-label", "tabindex"}
    text = Card(verdict, fault, (advice, evil)).text()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text + reader.text)
    text.encode("utf-8")


def test_plain_removes_every_terminal_sequence() -> None:
    """Colours, cursor moves, titles and text that runs backwards are gone; words and line ends stay."""
    assert plain("a\x1b[1;31mred\x1b[0m\x1b]0;title\x07\x1b[2Jb\u202ec\n\x00d") == "aredbc\nd"


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        pytest.param(made_up.unbiased, "[-1.22474, -1.22474]", id="value"),
        pytest.param(widens, "torch.float32", id="dtype"),
        pytest.param(changes_inputs, "x was", id="inputs"),
    ],
)
def test_the_example_runs_and_shows_the_mistake(function: Any, wanted: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The code is complete: it runs as pasted, below the student's function."""
    verdict, _ = verdict_of(function)
    lost = shown(verdict)
    code = counterexample(verdict, lost)
    assert wanted.partition(" ")[0] in code
    exec(code, {"column_scale": function})
    printed = capsys.readouterr().out
    assert printed.count("\n") >= 2
    if wanted.startswith("torch"):
        assert "got      torch.float64\nexpected torch.float32" in printed


def test_the_example_of_an_exception_raises_it() -> None:
    """Pasting the example gives the same exception."""
    verdict, fault = verdict_of(made_up.raises)
    lost = shown(verdict)
    assert fault is not None
    with pytest.raises(RuntimeError, match=re.escape(fault.message)):
        exec(counterexample(verdict, lost), {"column_scale": made_up.raises})


SPECIAL = [float("nan"), float("inf"), float("-inf"), 0.1, -1e-30, 3.0]


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int32, torch.bool]
)
@pytest.mark.parametrize("shape", [(), (0, 3), (6,), (2, 3), (1, 2, 3)], ids=str)
def test_the_example_gives_the_inputs_exactly(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """Every dtype and shape comes back as it was, NaN and infinities too."""
    numbers = SPECIAL if dtype.is_floating_point else [1, 0, -3, 1, 0, 7]
    count = torch.Size(shape).numel()
    value = torch.tensor(numbers[:count], dtype=dtype).reshape(shape)
    inputs = {"x": value, "settings": {"a": (1,), "b": [None, "text", True, 0.1, float("inf")]}}
    code = counterexample(*_one_case(inputs))
    space: dict[str, Any] = {"f": lambda *given: given[0]}
    exec(code.partition("y = f")[0], space)
    assert space["x"].dtype == dtype
    assert space["x"].shape == value.shape
    torch.testing.assert_close(space["x"], value, rtol=0, atol=0, equal_nan=True)
    assert space["settings"] == inputs["settings"]


def _one_case(inputs: dict[str, Any], driver: str = "call") -> tuple[Verdict, Any]:
    case = CaseKey("c", "f", driver, inputs, ("y",), {"y": torch.zeros(2)})
    key = ExerciseKey("e", ("f(x)",), (case,), (CriterionKey("s", "t", 1, (Entry("c", "y"),)),))
    verdict = judge(key, {"c": Response(torch.ones(2))})
    return verdict, verdict.results[0]


def test_large_inputs_give_no_example() -> None:
    """Nobody works 25 numbers by hand."""
    assert counterexample(*_one_case({"x": torch.zeros(24)}))
    assert counterexample(*_one_case({"x": torch.zeros(25)})) == ""


def test_an_object_that_is_not_called_has_an_example_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A driver says how its cases look in plain code."""
    code = counterexample(*_one_case({}, driver="value"))
    assert "f(" not in code
    exec(code, {"f": torch.ones(2)})
    assert capsys.readouterr().out == "got      tensor([1., 1.])\nexpected tensor([0., 0.])\n"


def test_the_reason_is_one_line_with_case_output_and_size() -> None:
    """What the report and the feedback quote for a lost criterion; empty for one that holds."""
    verdict, _ = verdict_of(made_up.unbiased)
    assert reason(verdict, verdict.results[0]) == ""
    assert reason(verdict, verdict.results[1]) == (
        "In the case “tiny”, 4 of 6 elements of `y` are wrong, by up to 0.22; "
        "the first of them, `y[0, 0]`, is -1 and should be -1.22474."
    )


def test_a_pass_shows_the_error_to_expect() -> None:
    """Right code sees how small its error is, and what would still be accepted."""
    card = Card(verdict_of(made_up.reference)[0])
    assert re.search(r"The largest relative error is \de-\d\d \(up to 2e-04", card.text())
    # No line of a narrow window ends after "2e-".
    assert re.findall(r'(?<=nowrap">)\de-\d+(?=</span>)', card.html())[1:] == ["2e-04"]


def test_a_missing_name_asks_for_its_cell() -> None:
    """A name that is not defined is not called a wrong answer."""
    verdict = judge(
        KEY, {c.name: Response(failure=Failure("missing", "column_scale is not defined")) for c in KEY.cases}
    )
    assert "Run the cell that defines it" in Card(verdict).text()


def test_advice_is_in_both_forms() -> None:
    """Remarks without points are shown on a pass as well."""
    verdict, _ = verdict_of(made_up.reference)
    card = Card(verdict, advice=("will fail on a GPU",))
    assert all("will fail on a GPU" in form for form in card._repr_mimebundle_().values())
    assert repr(card) == card.text()


@pytest.mark.parametrize(("number", "words"), [(1, "1 point"), (2.0, "2 points"), (0.5, "0.5 points")])
def test_points_are_written_as_people_write_them(number: float, words: str) -> None:
    """One point, several points, no trailing zeros."""
    assert points(number) == words


ALL = [exercise for exercises in ASSIGNMENTS.values() for exercise in exercises.values()]


WITHOUT_EXAMPLE = {
    "freeze-backbone": "whether it is frozen shows after steps of training, which are no small example",
    "expectation-derivation": "known mistakes are functions, students write expressions (see test_dropout.py)",
    "label-preserving": "known mistakes are functions, students write a table (see test_augmentation.py)",
}
"""Exercises that show none here, and why."""


@pytest.mark.parametrize("exercise", ALL, ids=lambda exercise: exercise.id)
def test_every_example_of_the_course_runs_and_shows_the_mistake(
    exercise: Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    """For each known mistake of each exercise, the pasted code prints what came back, and what was expected."""
    key = exercise.make_key("card", diagnose=False)
    count = 0
    for misconception in exercise.misconceptions:
        space = exercise.namespace(misconception.wrong)
        verdict, _, _ = examine(key, [space[name] for name in exercise.names])
        lost = shown(verdict)
        code = counterexample(verdict, lost)
        if code and lost.entry is not None and not isinstance(verdict.observed[lost.entry], Failure):
            assert "run_case" not in code
            plain = next(case for case in key.cases if case.name == lost.entry.case).driver.startswith("call")
            # What is no such thing as was asked for may stop the example: that shows it, too.
            with torch.enable_grad(), contextlib.nullcontext() if plain else contextlib.suppress(Exception):
                exec(code, space)
                assert capsys.readouterr().out.count("\n") >= 1
                count += 1
    assert count or exercise.id in WITHOUT_EXAMPLE
