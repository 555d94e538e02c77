"""Pictures pasted into answers: what passes, what does not, and no reference without its picture."""

from __future__ import annotations

import base64
import io
import json
import time
import zlib
from typing import Any
from urllib.parse import quote

import matplotlib.figure
import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.pages.feedback_page import FeedbackExporter
from autograder.submissions.notebook import Master, read_cells, repair
from autograder.submissions.pictures import attached, is_picture, without_dangling
from tests.support import made_up
from tests.support.fuzzing import fuzz

MASTER = Master(made_up.ASSIGNMENT, "made_up", json.dumps(made_up.notebook()))


def _drawn(kind: str) -> bytes:
    buffer = io.BytesIO()
    matplotlib.figure.Figure(figsize=(1, 1)).savefig(buffer, format=kind)
    return buffer.getvalue()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


PNG, JPEG = _base64(_drawn("png")), _base64(_drawn("jpeg"))
CHUNK = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
BOMB = _base64(b"\x89PNG\r\n\x1a\n\0\0\0\r" + CHUNK + zlib.crc32(CHUNK).to_bytes(4, "big"))
PASTED = "It is clear: ![sketch.png](attachment:sketch.png)"


def _submission(source: str, attachments: Any) -> list[Any]:
    notebook = made_up.notebook()
    made_up.cell(notebook, "why").update(source=source, attachments=attachments)
    notebook["cells"].append({**made_up.markdown("mine", source), "attachments": attachments})
    return repair(read_cells(json.dumps(notebook).encode()), MASTER).cells


def _page(cells: list[Any]) -> str:
    node = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells})
    nbformat.validate(node)
    return FeedbackExporter().from_notebook_node(node)[0]


@pytest.mark.parametrize(("media", "data"), [("image/png", PNG), ("image/jpeg", JPEG)])
def test_a_pasted_picture_is_kept_and_shown(media: str, data: str) -> None:
    """In the written answer, and in a cell of the student's own."""
    cells = _submission(PASTED, {"sketch.png": {media: data}})
    pasted = [cell for cell in cells if cell.source == PASTED]
    assert [cell.attachments for cell in pasted] == [{"sketch.png": {media: data}}] * 2
    assert _page(cells).count(f"data:{media};base64,{data[:60]}") == 2


@pytest.mark.parametrize(
    "attachments",
    [
        {},
        {"other.png": {"image/png": PNG}},
        {"sketch.png": {"image/svg+xml": "<svg onload='alert(1)'/>"}},
        {"sketch.png": {"image/png": BOMB}},
        {"sketch.png": {"image/png": _base64(b"no picture")}},
        {"sketch.png": {"text/html": "<script>"}},
        {"sketch.png": 3},
        [1, 2],
        None,
    ],
    ids=["none", "another name", "SVG", "900 megapixels", "no picture", "HTML", "number", "list", "null"],
)
def test_a_reference_without_its_picture_becomes_text(attachments: Any) -> None:
    """nbconvert would refuse the whole page for it."""
    page = _page(_submission(PASTED, attachments))
    assert page.count("[picture missing: sketch.png]") == 2
    assert "attachment:" not in page


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a(1).png", "a(1).png"),
        ("a(1).png", "a%281%29.png"),
        ("two words.png", "two%20words.png"),
        ("two words (2).png", "two%20words%20%282%29.png"),
        ("图.png", "图.png"),
        ("图.png", "%E5%9B%BE.png"),
        ("Größe's.png", "Gr%C3%B6%C3%9Fe's.png"),
        ("50%.png", "50%25.png"),
        ("picture-1.png", "picture-1.png"),
    ],
)
def test_a_picture_is_shown_however_its_name_is_written(name: str, written: str) -> None:
    """JupyterLab, the classic notebook and VS Code encode names in different ways; nbconvert takes none of them."""
    both = {name: {"image/png": PNG}, "picture-1.png": {"image/png": PNG}}
    cells = _submission(f"See ![{name}](attachment:{written}), ![](attachment:picture-1.png)", both)
    page = _page(cells)
    assert page.count(f"data:image/png;base64,{PNG[:60]}") == 4
    assert "picture missing" not in page


@pytest.mark.parametrize(
    "source",
    [
        "<img src='attachment:x.png'>",
        "![a][b]\n\n[b]: attachment:x.png",
        "![a](<attachment:x.png>)",
        "![a]( attachment:x.png 'title')",
        "[link](attachment:x.png)",
        "![a](attachment:x%20y.png)",
        "![a\nb](attachment:x.png)",
        "`![a](attachment:x.png)`",
    ],
)
def test_every_way_to_refer_to_a_picture_is_found(source: str) -> None:
    """A page comes of it, whatever stands in the cell."""
    assert "attachment:x" not in _page(_submission(source, {}))


@fuzz(40)
@given(st.text("![]()<>:\"' attachmenx.png\n\\", max_size=80))
def test_no_text_leaves_a_dangling_reference(text: str) -> None:
    """Made of the characters that matter."""
    assert _page(_submission(f"attachment:{text} ![x](attachment:{text})", {}))


@fuzz(40)
@given(st.text("() %28/.#?attachmen:x", min_size=1, max_size=12), st.text("![]()<> ", max_size=6))
def test_any_name_of_a_picture_makes_a_page(name: str, before: str) -> None:
    """Whether the picture is shown or not."""
    source = f"{before}![x](attachment:{name}) ![y](attachment:{quote(name)})"
    assert _page(_submission(source, {name: {"image/png": PNG}}))


@fuzz(300)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_none(data: bytes) -> None:
    """Damage is no picture, and never an exception."""
    for begin in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\0\4\0\0\xff\xc0"):
        assert is_picture(_base64(begin + data)) in (True, False)
        attached({"x": {"image/png": _base64(begin + data)}})


@pytest.mark.parametrize("unit", ["attachment:", "![", "![](attachment:", "attachment:a", "(", "![a](attachment:b"])
def test_long_texts_take_little_time(unit: str) -> None:
    """A megabyte of each construct."""
    started = time.perf_counter()
    without_dangling(unit * (1_000_000 // len(unit)), {})
    assert time.perf_counter() - started < 2
