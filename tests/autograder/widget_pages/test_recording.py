"""Recordings of widgets: what a page shows and says is what the live widget does."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from autograder.widget_pages.answers import NotAlikeError, Span
from autograder.widget_pages.page import render_page
from autograder.widget_pages.recording import Recording, record
from course_lib.widgets.controls import Picks, Seed, Slider
from course_lib.widgets.explorer import Design, explained, first_state, whole_state
from course_lib.widgets.predictions import Estimate, Marking, Pick
from course_lib.widgets.scene import Bars, Handle, Lines, Mark, Montage, Scene, Series, pack, places
from tests.support.all_widgets import WIDGETS
from tests.support.paths import ROOT
from tests.support.recorded import design_of, frame, recording_of, tree

NUMBERS = (0, 1, 2, 4, 8, 9, 10, 12.5, 22, 150, 172, 5000)
"""What is said to a question for a number, as far as the question takes it."""


@pytest.fixture(scope="module", params=WIDGETS)
def recording(request: pytest.FixtureRequest) -> Recording:
    """Every widget of every topic."""
    return recording_of(request.param)


def answers(recording: Recording) -> list[Any]:
    """Some that can be given on the page, each kind of them."""
    question = recording.design.prediction
    if isinstance(question, Estimate):
        return [float(n) for n in NUMBERS if question.low <= n <= question.high]
    return list(recording.answers)


def live(recording: Recording, answer: Any, settings: dict[str, Any]) -> tuple[Scene, str, str]:
    """What the live widget shows and says."""
    state = {**first_state(recording.design), **settings}
    if isinstance(recording.design.prediction, Marking):
        state["marked"] = answer
    whole = whole_state(recording.design, state, {"value": answer, "locked": True})
    return recording.design.numbers(whole), *explained(recording.design, whole)


def numbers_in(scene: Scene) -> list[bytes]:
    """All arrays of a scene that are not images, nor places of handles."""
    spec, buffer = pack(scene)
    return [
        buffer[value["at"] : value["at"] + value["n"] * (4 if value["type"] == "f4" else 1)]
        for panel in spec["panels"]
        for value in arrays_of({key: part for key, part in panel.items() if key not in ("handles", "images")})
    ]


def arrays_of(value: Any) -> list[dict[str, Any]]:
    """The arrays in a tree."""
    if isinstance(value, dict):
        return [value] if "at" in value else [found for part in value.values() for found in arrays_of(part)]
    return [found for part in value for found in arrays_of(part)] if isinstance(value, list) else []


def test_each_control_is_recorded_by_itself_with_its_first_and_last_value(recording: Recording) -> None:
    """And where it stands at the beginning; a slider that is not recorded whole has even steps between."""
    alone = {group[0] for group in recording.groups if len(group) == 1}
    assert alone == {control.name for control in recording.design.controls}
    for dial, control in zip(recording.dials, recording.design.controls, strict=True):
        assert dial.values[dial.start] == (tuple(control.start) if isinstance(control, Picks) else control.start)
        if isinstance(control, Slider):
            assert {control.values[0], control.values[-1]} <= set(dial.values) <= set(control.values)
            picked = any(isinstance(c, Picks) and c.slider == control.name for c in recording.design.controls)
            assert len(dial.values) >= min(len(control.values), 3 if picked else 2)


def test_a_page_shows_and_says_what_the_live_widget_does(recording: Recording) -> None:
    """Numbers, line, explanation and verdict, for every group of controls and for answers right and wrong."""
    rng = random.Random(0)
    dials = {dial.name: dial for dial in recording.dials}
    for group in recording.groups:
        every = list(itertools.product(*(dials[name].values for name in group)))
        for answer, values in itertools.product(answers(recording), rng.sample(every, min(3, len(every)))):
            settings = dict(zip(group, values, strict=True))
            scene, explanation, verdict = live(recording, answer, settings)
            picture, told, judged = frame(recording, group, answer, settings)
            assert (picture["line"], told, judged) == (scene.line, explanation, verdict), (answer, settings)
            panels = [{k: v for k, v in panel.items() if k not in ("handles", "images")} for panel in picture["panels"]]
            assert [found["at"] for found in arrays_of(panels)] == numbers_in(scene)
            marks = [panel.get("marks", []) for panel in picture["panels"]]
            expected = [[{"x": m.x, "label": m.label} for m in getattr(p, "marks", ())] for p in scene.panels]
            assert marks == expected, (answer, settings)


def test_pictures_change_when_a_control_does(recording: Recording) -> None:
    """Or it would be a control in name only: somewhere another picture and other words."""
    answer = answers(recording)[0]
    dials = {dial.name: dial for dial in recording.dials}
    for name, dial in dials.items():
        found = []
        for group in (group for group in recording.groups if name in group):
            others = {other: dials[other].values[-1] for other in group}
            pictures = [frame(recording, group, answer, {**others, name: value})[0] for value in dial.values]
            found.append((len({repr(picture) for picture in pictures}), len({p["line"] for p in pictures})))
        assert all(max(counts) > 1 for counts in zip(*found, strict=True)), name


def test_right_and_wrong_answers_are_told_apart_with_words_of_their_own(recording: Recording) -> None:
    """A verdict for the right one, and for every wrong choice an explanation of its own."""
    dial = recording.dials[0]
    first = {dial.name: dial.values[dial.start]}
    found = [frame(recording, (dial.name,), answer, first)[1:] for answer in answers(recording)]
    assert {verdict for _, verdict in found} == {"right", "wrong"}
    if isinstance(recording.design.prediction, Pick):
        assert len({told for told, _ in found}) == len(found)


def test_a_handle_has_a_place_for_every_stop_of_its_slider(recording: Recording) -> None:
    """And stands where the slider stands."""
    dials = {dial.name: dial for dial in recording.dials}
    for name, dial in dials.items():
        for stop, value in enumerate(dial.values):
            picture, _, _ = frame(recording, (name,), answers(recording)[0], {name: value})
            for panel in picture["panels"]:
                for handle in panel.get("handles", []):
                    assert handle["x"]["n"] == len(dials[handle["control"]].values)
                    if handle["control"] == name:
                        assert handle["now"] == stop
                    if handle["second"]:
                        assert handle["y"]["n"] == len(dials[handle["second"]].values)


def test_what_opens_gives_nothing_away(recording: Recording) -> None:
    """Before the prediction a page has the live widget's picture before it."""
    opened = tree(recording, recording.data["opened"][0])
    assert opened["line"] == recording.opened.line
    assert len(opened["panels"]) == len(recording.opened.panels)


