"""The figures of the search notebook name what they draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from course_lib.search.experiments.coarse import Sweep
from course_lib.search.figures import coarse


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_schedules_are_named_below_their_curves(monkeypatch: pytest.MonkeyPatch, seeds: int) -> None:
    """By color and dashes; dots of several seeds are announced only where they are."""
    seen: list[Any] = []

    def note(drawn: Figure, alt: str, caption: str) -> None:
        seen.append(([text.get_text() for legend in drawn.legends for text in legend.get_texts()], caption))

    monkeypatch.setattr(coarse, "show_figure", note)
    rates = {"constant": np.full(4, 0.1), "step": np.array([0.1, 0.1, 0.01, 0.01])}
    accuracy = {label: np.full((seeds, 2), 0.7) for label in rates}
    coarse.draw_sweep(Sweep(rates=rates, accuracy=accuracy))
    names, caption = seen[0]
    assert names == list(rates)
    assert ("One dot for every seed" in caption) == (seeds > 1)
    assert ("One seed." in caption) == (seeds == 1)
