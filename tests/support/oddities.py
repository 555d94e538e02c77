"""Honest submissions that look odd: from other editors, with pasted pictures, with cells split, copied, moved, retyped.

Everything in them is right, so each must get every point, a page, and no flag but the one that it deserves.
"""

from __future__ import annotations

import base64
import copy
import functools
import io
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import matplotlib.figure

from autograder.sample_class.draft import Draft
from autograder.sample_class.material import Cell, Material, is_written

__all__ = ["CHANGES", "EDITORS", "Oddity", "odd_submission"]

Notebook = dict[str, Any]


@dataclass
class Oddity:
    """One such submission.

    Attributes:
        student: an id; unique for each number.
        answer: words that stand in the first written answer, so that one can see whether it arrived.
        kinds: what is odd about it, for messages.
    """

    student: str
    file_name: str
    data: bytes
    answer: str
    flags: tuple[str, ...] = ()
    kinds: list[str] = field(default_factory=list)


class _Page:
    """A solved notebook that is being made odd."""

    def __init__(self, material: Material, rng: random.Random, answer: str) -> None:
        self.rng = rng
        self.material = material
        draft = Draft(material, rng)
        self.notebook: Notebook = {**material.fresh(), "cells": draft.cells}
        for number, cell in enumerate(filter(is_written, self.cells)):
            cell["source"] = answer if number == 0 else "It follows from the definition above."
        for cell in self.cells:
            if cell["cell_type"] == "code":
                cell["execution_count"] = rng.randint(1, 400)
        self.encoding = "utf-8"
        self.indent: int | None = 1
        self.file_name = material.notebook

    @property
    def cells(self) -> list[Cell]:
        cells: list[Cell] = self.notebook["cells"]
        return cells

    @functools.cached_property
    def _solutions(self) -> list[str]:
        return [f"{name}-solution" for name in self.material.exercises]

    def cell(self, name: str) -> Cell:
        return next(cell for cell in self.cells if _name(cell) == name)

    def some_solution(self) -> Cell:
        return self.cell(self.rng.choice(self._solutions))

    def answer(self) -> Cell:
        return next(cell for cell in self.cells if _is_answer(cell))

    def place(self) -> int:
        """Behind the first cell that is run, so that imports come first."""
        first = next(n for n, cell in enumerate(self.cells) if cell["cell_type"] == "code")
        return self.rng.randint(first + 1, len(self.cells))

    def own(self, source: str, kind: str = "code", **more: Any) -> Cell:
        """A cell of the student's own, somewhere."""
        cell: Cell = {"cell_type": kind, "id": f"own{self.rng.randrange(10**6)}", "metadata": {}, "source": source}
        if kind == "code":
            cell |= {"outputs": [], "execution_count": None}
        cell |= more
        self.cells.insert(self.place(), cell)
        return cell


