"""Running a notebook by hand in JupyterLab: all of it with an open exercise, and a long cell that is stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.browser.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]

LONG = """
import time
with Live("A long experiment", 1000, partial=True, keep=False) as live:
    for run in range(1000):
        time.sleep(0.1)
        live.add("loss", run, 1 / (run + 1))
        live.advance()
print("stopped:", live.stopped, "kept:", 0 < live._done < 1000)
"""
CELLS = {
    "begin": "from course_lib.lab.interrupted import keep_going\nfrom course_lib.lab.live import Live\nkeep_going()",
    "open": "def mine(x):\n    raise NotImplementedError()\n\nmine(1)",
    "after": "print('the cell after')",
    "long": LONG,
    "last": "print('the last cell')",
    "next": (
        "from IPython.display import display\n"
        "from course_lib.checking.progress import Progress, Place\n"
        "place = Place('Implement: mine, other', '#Implement:-mine,-other')\n"
        "display(Progress('a', ('x',), ('mine',), place))"
    ),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab on a notebook with an open exercise and a long cell."""
    from tests.browser.lab import lab, write_notebook

    path = tmp_path / "course" / "running.ipynb"
    write_notebook(path, CELLS)
    data = json.loads(path.read_text())
    text = {"id": "text", "cell_type": "markdown", "metadata": {}, "source": "## Implement: `mine`, `other`"}
    data["cells"] = [
        text,
        *({"id": f"gap-{i}", "cell_type": "raw", "metadata": {}, "source": "\n" * 30} for i in range(2)),
        *data["cells"],
    ]
    path.write_text(json.dumps(data))
    with lab(path.parent, tmp_path / "state", PYTHONPATH=str(ROOT)) as running:
        yield running


def test_run_all_goes_past_an_open_exercise_and_a_long_cell_can_be_stopped(
    server: Lab, page: Any, screenshot: Callable[..., None]
) -> None:
    """The command of the menu reaches the last cell; the button ends the long cell with what it has; next is a link."""
    from playwright.sync_api import expect

    from tests.browser.lab import Notebook

    notebook = Notebook(server, page, "running.ipynb")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); return true; }")
    stop = page.get_by_role("button", name="Stop, keep what is done")
    stop.wait_for()
    page.get_by_alt_text("A long experiment: training loss against step").or_(
        page.locator("img[alt*='loss: 0.']")
    ).first.wait_for()
    screenshot(page, "running-long")
    notebook.save()
    shutil.copy(server.folder / "running.ipynb", server.folder / "later.ipynb")
    stop.click()
    page.get_by_text("stopped: True kept: True").wait_for()
    page.get_by_text("the last cell", exact=True).wait_for()
    page.get_by_text("The runs that were complete by then are kept.").wait_for()
    expect(stop).to_have_count(0)
    assert page.get_by_text("NotImplementedError: mine is not written yet.").count() == 1
    link = page.get_by_role("link", name="Implement: mine, other")
    link.click()
    expect(page.get_by_role("heading", name="Implement: mine, other")).to_be_in_viewport()
    screenshot(page, "running-next")
    assert "api/kernels" not in str(notebook.content())

    later = Notebook(server, page, "later.ipynb")
    assert "api/kernels" in str(later.content())
    page.get_by_alt_text("A long experiment: training loss against step").wait_for()
    expect(stop).to_have_count(0)  # nothing runs there
    assert notebook.errors == []
