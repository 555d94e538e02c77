"""Which cells of an activation share one mean: batch, layer, instance and group normalization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course_lib.lab.plots import counted
from course_lib.widgets.controls import Choice, Slider
from course_lib.widgets.explorer import Design, Explorer, State, show_widget
from course_lib.widgets.predictions import Marking
from course_lib.widgets.scene import Cells, Scene

__all__ = ["DESIGN", "NAMES", "group_of_cells", "number_of_means", "numbers", "overlap", "shared_means"]

SHAPE = (4, 6, 2, 2)
"""(N, C, H, W) of the picture."""
_OTHER = (8, 6, 4, 4)
NAMES: Mapping[str, str] = {
    "batch": "batch norm",
    "layer": "layer norm",
    "instance": "instance norm",
    "group": "group norm",
}


def group_of_cells(kind: str, shape: tuple[int, int, int, int], groups: int) -> NDArray[np.int64]:
    """For every cell the number of the mean it is normalized with (Wu, He 2018, figure 2).

    Args:
        kind: key of `NAMES`.
        shape: (N, C, H, W).
        groups: of group norm; divides C.

    Returns:
        shape (N, C, H, W), numbered from 0.
    """
    n, c, _, _ = shape
    example, channel = np.arange(n).reshape(n, 1, 1, 1), np.arange(c).reshape(1, c, 1, 1)
    number = {
        "batch": channel,
        "layer": example,
        "instance": example * c + channel,
        "group": example * groups + channel // (c // groups),
    }[kind]
    return np.broadcast_to(number, shape)


def number_of_means(kind: str, shape: tuple[int, int, int, int], groups: int) -> int:
    """How many means a normalization computes."""
    return int(group_of_cells(kind, shape, groups).max()) + 1


def overlap(marked: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    """Cells in both, as a share of the cells in either."""
    either = int((marked | right).sum())
    return int((marked & right).sum()) / either if either else 0.0


def numbers(state: State) -> Scene:
    """The cells, colored and numbered by the mean they share once the prediction is locked in."""
    return _open_scene(state) if not state["locked"] else _solved_scene(state)


def _open_scene(state: State) -> Scene:
    signs = np.zeros(np.prod(SHAPE), np.uint8)
    signs[list(state["marked"])] = 2
    signs[0] = 1 if not signs[0] else 2
    panel = Cells(_title(SHAPE), SHAPE, np.full(signs.shape, 255, np.uint8), signs, ("", "★", "✓"))
    marked = len(state["marked"])
    line = f"{marked} of {signs.size} cells {'is' if marked == 1 else 'are'} marked. The star is example 0, channel 0."
    return Scene((panel,), line, height=290)


def _solved_scene(state: State) -> Scene:
    kind, groups = state["kind"], int(state["groups"])
    shape = (int(state["examples"]), *SHAPE[1:])
    number = group_of_cells(kind, shape, groups).reshape(-1)
    star = state["star"] if state["star"] < number.size else 0
    shared = number == number[star]
    letters = ("", "★", *(str(i + 1) for i in range(int(number.max()) + 1)))
    signs = (number + 2).astype(np.uint8)
    signs[star] = 1
    own = np.isin(np.arange(number.size), list(state.get("answer") or ())).astype(np.uint8)
    title = f"{_title(shape)}; framed: your marks"
    panel = Cells(title, shape, (number % 6).astype(np.uint8), signs, letters, own)
    name = NAMES[kind] + (f" with {counted(groups, 'groups')}" if kind == "group" else "")
    count = number_of_means(kind, shape, groups)
    line = (
        f"{name}: {counted(count, 'means')} for {shape}, {'each ' * (count > 1)}over {int(shared.sum())} cells. "
        f"The star shares mean {int(number[star]) + 1}. For {_OTHER}: {_counts(groups)}."
    )
    return Scene((panel,), line, height=290)


def _title(shape: tuple[int, ...]) -> str:
    return f"an activation of shape (N, C, H, W) = {shape}"


def _counts(groups: int) -> str:
    return ", ".join(
        f"{NAMES[kind]}{f' ({groups})' if kind == 'group' else ''} {number_of_means(kind, _OTHER, groups)}"
        for kind in NAMES
    )


def right(answer: Any, state: State) -> bool:
    """Whether all of the star's channel is marked, and nothing else."""
    return {0, *answer} == set(np.flatnonzero(group_of_cells("batch", SHAPE, 1).reshape(-1) == 0).tolist())


def explain(answer: Any, state: State) -> str:
    """What was marked, what is right, why."""
    number = group_of_cells("batch", SHAPE, 1).reshape(-1)
    right = number == number[0]
    marked = np.zeros(right.shape, bool)
    marked[list(answer)] = True
    marked[0] = True
    hit, wrong = int((marked & right).sum()), int((marked & ~right).sum())
    missed = int((~marked & right).sum())
    verdict = "All of them" if not wrong and not missed else f"{missed} missing, {wrong} too many"
    return (
        f"You marked {hit} of the {int(right.sum())} cells that share the star's mean in batch norm ({verdict}; "
        f"overlap {100 * overlap(marked, right):.0f}%). It is the whole channel: all examples, all places. "
        f"{_mistaken(marked)}{_why(state)}"
    )


def _mistaken(marked: NDArray[np.bool_]) -> str:
    """What else was marked, if it is the share of another mean."""
    cells = marked.reshape(SHAPE)
    for kind in ("layer", "instance", "group"):
        number = group_of_cells(kind, SHAPE, 3)
        if np.array_equal(cells, number == number[0, 0, 0, 0]):
            return f"What you marked is what shares a mean in {NAMES[kind]}. "
    if np.array_equal(cells, np.broadcast_to(np.indices(SHAPE)[1:].sum(0) == 0, SHAPE)):
        return "You marked one place in every example; for images the mean also runs over all places. "
    if cells.all():
        return "One mean over everything would make the channels depend on each other. "
    return ""


def _why(state: State) -> str:
    if state["examples"] == 1 and state["kind"] == "batch":
        return "With one example, batch norm is instance norm."
    return {
        "batch": "So an example's output depends on the others in its batch.",
        "layer": "Layer norm averages over one example's channels and places. No other example matters; N = 1 works.",
        "instance": "Instance norm averages over the places of one channel of one example: contrast is removed.",
        "group": "Group norm lies between: one group is layer norm, as many groups as channels is instance norm.",
    }[str(state["kind"])]


DESIGN = Design(
    name="shared-means",
    title="Which cells share one mean?",
    controls=(
        Choice("kind", "Normalization", NAMES, "batch"),
        Slider("groups", "Groups of group norm", (1.0, 2.0, 3.0, 6.0), 3.0),
        Slider("examples", "Examples N", (1.0, 2.0, 3.0, 4.0), 4.0),
    ),
    prediction=Marking(
        "Mark all cells that share one mean with the starred cell in batch normalization of images.",
        int(np.prod(SHAPE)),
        "Now choose the other normalizations; click a cell to move the star.",
    ),
    numbers=numbers,
    explain=explain,
    right=right,
)


def shared_means(fresh: bool = False) -> Explorer:
    """Show which cells of an activation are normalized with the same mean.

    Args:
        fresh: forget the prediction that was locked in before.
    """
    return show_widget(DESIGN, fresh)
