"""Nothing of a submission runs, loads or covers anything in the pages made of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter
from traitlets.config import Config

from autograder.course import Course
from autograder.pages.sanitize import clean_html
from tests.support.paths import ROOT

ATTACKS = {
    "script": "<script>evil()</script>",
    "script in upper case": "<SCRIPT SRC=//evil></SCRIPT>",
    "event handler": "<img src=x onerror=evil()>",
    "event handler on an allowed tag": "<details open ontoggle=evil()>x</details>",
    "script address": "<a href='javascript:evil()'>x</a>",
    "script address behind an entity": "<a href='java&#115;cript:evil()'>x</a>",
    "script address behind a tab": "<a href='java\tscript:evil()'>x</a>",
    "page in an address": "<a href='data:text/html,<script>evil()</script>'>x</a>",
    "frame": "<iframe src=//evil></iframe>",
    "object": "<object data=//evil></object>",
    "form": "<form action=//evil><input name=x><button>go</button></form>",
    "drawing": "<svg onload=evil()><a xlink:href='javascript:evil()'>x</a></svg>",
    "drawing as a picture": "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "beacon": "<img src='https://evil/seen.png'>",
    "beacon in a style": "<p style='background:url(https://evil/seen)'>x</p>",
    "beacon in an escaped style": "<p style='background:\\75rl(https://evil/seen)'>x</p>",
    "beacon in an encoded style": "<p style='background:u&#114;l(https://evil/seen)'>x</p>",
    "beacon encoded twice": "<p style='background:u&amp;#114;l(https://evil/seen)'>x</p>",
    "style sheet": "<style>@import url(//evil)</style><link rel=stylesheet href=//evil>",
    "cover": "<div style='position:fixed;z-index:9;top:0'>Score: 100</div>",
    "moved": "<div style='margin-top:-900px'>Score: 100</div>",
    "redirect": "<meta http-equiv=refresh content='0;url=//evil'>",
    "base address": "<base href=//evil>",
    "comment trick": "<!--><img src=x onerror=evil()>-->",
    "text area trick": "<textarea><img title='</textarea><img src=x onerror=evil()>'></textarea>",
    "math trick": "<math><mtext><table><mglyph><style><img src=x onerror=evil()>",
}
SAFE_TAGS = frozenset(
    """a b br code details div em h1 h2 h3 hr i img li ol p pre span strong summary table tbody td th thead tr
    ul""".split()
)
FRAGMENTS = ["<p>", "</", "<", ">", '"', "'", "&", "=", "&lt;", "x", " ", "\0"]


class Audit(HTMLParser):
    """Collects what a browser might act on in a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.findings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes tags, handlers, addresses and styles that must not be there."""
        if tag not in SAFE_TAGS:
            self.findings.append(f"<{tag}>")
        for name, value in attrs:
            address = re.sub(r"[\s\x00-\x1f]", "", value or "").lower()
            if name.startswith("on") or name in {"srcset", "action", "formaction", "background", "xlink:href"}:
                self.findings.append(name)
            elif name == "href" and not address.startswith(("http://", "https://", "mailto:", "#")):
                self.findings.append(f"href {address}")
            elif name == "src" and not re.match(r"data:image/(png|jpeg|gif|webp);base64,", address):
                self.findings.append(f"src {address}")
            elif name == "style" and re.search(r"url|\\|position|z-index|-\d", address):
                self.findings.append(f"style {address}")


def findings(html: str) -> list[str]:
    """What is dangerous in this HTML, as a browser reads it."""
    audit = Audit()
    audit.feed(html)
    audit.close()
    return audit.findings


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_attacks_are_made_harmless(attack: str) -> None:
    """Nothing is left that a browser would act on."""
    assert findings(clean_html(attack)) == []


@given(
    st.lists(st.sampled_from([*ATTACKS.values(), "<p>", "</", "<", ">", '"', "'", "&", "=", "&lt;", "x", " ", "\0"]))
)
def test_no_mixture_of_attacks_gets_through(parts: list[str]) -> None:
    """Pieces that break out of each other's quotes and tags stay harmless."""
    assert findings(clean_html("".join(parts))) == []


@given(st.text())
def test_any_text_can_be_cleaned_and_stays_clean(text: str) -> None:
    """Cleaning never fails, and cleaning twice changes nothing dangerous back."""
    once = clean_html(text)
    assert findings(once) == []
    assert findings(clean_html(once)) == []


