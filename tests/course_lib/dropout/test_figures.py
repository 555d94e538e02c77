"""The figures of the dropout notebook say what they draw."""

from __future__ import annotations

import re

import pytest

from course_lib.dropout import figures
from course_lib.dropout.experiments import Patterns
from course_lib.lab import drawing
from course_lib.lab.drawing import Drawing


def test_a_dropped_input_is_crossed_out_and_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four inputs are dropped; no stroke comes near the letter in the middle."""
    shown: list[Drawing] = []
    monkeypatch.setattr(drawing, "show", lambda one, words: shown.append(one))
    figures.draw_neuron()
    crosses = re.findall(r'<path d="((?:M[\d.]+ [\d.]+l-?\d+ -?\d+){4})"', shown[0].svg)
    assert len(crosses) == 4
    for cross in crosses:
        strokes = [tuple(map(float, found)) for found in re.findall(r"M([\d.]+) ([\d.]+)l(-?\d+) (-?\d+)", cross)]
        x, y = (sum(stroke[axis] for stroke in strokes) / 4 for axis in (0, 1))
        assert all(abs(left + dx - x) >= 8 <= abs(up + dy - y) for left, up, dx, dy in strokes)


@pytest.mark.parametrize(("losses", "said"), [((1.0,), "One seed. "), ((1.0, 1.1), "One marker for each seed; ")])
def test_markers_are_announced_for_several_seeds(
    losses: tuple[float, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The axis is cut either way."""
    captions: list[str] = []
    monkeypatch.setattr(figures, "show_figure", lambda drawn, alt, caption: captions.append(caption))
    figures.draw_patterns(Patterns({"none": list(losses), "on the image": list(losses)}))
    assert captions[0].startswith(said)
    assert captions[0].endswith("The axis does not begin at 0.")
