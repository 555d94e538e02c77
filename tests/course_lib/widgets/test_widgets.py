"""Widgets without a browser: the frame around every one of them, whatever its topic, and what it remembers."""

from __future__ import annotations

import gc
import json
import re
import struct
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.batchnorm.widgets import batchnorm_pipeline
from course_lib.widgets import explorer
from course_lib.widgets.controls import Choice, Picks, Seed, Slider, Votes, clean, defaults, steps
from course_lib.widgets.explorer import Design, Explorer, show_widget, whole_state
from course_lib.widgets.predictions import (
    FILE_NAME,
    Estimate,
    Marking,
    Pick,
    Placing,
    read_predictions,
    write_prediction,
)
from course_lib.widgets.scene import (
    Axis,
    Bars,
    Cells,
    Curve,
    Entry,
    Handle,
    Histogram,
    Lines,
    Mark,
    Montage,
    Plane,
    Scene,
    Series,
    Table,
    decades,
    histogram,
    pack,
)
from course_lib.widgets.still import png, still
from tests.support.paths import ROOT

PACKAGES = {
    path.parents[1].name: f"course_lib.{path.parents[1].name}.widgets"
    for path in sorted((ROOT / "course_lib").glob("*/widgets/__init__.py"))
}
"""Topic -> the package of its widgets."""
EVERY = [(topic, name) for topic, package in PACKAGES.items() for name in import_module(package).__all__]
CONTROLS = (
    Slider("a", "A", (1.0, 2.0, 4.0), 2.0),
    Choice("b", "B", {"x": "ex", "y": "why"}, "x"),
    Picks("c", "C", "a", (1.0, 2.0, 4.0), 2),
    Seed(count=3),
    Votes("d", "D", {"yes": "Yes", "no": "No"}, (Slider("a", "A", (1.0, 2.0, 4.0), 2.0), Seed(count=3)), 2),
)
STYLES = ("line", "dashed", "faint", "area", "dots", "rings", "crosses", "stars", "diamonds", "rug-x", "rug-y")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


ALMOST_VOTES = st.lists(st.lists(JSON | st.sampled_from([1.0, 2.0, 0, 1, "yes"]), min_size=2, max_size=4), max_size=3)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Predictions are kept in the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=EVERY, ids="-".join)
def widget(request: pytest.FixtureRequest) -> Explorer:
    """Every widget of every topic, as a notebook's cell makes it."""
    topic, name = request.param
    made: Explorer = getattr(import_module(PACKAGES[topic]), name)()
    return made


def tiny(name: str, marks: bool) -> Design:
    """A made-up widget with one slider, which moves a mark and nothing else, or does nothing at all."""

    def numbers(state: Any) -> Scene:
        place = state["a"] if marks else 1.0
        line = Lines("l", np.arange(5, dtype=np.float32), (), 0, 1, marks=(Mark(place, "here"),))
        return Scene((line,), f"the mark is at {place:g}")

    control = Slider("a", "A", (1.0, 2.0, 4.0), 2.0)
    question = Estimate("Where is the mark?", "", 0, 4, "Move it.")
    explain, right = lambda value, state: f"You said {value:g}.", lambda value, state: value == state["a"]
    return Design(name, "A mark", (control,), question, numbers, explain, right)


def an_answer(widget: Explorer) -> Any:
    """Some answer to the widget's question."""
    prediction = widget._design.prediction
    some = {
        Pick: lambda p: next(iter(p.options)),
        Estimate: lambda p: p.low,
        Marking: lambda p: [0],
        Placing: lambda p: p.values[-1],
    }
    return some[type(prediction)](prediction)


def _vote(control: Votes, answer: str) -> list[Any]:
    """About what the widget shows first."""
    return [*(other.start for other in control.about), answer]


def other_values(control: Any, current: Any) -> list[Any]:
    """What a control can be set to besides its present value."""
    known = {
        Slider: lambda c: c.values,
        Choice: lambda c: list(c.options),
        Picks: lambda c: [list(c.values[:1]), list(c.values[1:3])],
        Seed: lambda c: [1, 2],
        Votes: lambda c: [[_vote(c, key)] for key in c.options],
    }
    return [value for value in known[type(control)](control) if value != current]


