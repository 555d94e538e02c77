"""Showing something where the student is: rich in a notebook, plain in a terminal, never on stderr."""

from __future__ import annotations

import re
import sys
from typing import Any

__all__ = ["NARROW_SCALE", "printable", "show", "unbroken"]

NARROW_SCALE = 0.65
"""How large a figure is on a phone, where the style of `device.banner` asks for it: words have 8 pixels and more."""

# It begins where no number or word goes on, so that a text of digits alone is read once.
_POWER = re.compile(r"-?(?<![\w.])\d[\d.]*e[-+]\d+")
_PLAIN_SIGNS = str.maketrans({"✓": "[ok]", "✗": "[x]", "○": "[ ]", "►": ">", "“": '"', "”": '"'})


def show(thing: Any, text: str) -> None:
    """Display a thing that has `_repr_mimebundle_`.

    Args:
        thing: for a notebook.
        text: for everything else.
    """
    # Looked up, not imported: a plain script need not pay for IPython.
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display(thing)
        return
    print(printable(text, sys.stdout.encoding or "ascii"))


def printable(text: str, encoding: str) -> str:
    """The text with signs that the encoding lacks replaced by words."""
    try:
        text.encode(encoding)
    except UnicodeError:
        return text.translate(_PLAIN_SIGNS).encode(encoding, "replace").decode(encoding)
    return text


def unbroken(markup: str) -> str:
    """HTML in which no line ends within a number such as 2e-07, at its hyphen."""
    return _POWER.sub(r'<span style="white-space:nowrap">\g<0></span>', markup)
