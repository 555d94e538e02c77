"""The transfer widget shows what the stored runs say."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest

from course_lib.transfer.experiments import quadrants as experiments
from course_lib.transfer.experiments.quadrants import ADVICE, AMOUNTS, PER_CLASS, RECIPES, TARGETS
from course_lib.transfer.widgets import quadrants
from course_lib.widgets.controls import clean
from course_lib.widgets.predictions import Pick
from course_lib.widgets.scene import Bars, Lines, Table


def state_of(locked: bool = True, **changes: Any) -> dict[str, Any]:
    """The widget's first state, with changes."""
    return {"seen": (), **clean(quadrants.DESIGN.controls, changes), "locked": locked}


def table_of(**changes: Any) -> Table:
    """The lecture's table in the widget's picture."""
    table = quadrants.numbers(state_of(**changes)).panels[0]
    assert isinstance(table, Table)
    return table


@pytest.mark.parametrize("target", list(TARGETS))
@pytest.mark.parametrize("per_class", PER_CLASS)
def test_bars_and_words_are_the_means_of_the_stored_runs(target: str, per_class: int) -> None:
    """Each bar against a plain mean over the file's rows."""
    scene = quadrants.numbers(state_of(target=target, per_class=float(per_class), recipe="tune-3"))
    _, bars, lines = scene.panels
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
    assert f"Best: {best} with {100 * means[best]:.1f}%" in scene.line
    assert f"reaches {100 * means['tune-3']:.1f}%" in scene.line


def test_before_the_prediction_only_training_from_scratch_is_shown() -> None:
    """Neither picture nor words tell how any pretrained recipe does."""
    for recipe in RECIPES:
        scene = quadrants.numbers(state_of(locked=False, recipe=recipe))
        _, bars, lines = scene.panels
        assert isinstance(bars, Bars)
        assert isinstance(lines, Lines)
        assert np.flatnonzero(np.isfinite(bars.series[0].y)).tolist() == [list(RECIPES).index("scratch")]
        assert lines.series[0].label == "scratch"
        assert "Best" not in scene.line
        assert "advice" not in scene.line


def test_the_table_is_the_lectures_and_tells_nothing_before_the_prediction() -> None:
    """Two rows of little and much data, two columns of similar and different images, its four pieces of advice."""
    before, after = table_of(locked=False), table_of()
    assert set(before.headings) == {"?"}
    assert {entry.found for cell in before.entries for entry in cell} == {""}
    assert len(after.rows) == len(after.columns) == 2
    for place, (target, amount) in enumerate(ADVICE):
        assert (amount in after.rows[place // 2]) == (amount == "little")
        assert target in after.columns[place % 2]
        assert after.headings[place] == ADVICE[target, amount].words
        assert [entry.label for entry in after.entries[place]] == [f"{n} per class" for n in AMOUNTS[amount]]


@pytest.mark.parametrize("target", list(TARGETS))
@pytest.mark.parametrize("per_class", PER_CLASS)
def test_the_entry_marked_is_what_the_controls_say_and_its_settings_lead_to_it(target: str, per_class: int) -> None:
    """One of eight; the recipe that leads and how the lecture's advice does are those of the stored runs."""
    table = table_of(target=target, per_class=float(per_class))
    entry = [entry for cell in table.entries for entry in cell][table.now]
    assert dict(entry.settings) == {"target": target, "per_class": float(per_class)}
    found = experiments.summaries(experiments.stored_runs())
    best = experiments.best_recipes(found, target, per_class)
    assert entry.found.startswith(f"{best[0]}, {100 * found[target, per_class, best[0]].mean:.0f}%")
    amount = "little" if per_class < 20 else "much"
    advised = ADVICE[target, amount].recipes
    assert ("wins" in entry.found) == (set(best) <= advised)
    assert ("is behind" in entry.found) == (not set(best) & advised)


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
        beaten = text.partition("Now shown")[0].count(f"{RECIPES[best[0]]} (")
        assert beaten == 1  # as what was said, or as what is better
        assert ("that is right" in text) == (answer == best[0])
        assert ("Better here" in text) == (answer not in best)
        now, *others = experiments.best_recipes(found, "similar", 1)
        assert f"{now} has the highest mean; {' and '.join(others)} cannot be told from it" in text
        assert len(others) == 2
    assert quadrants._joined(["a"]) == "a"
    assert quadrants._joined(["a", "b", "c"]) == "a, b and c"
