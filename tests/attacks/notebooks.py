"""Attacks by the notebook itself: markup for those who read it, and text that is made to stall whoever parses it."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.attacks.attack import Attack, body
from tests.support import made_up

__all__ = ["NOTEBOOKS"]

_SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>"
_ANSI = "\\x1b]0;owned\\x07\\x1b[2J\\x1b[31m\\x9b31m\\u202e"


def _points(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        if cell["id"] in ("column-scale", "pair"):
            cell["source"] = "print('all criteria hold')\n100.0"
            cell["metadata"]["nbgrader"] |= {"points": 100, "locked": False, "checksum": "0" * 32}


def _renamed_roles(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        nbgrader = cell["metadata"].get("nbgrader", {})
        if nbgrader.get("solution"):
            nbgrader |= {"grade": True, "points": 50, "locked": True}
        elif nbgrader.get("grade"):
            nbgrader |= {"grade": False, "solution": True}


def _own_outputs(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [
                {
                    "output_type": "execute_result",
                    "data": {"text/plain": "5.0", "text/html": _SCRIPT},
                    "metadata": {},
                    "execution_count": 1,
                }
            ]


def _copies(notebook: dict[str, Any]) -> None:
    notebook["cells"] += [copy.deepcopy(cell) for cell in notebook["cells"] for _ in range(50)]


def _markup(notebook: dict[str, Any]) -> None:
    made_up.cell(notebook, "why")["source"] = _SCRIPT
    notebook["cells"].append(made_up.markdown("extra", f"[click](javascript:alert(1)) {_SCRIPT}"))
    notebook["cells"].append({"cell_type": "raw", "id": "raw", "metadata": {"format": "text/html"}, "source": _SCRIPT})
    notebook["metadata"] |= {"title": _SCRIPT, "kernelspec": {"name": _SCRIPT, "display_name": _SCRIPT}}
    for cell in notebook["cells"]:
        cell["metadata"] |= {"tags": [_SCRIPT, "remove_cell"], "jupyter": {"source_hidden": True}, "widgets": _SCRIPT}


def _code(text: str, count: int) -> Any:
    def edit(notebook: dict[str, Any]) -> None:
        notebook["cells"] += [made_up.code(f"much-{n}", text) for n in range(count)]

    return edit


def _experiments(notebook: dict[str, Any]) -> None:
    text = "\n".join(f"name_{n} = torch.sum" for n in range(3000))
    notebook["cells"] += [made_up.code(f"much-{n}", text, tags=("experiment",)) for n in range(200)]


NOTEBOOKS = (
    Attack("edited-points", "gives the test cells 100 points and another text", edit=_points, stock=True),
    Attack("changed-roles", "makes solution cells graded and test cells solutions", edit=_renamed_roles),
    Attack("own-outputs", "hands in outputs that look like scores", edit=_own_outputs),
    Attack("fifty-copies", "every cell fifty times", edit=_copies),
    Attack("markup", "scripts in markdown, raw cells, metadata, tags and the written answer", edit=_markup),
    Attack(
        "markup-in-outputs",
        "HTML, SVG, JavaScript and widgets as outputs",
        cell=f"""
            from IPython.display import HTML, SVG, Javascript, display
            display(HTML({_SCRIPT!r})); display(Javascript("alert(1)"))
            display({{"image/svg+xml": {_SCRIPT!r}, "text/html": {_SCRIPT!r}, "text/latex": {_SCRIPT!r},
                      "application/vnd.jupyter.widget-view+json": {{}}, "image/png": {_SCRIPT!r}}}, raw=True)
            print({_SCRIPT!r})
        """,
        stock=True,
    ),
    Attack(
        "markup-in-exceptions",
        "scripts and control sequences in exceptions of cells and functions",
        cell=f"raise type({_SCRIPT!r}, (Exception,), {{}})('{_ANSI}' + {_SCRIPT!r})",
        column_scale=body(f"raise type({_SCRIPT!r}, (Exception,), {{}})('{_ANSI}' + {_SCRIPT!r})"),
    ),
    Attack("control-sequences", "terminal control sequences in output and names", cell=f"print('{_ANSI}' * 100)"),
    Attack("deep-json", "a notebook nested a million deep", raw=lambda text: b'{"cells": ' + b"[" * 1_000_000),
    Attack(
        "millions-of-parts",
        "a file of 30 MB that takes 1 GB to parse",
        raw=lambda text: b'{"cells": [' + b"[]," * 10_000_000 + b"[]]}",
    ),
    Attack(
        "huge-number",
        "a notebook with a number of a million digits",
        raw=lambda text: b'{"cells": ' + b"1" * 1_000_000 + b"}",
    ),
    Attack(
        "lone-surrogates",
        "text that cannot be written to a file",
        cell="text = 'SURROGATE'",
        raw=lambda text: text.replace("SURROGATE", "\\ud800\\u0000").encode(),
    ),
    Attack("many-cells", "fifteen hundred cells", edit=_code("1 + 1", 1500)),
    Attack("deep-code", "code nested too deep to be read", cell="x0 = " + "-" * 50_000 + "1"),
    Attack("long-chain", "a chain of thousands of attributes", cell="import torch\ntorch" + ".nn" * 900),
    Attack("long-cell", "hides code in a cell of a megabyte", cell="# " + "x" * 1_000_000 + "\nimport torch"),
    Attack("magics-without-end", "a thousand lines of magics", cell="%time 1\n" * 1000),
    Attack(
        "many-definitions",
        "thirty thousand definitions that refer to each other",
        edit=_code("\n".join(f"a{n} = a{n + 1}" for n in range(4000)), 8),
    ),
    Attack(
        "many-experiments",
        "two hundred long experiment cells, searched for a missing name",
        column_scale="pass",
        pair="pass",
        edit=_experiments,
    ),
    Attack("not-a-notebook", "HTML under the notebook's name", raw=lambda text: _SCRIPT.encode()),
    Attack(
        "bad-utf-8", "bytes that are no text", raw=lambda text: text.encode().replace(b"Made up", b"\xff\xfe\x80 up")
    ),
    Attack(
        "old-format",
        "the format of 2013, with a script as its title",
        raw=lambda text: json.dumps(
            {
                "nbformat": 3,
                "nbformat_minor": 0,
                "metadata": {"name": _SCRIPT},
                "worksheets": [
                    {"cells": [{"cell_type": "code", "input": "5.0", "outputs": [], "language": "python"}] * 10}
                ],
            }
        ).encode(),
    ),
)
