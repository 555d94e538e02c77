"""A whole notebook from top to bottom, in quick mode, as the tests of every notebook run it."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.paths import ROOT

__all__ = ["run_in_quick_mode"]


class _Images(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.alts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the alternative texts."""
        if tag == "img":
            self.alts.append(dict(attrs).get("alt") or "")


def run_in_quick_mode(notebook: Any, answers: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """Run every cell; nothing may fail or be written to stderr, and every figure must have a description.

    Returns:
        all HTML outputs, in order.
    """
    monkeypatch.setenv("COURSE_ANSWERS", str(answers))
    monkeypatch.setenv("COURSE_QUICK", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    client = NotebookClient(
        nbformat.from_dict(notebook),
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    done = client.execute()
    outputs = [(cell.id, output) for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [cell_id for cell_id, output in outputs if output.get("name") == "stderr"] == []
    html = [output.data["text/html"] for _, output in outputs if "text/html" in output.get("data", {})]
    alts = [alt for page in html for alt in _Images(page).alts]
    assert len(alts) >= 10
    assert all(len(alt) > 20 for alt in alts)
    return html
