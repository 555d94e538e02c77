"""nbgrader's formgrader without a network: formulas are MathML, nothing is fetched from elsewhere.

nbgrader makes its exporter when the server starts and names no class that could be replaced, so this server extension
puts another one into its place.  The page's script waits for MathJax before it scrolls to the first answer; a stub of
a line says that all is set.
"""

from __future__ import annotations

from typing import Any

from autograder.pages.feedback_page import CleanExporter

__all__ = ["FormgraderExporter", "replace_exporter"]

_SETTING = "nbgrader_exporter"
_STUB = """<script>
window.MathJax = {Hub: {Startup: {signal: {Interest: (told) => addEventListener("load", () => told("End"))}}}};
</script>"""


class FormgraderExporter(CleanExporter):
    """The formgrader's pages, with formulas set."""

    without_mathjax = _STUB


def replace_exporter(settings: dict[str, Any]) -> bool:
    """Put our exporter into a server's settings, with the configuration of nbgrader's; False if there is none."""
    theirs = settings.get(_SETTING)
    if theirs is None:
        return False
    if not isinstance(theirs, FormgraderExporter):
        settings[_SETTING] = FormgraderExporter(config=theirs.config)
    return True