def shown(widget: Explorer) -> str:
    """All that can be seen of the picture: its arrays, marks, titles and captions, but not the words beside it."""
    seen = {k: v for k, v in widget.picture.items() if k not in ("explanation", "frame", "line", "verdict")}
    return f"{json.dumps(seen, sort_keys=True)} {widget.pixels.hex()}"


def moved(widget: Explorer, control: Any) -> tuple[set[str], set[str]]:
    """The pictures and the lines that a control gives at all its values; none of them may be an error.

    A control may matter only beside a certain choice of another (groups, say, matter to group norm alone).
    """
    start = dict(widget.state)
    others = [other for other in widget._design.controls if other is not control]
    pictures: set[str] = set()
    lines: set[str] = set()
    for base in [start, *({**start, o.name: value} for o in others for value in other_values(o, start[o.name]))]:
        pictures, lines = set(), set()
        for value in [start[control.name], *other_values(control, start[control.name])]:
            widget.state = {**base, control.name: value}
            assert widget.error == ""
            assert widget.current()[control.name] == value
            pictures.add(shown(widget))
            lines.add(widget.alt)
        if len(pictures) > 1 and len(lines) > 1:
            break
    widget.state = start
    return pictures, lines


def test_every_name_is_a_widget_and_a_wrong_one_is_refused() -> None:
    """`__all__` and what can be had agree, in every topic."""
    for package in map(import_module, PACKAGES.values()):
        assert sorted(package.__all__) == package.__all__
        assert all(callable(getattr(package, name)) for name in package.__all__)
        with pytest.raises(AttributeError, match="no attribute 'histogramm'"):
            _ = package.histogramm


def test_importing_a_package_of_widgets_loads_neither_widgets_nor_torch() -> None:
    """The import is free; the first widget pays."""
    import subprocess

    names = ", ".join(PACKAGES.values())
    code = f"import {names}, sys; sys.exit(bool({{'torch', 'ipywidgets', 'matplotlib'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0


def test_at_most_four_controls_and_a_seed(widget: Explorer) -> None:
    """More would be a cockpit."""
    assert len([c for c in widget._design.controls if not isinstance(c, Seed)]) <= 4


def test_the_description_survives_json(widget: Explorer) -> None:
    """What the browser gets is plain JSON without NaN, and its start is a state that the controls allow."""
    for part in (widget.design, widget.picture, widget.state):
        assert json.loads(json.dumps(part, allow_nan=False)) is not None
    assert clean(widget._design.controls, widget.state) == defaults(widget._design.controls)


def test_every_wrong_choice_has_an_explanation_of_its_own(widget: Explorer) -> None:
    """Not only what is right: what *this* choice overlooks."""
    design = widget._design
    if not isinstance(design.prediction, Pick):
        return  # numbers and marks: the tests of the topic
    state = {**clean(design.controls, defaults(design.controls)), "locked": True, "answer": None}
    told = {}
    for key, words in design.prediction.options.items():
        if not design.right(key, state):
            told[key] = design.explain(key, {**state, "answer": key}).replace(words, "")
    assert len(set(told.values())) == len(told), told


def test_before_the_prediction_nothing_is_explained(widget: Explorer) -> None:
    """Predict first: the explanation would give the answer away."""
    assert not widget.answer
    assert widget.picture["explanation"] == ""
    assert widget.error == ""
    assert widget.alt


def test_every_control_changes_the_picture_and_the_words(widget: Explorer) -> None:
    """Set each control to each of its values: never an error, and somewhere another picture and other words."""
    widget.answer = {"value": an_answer(widget), "locked": True}
    for control in widget._design.controls:
        pictures, lines = moved(widget, control)
        assert len(pictures) > 1, control
        assert len(lines) > 1, control


def test_a_mark_that_moves_is_a_change_of_the_picture() -> None:
    """It is a number in the description, not an array; a control that does nothing at all is found out."""
    for marks in (True, False):
        widget = Explorer(tiny("made-up mark", marks))
        widget.answer = {"value": 1.0, "locked": True}
        arrays = widget.pixels
        pictures, lines = moved(widget, widget._design.controls[0])
        assert widget.pixels == arrays
        assert (len(pictures), len(lines)) == ((3, 3) if marks else (1, 1))


