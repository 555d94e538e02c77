"""The numbers behind the batch-normalization widgets, against PyTorch and against slow loops."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from course_lib.batchnorm.widgets import averages, fusion, means, pipeline
from course_lib.widgets.controls import clean
from course_lib.widgets.scene import Cells, Histogram


def state_of(design: Any, **changes: Any) -> dict[str, Any]:
    """The widget's first state, with changes, locked."""
    return {**clean(design.controls, changes), "locked": True, "marked": (), "star": 0, **changes}


@given(
    batch=st.integers(2, 64),
    shift=st.floats(-10, 10),
    scale=st.floats(0.25, 4),
    seed=st.integers(0, 9),
    train=st.booleans(),
)
def test_the_pipeline_is_torchs_batch_norm(batch: int, shift: float, scale: float, seed: int, train: bool) -> None:
    """Both modes agree with torch.nn.functional.batch_norm."""
    found = pipeline.run_pipeline(batch, shift, scale, seed)
    expected = F.batch_norm(
        torch.from_numpy(found.x)[:, None],
        torch.tensor([pipeline.MEAN], dtype=torch.float64),
        torch.tensor([pipeline.STD**2], dtype=torch.float64),
        torch.tensor([pipeline.GAMMA], dtype=torch.float64),
        torch.tensor([pipeline.BETA], dtype=torch.float64),
        training=train,
        eps=pipeline.EPS,
    )[:, 0]
    assert torch.allclose(torch.from_numpy(found.train if train else found.evaluated), expected)


def test_a_shift_of_five_moves_evaluation_alone() -> None:
    """The surprise: nothing in train, gamma * 5 / sigma in eval."""
    text = pipeline.explain("both-stay", state_of(pipeline.DESIGN, shift=5.0, batch=256.0))
    assert "eval it moves by 3.75" in text
    assert "That is it" in pipeline.explain("eval-moves", state_of(pipeline.DESIGN, shift=5.0))


def test_a_batch_of_two_is_always_minus_one_and_one() -> None:
    """What the explanation claims about two examples holds for every draw."""
    for seed in range(5):
        found = pipeline.run_pipeline(2, 0.0, 1.0, seed)
        assert sorted(found.normalized.round(2)) == [-1.0, 1.0]


@pytest.mark.parametrize("momentum", [0.01, 0.1, 0.3, 0.9, 1.0])
def test_steps_to_cover_agrees_with_counting(momentum: float) -> None:
    """The formula gives the first step of a simulated jump that is past 90%."""
    running = averages.follow(np.ones(1000), momentum, 0.0)
    assert averages.steps_to_cover(0.9, momentum) == int(np.argmax(running >= 0.9 - 1e-12)) + 1


def test_a_jump_takes_22_steps_at_momentum_one_tenth() -> None:
    """The number that the question asks for."""
    assert averages.steps_to_cover(0.9, 0.1) == 22
    assert averages.explain(22, state_of(averages.DESIGN)).startswith("It is 22, as you said: ")
    assert averages.explain(9, state_of(averages.DESIGN)).startswith("You said 9, it is 22: ")
    assert "a tenth of what is left" in averages.explain(9, state_of(averages.DESIGN))
    assert "a tenth of what is left" not in averages.explain(22, state_of(averages.DESIGN))


def test_the_number_of_steps_is_not_shown_before_it_is_predicted() -> None:
    """Neither in words nor in the picture."""
    before, after = (averages.numbers({**state_of(averages.DESIGN), "locked": locked}) for locked in (False, True))
    assert "22" not in before.line
    assert not any("22" in mark.label for panel in before.panels for mark in panel.marks)
    assert "22 steps" in after.line


