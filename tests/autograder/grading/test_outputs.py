"""What students and instructors will see of a cell: text and pictures, checked and capped."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import from_dict
from nbgrader.utils import determine_grade

from autograder.grading.outputs import clean_outputs, error_output, score_output, text_output
from tests.support import made_up
from tests.support.fuzzing import fuzz

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (4).to_bytes(4, "big") * 2 + bytes(9)).decode()
EVIL = "\x1b[31m\x1b]0;t\x07<script>alert(1)</script>\u202e\ud800\x00"


def _stream(text: object) -> dict[str, object]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def _display(**data: object) -> dict[str, object]:
    return {"output_type": "display_data", "data": {name.replace("_", "/"): what for name, what in data.items()}}


def test_ordinary_outputs_pass() -> None:
    """Text, errors and pictures look as they did."""
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["line 1", "line 2"]}
    kept, _ = clean_outputs([_stream("hello\n"), _display(text_plain="3", image_png=PNG), error])
    assert kept[0].text == "hello\n"
    assert kept[1].data == {"text/plain": "3", "image/png": PNG}
    assert (kept[2].ename, kept[2].traceback) == ("ValueError", ["line 1", "line 2"])


def test_a_result_is_shown_but_is_no_result() -> None:
    """nbgrader reads an execute_result as a score: a student's becomes a display."""
    kept, _ = clean_outputs([{"output_type": "execute_result", "data": {"text/plain": "5.0"}}])
    assert [output.output_type for output in kept] == ["display_data"]


@pytest.mark.parametrize(
    "kind", ["text_html", "image_svg+xml", "application_javascript", "text_latex", "text_markdown"]
)
def test_markup_is_left_out(kind: str) -> None:
    """Nothing that a browser would run or set passes."""
    kept, _ = clean_outputs([_display(**{kind: EVIL, "text_plain": "x"})])
    assert kept[0].data == {"text/plain": "x"}


NO_PICTURES = {
    "no base64": "<svg onload=alert(1)>",
    "another format": base64.b64encode(b"GIF89a").decode(),
    "quotes": PNG + '" onerror="alert(1)',
    "line breaks": PNG[:8] + "\n" + PNG[8:],
    "too large": base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(3_000_000)).decode(),
    "no text": 5,
}


@pytest.mark.parametrize("picture", NO_PICTURES.values(), ids=NO_PICTURES.keys())
def test_what_is_no_picture_is_left_out(picture: object) -> None:
    """Only base64 of a PNG file, of a sensible size, goes into a page's `img` element."""
    kept, _ = clean_outputs([_display(text_plain="x", image_png=picture)], 10_000_000)
    assert "image/png" not in kept[0].data


def test_control_characters_are_taken_out() -> None:
    """Neither terminal sequences nor characters that turn text around survive."""
    error = {"output_type": "error", "ename": EVIL, "evalue": EVIL, "traceback": [EVIL]}
    kept, _ = clean_outputs([_stream(EVIL), error, _display(text_plain=EVIL)])
    for text in (kept[0].text, kept[1].ename, kept[1].evalue, *kept[1].traceback, kept[2].data["text/plain"]):
        assert text == "<script>alert(1)</script>"


def test_more_than_there_is_room_for_is_left_out() -> None:
    """The grader keeps the limit itself: a child that does not is no use to its student."""
    kept, used = clean_outputs([_stream("x" * 100_000)] * 100, 200_000)
    assert 0 < len(kept) < 4
    assert used < 300_000
    assert clean_outputs([_stream("x")], 0) == ([], 0)


def test_a_score_is_read_by_nbgrader_and_nothing_else_is() -> None:
    """The one output of a test cell carries the points; the card cannot be mistaken for them."""
    cell = made_up.code("column-scale", "check()", grade=True, locked=True, points=5)

    cell["outputs"] = [score_output(2.5, "card: 5 points", "<div>5</div>")]
    assert determine_grade(from_dict(cell)) == (2.5, 5)


def test_made_outputs_are_well_formed() -> None:
    """Outputs of the grader's own have every field that the format asks for."""
    assert error_output("timeout", "too long").traceback == ["timeout: too long"]
    assert text_output("hello").name == "stdout"


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_fields = st.sampled_from(
    ["output_type", "name", "text", "data", "ename", "evalue", "traceback", "metadata", "text/plain", "image/png"]
)
_kinds = st.sampled_from(["stream", "error", "display_data", "execute_result", PNG, EVIL])


@fuzz(150)
@given(
    st.lists(st.dictionaries(_fields, _anything | _kinds | st.dictionaries(_fields, _anything | _kinds)), max_size=5)
    | _anything
)
def test_any_claim_can_be_cleaned(claimed: Any) -> None:
    """Whatever a child says its cells showed, what is kept is of the three kinds, with text and pictures only."""
    kept, _ = clean_outputs(claimed)
    for output in kept:
        assert output.output_type in ("stream", "error", "display_data")
        assert set(output.get("data", {})) <= {"text/plain", "image/png"}
        assert all(isinstance(text, str) for text in output.get("data", {}).values())