def test_reset_brings_back_the_first_picture(widget: Explorer) -> None:
    """The same state gives the same picture, whatever came between."""
    before, alt = shown(widget), widget.alt
    for control in widget._design.controls:
        widget.state = {**widget.state, control.name: other_values(control, None)[-1]}
    widget.state = dict(widget.design["start"])
    assert (shown(widget), widget.alt) == (before, alt)


def test_a_locked_prediction_is_judged_at_once_and_says_what_to_do(widget: Explorer) -> None:
    """What was said and what it is come with the answer; what to do next stands there until a control has moved."""
    widget.answer = {"value": an_answer(widget), "locked": True}
    prediction = widget._design.prediction
    assert widget.picture["explanation"].startswith(("You said", "You marked", "You stopped"))
    assert prediction.then in widget.picture["explanation"]
    control = widget._design.controls[0]
    widget.state = {**widget.state, control.name: other_values(control, widget.state[control.name])[0]}
    assert widget.picture["explanation"].startswith(("You said", "You marked", "You stopped"))
    assert prediction.then not in widget.picture["explanation"]


def every_answer(widget: Explorer) -> list[Any]:
    """Answers right and wrong: all options, numbers of every size, no cells to all cells of a channel, every place."""
    match widget._design.prediction:
        case Pick(options=options):
            return list(options)
        case Estimate(low=low, high=high):
            return [n for n in (*range(300), low, high) if low <= n <= high]
        case Placing(values=values):
            return list(values)
    shape = widget.picture["panels"][0]["shape"]
    channel = np.arange(np.prod(shape)).reshape(shape)[:, 0].reshape(-1)
    return [[0], channel.tolist(), channel[1:].tolist(), [*channel.tolist(), 5]]


def test_some_answers_are_right_and_some_are_not(widget: Explorer) -> None:
    """The explanation is green for a right answer only, and says something else for a wrong one."""
    found: dict[str, set[str]] = {"right": set(), "wrong": set()}
    assert widget.picture["verdict"] == ""
    for value in every_answer(widget):
        widget.answer = {"value": value, "locked": True}
        found[widget.picture["verdict"]].add(widget.picture["explanation"])
    assert found["right"]
    assert found["wrong"]
    assert not found["right"] & found["wrong"]


def handles_of(widget: Explorer) -> list[tuple[dict[str, Any], bytes]]:
    """What can be dragged now, as the page gets it, and the buffer with its places."""
    return [(handle, widget.pixels) for panel in widget.picture["panels"] for handle in panel.get("handles", [])]


def test_a_handle_stands_where_its_slider_stands(widget: Explorer) -> None:
    """It has a place for every value of its slider, a name, and moves with the slider: one state."""
    prediction = widget._design.prediction
    values = {c.name: c.values for c in widget._design.controls if isinstance(c, Slider)}
    if isinstance(prediction, Placing):
        assert [handle["control"] for handle, _ in handles_of(widget)] == ["guess"]
        for value in (prediction.values[3], prediction.values[-1]):
            widget.state = {**widget.state, "guess": value}
            (handle, _), *others = handles_of(widget)
            assert not others
            assert prediction.values[handle["now"]] == value
            assert handle["x"]["n"] == len(prediction.values)
    widget.answer = {"value": an_answer(widget), "locked": True}
    for handle, _ in handles_of(widget):
        for name, key, axis in ((handle["control"], "now", "x"), (handle["second"], "then", "y")):
            if not name:
                continue
            assert handle["label"]
            assert handle[axis]["n"] == len(values[name])
            for value in values[name]:
                widget.state = {**widget.state, name: value}
                moved = [
                    h
                    for h, _ in handles_of(widget)
                    if (h["control"], h["second"]) == (handle["control"], handle["second"])
                ]
                assert [values[name][h[key]] for h in moved] == [value] * len(moved)
                assert moved


def test_a_control_that_another_sets_is_told_a_value_that_it_allows(widget: Explorer) -> None:
    """Whatever the state: or the page could not show it."""
    widget.answer = {"value": an_answer(widget), "locked": True}
    controls = {control.name: control for control in widget._design.controls}
    for control in controls.values():
        for value in [*other_values(control, None)]:
            widget.state = {**widget.state, control.name: value}
            assert all(controls[name].allows(set_to) for name, set_to in widget.picture["settled"].items())


