"""Figures: described in words, closed after showing, told apart by more than colour."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure
from PIL import Image

from course_lib.batchnorm import experiments
from course_lib.batchnorm import figures as batchnorm_figures
from course_lib.lab import device, plots
from course_lib.lab import live as live_module
from course_lib.lab.display import unbroken
from course_lib.lab.live import Live
from tests.support.figures import unreadable


def test_a_picture_is_a_png_with_its_description() -> None:
    """The HTML has the alternative text; the text form is the description."""
    drawn, (ax,) = plots.figure()
    plots.curves(ax, {"a": ([1, 2], [3, 4])})
    picture = plots.Picture(drawn, "a line that rises", "caption")
    assert 'alt="a line that rises"' in picture._repr_html_()
    assert "a line that rises" in repr(picture)
    assert Image.open(io.BytesIO(picture.png)).width > 200


class _Tags(HTMLParser):
    """Collects the tags and their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append((tag, dict(attrs)))


@given(text=st.text(min_size=1, max_size=40))
def test_descriptions_are_escaped(text: str) -> None:
    """No description can break out of its attribute or of the caption."""
    picture = plots.Picture.__new__(plots.Picture)
    picture.png, picture.alt, picture.caption, picture.pictures, picture.width = b"", text, text, False, 400
    tags = _Tags(picture._repr_html_()).tags
    assert [tag for tag, _ in tags] == ["figure", "img", "figcaption"]
    assert set(tags[1][1]) == {"class", "style", "width", "alt", "src"}


def test_only_figures_without_pictures_turn_dark() -> None:
    """A negative of a photograph or a color map would be wrong; of a curve it is what a dark page needs."""
    for draw, kind in (
        (lambda ax: ax.plot([1, 2]), "course-plot"),
        (lambda ax: ax.scatter([1, 2], [1, 2], color="black"), "course-plot"),
        (lambda ax: ax.scatter([1, 2], [1, 2], c=[0.1, 0.8]), "course-pictures"),
        (lambda ax: ax.pcolormesh([[0.1, 0.8]]), "course-pictures"),
        (lambda ax: plots.montage(ax, torch.rand(4, 1, 5, 5), 2), "course-pictures"),
    ):
        drawn, (ax,) = plots.figure(width=4.0)
        draw(ax)
        image = dict(_Tags(plots.Picture(drawn, "it")._repr_html_()).tags)["img"]
        assert image["class"] == kind
        assert image["width"] == "360"


