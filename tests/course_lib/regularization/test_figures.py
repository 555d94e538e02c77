"""What the figures of the regularization notebook say agrees with what they draw."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from course_lib.regularization.experiments.bottleneck import Teacher
from course_lib.regularization.figures import bottleneck, decay


@pytest.mark.parametrize("seeds", [1, 3])
def test_small_dots_are_announced_only_where_they_are(seeds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a single seed lie on the line through the means."""
    captions: list[str] = []
    monkeypatch.setattr(bottleneck, "show_figure", lambda drawn, alt, caption: captions.append(caption))
    rows = ((0.3, 0.1),) * seeds
    bottleneck.draw_teacher({100: Teacher((1, 3), rows, rows)})
    assert captions == [
        f"{'Small dots: 3 seeds. Lines: their means.' if seeds > 1 else 'One seed.'} One scale for all panels."
    ]


def test_half_lives_on_a_logarithmic_axis_have_no_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar would begin wherever the axis is cut."""
    seen: list[Any] = []

    def note(drawn: Figure, alt: str, caption: str) -> None:
        seen.extend((list(ax.patches), [float(line.get_xdata()[0]) for line in ax.lines]) for ax in drawn.axes)

    monkeypatch.setattr(decay, "show_figure", note)
    decay.draw_half_lives({"a": 13_863.0}, {"b": 240})
    assert seen == [([], [13_863.0, 240.0])]
