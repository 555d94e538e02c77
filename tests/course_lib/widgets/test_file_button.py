"""The button for a file, without a browser: what comes in, what goes out, and what is not kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.widgets.file_button import Answer, FileButton


def button(answer: Any, monkeypatch: pytest.MonkeyPatch | None = None) -> tuple[FileButton, list[dict[str, Any]]]:
    """A button of at most 10 bytes, and what it sends."""
    made = FileButton("A file", "A note.", "image/*", 10, answer)
    sent: list[dict[str, Any]] = []
    made.send = lambda content, buffers=None: sent.append(content)
    return made, sent


def test_a_file_is_answered_where_it_was_chosen() -> None:
    """The answer carries view and turn of the question."""
    made, sent = button(lambda data: Answer(f"<b>{len(data)}</b>", f"{len(data)} bytes."))
    made._received(made, {"view": "a", "turn": 3}, [memoryview(b"12345")])
    assert sent == [{"view": "a", "turn": 3, "html": "<b>5</b>", "said": "5 bytes."}]


def test_a_refusal_is_one_line_and_a_fault_is_seen() -> None:
    """A ValueError is for the student; anything else names itself."""

    def refuse(data: bytes) -> Answer:
        raise ValueError("No picture.") if data == b"r" else KeyError("oh")

    made, sent = button(refuse)
    made._received(made, {"view": "a", "turn": 1}, [b"r"])
    made._received(made, {"view": "a", "turn": 2}, [b"x"])
    assert sent[0]["error"] == "No picture."
    assert sent[1]["error"] == "This could not be shown. KeyError: 'oh'"


def test_a_file_that_is_too_large_is_not_looked_at() -> None:
    """The page refuses it; whoever sends it all the same is told."""
    made, sent = button(lambda data: pytest.fail("looked at"))
    made._received(made, {"view": "a", "turn": 1}, [b"12345678901"])
    assert "error" in sent[0]


@given(
    content=st.none() | st.text() | st.dictionaries(st.sampled_from(["view", "turn", "x"]), st.integers() | st.text()),
    buffers=st.lists(st.binary(max_size=20), max_size=3),
)
def test_any_message_gets_an_answer(content: Any, buffers: list[bytes]) -> None:
    """And never an exception, which nobody would see."""
    made, sent = button(lambda data: Answer("", f"{len(data)}"))
    made._received(made, content, buffers)
    assert len(sent) == 1
    assert {"error", "said"} & set(sent[0])


def test_neither_the_file_nor_its_answer_becomes_part_of_the_notebook() -> None:
    """A notebook can hold the state of its widgets, and is handed in."""
    made, _ = button(lambda data: Answer("<b>secret</b>", "secret"))
    before = made.get_state()
    made._received(made, {"view": "a", "turn": 1}, [b"secret"])
    assert made.get_state() == before
    assert "secret" not in repr(made.get_state())
