"""How hard the fuzz tests try, and what they try: any JSON, and notebooks in any state."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.support import made_up

__all__ = ["any_json", "any_notebook", "fuzz"]

_Test = TypeVar("_Test", bound=Callable[..., Any])


def fuzz(usual: int, full: int = 10_000) -> Callable[[_Test], _Test]:
    """Marks a fuzz test and says how many examples it tries.

    Args:
        usual: in the test suite.
        full: with the environment variable ``FUZZ_EXAMPLES=full`` (``make fuzz``); it can also be a number.
    """
    wish = os.environ.get("FUZZ_EXAMPLES", "")
    number = full if wish == "full" else int(wish or usual)
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]  # both measure the machine, not the code

    def decorate(test: _Test) -> _Test:
        tried: _Test = settings(max_examples=number, suppress_health_check=quiet)(test)
        return pytest.mark.fuzz(tried)

    return decorate


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)

_IDS = [cell["id"] for cell in made_up.notebook()["cells"]]
_CODE = [
    "",
    made_up.SOLUTION,
    made_up.PAIR_SOLUTION,
    "# YOUR CODE HERE\nraise NotImplementedError()",
    "def column_scale(*args):\n    return args",
    "def double(x):\n    return [x, {1: x}, None]",
    "column_scale = None",
    "del column_scale, double",
    "1 / 0",
    "import os; os._exit(1)",
    "raise SystemExit('enough')",
    "def halve(x): exit()",
    "%reset -f",
    "!ls",
    "%%time\nx = 1",
    "x = [",
    "print('x' * 10_000)",
    "get_ipython().ask_exit()",
    "import sys; sys.modules.clear()",
    "import builtins; builtins.len = None",
]
_names = st.sampled_from([*_IDS, "added-1", "x"])
_sources = st.sampled_from(_CODE) | st.text(max_size=40) | st.lists(st.text(max_size=10), max_size=3)
_nbgrader = st.fixed_dictionaries(
    {}, optional={"grade_id": _names | any_json, **dict.fromkeys(("points", "solution", "locked", "grade"), any_json)}
)
_metadata = st.fixed_dictionaries(
    {}, optional={"nbgrader": _nbgrader | any_json, "tags": st.just(["experiment"]) | any_json}
)
_cells = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw"]) | any_json,
        "id": _names | any_json,
        "metadata": _metadata | any_json,
        "source": _sources | any_json,
        "outputs": any_json,
        "attachments": any_json,
    },
)


@st.composite
def _shuffled(draw: st.DrawFn) -> list[Any]:
    """The released cells with cells lost, doubled, moved, rewritten and damaged."""
    cells = [copy.deepcopy(draw(st.sampled_from(made_up.notebook()["cells"]))) for _ in range(draw(st.integers(0, 12)))]
    for cell in cells:
        damage = draw(st.integers(0, 3))
        if damage == 1:
            cell[draw(st.sampled_from(sorted(cell)))] = draw(any_json)
        elif damage == 2:
            cell["source"] = draw(_sources)
    return cells


def any_notebook() -> st.SearchStrategy[dict[str, Any]]:
    """A file's JSON: cells of every kind and none, under any version, with any metadata."""
    cells = st.lists(_cells | any_json, max_size=8) | _shuffled()
    return st.fixed_dictionaries({"cells": cells, "nbformat": any_json, "metadata": any_json})
