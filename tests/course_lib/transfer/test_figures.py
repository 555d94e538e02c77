"""What the figures of the transfer notebook claim agrees with their numbers."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from course_lib.transfer.figures import faults

PIXELS, HEAD, SCRATCH = "linear probe on pixels", "only the new head trains", "from scratch"


@pytest.mark.parametrize(
    ("scratch", "claimed"),
    [
        ((0.6, 0.55, 0.7), True),
        ((0.6, 0.55, 0.84), True),  # on the third draw it is ahead of the pixels, not of the head
        ((0.6, 0.55, 0.86), False),
        ((0.6, 0.55), False),  # too few draws for a claim
        ((0.9, 0.92, 0.91), False),
    ],
)
def test_the_title_says_that_scratch_is_behind_only_where_it_is(
    monkeypatch: pytest.MonkeyPatch, scratch: tuple[float, ...], claimed: bool
) -> None:
    """On every draw that it has in common with the others."""
    titles: list[str] = []

    def note(drawn: Figure, alt: str, caption: str) -> None:
        titles.append(drawn.axes[0].get_title())
        assert f"{SCRATCH}: {sum(scratch) / len(scratch):.2f}" in alt

    monkeypatch.setattr(faults, "show_figure", note)
    found = {PIXELS: (0.78, 0.8, 0.75, 0.5, 0.5), HEAD: (0.8, 0.85, 0.85, 0.5, 0.5), SCRATCH: scratch}
    faults.draw_tuning(found, ("Pullover", "Coat"), SCRATCH)
    assert ("behind the pretrained ones on each of its draws" in titles[0]) == claimed


def test_rows_with_fewer_draws_are_drawn_legibly(capsys: pytest.CaptureFixture[str]) -> None:
    """The longest title over the longest names."""
    found = {
        PIXELS: (0.78, 0.8, 0.75),
        HEAD: (0.8, 0.85, 0.85, 0.81),
        "from scratch, all of it trains": (0.5, 0.6, 0.5),
    }
    faults.draw_tuning(found, ("Pullover", "Coat"), "from scratch, all of it trains")
    assert "from scratch, all of it trains: 0.53" in capsys.readouterr().out
