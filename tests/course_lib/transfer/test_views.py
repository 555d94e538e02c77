"""A photograph in several views: what the network says, and the page that shows it."""

from __future__ import annotations

import io
import re

import pytest
import torch
from PIL import Image
from torch import nn

from course_lib.lab.efficientnet import pretrained, square
from course_lib.lab.photographs import photograph
from course_lib.transfer.experiments.views import VIEWS, View, views
from course_lib.transfer.figures.views import cards, own_picture, said
from course_lib.widgets import file_button


class Means(nn.Module):
    """Says the class whose number is the mean brightness in thousandths, as if it were a network."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, 1000)."""
        brightness = (images * (128 / 255) + 127 / 255).mean(dim=(1, 2, 3))
        return -(brightness[:, None] * 1000 - torch.arange(1000)).abs()


def test_every_view_is_what_its_name_says() -> None:
    """Of an image in which every pixel is another."""
    image = torch.rand(3, 224, 224, generator=torch.Generator().manual_seed(0))
    made = {name: make(image) for name, make in VIEWS.items()}
    assert all(view.shape == image.shape and bool(((view >= 0) & (view <= 1)).all()) for view in made.values())
    assert torch.equal(made["as it is"], image)
    assert torch.equal(made["mirrored"][:, 5, 0], image[:, 5, -1])
    assert torch.equal(made["upside down"][:, 0, 7], image[:, -1, 7])
    assert torch.equal(made["without color"][0], made["without color"][2])
    assert made["the middle, enlarged"].mean() == pytest.approx(float(image[:, 56:168, 56:168].mean()), abs=0.01)
    assert made["darker"].max() < 0.31
    assert made["in 32 x 32 pixels"].std() < 0.5 * image.std()
    assert torch.equal(made["right half hidden"][..., :112], image[..., :112])
    assert (made["right half hidden"][..., 112:] == 0.5).all()


def test_each_view_gets_the_networks_own_answer() -> None:
    """Five classes with falling probabilities, of that image and no other."""
    found = views(Means(), torch.full((3, 224, 224), 0.5))
    assert [view.name for view in found] == list(VIEWS)
    for view in found:
        chances = [chance for _, chance in view.top]
        assert len(chances) == 5
        assert chances == sorted(chances, reverse=True)
    by_name = {view.name: view.top[0][0] for view in found}
    assert by_name["as it is"] == by_name["mirrored"] != by_name["darker"]


def test_the_real_network_knows_a_cup_of_coffee() -> None:
    """Mirrored, darker and gray as well; not upside down, and not without its cup: what the notebook says of them."""
    model = pretrained()
    if model is None:
        pytest.skip("no weights")
    found = {view.name: view.top[0] for view in views(model, square(photograph("coffee")))}
    for name in ("as it is", "mirrored", "darker", "without color"):
        assert found[name][0] == "espresso"
    assert found["upside down"] == ("chocolate sauce", pytest.approx(0.35, abs=0.01))
    assert found["the middle, enlarged"] == ("consomme", pytest.approx(0.51, abs=0.01))


def test_the_cards_hold_words_and_numbers_and_escape_them() -> None:
    """A description for every picture; a name is text."""
    top = (("<b>cat</b>", 0.75), ("dog", 0.001))
    html = cards([View("as it is", torch.zeros(3, 8, 8), top), View("darker", torch.ones(3, 8, 8), top)])
    assert html.count("&lt;b&gt;cat&lt;/b&gt;") == 2
    assert "<b>" not in html
    assert re.findall(r'alt="([^"]+)"', html) == ["The photograph, as it is.", "The photograph, darker."]
    assert html.count("0.75") == 2
    assert html.count("&lt;0.01") == 2
    looks = [View(name, torch.zeros(3, 8, 8), ((guess, 0.756),)) for name, guess in (("a", "cat"), ("b", "dog"))]
    assert said(looks) == "a: cat 0.76; the first guess is the same in 1 of 2 views."


def test_without_a_file_a_photograph_is_shown_and_a_file_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The button asks the same network about the student's file, and refuses what is no picture."""
    shown: list[str] = []
    monkeypatch.setattr("course_lib.widgets.file_button.show_file_button", lambda made, before: shown.append(before))
    made = own_picture(Means())
    assert isinstance(made, file_button.FileButton)
    assert shown[0].count("<img") == len(VIEWS)
    assert "error" in made._reply([b"no picture"])
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "gray").save(buffer, "PNG")
    answer = made._reply([buffer.getvalue()])
    assert answer["html"].count("<img") == len(VIEWS)
    assert answer["said"].startswith("as it is: ")
    assert "8 MB" in made.design["note"]
    assert made.design["most"] == 8_000_000
