"""Text that students can have a hand in, made ready for a page: escaped, and nothing in it hides or turns a line."""

from __future__ import annotations

import unicodedata
from typing import Any

from markupsafe import Markup, escape

__all__ = ["prose", "visible"]


def prose(text: str) -> Markup:
    """Plain text in which `backticks` mark code."""
    parts = visible(text).split("`")
    if len(parts) % 2 == 0:  # a backtick without its partner
        return escape(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def visible(value: Any) -> Any:
    """Control and direction characters as a replacement mark: they must not reorder or hide what is shown."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(
        "\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") and char not in "\n\t" else char
        for char in value
    )
