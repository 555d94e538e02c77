"""The machinery of the transfer experiment: data, cells, summaries, and the script that collects the runs."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from torch.nn import functional as F

from course_lib.lab.data import fashion_mnist
from course_lib.transfer.experiments import quadrants as experiments
from course_lib.transfer.experiments.quadrants import PER_CLASS, RECIPES, RUNS, SEEDS, TARGETS, Run
from course_lib.transfer.figures import quadrants as quadrant_figures
from course_lib.transfer.nets.quadrants import (
    BLOCKS,
    FEATURES,
    SOURCE_CLASSES,
    WEIGHTS,
    grid_features,
    shifted,
    small_backbone,
)
from scripts import make_transfer_runs as script

DATA = resources.files("course_lib.transfer").joinpath("data")
each_target = pytest.mark.parametrize("target", list(TARGETS))


@each_target
def test_training_and_test_images_do_not_overlap(target: str) -> None:
    """Before shifting, no image of one is in the other."""
    pool, test = experiments._clothes() if target == "similar" else experiments._digits()
    known = {image.numpy().tobytes() for image in pool[0]}
    assert not any(image.numpy().tobytes() in known for image in test[0])
    assert torch.bincount(test[1]).unique().tolist() == [200 if target == "similar" else 74]
    assert int(torch.bincount(pool[1]).min()) >= max(PER_CLASS)


@each_target
@pytest.mark.parametrize("per_class", PER_CLASS)
def test_a_run_gets_so_many_images_of_each_class(target: str, per_class: int) -> None:
    """The same for the same seed, others for another one."""
    images, labels = experiments.training_images(target, per_class, 3)
    assert torch.bincount(labels).tolist() == [per_class] * (5 if target == "similar" else 10)
    assert images.shape[1:] == (1, 28, 28)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert torch.equal(images, experiments.training_images(target, per_class, 3)[0])
    assert not torch.equal(images, experiments.training_images(target, per_class, 4)[0])


def test_the_similar_target_has_the_classes_that_the_backbone_never_saw() -> None:
    """Source and target share no class."""
    images, labels = fashion_mnist("test")
    unseen = torch.stack([labels != c for c in SOURCE_CLASSES]).all(dim=0)
    assert torch.equal(experiments._clothes()[1][0], images[unseen])


def test_a_shift_moves_an_image_and_fills_up_with_black() -> None:
    """Every shift within the limit, against rolling by hand."""
    x = torch.zeros(200, 1, 28, 28)
    x[:, :, 14, 14] = 1
    moved = shifted(x, seed=0)
    places = moved.flatten(1).argmax(dim=1)
    rows, columns = places // 28 - 14, places % 28 - 14
    assert torch.equal(moved.sum((1, 2, 3)), torch.ones(200))
    assert rows.unique().tolist() == columns.unique().tolist() == list(range(-4, 5))
    assert float(shifted(torch.ones(5, 1, 28, 28), 0)[:, :, 4:-4, 4:-4].min()) == 1


def test_the_backbone_is_small_in_eval_mode_and_pretrained() -> None:
    """Features of the documented shape; the file is under 300 kB and holds nothing but the backbone."""
    backbone = small_backbone()
    assert not backbone.training
    assert backbone(torch.zeros(2, 1, 28, 28)).shape == (2, FEATURES)
    data = DATA.joinpath(WEIGHTS).read_bytes()
    assert len(data) < 300_000
    assert set(load(data)) == set(backbone.state_dict())
    assert all(int(value) == 800 for name, value in load(data).items() if name.endswith("num_batches_tracked"))


def test_features_of_every_block_lie_on_the_same_grid() -> None:
    """Nine places for each channel; at the top the averaging changes nothing."""
    h = shifted(fashion_mnist("test", 20)[0], 0)
    for block, channels in zip(range(1, BLOCKS + 1), (16, 32, 64), strict=True):
        assert grid_features(experiments._after(block, h)).shape == (20, 9 * channels)
    assert torch.equal(grid_features(experiments._after(BLOCKS, h)), small_backbone()(h))


def test_ridge_minimises_the_penalised_squares() -> None:
    """The gradient of the documented loss is zero, for the bias without penalty."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 7, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (30,), generator=generator)
    W, b = (part.requires_grad_(True) for part in experiments.ridge(x, labels, 3, 0.7))
    loss = ((x @ W.T + b - F.one_hot(labels, 3)) ** 2).sum() + 0.7 * (W**2).sum()
    for gradient in torch.autograd.grad(loss, (W, b)):
        assert float(gradient.abs().max()) < 1e-9