def _name(cell: Cell) -> str:
    return str(cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") or cell.get("id", ""))


def _is_answer(cell: Cell) -> bool:
    data = cell.get("metadata", {}).get("nbgrader", {})
    return bool(data.get("grade")) and bool(data.get("solution"))


# --- editors: what they write around the cells


def _jupyterlab_4(page: _Page) -> None:
    page.notebook["metadata"]["language_info"] = {"name": "python", "version": "3.12.4", "mimetype": "text/x-python"}
    for cell in page.cells:
        cell["metadata"] |= {"editable": True, "slideshow": {"slide_type": ""}, "jupyter": {"source_hidden": False}}


def _jupyterlab_3(page: _Page) -> None:
    page.notebook |= {"nbformat": 4, "nbformat_minor": 4}
    for cell in page.cells:
        cell.pop("id", None)
        cell["metadata"] |= {"tags": cell["metadata"].get("tags", []), "trusted": True}


def _classic(page: _Page) -> None:
    page.notebook |= {"nbformat": 4, "nbformat_minor": 2}
    page.notebook["metadata"] |= {"toc": {"base_numbering": 1, "sideBar": True}, "varInspector": {"cols": {}}}
    for cell in page.cells:
        cell.pop("id", None)
        cell["metadata"] |= {"collapsed": False, "scrolled": True, "deletable": False}


def _colab(page: _Page) -> None:
    page.notebook |= {"nbformat": 4, "nbformat_minor": 0}
    page.notebook["metadata"] = {
        "colab": {"provenance": [], "toc_visible": True, "gpuType": "T4"},
        "accelerator": "GPU",
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
    }
    for cell in page.cells:
        sign = f"{page.rng.getrandbits(60):x}"
        cell.pop("id", None)
        cell["metadata"] |= {"id": sign, "outputId": sign[::-1], "colab": {"base_uri": "https://localhost:8080/"}}
        cell["source"] = cell["source"].splitlines(keepends=True)
    mount = "from google.colab import drive\ndrive.mount('/content/drive')"
    page.cells.insert(0, {"cell_type": "code", "metadata": {"id": "m"}, "source": mount, "outputs": []})


def _vs_code(page: _Page) -> None:
    page.notebook["metadata"] |= {"vscode": {"interpreter": {"hash": "31f2aee4e71d21fbe5cf8b01ff0e069b"}}}
    for cell in page.cells:
        cell["id"] = f"{page.rng.getrandbits(32):08x}"
        cell["metadata"] |= {"vscode": {"languageId": "python"}}


def _kaggle(page: _Page) -> None:
    page.notebook |= {"nbformat": 4, "nbformat_minor": 4}
    page.notebook["metadata"] |= {"kaggle": {"accelerator": "none", "dataSources": [], "isGpuEnabled": False}}
    for cell in page.cells:
        cell.pop("id", None)
        times = {"iopub.status.busy": "2026-05-01T10:00:00.1Z", "shell.execute_reply": "2026-05-01T10:00:01Z"}
        cell["metadata"] |= {"_uuid": f"{page.rng.getrandbits(100):x}", "_kg_hide-input": True, "execution": times}


def _dataspell(page: _Page) -> None:
    page.notebook |= {"nbformat": 4, "nbformat_minor": 0}
    for cell in page.cells:
        cell.pop("id", None)
        cell["metadata"] |= {"pycharm": {"name": "#%%\n", "is_executing": False}, "ExecuteTime": {"end_time": "2026"}}
        cell["source"] = cell["source"].splitlines(keepends=True)


def _cocalc(page: _Page) -> None:
    page.notebook["metadata"] |= {"kernelspec": {"display_name": "Python 3 (system-wide)", "name": "python3-ubuntu"}}
    for cell in page.cells:
        cell["id"] = f"{page.rng.getrandbits(24):06x}"
        cell["metadata"] |= {"collapsed": False, "cocalc": {"outputs": {}}}


def _deepnote(page: _Page) -> None:
    """Takes ids and nbgrader's metadata away; tags stay."""
    page.notebook["metadata"] |= {"deepnote": {}, "deepnote_execution_queue": []}
    for cell in page.cells:
        kept = {"tags": cell["metadata"]["tags"]} if "tags" in cell["metadata"] else {}
        sign = f"{page.rng.getrandbits(120):030x}"
        cell["metadata"] = {**kept, "cell_id": sign, "deepnote_cell_type": cell["cell_type"], "source_hash": sign[:8]}
        cell.pop("id", None)


def _jupytext(page: _Page) -> None:
    page.notebook["metadata"] |= {"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": {"name": "conda-env-ml"}}
    for cell in page.cells:
        cell["metadata"] |= {"lines_to_next_cell": 2}


EDITORS: tuple[Callable[[_Page], None], ...] = (
    _jupyterlab_4,
    _jupyterlab_3,
    _classic,
    _colab,
    _vs_code,
    _kaggle,
    _dataspell,
    _cocalc,
    _deepnote,
    _jupytext,
)


# --- changes: what students do


@functools.cache
def _picture(kind: str) -> str:
    file = io.BytesIO()
    matplotlib.figure.Figure(figsize=(1, 1)).savefig(file, format=kind)
    return base64.b64encode(file.getvalue()).decode()


def _pasted_picture(page: _Page) -> None:
    answer, media = page.answer(), page.rng.choice(["png", "jpeg"])
    name = page.rng.choice([f"image.{media}", f"Bildschirmfoto 2026.{media}", f"图.{media}", f"a(1).{media}"])
    address = name.replace(" ", "%20").replace("(", "%28").replace(")", "%29")
    answer["source"] += f"\n\n![{name}](attachment:{address})"
    answer["attachments"] = {name: {f"image/{media}": _picture(media)}}


def _picture_that_is_lost(page: _Page) -> None:
    """The editor kept the reference and lost the picture."""
    page.answer()["source"] += "\n\n![sketch.png](attachment:sketch.png)"


def _picture_in_a_note(page: _Page) -> None:
    source = f'See <img src="data:image/png;base64,{_picture("png")}" width="40"/> and ![x](https://example.org/x.png)'
    page.own(source, "markdown")


def _helper_above(page: _Page) -> None:
    page.own("def my_helper(x):\n    return x + 1\n\n\nassert my_helper(1) == 2")


def _split_solution(page: _Page) -> None:
    """The first lines in a cell of their own, as after *Split Cell*: below, or above."""
    cell = page.some_solution()
    new = {**copy.deepcopy(cell), "id": f"split{page.rng.randrange(10**6)}", "metadata": {}}
    position = page.cells.index(cell)
    if page.rng.random() < 0.5:
        new["source"] = "import math  # for later\nTAU = 2 * math.pi"
        page.cells.insert(position, new)
    else:  # the function is in the new cell, and nothing but a note is left in the old one
        new["source"], cell["source"] = cell["source"], "# see below"
        page.cells.insert(position + 1, new)


def _copied_solution(page: _Page) -> None:
    """An earlier try stands above the right one, under the same name."""
    cell = page.some_solution()
    first = copy.deepcopy(cell)
    if page.rng.random() < 0.5:
        released = next(other for other in page.material.released["cells"] if other["id"] == _name(cell))
        first["source"] = released["source"]
    page.cells.insert(page.cells.index(cell), first)


def _copied_test(page: _Page) -> None:
    cell = page.cell(page.rng.choice(list(page.material.exercises)))
    page.cells.insert(page.cells.index(cell), copy.deepcopy(cell))


def _deleted_tests(page: _Page) -> None:
    for name in page.rng.sample(list(page.material.exercises), k=1):
        page.cells.remove(page.cell(name))


def _deleted_texts(page: _Page) -> None:
    texts = [cell for cell in page.cells if cell["cell_type"] == "markdown" and not cell["metadata"].get("nbgrader")]
    for cell in page.rng.sample(texts, k=min(3, len(texts))):
        page.cells.remove(cell)


def _deleted_experiments(page: _Page) -> None:
    for cell in [cell for cell in page.cells if "experiment" in cell["metadata"].get("tags", ())][:2]:
        page.cells.remove(cell)


def _retyped_test(page: _Page) -> None:
    cell = page.cell(page.rng.choice(list(page.material.exercises)))
    cell["cell_type"] = page.rng.choice(["markdown", "raw"])
    for key in ("outputs", "execution_count"):
        cell.pop(key, None)


def _retyped_answer(page: _Page) -> None:
    cell = page.answer()
    cell["cell_type"] = "raw"
    cell.pop("attachments", None)


def _retyped_text(page: _Page) -> None:
    texts = [cell for cell in page.cells if cell["cell_type"] == "markdown" and not cell["metadata"].get("nbgrader")]
    page.rng.choice(texts)["cell_type"] = "raw"


def _moved_test(page: _Page) -> None:
    cell = page.cell(page.rng.choice(list(page.material.exercises)))
    page.cells.remove(cell)
    page.cells.append(cell)


def _merged(page: _Page) -> None:
    """*Merge with Cell Below*: the check stands in the solution's cell, and its own is gone."""
    exercise = page.rng.choice(list(page.material.exercises))
    solution, test = page.cell(f"{exercise}-solution"), page.cell(exercise)
    solution["source"] = f"{solution['source']}\n\n{test['source']}"
    page.cells.remove(test)


def _magics(page: _Page) -> None:
    for source in page.rng.sample(
        [
            "!pip install torch --quiet",
            "%pip install seaborn",
            "%matplotlib inline\n%load_ext autoreload\n%autoreload 2",
            "%%time\nsum(range(1000))",
            "%timeit -n 1 -r 1 sum(range(10))",
            "%%capture out\nprint('hidden')",
            "%env OMP_NUM_THREADS=1",
            "import torch\ntorch.zeros?",
            "%whos",
            "%config InlineBackend.figure_format = 'retina'",
        ],
        k=3,
    ):
        page.own(source)


def _time_of_a_solution(page: _Page) -> None:
    cell = page.some_solution()
    cell["source"] = f"%%time\n{cell['source']}"


def _form_of_a_solution(page: _Page) -> None:
    cell = page.some_solution()
    cell["source"] = f"#@title My solution {{ display-mode: 'form' }}\n{cell['source']}   \n\n\n"


def _tried_out(page: _Page) -> None:
    """Prints, a look at shapes, and asserts below the solution."""
    cell = page.some_solution()
    cell["source"] += '\n\n\nif __name__ == "__main__":\n    print("läuft ✓ 完成 🎉")\n\nx_hat_π = 3.14; print(x_hat_π)'


def _windows_lines(page: _Page) -> None:
    for cell in page.cells:
        if isinstance(cell["source"], str):
            cell["source"] = cell["source"].replace("\n", "\r\n")


def _failing_cell(page: _Page) -> None:
    page.own(page.rng.choice(["import seaborn_of_mine", "1 / 0", "open('data.csv')", "undefined_name", "x = ["]))


def _questions_to_the_user(page: _Page) -> None:
    page.own("name = input('Your name? ')\nprint(name)")


def _loud_cell(page: _Page) -> None:
    page.own("import sys, warnings\nwarnings.warn('ünïcode')\nfor n in range(3000): print(n, file=sys.stderr)")


def _plots(page: _Page) -> None:
    page.own("import matplotlib.pyplot as plt\nplt.plot([1, 2, 4]); plt.title('損失'); plt.show()")


def _random_state(page: _Page) -> None:
    page.own("import torch, random, numpy as np\ntorch.manual_seed(0); random.seed(0); np.random.seed(0)")


def _global_settings(page: _Page) -> None:
    page.own("import torch\ntorch.set_printoptions(precision=3, sci_mode=False)\ndevice = 'cpu'\nepsilon = 1e-5")


def _old_outputs(page: _Page) -> None:
    bundle = {
        "text/plain": ["<Figure size 640x480>"],
        "text/html": ["<table><tr><td>1</td></tr></table>", "<script>1</script>"],
        "image/png": _picture("png"),
        "application/vnd.plotly.v1+json": {"data": [{"y": list(range(500))}]},
        "application/vnd.jupyter.widget-view+json": {"model_id": "abc", "version_major": 2},
    }
    for cell in page.cells:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "display_data", "data": bundle, "metadata": {}}]
    page.notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}


