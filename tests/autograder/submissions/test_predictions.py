"""What a class predicted, read from saved notebooks that may hold anything."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.submissions.predictions import Predicted, count_predictions, predictions_in
from course_lib.widgets.predictions import Estimate, Marking, Pick, Placing
from course_lib.widgets.still import PREDICTION
from tests.support.all_widgets import WIDGETS, show


def _saved(widget: Any, indent: int | None = 1) -> bytes:
    """A notebook as a front end saves it."""
    output = {"output_type": "display_data", "data": widget._still_bundle(), "metadata": {}}
    return json.dumps({"cells": [{"cell_type": "code", "outputs": [output]}]}, indent=indent).encode()


def _answer(prediction: Any) -> Any:
    match prediction:
        case Pick(options=options):
            return next(iter(options))
        case Estimate(low=low):
            return low
        case Marking():
            return [0]
        case Placing(values=values):
            return values[-1]


@pytest.mark.parametrize("name", sorted(WIDGETS))
def test_what_a_widget_was_told_is_found_in_the_saved_notebook(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every widget of the course: question, answer in words, right or wrong; nothing before it is locked in."""
    monkeypatch.chdir(tmp_path)
    widget = show(name)
    design = widget._design
    assert predictions_in(_saved(widget)) == {}
    value = _answer(design.prediction)
    widget.answer = {"value": value, "locked": True}
    found = predictions_in(_saved(widget))
    verdict = bool(design.right(value, widget.current()))
    words = " ".join(design.prediction.words(value).split())
    question = " ".join(design.prediction.question.split())
    assert found == {design.name: Predicted(design.name, question[:300], words[:300], verdict)}
    assert predictions_in(_saved(widget, indent=None)) == found


def test_a_class_is_counted_with_the_greatest_surprise_first() -> None:
    """Answers by frequency; of a widget whose question changed, the question that most answered."""
    easy = Predicted("easy", "Is it?", "yes", True)
    hard = [Predicted("hard", "Which?", said, said == "b") for said in ("a", "a", "b")]
    old = Predicted("hard", "Which one?", "c", True)
    stats = count_predictions([{"easy": easy, "hard": one} for one in hard] + [{"hard": old}])
    assert [(s.widget, s.right, s.of) for s in stats] == [("hard", 1, 3), ("easy", 3, 3)]
    assert stats[0].answers == (("a", 2), ("b", 1))


HOSTILE = [
    b'%s=\\"%s\\"' % (PREDICTION.encode(), b"a;b;c;right" * 2_000),
    b'%s=\\"w;<script>;x;right\\"' % PREDICTION.encode(),
    b'%s=\\"w;q;%%E2%%80%%AEx;maybe\\"' % PREDICTION.encode(),
    b'%s=\\"w;q;;right\\"' % PREDICTION.encode(),
    b"\\" * 3_000_000,
    (b"%s=" % PREDICTION.encode()) * 200_000,
    (b'%s="a' % PREDICTION.encode()) * 200_000,
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_made_up_predictions_take_no_time_and_say_nothing(data: bytes) -> None:
    """Too long, unknown verdict, markup, megabytes of beginnings."""
    started = time.process_time()
    assert predictions_in(data) == {}
    assert time.process_time() - started < 2


def test_a_thousand_predictions_in_one_file_are_capped() -> None:
    """What follows the first two hundred is not read."""
    data = b"".join(b'%s=\\"w%d;q;s;right\\" ' % (PREDICTION.encode(), n) for n in range(1000))
    assert len(predictions_in(data)) == 200


@given(st.binary(max_size=500), st.text(max_size=100))
def test_any_bytes_can_be_read(data: bytes, said: str) -> None:
    """And what comes out is plain text."""
    mark = f'{PREDICTION}=\\"'.encode()
    for found in predictions_in(data + mark + data + said.encode() + b';a;b;right\\"').values():
        assert found.said.isprintable() or found.said == ""