@pytest.mark.parametrize("recipe", ["probe-1", "probe-3", "tune-1", "scratch"])
def test_a_cell_can_be_repeated(recipe: str) -> None:
    """The same arguments give the same accuracy; the pretrained weights stay as they are."""
    before = [value.clone() for value in experiments._pretrained().state_dict().values()]
    first, second = (experiments.run_cell("different", 1, recipe, 77) for _ in range(2))
    assert first.accuracy == second.accuracy > 0.1
    assert first.seconds > 0
    assert all(map(torch.equal, before, experiments._pretrained().state_dict().values()))


def test_ties_are_decided_seed_by_seed() -> None:
    """A small but constant lead is one; a larger one that changes its sign is not."""
    shared = (0.5, 0.7, 0.6, 0.8)
    values = {
        "probe-1": shared,
        "probe-2": tuple(a - 0.02 - 0.001 * i for i, a in enumerate(shared)),
        "probe-3": tuple(a + d for a, d in zip(shared, (0.2, -0.3, 0.1, -0.05), strict=True)),
    }
    runs = [Run("similar", 5, r, s, a, 1.0) for r, found in values.items() for s, a in enumerate(found)]
    assert experiments.best_recipes(experiments.summaries(runs), "similar", 5) == ("probe-1", "probe-3")


def test_the_stored_table_is_complete_and_well_formed() -> None:
    """One row for every planned run and none else; plain columns; every accuracy a count of test images."""
    rows = list(csv.reader(DATA.joinpath(RUNS).read_text("utf-8").splitlines()))
    assert rows[0] == ["target", "per_class", "recipe", "seed", "accuracy", "seconds"]
    assert all(len(row) == 6 for row in rows)
    runs = experiments.stored_runs()
    assert [(r.target, r.per_class, r.recipe, r.seed) for r in runs] == experiments.plan()
    assert len(SEEDS) >= 5
    for run in runs:
        number = len(experiments.target_images(run.target)[1][1])
        assert 0 < run.accuracy <= 1
        assert abs(run.accuracy * number - round(run.accuracy * number)) < 0.06
        assert 0 < run.seconds < 60


def test_an_interrupted_collection_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the moment of the interruption: whole lines count, the last cut one is run again."""
    monkeypatch.setattr(script, "COLLECTED", tmp_path / RUNS)
    runs = [Run(*cell, accuracy=0.5, seconds=0.25) for cell in experiments.plan()[:3]]
    whole = "".join(map(script.line, runs))
    assert script.collected() == []
    for cut in range(len(whole) + 1):
        script.COLLECTED.write_text(whole[:cut])
        assert script.collected() == runs[: whole[:cut].count("\n")]


def made_up(seeds: int) -> list[Run]:
    """Two recipes, one of them clearly better, on so many seeds."""
    cells = {"probe-3": 0.6, "scratch": 0.4}
    return [Run("similar", 5, recipe, s, a + 0.01 * s, 1.0) for recipe, a in cells.items() for s in range(seeds)]


def test_a_table_and_a_figure_say_who_wins(capsys: pytest.CaptureFixture[str]) -> None:
    """A star at the best, the figure's description names it."""
    quadrant_figures.show_runs(made_up(3))
    assert "61.0 ± 1.0 *  41.0 ± 1.0" in capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ")
    quadrant_figures.draw_runs(made_up(3))
    assert "similar, 5 per class: probe-3 with 0.6" in capsys.readouterr().out
    assert list(RECIPES)[-1] == "scratch"


def test_two_seeds_are_too_few_for_a_star(capsys: pytest.CaptureFixture[str]) -> None:
    """With one degree of freedom nothing can be told apart, and a mark would contradict the eye."""
    quadrant_figures.show_runs(made_up(2))
    assert "*" not in capsys.readouterr().out


def test_the_lecture_s_table_fills_with_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells without runs are left empty; the others name the lecture's advice and the highest mean."""
    quadrant_figures.draw_table([], 1, 100)
    assert "Nothing was measured yet" in capsys.readouterr().out
    quadrant_figures.draw_table(made_up(3), 5, 100)
    said = capsys.readouterr().out
    assert "little data, similar images, the lecture says linear classifier on the top layer: probe-3" in said
    assert "much data" not in said


def test_stars_never_skip_a_recipe_with_a_higher_mean() -> None:
    """In every cell of the stored table: whoever is above a starred recipe has a star as well."""
    found = experiments.summaries(experiments.stored_runs())
    for target in TARGETS:
        for per_class in PER_CLASS:
            ranked = sorted(RECIPES, key=lambda recipe: -found[target, per_class, recipe].mean)
            best = experiments.best_recipes(found, target, per_class)
            assert list(best) == ranked[: len(best)]