def _notes_in_other_languages(page: _Page) -> None:
    for source in page.rng.sample(
        [
            "## 我的笔记\n\n当 $N \\to \\infty$ 时，$\\hat x$ 收敛。",
            "## ملاحظاتي\n\nالمتوسط هو $\\mu$.",
            "## मेरे नोट्स\n\n| क | ख |\n|---|---|\n| १ | २ |",
            "## Заметки\n\n```python\nпеременная = 1\n```",
            "### メモ 🎓\n\n- [x] 終わり\n- [ ] まだ\n\n> 引用",
            "Größe, naïve façade, İstanbul, ﬁ, e\u0301, \u200b\u00a0",
            "<details><summary>Gizli</summary>\n\n$$\\sum_i x_i$$\n\n</details>",
        ],
        k=3,
    ):
        page.own(source, "markdown")


def _formulas_in_the_answer(page: _Page) -> None:
    page.answer()["source"] += "\n\n$$s^2 = \\frac{1}{N}\\sum_i (x_i - \\mu)^2$$\n\n1. 因为\n2. donc `x.mean()`"


def _tags(page: _Page) -> None:
    for cell in page.rng.sample(page.cells, k=min(5, len(page.cells))):
        tags = cell["metadata"].get("tags", [])
        cell["metadata"]["tags"] = [*tags, "important", "à revoir"]