def test_a_figure_made_with_pyplot_turns_dark_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the banner has been shown; not one with an image, and not one that somebody has drawn on black."""
    shell = InteractiveShell.instance()
    monkeypatch.setattr(Figure, "_repr_html_", Figure._repr_html_)
    try:
        device.banner(1)
        for draw, face, kind in (
            (lambda ax: ax.plot([1, 2]), "white", "course-plot"),
            (lambda ax: ax.imshow([[0.1, 0.8]]), "white", "course-pictures"),
            (lambda ax: ax.plot([1, 2]), "black", "course-pictures"),
        ):
            drawn, ax = plt.subplots(facecolor=face)
            draw(ax)
            ax.set_title("the <loss>")
            shown, _ = shell.display_formatter.format(drawn)
            image = dict(_Tags(shown["text/html"]).tags)["img"]
            assert image["class"] == kind
            assert image["alt"] == "Your figure: the <loss>."
            assert 300 < int(image["width"] or 0) < 700
            plt.close(drawn)
        large, ax = plt.subplots(dpi=200)
        assert int(dict(_Tags(shell.display_formatter.format(large)[0]["text/html"]).tags)["img"]["width"]) > 1000
        ax.set_title(r"$\frac$")  # cannot be drawn: matplotlib says so once, for the plain image
        assert "text/html" not in shell.display_formatter.format(large)[0]
        plt.close(large)
    finally:
        InteractiveShell.clear_instance()


def test_every_color_is_seen_better_on_a_dark_page() -> None:
    """The filter of the style sheet, in numbers: at least 3 against #111, and 15 for words (WCAG 2.2, 1.4.11)."""
    (amount,) = re.findall(r"invert\(([\d.]+)\) hue-rotate\(180deg\)", device._STYLE)
    # Rotating the hue by half a turn: twice the gray value less the color (Filter Effects Module, 8.6).
    rotation = 2 * torch.tensor([[0.213, 0.715, 0.072]] * 3) - torch.eye(3)

    def contrast(one: torch.Tensor, other: torch.Tensor) -> float:
        linear = [torch.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (one, other)]
        low, high = sorted(float(c @ torch.tensor([0.2126, 0.7152, 0.0722])) for c in linear)
        return (high + 0.05) / (low + 0.05)

    page = torch.full((3,), 0x11 / 255)
    for color in plots.OKABE_ITO:
        light = torch.tensor([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        dark = (rotation @ (float(amount) + (1 - 2 * float(amount)) * light)).clamp(0, 1)
        assert contrast(dark, page) > (15 if color == "#000000" else 3)
        assert contrast(dark, page) > contrast(light, torch.ones(3)) or color == "#000000"


def test_no_figure_stays_open(capsys: pytest.CaptureFixture[str]) -> None:
    """Showing ten figures leaves none with pyplot, and prints the description where there is no notebook."""
    for _ in range(10):
        drawn, (ax,) = plots.figure()
        ax.plot([1, 2])
        plots.show_figure(drawn, "ten figures")
    output, errors = capsys.readouterr()
    assert plt.get_fignums() == []
    assert output.count("ten figures") == 10
    assert errors == ""


def test_curves_differ_by_more_than_colour() -> None:
    """Any two of seven lines differ in dashes and in marker."""
    _, (ax,) = plots.figure()
    plots.curves(ax, {str(i): ([0, 1], [i, i]) for i in range(7)})
    lines = ax.get_lines()
    assert len({str(line.get_marker()) for line in lines}) == 7
    assert len({str(line._dash_pattern) for line in lines}) == 7  # type: ignore[attr-defined]
    assert len({line.get_color() for line in lines}) == 7


def test_bars_differ_by_more_than_colour() -> None:
    """Groups of bars are hatched differently."""
    _, (ax,) = plots.figure()
    plots.bars(ax, ["x", "y"], {"a": [1, 2], "b": [2, 3]})
    assert len({patch.get_hatch() for patch in ax.patches}) == 2


@pytest.mark.parametrize(("n", "channels"), [(1, 1), (5, 3), (6, 1)], ids=str)
def test_a_montage_puts_images_side_by_side(n: int, channels: int) -> None:
    """Row by row; an incomplete last row is filled with white."""
    _, (ax,) = plots.figure()
    images = torch.arange(n, dtype=torch.float32).view(n, 1, 1, 1).expand(n, channels, 4, 5) / 10
    plots.montage(ax, images, columns=3)
    shown = torch.as_tensor(ax.images[0].get_array())
    height, width = 6 * -(-n // 3), 7 * 3
    assert shown.shape[:2] == (height, width)
    for i in range(n):
        assert shown[6 * (i // 3) + 1, 7 * (i % 3) + 1].max().item() == pytest.approx(i / 10)


def test_a_table_reads_as_text_and_as_html() -> None:
    """Cells are escaped; columns are aligned in text."""
    table = plots.Table([["a", "b"], ["<long>", "1"]])
    assert "&lt;long&gt;" in table._repr_html_()
    assert repr(table).splitlines()[0] == "a       b"


def test_dotted_names_in_a_table_may_break() -> None:
    """A phone has no room for three columns of them; numbers and sentences stay as they are."""
    html = plots.Table([["library", "share"], ["torch.optim.AdamW", "0.5, e.g. a half."]])._repr_html_()
    assert "torch.<wbr>optim.<wbr>AdamW" in html
    assert "0.5, e.g. a half." in html


def test_numbers_in_tables_and_captions_may_not_break() -> None:
    """A line would end with "2e-"."""
    kept = '<span style="white-space:nowrap">-2.5e-07</span>'
    assert f"{kept}, 3</td>" in plots.Table([["found"], ["-2.5e-07, 3"]])._repr_html_()
    drawn, _ = plots.figure()
    assert f"at most {kept}." in plots.Picture(drawn, "a picture", "at most -2.5e-07.")._repr_html_()
    assert unbroken("a1e-3, 3e5") == "a1e-3, 3e5"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["1.", "1", "-1.e-", "1.1e"])
def test_a_text_of_digits_alone_is_read_once(piece: str) -> None:
    """A student's exception may be one: minutes, if each digit were a place where a number begins."""
    assert unbroken(piece * 200_000) == piece * 200_000


def test_a_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """As the last table of a notebook in which no exercise is solved yet."""
    plots.show_table(["measured", "result"], [])
    assert capsys.readouterr().out.split("\n")[1].strip() == "nothing yet"


@pytest.mark.parametrize(("title", "left"), [("training", "training: 3 of 3 in 0 s"), ("Why?", "Why? 3 of 3 in 0 s")])
def test_live_reports_on_stdout_only(
    title: str, left: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a notebook there is a progress bar on stdout, at the end a line in its place, and nothing on stderr."""
    monkeypatch.setattr(live_module, "_WORTH_TELLING_S", 0.0)
    with Live(title, 3) as live:
        for step in range(3):
            live.add("loss", step, 1 / (step + 1))
            live.advance()
    output, errors = capsys.readouterr()
    assert f"{left[: -len('3 of 3 in 0 s')]}  0%|" in output
    assert output.rpartition("\r")[2].strip() == left
    assert errors == ""


def test_work_that_takes_no_time_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Eight of them in one cell would be noise."""
    with Live("training", 3) as live:
        live.advance(3)
    assert capsys.readouterr().out.rpartition("\r")[2] == ""


def test_a_live_curve_describes_where_it_is() -> None:
    """Its alternative text has the last value of each line."""
    live = Live("training", 3)
    live.add("with BN", 7, 0.25)
    assert "with BN: 0.25 at 7" in live._picture().alt


def test_a_failure_inside_live_is_not_swallowed(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar is closed and the exception goes on."""
    with pytest.raises(ZeroDivisionError), Live("training", 3) as live:
        live.advance(1 // 0)
    assert capsys.readouterr().err == ""


def test_an_interrupt_ends_the_block_where_the_rest_can_do_with_part(capsys: pytest.CaptureFixture[str]) -> None:
    """It is told in one line, and the code after the block goes on; elsewhere the interrupt does."""
    with Live("training", 3, partial=True) as live:
        live.advance()
        raise KeyboardInterrupt
    assert live.stopped
    assert "Stopped at 1 of 3. The runs that were complete by then are kept." in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt), Live("training", 3) as other:
        raise KeyboardInterrupt
    assert not other.stopped
    with pytest.raises(ZeroDivisionError), Live("training", 3, partial=True) as live:
        live.advance(1 // 0)
    assert not live.stopped


def test_the_live_curve_updates_in_place_in_ipython() -> None:
    """One display, updated; given away at the end where a finished figure follows."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    try:
        with capture_output() as captured, Live("training", 2, keep=False) as live:
            live.add("loss", 1, 1.0)
            live._draw()
            live.advance(2)
        texts = [output.data.get("text/html", "") for output in captured.outputs]
        ids = {
            (output.metadata or {}).get("display_id", output.transient.get("display_id")) for output in captured.outputs
        }
    finally:
        InteractiveShell.clear_instance()
    assert shell is not None
    assert len(ids) == 1
    assert len(texts) == 3
    assert "loss: 1 at 1" in texts[1]
    assert texts[2] == ""


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), ("", False), (None, False)], ids=str)
def test_quick_mode_is_an_environment_variable(
    monkeypatch: pytest.MonkeyPatch, value: str | None, expected: bool
) -> None:
    """COURSE_QUICK=1 shortens experiments."""
    monkeypatch.delenv("COURSE_QUICK", raising=False)
    if value is not None:
        monkeypatch.setenv("COURSE_QUICK", value)
    assert device.quick() is expected
    assert device.scaled(100, 5) == (5 if expected else 100)


def test_the_banner_names_device_threads_version_and_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, on stdout."""
    device.banner(minutes=3)
    output, errors = capsys.readouterr()
    assert torch.__version__ in output
    assert f"{torch.get_num_threads()} thread" in output
    assert "about 3 minutes" in output
    assert errors == ""


def test_every_figure_of_the_batchnorm_notebook_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    """The description carries the important numbers of made-up results."""
    runs = ((0.5, 3.0), (0.7, 0.8))
    batchnorm_figures.draw_activations([experiments.activations(1.0, True, depth=2)])
    batchnorm_figures.draw_sweep(
        experiments.Sweep("learning rate", (0.1, 1.0), {experiments.WITHOUT: runs[:1], experiments.WITH: runs[1:]})
    )
    batchnorm_figures.draw_batch_sizes(experiments.BatchSizes((2, 4), {"batch norm": ((60.0, 20.0),)}))
    batchnorm_figures.draw_modes(experiments.Modes(70, 69, 18, 11, 25, 3))
    batchnorm_figures.draw_fusion(experiments.Fusion(1e-6, 7.0, 1.0, 2.0, 1.5, (12, 9)))
    batchnorm_figures.draw_own_training(experiments.OwnTraining((2.0, 1.0), (2.0, 1.0)))
    batchnorm_figures.draw_histograms({"x": torch.tensor([0.0, 2.0])}, "One feature.")
    output = capsys.readouterr().out
    for words in (
        "last layer over first layer",
        "The network trains at these values: without batch norm, 0.1; with batch norm, 0.1 to 1.",
        "batch norm: 60% at 2, 20% at 4",
        "train mode, sorted by class: 18%",
        "2.00 ms before, 1.50 ms after",
        "first ten steps: 0.0e+00",
        "x: mean 1.00, std 1.00",
    ):
        assert words in output


@pytest.mark.parametrize("setting", ["learning rate", "initial scale"])
def test_the_longest_title_of_a_sweep_stands_clear_of_the_legend(setting: str) -> None:
    """Which the fixture of this folder looks at, as with every figure that a test draws."""
    values = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)
    losses = {
        experiments.WITHOUT: ((2.3, 2.2, 1.1, 2.3, math.inf, math.inf),) * 3,
        experiments.WITH: ((1.1, 1.1, 0.8, 0.5, 0.9, 1.0),) * 3,
    }
    batchnorm_figures.draw_sweep(experiments.Sweep(setting, values, losses))


def test_the_longest_title_over_the_batch_size_stands_clear_of_the_legend() -> None:
    """The claim has two halves."""
    errors = {"batch norm": ((60.0, 35.0, 30.0),) * 3, "group norm, 8 groups": ((33.0, 33.0, 30.0),) * 3}
    batchnorm_figures.draw_batch_sizes(experiments.BatchSizes((16, 32, 64), errors))


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Figure], Any]], list[Any]]:
    """Looks at each figure as it is drawn, before it is cleared; what was seen is collected."""

    def at(look: Callable[[Figure], Any]) -> list[Any]:
        seen: list[Any] = []
        made = plots.Picture.__init__

        def looked_at(self: plots.Picture, drawn: Figure, *args: Any, **more: Any) -> None:
            made(self, drawn, *args, **more)
            seen.append(look(drawn))

        monkeypatch.setattr(plots.Picture, "__init__", looked_at)
        return seen

    return at


@pytest.mark.parametrize(("top", "whole"), [(None, True), (1.0, True), (0.5, False)])
def test_markers_at_an_edge_are_whole_and_points_beyond_it_hidden(
    looking: Callable[[Callable[[Figure], Any]], list[Any]], top: float | None, whole: bool
) -> None:
    """An axis that begins at zero and whose values differ little has no margin left above the highest."""
    found = looking(lambda drawn: [not line.get_clip_on() for line in drawn.axes[0].lines])
    drawn, (ax,) = plots.figure()
    ax.plot([0, 1, 2, 3], [0.99, 1.0, math.nan, 0.98], "o")
    ax.plot([0, 1, 2], [0.99, 1.0, 0.98])
    ax.set(ylim=(0, top))
    plots.show_figure(drawn, "dots and a line")
    assert found == [[whole, False]]


def test_a_line_without_points_leaves_a_plot_its_room(
    looking: Callable[[Callable[[Figure], Any]], list[Any]],
) -> None:
    """As the crosses of a search in which nothing exploded."""
    widths = looking(lambda drawn: min(ax.get_position().width for ax in drawn.axes))
    drawn, axes = plots.figure(1, 2)
    axes[1].plot([], [], "x")
    plots.show_figure(drawn, "two plots, one of them empty")
    assert min(widths) > 0.4


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("training loss: it falls", "Training loss: it falls"),
        ("accuracy", "Accuracy"),
        ("fine-tuning: five clothes", "Fine-tuning: five clothes"),
        ("tune-k", "tune-k"),
        ("p_keep = 0.5", "p_keep = 0.5"),
        ("lr = 0.5", "lr = 0.5"),
        ("λ = 0.5", "λ = 0.5"),
        ("x and y", "x and y"),
    ],
)
def test_titles_begin_with_a_capital(
    looking: Callable[[Callable[[Figure], Any]], list[Any]], given: str, shown: str
) -> None:
    """Those that begin with a symbol or a name in code keep it; size and place stay as they were set."""
    found = looking(lambda drawn: (drawn.axes[0].get_title(), drawn.axes[0].title.get_fontsize()))
    drawn, (ax,) = plots.figure()
    ax.set_title(given, fontsize=7)
    plots.show_figure(drawn, "a title")
    assert found == [(shown, 7)]


def test_a_live_curve_has_room_for_a_long_label_and_whole_seeds(
    looking: Callable[[Callable[[Figure], Any]], list[Any]],
) -> None:
    """It may be what is left to see, where a cell stops at its first point."""
    seen = looking(lambda drawn: (unreadable(drawn), list(drawn.axes[0].get_xticks())))
    live = Live("Frozen in several ways", 3, "seed", "accuracy on the old images, afterward")
    live.add("requires_grad only", 0, 0.23)
    live._picture()
    ((found, ticks),) = seen
    assert found == []
    assert ticks
    assert all(tick.is_integer() for tick in ticks)


def test_words_that_overlap_or_are_cut_off_are_found() -> None:
    """The check of the figures can fail: a title into the legend, ticks into each other, a title beyond the edge."""
    drawn, (ax,) = plots.figure(width=8.0)
    ax.plot([0, 1], [0, 1], label="a line with a long name")
    drawn.legend(*ax.get_legend_handles_labels(), loc="outside right upper")
    ax.set_title("a claim that is a good deal longer than the plot is wide, as they are")
    assert any("runs into the figure's legend" in words for words in unreadable(drawn))
    ax.set_title("a claim that is a good deal longer than the plot is wide, " * 3)
    assert any("cut off" in words for words in unreadable(drawn))
    ax.set_title("")
    ax.set_xticks([0, 0.01], ["zero", "a hundredth"])
    assert unreadable(drawn) == ["'zero' runs into 'a hundredth'"]