def test_a_recording_keeps_to_its_budget(recording: Recording) -> None:
    """Each control alone is always there, so a widget of photographs may take a little more."""
    photographs = any(isinstance(panel, Montage) for panel in recording.opened.panels)
    assert len(recording.packed) < (200_000 if photographs else 125_000)


def test_the_same_widget_gives_the_same_page_in_every_process() -> None:
    """Byte by byte, whatever the order of sets."""
    code = (
        "import hashlib, sys; from tests.support.recorded import design_of;"
        "from autograder.widget_pages.page import render_page; from autograder.widget_pages.recording import record;"
        "page = render_page(record(design_of('fuse_it'), 40_000), 'widgets.fuse_it()', 'n.ipynb');"
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            check=True, capture_output=True, timeout=100, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


def test_a_page_is_one_file_that_names_its_notebook_and_loads_nothing() -> None:
    """No address of anything, so nothing is asked of a network; what was recorded is said."""
    page = render_page(recording_of("fuse_it"), "widgets.fuse_it()", "batchnorm.ipynb")
    assert not any(sign in page for sign in ("http://", "https://", 'src="/', "@import", "url("))
    assert "batchnorm.ipynb" in page
    assert "<code>widgets.fuse_it()</code>" in page
    assert "Each control by itself: Between the two layers, all 2 values;" in page
    assert design_of("fuse_it").prediction.question in page  # for readers without scripts


def made_up(explain: Any = None, **changes: Any) -> Design:
    """A widget with a handle, a button that takes values, and a question for a number."""

    def numbers(state: Any) -> Scene:
        line = Lines(
            "l", np.arange(3, dtype=np.float32), (Series("s", np.full(3, state["a"], np.float32)),), 0, 1,
            marks=(Mark(float(state["answer"] or 0), "said"),),
            handles=(Handle("a", "A", places(range(100)), now=int(state["a"])),),
        )  # fmt: skip
        bars = Bars("b", ("x",), (Series("s", np.array([np.nan], np.float32)),), 0, 1)
        return Scene((line, bars), f"a is {state['a']:g}; taken: {len(state['t'])}; seed {state['seed']}.")

    controls = (
        Slider("a", "A", tuple(map(float, range(100))), 30.0),
        Picks("t", "Take", "a", tuple(map(float, range(100))), 5),
        Seed(),
    )
    told = explain or (lambda value, state: f"You said {value:g}, it is {state['a']:g}.")
    question = Estimate("How much?", "", -5, 50, "Move it.")
    design = Design("made-up", "Made up", controls, question, numbers, told, lambda value, state: value == 7)
    return design


def test_a_slider_with_many_values_is_thinned_and_values_are_taken_from_what_is_left() -> None:
    """From the first value to the last; of lists there are too many, so the short ones."""
    found = record(made_up())
    a, taken, seed = found.dials
    assert (a.values[0], a.values[a.start], a.values[-1]) == (0.0, 30.0, 99.0)
    assert len(a.values) <= 12
    assert taken.values[0] == ()
    assert {value for one in taken.values for value in one} == set(a.values)
    assert len(seed.values) == 6
    assert {"a", "t"} in map(set, found.groups)


def test_numbers_within_a_span_are_told_the_same_but_for_the_number() -> None:
    """Whatever number is said, and even one that stands in the text for another reason."""
    found = record(made_up())
    assert [(span.first, span.last) for span in found.answers if isinstance(span, Span)] == [
        (-5, 6.9),
        (7, 7),
        (7.1, 50),
    ]
    for said, verdict in ((-3.25, "wrong"), (7.0, "right"), (30.0, "wrong"), (41.5, "wrong")):
        picture, told, judged = frame(found, ("a",), said, {"a": 30.0})
        assert (told, judged) == (f"You said {said:g}, it is 30.".replace("-", "−"), verdict)
        assert picture["panels"][0]["marks"][0]["x"] == said


def test_what_depends_on_the_number_in_every_way_is_not_recorded() -> None:
    """It would say something false: the widget is named instead."""
    with pytest.raises(NotAlikeError):
        record(made_up(lambda value, state: f"Twice as much is {2 * value + state['a']:g}."))