def _byte_order_mark(page: _Page) -> None:
    page.encoding = page.rng.choice(["utf-8-sig", "utf-16"])


def _one_line(page: _Page) -> None:
    page.indent = None


def _empty_cells(page: _Page) -> None:
    for _ in range(4):
        page.own("", page.rng.choice(["code", "markdown", "raw"]))


def _answer_in_parts(page: _Page) -> None:
    """A second cell of text below the answer."""
    answer = page.answer()
    more: Cell = {"cell_type": "markdown", "id": "more", "metadata": {}, "source": "And one more thought."}
    page.cells.insert(page.cells.index(answer) + 1, more)


CHANGES: tuple[Callable[[_Page], None], ...] = (
    _pasted_picture,
    _picture_that_is_lost,
    _picture_in_a_note,
    _helper_above,
    _split_solution,
    _copied_solution,
    _copied_test,
    _deleted_tests,
    _deleted_texts,
    _deleted_experiments,
    _retyped_test,
    _retyped_answer,
    _retyped_text,
    _moved_test,
    _merged,
    _magics,
    _time_of_a_solution,
    _form_of_a_solution,
    _tried_out,
    _windows_lines,
    _failing_cell,
    _questions_to_the_user,
    _loud_cell,
    _plots,
    _random_state,
    _global_settings,
    _old_outputs,
    _notes_in_other_languages,
    _formulas_in_the_answer,
    _tags,
    _byte_order_mark,
    _one_line,
    _empty_cells,
    _answer_in_parts,
)

