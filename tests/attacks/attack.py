"""What an attack is, and how one is turned into a submission."""

from __future__ import annotations

import copy
import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support import made_up

__all__ = ["IN_PLACE", "RIGHT", "UNBIASED", "WRONG", "WRONG_PAIR", "Attack", "body", "submission"]

RIGHT = made_up.SOLUTION
UNBIASED = RIGHT.replace("(deviation**2).mean(dim=0)", "x.var(dim=0)")
IN_PLACE = RIGHT.replace("deviation = x - middle", "deviation = x.sub_(middle)")
WRONG = "def column_scale(x, gamma, eps):\n    return torch.zeros_like(x), torch.zeros_like(gamma)\n"
WRONG_PAIR = "def double(x):\n    return x + 1\n\n\ndef halve(x):\n    return x - 1\n"


@dataclass(frozen=True)
class Attack:
    """A wrong answer and a trick.

    Attributes:
        name: short, unique.
        aim: what it tries, in words.
        cell: a cell of the student's own, before the solutions.
        column_scale, pair: the solution cells with the trick.
        plain: the same answer to `column_scale` without the trick: more points than it gets would be forged.
        last: a cell after the solutions.
        edit: changes the notebook's JSON as a whole.
        raw: handed in instead of the notebook's JSON text.
        slow: runs into a time limit.
        stock: compared with stock nbgrader.
    """

    name: str
    aim: str
    cell: str = ""
    column_scale: str = WRONG
    pair: str = WRONG_PAIR
    plain: str = WRONG
    last: str = ""
    edit: Callable[[dict[str, Any]], None] | None = None
    raw: Callable[[str], bytes] | None = None
    slow: bool = False
    stock: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    def without_trick(self) -> Attack:
        """The same wrong answer, honestly handed in."""
        return Attack(f"{self.name}, without the trick", "", column_scale=self.plain)


def body(text: str, before: str = "") -> str:
    """A definition of `column_scale` with this body."""
    inner = textwrap.indent(textwrap.dedent(text).strip("\n"), "    ")
    return f"{textwrap.dedent(before)}\n\ndef column_scale(x, gamma, eps):\n{inner}\n"


def submission(released: Mapping[str, Any], attack: Attack) -> bytes:
    """The released notebook with an attack written into it."""
    notebook = copy.deepcopy(dict(released))
    sources = {"column-scale-solution": attack.column_scale, "pair-solution": attack.pair}
    for cell in notebook["cells"]:
        cell["source"] = textwrap.dedent(sources.get(cell["id"], "".join(cell["source"])))
    if attack.cell:
        notebook["cells"].insert(2, made_up.code("mine", textwrap.dedent(attack.cell)))
    if attack.last:
        notebook["cells"].append(made_up.code("mine-too", textwrap.dedent(attack.last)))
    if attack.edit is not None:
        attack.edit(notebook)
    text = json.dumps(notebook)
    for name, value in attack.words.items():
        text = text.replace(name, value)
    return attack.raw(text) if attack.raw is not None else text.encode()
