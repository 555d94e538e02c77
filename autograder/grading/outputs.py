"""Outputs of cells: cleaning what a child claims its cells showed, and making the grader's own.

A child's outputs are untrusted data that instructors and students will see in a browser.  Only plain text and
pictures pass, checked and capped; markup that a browser would run does not.
"""

from __future__ import annotations

from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict

from autograder.submissions.pictures import is_picture
from course_lib.checking.card import plain

__all__ = ["clean_outputs", "error_output", "score_output", "text_output"]

_MAX_TEXT = 200_000
_MAX_PICTURE = 2 << 20
_MAX_OUTPUTS = 250
_SLACK = 64_000


def clean_outputs(claimed: Any, room: int = _MAX_PICTURE) -> tuple[list[NotebookNode], int]:
    """The outputs of a cell that may be written into a notebook, from what the child says.

    Args:
        room: characters that they may take.  The child keeps to its limit itself, so more than that (and some for what
            stands around the text) is a child that was tampered with, and is left out.

    Returns:
        The outputs and how many characters they take.
    """
    kept: list[NotebookNode] = []
    used = 0
    for output in claimed[:_MAX_OUTPUTS] if isinstance(claimed, list) else ():
        cleaned = _clean(output) if isinstance(output, dict) else None
        size = _size(cleaned) if cleaned is not None else 0
        if cleaned is None or not room or used + size > room + _SLACK:
            continue
        kept.append(cleaned)
        used += size
    return kept, used


def _size(output: Any) -> int:
    if isinstance(output, str):
        return len(output)
    values = output.values() if isinstance(output, dict) else output if isinstance(output, list) else ()
    return sum(map(_size, values))


def _clean(output: dict[str, Any]) -> NotebookNode | None:
    kind = output.get("output_type")
    if kind == "stream":
        return text_output(_text(output.get("text")), "stderr" if output.get("name") == "stderr" else "stdout")
    if kind == "error":
        lines = output.get("traceback")
        trace = [_text(line)[:10_000] for line in lines[:50]] if isinstance(lines, list) else []
        return error_output(_text(output.get("ename"))[:100], _text(output.get("evalue"))[:2000], trace)
    data = output.get("data")
    if kind not in ("display_data", "execute_result") or not isinstance(data, dict):
        return None
    shown = {"text/plain": _text(data.get("text/plain"))}
    picture = data.get("image/png")
    if is_picture(picture) and len(picture) <= _MAX_PICTURE:
        shown["image/png"] = picture
    # Always display_data: nbgrader reads an execute_result as a score.
    return _node({"output_type": "display_data", "data": shown, "metadata": {}})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return plain(value[:_MAX_TEXT])


def _node(content: dict[str, Any]) -> NotebookNode:
    node: NotebookNode = from_dict(content)
    return node


def text_output(text: str, name: str = "stdout") -> NotebookNode:
    """A stream output."""
    return _node({"output_type": "stream", "name": name, "text": text})


def error_output(name: str, value: str, trace: list[str] | None = None) -> NotebookNode:
    """An error output."""
    node = {"output_type": "error", "ename": name, "evalue": value, "traceback": trace or [f"{name}: {value}"]}
    return _node(node)


def score_output(score: float, text: str, html: str) -> NotebookNode:
    """The one output of a test cell: a score that nbgrader reads, and the card that people read.

    nbgrader takes the plain text of an execute_result as the score, so the card's text goes into the HTML only.
    """
    data = {"text/plain": repr(float(score)), "text/html": html}
    node = {"output_type": "execute_result", "execution_count": None, "data": data, "metadata": {"card": text}}
    return _node(node)