_PEOPLE = (
    "李雷 Müller ÓlafurÞór अनुप्रिया محمد О'Браен 名前 ñandú x@uni.edu a+b 50% łukasz İpek Zoë-Anaïs "
    "DOM\\user (ann) 김민준 นภา Ελένη =cmd q?x x[y]"
).split()


def odd_submission(material: Material, number: int, seed: int = 1) -> Oddity:
    """The submission with this number: every editor and every change comes up, in ever other company."""
    rng = random.Random(f"odd {material.assignment} {seed} {number}")
    answer = f"Answer-{number}, because the mean is not the variance; 因为; ответ."
    page = _Page(material, rng, answer)
    changes = {CHANGES[number % len(CHANGES)], *rng.sample(CHANGES, k=rng.randint(0, 4))}
    editor = EDITORS[number % len(EDITORS)]
    for change in sorted(changes, key=CHANGES.index):
        try:
            change(page)
        except (StopIteration, IndexError):  # the cell that it is about was taken away by another change
            changes.discard(change)
    editor(page)
    renamed = rng.random() < 0.15
    stem = material.notebook.removesuffix(".ipynb")
    odd_names = [f"Copy of {stem}.ipynb", f"{stem} (1).ipynb", f"{stem}-李雷.ipynb", "notebook4f2a1b.ipynb"]
    return Oddity(
        f"{_PEOPLE[number % len(_PEOPLE)]}{number}",
        rng.choice(odd_names) if renamed else material.notebook,
        _written(page),
        re.split(r"[,;]", answer)[0],
        ("renamed-notebook",) if renamed else (),
        [editor.__name__.strip("_"), *sorted(change.__name__.strip("_") for change in changes)],
    )


def _written(page: _Page) -> bytes:
    text = json.dumps(page.notebook, indent=page.indent, ensure_ascii=page.rng.random() < 0.5)
    return text.encode(page.encoding)
