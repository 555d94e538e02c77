"""The stored table of runs: what it holds, and that a sample of its cells can be trained again."""

from __future__ import annotations

import numpy as np
import pytest

from course_lib.search.nets import images, on_one_thread
from course_lib.search.table import EPOCHS, SEEDS, axes, run_cells, table

SAMPLE = ((0, 0), (3, 9), (7, 6), (9, 2), (12, 4), (16, 3))
"""Cells from slow learning over the plateau to explosion."""


def test_the_table_has_the_promised_form() -> None:
    """20 learning rates x 10 strengths x 4 seeds, looked at five times; nothing in it is pickled."""
    runs = table()
    assert runs.validation.shape == runs.loss.shape == (20, 10, len(SEEDS), len(EPOCHS))
    assert runs.test.shape == (20, 10, len(SEEDS))
    assert runs.costs.shape == (20, 10, len(SEEDS), 320)
    np.testing.assert_allclose(runs.lr, axes()[0])
    np.testing.assert_allclose(runs.reg, axes()[1])
    assert ((runs.validation >= 0) & (runs.validation <= 1)).all()
    assert runs.truth[runs.best] == runs.truth.max()
    assert runs.nearest(*(axis[4] * 1.05 for axis in (runs.lr, runs.reg))) == (4, 4)
    assert (runs.seconds > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_a_sample_of_cells_trains_to_the_stored_numbers(seed: int) -> None:
    """Costs of the first steps to rounding, accuracies to what rounding can grow to in 320 steps."""
    runs = table()
    i, j = (np.array(places) for places in zip(*SAMPLE, strict=True))
    validation, test = images("validation", 2000), images("test", 2000)
    with on_one_thread():
        for epoch, costs, nets in run_cells(runs.lr[i], runs.reg[j], seed):
            if epoch == 1:
                np.testing.assert_allclose(costs[:, :3], runs.costs[i, j, seed, :3], rtol=5e-3)
            if epoch in EPOCHS:
                again = nets.accuracies(*validation).numpy()
                np.testing.assert_allclose(again, runs.validation[i, j, seed, EPOCHS.index(epoch)], atol=0.02)
        np.testing.assert_allclose(nets.accuracies(*test).numpy(), runs.test[i, j, seed], atol=0.02)
        finite = nets.losses(*validation).isfinite().numpy()
    np.testing.assert_array_equal(finite, ~runs.diverged[i, j, seed])
