"""Writes the released notebooks as web pages that load nothing from elsewhere.

.venv/bin/python scripts/make_pages.py        # or: make docs
"""

from __future__ import annotations

import html
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from nbconvert.exporters import HTMLExporter

from autograder.pages.formulas import HEAD, markdown_with_formulas, set_formulas, without_mathjax
from autograder.widget_pages.library import Shown, widget_packages, widgets_in
from course_lib.widgets.explorer import first_state, whole_state
from course_lib.widgets.still import PAGES, still

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("course_lib",)
# Long lines of code are broken where the window ends, on a telephone, enlarged or on paper; else they would be cut.
# Names of functions in headings are smaller there, as in the notebook.
# JupyterLab's colors of prompts, operators, comments and numbers are too faint to read, its links look like text.
_STYLE = """<style>
pre { white-space: pre-wrap !important; overflow-wrap: anywhere; }
:root, body { --jp-mirror-editor-operator-color: #7a00c2;
--jp-mirror-editor-comment-color: #2f6464; --jp-mirror-editor-number-color: #066b06; }
.jp-InputPrompt, .jp-OutputPrompt { color: #616161 !important; opacity: 1 !important; }
.jp-RenderedHTMLCommon a:not(.anchor-link) { text-decoration: underline; }
.jp-RenderedHTMLCommon :is(h1, h2, h3) { line-height: 1.2; text-wrap: balance; }
.jp-RenderedHTMLCommon :is(p, li) { text-wrap: pretty; }
.jp-RenderedHTMLCommon .highlight { margin-bottom: 1em; }
.jp-RenderedHTMLCommon th:not([align]) { text-align: left; }
@media (max-width: 600px) {
.jp-RenderedHTMLCommon :is(h1, h2, h3) code { font-size: 0.64em !important; }
.jp-RenderedHTMLCommon :is(h1, h2, h3, p, li) code { white-space: pre-wrap; overflow-wrap: anywhere; }
}
</style>"""
_EMPTY_HEADING = re.compile(r"<th([^>]*)></th>")
_INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Notebooks</title>
<style>
:root {{ color-scheme: light dark; --paper: #fff; --ink: #111; --link: #0b57d0; }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #111; --ink: #ececec; --link: #8ab4f8; }} }}
body {{ max-width: 46rem; margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }}
body {{ background: var(--paper); color: var(--ink); overflow-wrap: anywhere; }}
a {{ color: var(--link); }}
li {{ margin: 0.4em 0; }}
</style>
</head>
<body>
<main>
<h1>Notebooks</h1>
<p>Below each notebook its interactive pages, which need neither Python nor a network.</p>
<ul>
{}
</ul>
</main>
</body>
</html>
"""
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
        page = _EMPTY_HEADING.sub(r"<td\1></td>", _SCRIPT.sub("", without_mathjax(page)))
        return page.replace("</head>", f"{HEAD}{_STYLE}</head>", 1), resources


def main(release: Path = ROOT / "release", to: Path = ROOT / "build" / "docs") -> None:
    """One page for each released notebook, those of its widgets, and an index."""
    notebooks = sorted(release.glob("*/*.ipynb"))
    if not notebooks:
        raise SystemExit(f"no notebooks in {release}; run: autograder release ASSIGNMENT...")
    (to / PAGES).mkdir(parents=True, exist_ok=True)
    packages, links = widget_packages(LIBRARIES), []
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        inner = []
        for shown in widgets_in(notebook, packages):
            page = path.parent / PAGES / f"{shown.design.name}.html"
            if page.is_file():
                shutil.copy(page, to / PAGES)
                link = f"{PAGES}/{page.name}"
                notebook.cells[shown.cell].outputs = [_picture(shown, link)]
                inner.append(f'<li><a href="{link}">{html.escape(shown.design.title)}</a></li>')
        page_of_it, _ = PageExporter().from_notebook_node(
            notebook, {"metadata": {"name": path.stem, "path": str(path.parent)}}
        )
        (to / f"{path.stem}.html").write_text(page_of_it, encoding="utf-8")
        title = next((line[2:] for cell in notebook.cells for line in cell.source.splitlines() if line[:2] == "# "), "")
        more = f"<ul>{''.join(inner)}</ul>" if inner else ""
        links.append(f'<li><a href="{path.stem}.html">{html.escape(title or path.stem)}</a>{more}</li>')
    (to / "index.html").write_text(_INDEX.format("\n".join(links)), encoding="utf-8")
    print(f"{len(notebooks)} pages in {to}; begin with {to / 'index.html'}")


def _picture(shown: Shown, link: str) -> nbformat.NotebookNode:
    """What a cell shows that nobody has run: the widget before the prediction, and the way to the page that moves."""
    design = shown.design
    scene = design.numbers(whole_state(design, first_state(design), {}))
    picture = still(design.title, scene, design.prediction.question, page=link)
    return nbformat.v4.new_output("display_data", {"text/html": picture})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