def test_the_running_mean_is_torchs() -> None:
    """Momentum weighs the new value, as in torch.nn.BatchNorm1d."""
    batches = torch.randn(7, 5, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    layer = torch.nn.BatchNorm1d(1, momentum=0.3).double()
    expected = []
    for batch in batches:
        layer(batch)
        assert layer.running_mean is not None
        expected.append(float(layer.running_mean))
    found = averages.follow(batches.mean(dim=(1, 2)).numpy(), 0.3, 0.0)
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_noise_that_a_running_mean_keeps_is_as_said() -> None:
    """sqrt(m / (2 - m)) of the standard deviation of a batch mean, within 5%."""
    noise = np.random.default_rng(0).standard_normal(200_000)
    assert averages.follow(noise, 0.1, 0.0)[1000:].std() == pytest.approx((0.1 / 1.9) ** 0.5, rel=0.05)


NORMALISED = {
    "batch": lambda x, g: F.batch_norm(x, None, None, training=True, eps=1e-30),
    "layer": lambda x, g: F.layer_norm(x, x.shape[1:], eps=1e-30),
    "instance": lambda x, g: F.instance_norm(x, eps=1e-30),
    "group": lambda x, g: F.group_norm(x, g, eps=1e-30),
}


@pytest.mark.parametrize(("kind", "groups"), list(product(means.NAMES, [1, 2, 3, 6])))
def test_cells_of_one_group_are_what_torch_normalizes_together(kind: str, groups: int) -> None:
    """Normalizing within the widget's groups gives torch's result."""
    x = torch.randn(4, 6, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    number = torch.from_numpy(means.group_of_cells(kind, (4, 6, 2, 3), groups).copy())
    mine = torch.empty_like(x)
    for one in number.unique():
        part = x[number == one]
        mine[number == one] = (part - part.mean()) / part.std(unbiased=False)
    assert torch.allclose(mine, NORMALISED[kind](x, groups))


@pytest.mark.parametrize(("kind", "count"), [("batch", 6), ("layer", 8), ("instance", 48), ("group", 24)])
def test_the_number_of_means_for_8_6_4_4(kind: str, count: int) -> None:
    """The numbers that the widget states."""
    assert means.number_of_means(kind, (8, 6, 4, 4), 3) == count
    assert (
        f"{means.NAMES[kind]}{' (3)' if kind == 'group' else ''} {count}" in means.numbers(state_of(means.DESIGN)).line
    )


@given(marked=st.lists(st.integers(0, 95), unique=True))
def test_the_score_of_a_marking_is_its_overlap(marked: list[int]) -> None:
    """Intersection over union with the star's channel; the star itself counts as marked."""
    right = {i for i in range(96) if (i // 4) % 6 == 0}
    chosen = set(marked) | {0}
    share = 100 * len(chosen & right) / len(chosen | right)
    assert f"overlap {share:.0f}%" in means.explain(marked, state_of(means.DESIGN))


def test_the_right_marking_is_praised() -> None:
    """All 16 cells of the channel, and no other."""
    right = [i for i in range(96) if (i // 4) % 6 == 0]
    assert "You marked 16 of the 16" in means.explain(right, state_of(means.DESIGN))
    assert "All of them; overlap 100%" in means.explain(right, state_of(means.DESIGN))
    for kind, name in means.NAMES.items():
        number = means.group_of_cells(kind, means.SHAPE, 3).reshape(-1)
        told = means.explain(np.flatnonzero(number == number[0]).tolist(), state_of(means.DESIGN))
        assert (f"what shares a mean in {name}." in told) == (kind != "batch")
    one_place = [24 * n for n in range(4)]
    assert "one place in every example" in means.explain(one_place, state_of(means.DESIGN))


def test_fusion_is_exact_in_eval_only() -> None:
    """Neither a ReLU between nor train mode survives it."""
    assert fusion.compare(1.5, 1.0, 2.0, relu=False, train=False).difference < 1e-12
    assert fusion.compare(1.5, 1.0, 2.0, relu=True, train=False).difference > 0.1
    assert fusion.compare(1.5, 1.0, 2.0, relu=False, train=True).difference > 0.1
    assert "That is it" in fusion.explain("eval", state_of(fusion.DESIGN))
    assert "It is exact in eval only, with nothing" in fusion.explain("always", state_of(fusion.DESIGN))


@given(gamma=st.floats(-3, 3), mean=st.floats(-3, 3), var=st.floats(0.25, 4))
def test_the_two_layers_are_torchs(gamma: float, mean: float, var: float) -> None:
    """Linear, ReLU, batch norm in eval."""
    x = torch.linspace(-3, 3, 121, dtype=torch.float64)[:, None]
    hidden = torch.relu(fusion.WEIGHT * x + fusion.BIAS)
    one = torch.ones(1, dtype=torch.float64)
    expected = F.batch_norm(hidden, mean * one, var * one, gamma * one, fusion.BETA * one, eps=fusion.EPS)
    assert np.allclose(fusion.compare(gamma, mean, var, True, False).two, expected[:, 0].numpy())


def test_the_students_own_marks_stay_framed_after_the_prediction() -> None:
    """Those and no others, whatever is looked at; with fewer examples those that are left."""
    start = {"kind": "batch", "groups": 3.0, "examples": 4.0, "star": 0, "marked": (), "locked": True}
    for kind in means.NAMES:
        for examples in (1.0, 4.0):
            scene = means.numbers({**start, "kind": kind, "examples": examples, "answer": [1, 5, 90]})
            panel = scene.panels[0]
            assert isinstance(panel, Cells)
            assert np.flatnonzero(panel.framed).tolist() == [cell for cell in (1, 5, 90) if cell < panel.framed.size]


def test_the_line_says_how_much_lies_beyond_an_axis() -> None:
    """As the marks at the edges do, and only if there is anything."""
    assert "Beyond" not in pipeline.numbers(state_of(pipeline.DESIGN)).line
    state = state_of(pipeline.DESIGN, shift=-10.0, scale=4.0)
    x = pipeline.run_pipeline(int(state["batch"]), -10.0, 4.0, state["seed"]).x
    scene = pipeline.numbers(state)
    assert f"Beyond the axis: {100 * (x < -14).mean():.0f}% of x and " in scene.line
    assert isinstance(scene.panels[0], Histogram)
    assert [mark.label for mark in scene.panels[0].marks[1:]] == [f"← {100 * (x < -14).mean():.0f}%"]