@pytest.mark.parametrize(
    "html",
    [
        "<p>One <strong>two</strong> <code>three</code></p>",
        '<h2>Title</h2><ul><li>item</li></ul><a href="https://arxiv.org/abs/1502.03167">paper</a>',
        "<table><tbody><tr><td>torch.<wbr>optim</td></tr></tbody></table>",
        '<img alt="curve" src="data:image/png;base64,iVBORw0KGgo=">',
        "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>",
        "<details><summary>Hint</summary><p>text</p></details>",
    ],
    ids=["emphasis", "headings, lists and links", "places to break", "pictures", "tables", "folds"],
)
def test_ordinary_markup_is_left_as_it_is(html: str) -> None:
    """What Markdown makes of an honest answer is shown as meant."""
    assert clean_html(html) == html


def notebook_of(attack: str) -> nbformat.NotebookNode:
    """A notebook with a text in every place that a page shows."""
    manual = {"grade": True, "solution": True, "locked": False, "grade_id": "q", "points": 1, "schema_version": 3}
    manual |= {"cell_type": "markdown", "score": 0, "comment": "fine", "task": False}
    outputs = [
        nbformat.v4.new_output("display_data", {"text/html": attack, "text/plain": ""}),
        nbformat.v4.new_output("display_data", {"text/markdown": attack, "text/plain": ""}),
        nbformat.v4.new_output("display_data", {"text/latex": attack, "text/plain": ""}),
        nbformat.v4.new_output("display_data", {"application/javascript": attack, "text/plain": ""}),
        nbformat.v4.new_output("stream", name="stdout", text=attack),
        nbformat.v4.new_output("stream", name="stderr", text=attack),
        nbformat.v4.new_output("error", ename=attack, evalue=attack, traceback=[attack]),
    ]
    cells = [
        nbformat.v4.new_markdown_cell(attack),
        nbformat.v4.new_markdown_cell(attack, metadata={"nbgrader": manual}),
        nbformat.v4.new_raw_cell(attack, metadata={"raw_mimetype": "text/html"}),
        nbformat.v4.new_code_cell(f"'''{attack}'''", outputs=outputs, metadata={"tags": [attack.replace(",", "")]}),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def body(template: str, notebook: nbformat.NotebookNode, config: Config) -> str:
    """The part of nbgrader's page that comes from the notebook."""
    import nbgrader

    folder = Path(nbgrader.__file__).parent / "server_extensions/formgrader"
    config.HTMLExporter.template_name = template
    config.HTMLExporter.extra_template_basedirs = [str(folder / "templates")]
    config.HTMLExporter.extra_template_paths = [str(folder / "static/node_modules/bootstrap/dist/css")]
    known = {"notebook": "n", "score": 0, "max_score": 1, "late_penalty": 0}
    resources = {"nbgrader": known, "base_url": "", "mathjax_url": "", "notebook_id": "n", "submission_id": "s"}
    resources |= {"assignment_id": "a", "first_name": "", "last_name": "", "index": 0, "total": 1, "student": "ada"}
    html, _ = HTMLExporter(config=config).from_notebook_node(notebook, resources)
    start = html.index('id="notebook-container"')
    return str(html[start:])


@pytest.mark.parametrize("template", ["feedback", "formgrade"])
def test_nbgraders_pages_are_harmless_with_the_courses_configuration(template: str) -> None:
    """The students' feedback and the instructors' formgrader show a hostile notebook without running any of it."""
    config = Course.find(ROOT).config
    own = findings(body(template, notebook_of("plain"), config))  # nbgrader's buttons and fields
    assert findings(body(template, notebook_of("".join(ATTACKS.values())), config)) == own


@pytest.mark.parametrize("template", ["feedback", "formgrade"])
def test_drawings_of_a_submission_cannot_run(template: str) -> None:
    """An SVG output becomes a picture, in which browsers run no script, not a part of the page."""
    output = nbformat.v4.new_output("display_data", {"image/svg+xml": ATTACKS["drawing"], "text/plain": ""})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("draw()", outputs=[output])])
    page = body(template, notebook, Course.find(ROOT).config)
    assert "<svg" not in page
    assert 'src="data:image/svg+xml;base64,' in page


@pytest.mark.parametrize("template", ["feedback", "formgrade"])
def test_without_the_configuration_nbgraders_pages_are_not_harmless(template: str) -> None:
    """The test above would see it, if the filters were not in place."""
    page = body(template, notebook_of(ATTACKS["script"]), Config({"HTMLExporter": {"sanitize_html": True}}))
    assert "<script>" in findings(page)
