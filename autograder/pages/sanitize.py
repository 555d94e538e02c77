"""Making what students wrote safe to look at.

nbgrader's pages (feedback, formgrader) put the Markdown of a submission into HTML as it is, and nbconvert's own switch
`HTMLExporter.sanitize_html` does not reach them: their templates override those blocks (nbgrader 0.9.6,
`server_extensions/formgrader/templates/{feedback,formgrade}/index.html.j2`).  Every such place ends in the filter
`strip_files_prefix`, so `nbgrader_config.py` replaces that filter, and the one of the switch, by the two below.
"""

from __future__ import annotations

import html
import re
from typing import Any

import bleach
import tinycss2
from bleach.css_sanitizer import CSSSanitizer
from nbconvert.filters import strip_files_prefix as _strip_files_prefix

__all__ = ["clean_html", "strip_files_prefix"]

_TAGS = frozenset(
    """a abbr b blockquote br caption code dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img kbd
    li ol p pre s section small span strong sub summary sup table tbody td tfoot th thead tr u ul wbr""".split()
)
_ATTRIBUTES = {
    "*": frozenset({"aria-hidden", "aria-label", "aria-level", "class", "role", "style", "tabindex", "title"}),
    "a": frozenset({"href"}),
    "details": frozenset({"open"}),
    "img": frozenset({"alt", "height", "src", "width"}),
    "ol": frozenset({"start"}),
    "td": frozenset({"align", "colspan", "rowspan"}),
    "th": frozenset({"align", "colspan", "rowspan", "scope"}),
}
_NONE: frozenset[str] = frozenset()
# Those of highlighted code and of formulas.  Bootstrap's could cover the page with a link.
_CLASSES = frozenset(
    """anchor-link highlight hll tex-block tex-inline
    bp c c1 ch cm cp cpf cs dl err esc fm g gd ge ges gh gi go gp gr gs gt gu il k kc kd kn kp kr kt l ld m mb mf mh mi
    mo n na nb nc nd ne nf ni nl nn no nt nv nx o ow p pm py s s1 s2 sa sb sc sd se sh si sr ss sx vc vg vi vm w
    x""".split()
)
# Literal beginnings: an address that hides its scheme behind entities or control characters does not match.
_LINK = re.compile(r"https?://|mailto:|#")
_PICTURE = re.compile(r"data:image/(?:gif|jpeg|png|webp);base64,[A-Za-z0-9+/=\s]*\Z")
# Nothing that can cover other parts of the page: no position, z-index, transform.
_PROPERTIES = frozenset(
    """align-items background background-color border border-bottom border-collapse border-color border-left
    border-left-color border-radius border-right border-spacing border-style border-top border-width box-sizing color
    color-scheme column-gap cursor display flex flex-wrap font font-family font-size font-style font-variant-numeric
    font-weight gap justify-content line-height list-style list-style-type margin margin-bottom margin-left margin-right
    margin-top max-height max-width min-width opacity overflow overflow-wrap overflow-x padding padding-bottom
    padding-left padding-right padding-top row-gap text-align text-decoration text-transform vertical-align white-space
    width word-break""".split()
)
_FUNCTIONS = frozenset({"hsl", "hsla", "light-dark", "rgb", "rgba"})
_NUMBERS = frozenset({"dimension", "number", "percentage"})
_WORDS = frozenset({"hash", "ident", "literal", "string", "whitespace"})


class _Styles(CSSSanitizer):  # type: ignore[misc]  # bleach ships no types
    """Style attributes that neither load anything (a page must not tell that it was opened) nor leave their place."""

    def sanitize_css(self, style: str) -> str:
        """The harmless declarations of a style attribute."""
        css = html.unescape(style)
        if "&" in css:  # entities within entities
            return ""
        parsed = tinycss2.parse_declaration_list(css, skip_comments=True, skip_whitespace=True)
        kept = [item for item in parsed if item.type == "declaration" and _is_harmless(item)]
        return " ".join(f"{item.lower_name}: {tinycss2.serialize(item.value).strip()};" for item in kept)


def _is_harmless(declaration: Any) -> bool:
    return declaration.lower_name in _PROPERTIES and all(map(_is_plain, declaration.value))


def _is_plain(token: Any) -> bool:
    if token.type in _NUMBERS:
        return bool(token.value >= 0)  # a negative margin moves a box over its neighbours
    if token.type == "function":
        return token.lower_name in _FUNCTIONS and all(map(_is_plain, token.arguments))
    return token.type in _WORDS


def _is_allowed(tag: str, name: str, value: str) -> bool:
    if name not in _ATTRIBUTES["*"] | _ATTRIBUTES.get(tag, _NONE):
        return False
    if name == "class":
        return _CLASSES.issuperset(value.split())
    if name == "href":
        return _LINK.match(value) is not None
    return name != "src" or _PICTURE.match(value) is not None


def clean_html(markup: object) -> str:
    """HTML without anything that could run, load or cover something: such tags are shown as text.

    Args:
        markup: text or UTF-8 bytes, possibly hostile.
    """
    text = markup.decode(errors="replace") if isinstance(markup, bytes) else str(markup)
    cleaned = bleach.clean(
        text,
        tags=_TAGS,
        attributes=_is_allowed,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=_Styles(),
    )
    return str(cleaned)


def strip_files_prefix(markup: str) -> str:
    """nbconvert's filter of this name, and clean."""
    return clean_html(_strip_files_prefix(markup))