def test_ids_differ_between_widgets_of_a_page(widget: Explorer) -> None:
    """Words of an answer belong to their own button, however many widgets the page has."""
    assert Explorer(widget._design).design["id"] != widget.design["id"]


def test_ticks_of_a_logarithmic_axis_carry_the_numbers() -> None:
    """1e-4 and not -4."""
    assert [(tick.x, tick.label) for tick in decades(-4, 1)] == [
        (-4.0, "1e−4"),
        (-3.0, "1e−3"),
        (-2.0, "1e−2"),
        (-1.0, "0.1"),
        (0.0, "1"),
        (1.0, "10"),
    ]


def test_what_was_taken_is_a_list_of_the_sliders_values() -> None:
    """A page can send anything."""
    picks = Picks("c", "C", "a", (1.0, 2.0, 4.0), 2)
    assert picks.allows([2.0, 4.0])
    assert not any(map(picks.allows, ([3.0], [1.0, 1.0, 1.0], "12", None, [[1.0]], 1.0)))


def test_a_prediction_is_restored_and_can_be_forgotten(widget: Explorer) -> None:
    """Reopening the notebook brings the locked answer back; `fresh` starts over."""
    widget.answer = {"value": an_answer(widget), "locked": True}
    again = Explorer(widget._design)
    assert again.answer == {"value": an_answer(widget), "locked": True, "moved": False}
    assert show_widget(widget._design, fresh=True).answer == {}


@pytest.mark.parametrize("value", [None, "no such option", float("nan"), [10**6], {"a": 1}], ids=str)
def test_an_answer_that_is_none_is_not_locked(widget: Explorer, value: Any) -> None:
    """Only an answer to the question can be locked in."""
    widget.answer = {"value": value, "locked": True}
    assert widget.answer == {}
    assert read_predictions() == {}


