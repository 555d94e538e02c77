"""One file a command, with `add_arguments(parser)` and `run(args, course) -> exit status`."""

from __future__ import annotations

import argparse

__all__ = ["counted", "positive"]


def positive(text: str) -> int:
    """An argument that is a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def counted(number: int, thing: str) -> str:
    """How many there are, in words.

    >>> counted(1, "page"), counted(2, "page")
    ('1 page', '2 pages')
    """
    return f"{number} {thing}{'' if number == 1 else 's'}"
