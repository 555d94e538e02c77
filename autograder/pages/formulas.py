"""Formulas as MathML, which browsers set by themselves: pages read well without a network, and need no script.

nbconvert leaves formulas as TeX for MathJax, which its pages load from elsewhere.  Here they are marked while Markdown
is rendered, and set after everything else on the page is clean (`autograder.pages.sanitize`): `latex2mathml` writes
what stands in a formula as it is, so its result is taken only if it is made of harmless elements.
"""

from __future__ import annotations

import functools
import html
import re
from typing import Any
from xml.etree import ElementTree

from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

__all__ = ["HEAD", "markdown_with_formulas", "set_formulas", "without_mathjax"]

HEAD = """<style>math { font-size: 1.08em; } math[display='block'] { margin: .7em 0; overflow-x: auto; }
[data-whole] { white-space: nowrap; }</style>"""
_MARKED = re.compile(r"([(\[]?)<span class=\"tex-(inline|block)\">([^<]*)</span>([.,;:?!)\]]*)")
_MATHJAX = re.compile(r"<!-- Load mathjax -->.*?<!-- End of mathjax configuration -->", re.DOTALL)
_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_ELEMENTS = frozenset(
    """math menclose mfrac mi mn mo mover mpadded mphantom mroot mrow mspace msqrt mstyle msub msubsup msup mtable mtd
    mtext mtr munder munderover""".split()
)
_ATTRIBUTES = frozenset(
    """accent columnalign columnlines columnspacing depth display displaystyle fence form height largeop linebreak
    linethickness lspace mathsize mathvariant maxsize minsize movablelimits notation rowlines rowspacing rspace
    scriptlevel separator stretchy symmetric voffset width""".split()
)
_LONGEST = 4000

ElementTree.register_namespace("", _NAMESPACE[1:-1])


class _Renderer(IPythonRenderer):
    """Marks formulas instead of leaving them between dollars."""

    def block_math(self, body: str) -> str:
        """A displayed formula."""
        return f'<span class="tex-block">{html.escape(body)}</span>'

    def inline_math(self, body: str) -> str:
        """A formula within a line."""
        return f'<span class="tex-inline">{html.escape(body)}</span>'

    def latex_environment(self, name: str, body: str) -> str:
        """A displayed environment, as ``align``."""
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def markdown_with_formulas(exporter: HTMLExporter, context: Any, source: str) -> str:
    """As `HTMLExporter.markdown2html`, with formulas marked for `set_formulas`."""
    resources = context.get("resources", {}).get("metadata", {})
    renderer = _Renderer(
        escape=False,
        attachments=context.get("cell", {}).get("attachments", {}),
        embed_images=exporter.embed_images,
        path=resources.get("path", ""),
        anchor_link_text=exporter.anchor_link_text,
        exclude_anchor_links=exporter.exclude_anchor_links,
    )
    return str(MarkdownWithMath(renderer=renderer).render(source))


def set_formulas(markup: str) -> str:
    """Clean HTML in which marked formulas are MathML; no line begins with the period after one."""
    return _MARKED.sub(_whole, markup)


def without_mathjax(page: str, instead: str = "") -> str:
    """A page of nbconvert's that loads nothing to set formulas."""
    return _MATHJAX.sub(lambda _: instead, page)


def _whole(found: re.Match[str]) -> str:
    """A formula with the punctuation beside it: a word joiner would not keep browsers from breaking the line."""
    before, display, tex, after = found.groups()
    formula = f"{before}{_formula(html.unescape(tex), display)}{after}"
    return f"<span data-whole>{formula}</span>" if display == "inline" and before + after else formula


@functools.lru_cache(8192)
def _formula(tex: str, display: str) -> str:
    """MathML, or the TeX itself where that cannot be had: a student may have written anything."""
    try:
        if len(tex) > _LONGEST:
            raise ValueError("too long")
        known = tex.strip().replace("{aligned}", "{align*}")  # the converter knows one of the two
        root = ElementTree.fromstring(convert(known, display=display))
        if not all(map(_is_harmless, root.iter())):
            raise ValueError("not only mathematics")
        root.set("aria-label", " ".join(tex.split())[:500])
        if display == "block":
            root.set("tabindex", "0")  # one that is wider than the page scrolls, and must be reachable by keyboard
        return ElementTree.tostring(root, encoding="unicode")
    except Exception:  # the converter meets odd TeX with any exception
        return f"<code>{html.escape(tex.strip())}</code>"


def _is_harmless(element: ElementTree.Element) -> bool:
    return element.tag.removeprefix(_NAMESPACE) in _ELEMENTS and all(
        attribute in _ATTRIBUTES for attribute in element.attrib
    )
