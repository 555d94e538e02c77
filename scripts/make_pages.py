"""Writes the released notebooks as web pages that load nothing from elsewhere.

.venv/bin/python scripts/make_pages.py        # or: make docs
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from nbconvert.exporters import HTMLExporter

from autograder.pages.formulas import HEAD, markdown_with_formulas, set_formulas, without_mathjax

ROOT = Path(__file__).resolve().parent.parent
# Long lines of code are broken where the window ends, on a telephone, enlarged or on paper; else they would be cut.
_STYLE = "<style>pre { white-space: pre-wrap !important; overflow-wrap: anywhere; }</style>"
_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL)


class PageExporter(HTMLExporter):
    """JupyterLab's look, formulas as MathML, no scripts: there is nothing on these pages that would need one."""

    @jinja2.pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Markdown as HTML, with its formulas set."""
        return set_formulas(markdown_with_formulas(self, context, source))

    def from_notebook_node(self, nb: Any, resources: Any = None, **arguments: Any) -> tuple[str, dict[str, Any]]:
        """The page of a notebook."""
        page, resources = super().from_notebook_node(nb, resources, **arguments)
        return _SCRIPT.sub("", without_mathjax(page)).replace("</head>", f"{HEAD}{_STYLE}</head>", 1), resources


def main(release: Path = ROOT / "release", to: Path = ROOT / "build" / "docs") -> None:
    """One page for each released notebook, and an index."""
    notebooks = sorted(release.glob("*/*.ipynb"))
    if not notebooks:
        raise SystemExit(f"no notebooks in {release}; run: autograder release ASSIGNMENT...")
    to.mkdir(parents=True, exist_ok=True)
    links = []
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        page, _ = PageExporter().from_notebook_node(
            notebook, {"metadata": {"name": path.stem, "path": str(path.parent)}}
        )
        (to / f"{path.stem}.html").write_text(page, encoding="utf-8")
        title = next((line[2:] for cell in notebook.cells for line in cell.source.splitlines() if line[:2] == "# "), "")
        links.append(f'<li><a href="{path.stem}.html">{html.escape(title or path.stem)}</a></li>')
    head = "<!doctype html><html lang='en'><meta charset='utf-8'><title>Notebooks</title><h1>Notebooks</h1>"
    index = f"{head}<ul>{''.join(links)}</ul>"
    (to / "index.html").write_text(index, encoding="utf-8")
    print(f"{len(notebooks)} pages in {to}; begin with {to / 'index.html'}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
