"""The transfer widget shows what the stored runs say."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest

from course_lib.transfer.experiments import quadrants as experiments
from course_lib.transfer.experiments.quadrants import PER_CLASS, RECIPES, TARGETS
from course_lib.transfer.widgets import quadrants
from course_lib.widgets.controls import clean
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Bars, Lines


def state_of(locked: bool = True, **changes: Any) -> dict[str, Any]:
    """The widget's first state, with changes."""
    return {**clean(quadrants.DESIGN.controls, changes), "locked": locked}


@pytest.mark.parametrize("target", list(TARGETS))
@pytest.mark.parametrize("per_class", PER_CLASS)
def test_bars_and_words_are_the_means_of_the_stored_runs(target: str, per_class: int) -> None:
    """Each bar against a plain mean over the file's rows."""
    scene = quadrants.numbers(state_of(target=target, per_class=float(per_class), recipe="tune-3"))
    bars, lines = scene.panels
    assert isinstance(bars, Bars)
    assert isinstance(lines, Lines)
    means = {
        recipe: statistics.fmean(
            run.accuracy
            for run in experiments.stored_runs()
            if (run.target, run.per_class, run.recipe) == (target, per_class, recipe)
        )
        for recipe in RECIPES
    }
    assert bars.series[0].y.tolist() == pytest.approx(list(means.values()), abs=1e-6)
    assert float(lines.series[0].y[PER_CLASS.index(per_class)]) == pytest.approx(means["tune-3"], abs=1e-6)
    best = max(means, key=means.__getitem__)
    assert f"Best: {best} with {100 * means[best]:.1f} %" in scene.line
    assert f"reaches {100 * means['tune-3']:.1f} %" in scene.line


def test_before_the_prediction_only_training_from_scratch_is_shown() -> None:
    """Neither picture nor words tell how any pretrained recipe does."""
    for recipe in RECIPES:
        scene = quadrants.numbers(state_of(locked=False, recipe=recipe))
        bars, lines = scene.panels
        assert isinstance(bars, Bars)
        assert isinstance(lines, Lines)
        assert np.flatnonzero(np.isfinite(bars.series[0].y)).tolist() == [list(RECIPES).index("scratch")]
        assert lines.series[0].label == "scratch"
        assert "Best" not in scene.line


def test_the_explanation_names_the_winner_of_the_question_and_of_the_present_cell() -> None:
    """For every answer that can be given."""
    prediction = quadrants.DESIGN.prediction
    assert isinstance(prediction, Pick)
    found = experiments.summaries(experiments.stored_runs())
    best = experiments.best_recipes(found, "different", 1)
    assert best[0] in prediction.options
    for answer in prediction.options:
        text = quadrants.explain(answer, state_of(target="similar", per_class=1.0))
        assert text.startswith(f"You said: {RECIPES[answer]} (")
        assert (f"it is: {RECIPES[best[0]]}" in text or "which is:" in text) == (answer != best[0])
        assert ("that is right" in text) == (answer == best[0])
        assert ("not here" in text) == (answer not in best)
        assert f"{experiments.best_recipes(found, 'similar', 1)[0]} wins" in text