def test_an_exception_is_shown_and_the_next_picture_clears_it(
    widget: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in a callback reaches the student, and does not stop the widget."""
    from dataclasses import replace

    def broken(state: Any) -> Scene:
        raise ZeroDivisionError("a made-up fault")

    design, frame = widget._design, widget.picture["frame"]
    widget._design = replace(design, numbers=broken)
    widget.state = {**widget.state, "turn": 1}
    assert widget.error == "ZeroDivisionError: a made-up fault"
    assert widget.picture["frame"] > frame  # or the page would wait for ever
    widget._design = design
    widget.state = {**widget.state, "turn": 2}
    assert widget.error == ""


def test_a_cell_run_again_closes_its_old_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same widget in another cell stays open."""
    cell = "first"
    monkeypatch.setattr(explorer, "_running_cell", lambda: cell)
    first = show_widget(tiny("made-up cell", True))
    cell = "second"
    second = show_widget(tiny("made-up cell", True))
    assert first.comm is not None
    again = show_widget(tiny("made-up cell", True))
    assert (first.comm is not None, second.comm is None, again.comm is not None) == (True, True, True)


def test_a_thousand_moves_leave_no_trace() -> None:
    """No figure stays open, and memory does not grow with the number of updates."""
    widget = batchnorm_pipeline()
    control = widget._design.controls[0]
    assert isinstance(control, Slider)

    def moves(n: int) -> None:
        for i in range(n):
            widget.state = {**widget.state, control.name: control.values[i % len(control.values)]}

    moves(50)
    gc.collect()
    objects, memory = len(gc.get_objects()), psutil.Process().memory_info().rss
    moves(1000)
    gc.collect()
    assert len(gc.get_objects()) - objects < 100
    assert psutil.Process().memory_info().rss - memory < 8 * 2**20
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_a_still_picture_has_its_numbers_in_words(widget: Explorer) -> None:
    """What a saved notebook keeps: an image with alternative text, and a caption."""
    page = widget._still_bundle()["text/html"]
    found = re.search(r'<img [^>]*alt="([^"]+)" src="data:image/png;base64,', page)
    assert found
    assert "run the cell" in page
    assert [int(n) for n in re.findall(r"\d+", widget.alt)][:3] == [int(n) for n in re.findall(r"\d+", found[1])][:3]


@given(state=st.dictionaries(st.sampled_from(["a", "b", "seed", "c", "d"]), JSON | ALMOST_VOTES, max_size=5))
def test_a_state_is_cleaned_whatever_the_page_sends(state: dict[str, Any]) -> None:
    """Every control ends at a value that it allows."""
    found = clean(CONTROLS, state)
    assert set(found) == {"a", "b", "c", "d", "seed"}
    assert all(control.allows(found[control.name]) for control in CONTROLS)


@given(content=st.binary(max_size=200) | JSON.map(lambda value: json.dumps({"predictions": value}).encode()))
def test_a_damaged_file_of_predictions_counts_as_empty(content: bytes) -> None:
    """Reading it never raises, and what is read has the right shape."""
    Path(FILE_NAME).write_bytes(content)
    assert all(isinstance(value, dict) for value in read_predictions().values())


def test_predictions_of_several_widgets_share_a_file(own_folder: Path) -> None:
    """Writing one keeps the others."""
    write_prediction("one", {"value": 1, "locked": True})
    write_prediction("two", {"value": "x", "locked": True})
    write_prediction("one", None)
    assert read_predictions() == {"two": {"value": "x", "locked": True}}
    assert [path.name for path in own_folder.iterdir()] == [FILE_NAME]


def test_predictions_need_no_writable_folder(own_folder: Path) -> None:
    """Where nothing can be written the widget still works."""
    write_prediction("one", {"value": 1}, own_folder / "missing")
    assert not (own_folder / "missing").exists()


def test_a_range_of_steps_has_both_ends_and_round_numbers() -> None:
    """Labels show these numbers."""
    assert steps(0, 1, 0.1) == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def test_a_packed_scene_gives_its_arrays_back() -> None:
    """Offsets are aligned, types are kept, NaN travels."""
    bytes_ = np.arange(5, dtype=np.uint8)
    cells = Cells("c", (1, 5, 1, 1), bytes_, bytes_[::-1].copy())
    lines = Lines("l", np.array([0, 1], np.float32), (Series("s", np.array([np.nan, 2], np.float32)),), 0, 1)
    spec, buffer = pack(Scene((cells, lines), "words"))
    first, second = spec["panels"]
    assert [first["kind"], second["kind"]] == ["cells", "lines"]
    signs, y = first["signs"], second["series"][0]["y"]
    assert list(buffer[signs["at"] : signs["at"] + signs["n"]]) == [4, 3, 2, 1, 0]
    assert y["at"] % 4 == 0
    assert struct.unpack_from("<2f", buffer, y["at"])[1] == 2.0
    assert json.dumps(spec, allow_nan=False)


def test_a_histogram_says_what_lies_beyond_its_axis() -> None:
    """In no bin, where it would look like a peak; the mean is that of all values."""
    found = histogram("h", [-100.0, -1.0, 0.0, 0.1, 1.0, 100.0, 200.0, 400.0], -1, 1, bins=10)
    assert found.shares.sum() == pytest.approx(0.5)
    assert (found.shares[0], found.shares[-1]) == (0.125, 0.125)
    assert found.marks[0] == Mark(pytest.approx(75.0125), "mean 75.01")
    assert found.marks[1:] == (Mark(-1, "← 12%"), Mark(1, "38% →"))


def test_a_histogram_with_everything_on_its_axis_marks_the_mean_alone() -> None:
    """A mean that rounds to zero carries no minus; one value of many is not 0%."""
    assert histogram("h", [-0.5, 0.499], -1, 1).marks == (Mark(pytest.approx(-0.0005), "mean 0.00"),)
    assert histogram("h", [0.0] * 999 + [2.0], -1, 1).marks[1] == Mark(1, "<1% →")


def test_one_of_a_thing_is_no_plural() -> None:
    """What stands behind the number of an answer."""
    question = Estimate("How many?", "steps", 0, 9, "Go on.", "step")
    assert [question.words(number) for number in (0, 1, 1.5)] == ["0 steps", "1 step", "1.5 steps"]
    assert replace(question, one="").words(1) == "1 steps"


_THINGS = "cells|epochs|groups|images|masks|means|picks|pictures|runs|steps"
_PLURAL = re.compile(rf"(?<![\d.,])\b1 (?:\w+ )?(?:{_THINGS})\b|\b1 of \d+ (?:\w+ )+(?:are|fall)\b")
_MINUS_NOTHING = re.compile(r"[-−]0(?:\.0+)?(?![\d.])")


def test_no_text_has_one_things_or_minus_nothing(widget: Explorer) -> None:
    """Whatever one control is set to: "1 step", not "1 steps", and 0.00, not −0.00."""
    widget.answer = {"value": an_answer(widget), "locked": True}
    start = dict(widget.state)
    for control in widget._design.controls:
        for value in other_values(control, None):
            widget.state = {**start, control.name: value}
            texts = [widget.alt, widget.picture["explanation"]]
            texts += [mark["label"] for panel in widget.picture["panels"] for mark in panel.get("marks", [])]
            texts += [caption for panel in widget.picture["panels"] for caption in panel.get("captions", [])]
            for text in texts:
                assert not _PLURAL.search(text), text
                assert not _MINUS_NOTHING.search(text), text


@pytest.mark.parametrize(
    "panel",
    [
        Histogram("h", np.array([0.2, 0.8], np.float32), 0, 1, 1, (Mark(0.5, "m"),)),
        Lines("l", np.arange(3, dtype=np.float32), (Series("s", np.zeros(3, np.float32), "dots"),), -1, 1),
        Plane(
            "p",
            tuple(
                Curve(f"{style} curve", np.arange(3, dtype=np.float32), np.array([0, np.nan, 1], np.float32), style)
                for style in STYLES
            ),
            Axis(0, 2, "x", decades(0, 2)),
            Axis(-1, 1, "y"),
            (Mark(1, "m"),),
            (0.5, 1.5, -0.5, 0.5),
            (
                Handle("a", "A", np.arange(3, dtype=np.float32)),
                Handle("b", "B", np.ones(2, np.float32), np.ones(2, np.float32)),
            ),
        ),
        Bars("b", ("g", "h"), (Series("s", np.array([1, -1], np.float32)),), -2, 2),
        Montage("m", np.zeros((3, 4, 4, 3), np.uint8), 2, ("a", "b", "c")),
        Montage("m", np.zeros((2, 4, 4, 3), np.uint8), 2, (), np.ones(2, np.float32), np.ones(2, np.uint8), 1),
        Cells("c", (1, 2, 2, 2), np.zeros(8, np.uint8), np.ones(8, np.uint8)),
        Table(
            "t",
            ("left", "right"),
            ("upper", "lower"),
            ("a", "b", "c", "d"),
            tuple((Entry("e", "found\nthere", (("x", 1.0),)), Entry("f", "", ())) for _ in range(4)),
            1,
            (0, 6),
        ),
    ],
    ids=lambda panel: type(panel).__name__.lower(),
)
def test_every_panel_has_a_still_picture_and_a_live_drawing(panel: Any) -> None:
    """Python draws it for saved notebooks, the page's script knows its kind."""
    assert png(Scene((panel,), "words")).startswith(b"\x89PNG")
    script = (ROOT / "course_lib/widgets/static/panels.js").read_text()
    kinds = re.search(r"const PANELS = \{ (.*) \};", script)
    assert kinds
    assert type(panel).__name__.lower() in kinds[1].split(", ")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [([3, 1, 1], (1, 3)), (None, ()), ("12", ()), ([-1, 64, True, 2.0, "3", 5], (5,)), ([0] * 1000, ())],
)
def test_which_entries_of_a_table_were_seen_is_believed_only_in_its_form(sent: Any, kept: tuple[int, ...]) -> None:
    """The page may send anything."""
    design = import_module("course_lib.transfer.widgets.quadrants").DESIGN
    assert whole_state(design, {"seen": sent}, {})["seen"] == kept


def test_words_in_a_still_picture_cannot_become_html() -> None:
    """Titles and lines are escaped."""
    page = still("<script>", Scene((Montage("m", np.zeros((1, 2, 2, 3), np.uint8), 1),), '"><script>'), "<b>")
    assert "<script>" not in page
    assert "<b>" not in page
