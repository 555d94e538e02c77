"""The figures of the augmentation notebook: what they say agrees with the numbers, and drawings with the exercise."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from course_lib.augmentation.experiments import Mirrored, Search, Views
from course_lib.augmentation.figures import drawn, measured
from course_lib.lab import drawing
from course_lib.lab.drawing import Drawing

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[Drawing]:
    """What is shown during the test."""
    shown: list[Drawing] = []
    monkeypatch.setattr(drawing, "show", lambda one, words: shown.append(one))
    return shown


def test_the_scaled_crops_are_squares_of_one_size_inside_their_photographs(drawings: list[Drawing]) -> None:
    """Three boxes on three photographs, each within its own, and three cut-outs of the same side."""
    drawn.draw_scale_and_crop()
    svg = ElementTree.fromstring(drawings[0].svg)
    photographs = [{k: float(i.get(k, "")) for k in ("x", "y", "width", "height")} for i in svg.findall(f"{SVG}image")]
    boxes = [{k: float(r.get(k, "")) for k in ("x", "y", "width", "height")} for r in svg.findall(f"{SVG}rect")]
    assert len(photographs) == 3
    assert len({round(box["width"]) for box in boxes}) == len({round(box["height"]) for box in boxes}) == 1
    for photograph in photographs:
        inside = [
            box
            for box in boxes
            if photograph["x"] <= box["x"] <= photograph["x"] + photograph["width"] - box["width"] + 0.2
            and photograph["y"] <= box["y"] <= photograph["y"] + photograph["height"] - box["height"] + 0.2
        ]
        assert len(inside) == 2  # the white line and the colored one


def test_the_ten_crops_are_numbered_and_the_last_five_mirrored(drawings: list[Drawing]) -> None:
    """In the order of the exercise; a crop and its mirror image show the same part of the photograph."""
    drawn.draw_ten_crops()
    svg = ElementTree.fromstring(drawings[0].svg)
    groups = svg.findall(f"{SVG}g")
    parts = {g.find(f"{SVG}clipPath").get("id"): g for g in groups}  # type: ignore[union-attr]
    assert [text.text for text in svg.findall(f"{SVG}text")][1:-1] == ["0", "5", "1", "6", "2", "7", "3", "8", "4", "9"]
    for index in range(5):
        plain, mirrored = (parts[f"cut-ten-{index}-{way}"] for way in (0, 1))
        images = [next(part.iter(f"{SVG}image")).attrib for part in (plain, mirrored)]
        assert images[0] == images[1]
        assert "scale(-1 1)" in str(mirrored.get("transform"))
        assert "scale" not in str(plain.get("transform"))


def test_every_drawing_has_a_description_and_takes_the_color_of_the_page(drawings: list[Drawing]) -> None:
    """For those who cannot see it, and for dark pages."""
    drawn.draw_scale_and_crop()
    drawn.draw_ten_crops()
    ids = [name for shown in drawings for name in re.findall(r' id="([^"]+)"', shown.svg)]
    assert len(ids) == len(set(ids))
    for shown in drawings:
        root = ElementTree.fromstring(shown.svg)
        assert len(root.get("aria-label", "")) > 100
        assert (root.get("role"), root.get("fill")) == ("img", "currentColor")
        assert "--jp-content-font-color1" in root.get("style", "")


@pytest.mark.parametrize(
    ("flipped", "said"),
    [
        ((0.9, 0.8, 0.7), "flips help"),
        ((1.1, 1.2, 1.3), "flips hurt"),
        ((0.9, 1.2, 1.3), "no consistent difference"),
        ((0.5, 0.6), "too few seeds to say"),
    ],
)
def test_an_effect_is_one_that_shows_on_every_seed(flipped: tuple[float, ...], said: str) -> None:
    """The title of a panel claims no more than its dots show."""
    assert measured._effect([after - 1.0 for after in flipped]) == said


def test_the_mean_of_the_random_policies_is_drawn_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar with its number; above the highest dot it would be read as the value of that one."""
    seen: list[tuple[float, float]] = []

    def note(drawn: Figure, alt: str, caption: str) -> None:
        numbers = {text.get_text(): float(text.xy[1]) for text in drawn.axes[1].texts if isinstance(text, Annotation)}
        bars = [
            float(bar.get_segments()[0][0][1]) for bar in drawn.axes[1].collections if isinstance(bar, LineCollection)
        ]
        seen.append((numbers["1.22"], bars[0]))

    monkeypatch.setattr(measured, "show_figure", note)
    final = {"none": 1.3, "found": 1.0, "random 1": 1.1, "random 2": 1.41, "random 3": 1.15}
    measured.draw_search(Search([[], []], [0.9, 0.8], 1, final))
    assert seen[0] == pytest.approx((1.22, 1.22))


@pytest.mark.parametrize("seeds", [1, 3])
def test_numbers_stand_on_the_background(monkeypatch: pytest.MonkeyPatch, seeds: int) -> None:
    """The lines of the seeds do not run through them."""
    patches: list[bool] = []

    def note(drawn: Figure, alt: str, caption: str) -> None:
        for ax in drawn.axes:
            for text in ax.texts:
                patch = text.get_bbox_patch()
                patches.append(patch is not None and patch.get_facecolor() == to_rgba(ax.get_facecolor()))
        assert ("One seed." in caption) == (seeds == 1)

    monkeypatch.setattr(measured, "show_figure", note)
    measured.draw_mirrored([Mirrored("digits", ((0.4,) * seeds, (0.6,) * seeds), ((0.9,) * seeds, (0.8,) * seeds))])
    assert patches == [True, True]


def test_the_figures_say_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Also of an experiment that was stopped before all of it was done."""
    measured.draw_mirrored([Mirrored("digits", ((0.4,), (0.6,)), ((0.9,), (0.8,)))])
    assert "digits: loss 0.40 without flips and 0.60 with them" in capsys.readouterr().out
    measured.draw_views([Views(0, {"center crop": (0.7, 0.75), "ten crops": (0.6, 0.8)})])
    assert "ten crops: loss 0.600, accuracy 0.800" in capsys.readouterr().out
    measured.draw_search(Search([[], []], [0.9, 0.8], 1, {}))
    assert "Scores from 0.80 to 0.90. Final losses: none yet" in capsys.readouterr().out
    measured.draw_search(Search([[], []], [0.9, 0.8], 1, {"none": 1.0, "found": 0.8, "random 1": 0.7}))
    assert "none 1.00, found 0.80, random 1 0.70" in capsys.readouterr().out
