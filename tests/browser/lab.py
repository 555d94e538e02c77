"""A JupyterLab of its own in a headless Chromium: what browser tests and the latency benchmark drive.

Nothing here sleeps: every wait is for something that the page or the kernel says.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from autograder.commands.doctor import find_chromium
from tests.browser.slowly import delayed
from tests.support.paths import ROOT

__all__ = ["Lab", "Notebook", "browser", "lab", "write_notebook"]

CHROMIUM_ARGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu"]
START_S, RUN_S, WAIT_S = 90, 240, 60
"""Longest waits, in seconds: for a server or a page, for all cells of a notebook, for anything else.

They end what will never come; how fast something is, tests of speed measure.  Playwright's own `expect` waits 5 s,
which a slow and busy machine needs now and then.
"""
_LATE = "[anywidget] Failed to initialize model."
"""What anywidget says of a page that was busy for two seconds while a widget came: `listen.js` goes on all the same."""
_POLL_MS = 100
"""How often a page is asked.  By default it is asked before every picture, and so has to make sixty a second."""

# Every cell stays in the page, whatever is in view; nobody asks for news or for updates.
_SETTINGS = {
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}
# Otherwise every page that is opened asks for a look at whether JupyterLab wants to be built anew, by node.
_PAGE = {"buildCheck": False, "buildAvailable": False}
_EXTENSIONS = [ROOT / "autograder" / "hand_grading" / "autograder.json"]
_READY = """() => {
    const panel = window.jupyterapp?.shell?.currentWidget;
    const kernel = panel?.context?.sessionContext?.session?.kernel;
    return Boolean(panel?.content?.widgets?.length && panel.context.isReady && kernel
        && kernel.connectionStatus === "connected" && kernel.status === "idle");
}"""


@dataclass(frozen=True)
class Lab:
    """A running server.

    Attributes:
        url: its address, with a slash at the end.
        folder: what it serves.
        log: what it wrote.
    """

    url: str
    token: str
    folder: Path
    log: Path


@contextlib.contextmanager
def lab(folder: Path, state: Path, *, notebook_7: bool = False, **environment: str) -> Iterator[Lab]:
    """Start JupyterLab on a folder, and end it.

    Args:
        folder: what it serves, and where kernels start.
        state: an empty folder for its settings, so that nothing of the machine's user is read or written.
        notebook_7: start Jupyter Notebook instead, which is made of the same parts; `Notebook` cannot drive it.
        environment: added to its environment and so to that of its kernels.
    """
    settings = state / "settings"
    for name, values in _SETTINGS.items():
        path = settings / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), "utf-8")
    page = state / "config" / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps(_PAGE), "utf-8")
    extensions = state / "config" / "jupyter_server_config.d"
    extensions.mkdir(parents=True, exist_ok=True)
    for own in _EXTENSIONS:  # as installing the package does, but of this checkout
        shutil.copy(own, extensions)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token, log = secrets.token_hex(16), state / "server.log"
    module, app = ("notebook", "JupyterNotebookApp") if notebook_7 else ("jupyterlab", "LabApp")
    command = [sys.executable, "-m", module, "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder}", f"--{app}.expose_app_in_browser=True"]
    command += [f"--{app}.extension_manager=readonly", "--ServerApp.terminals_enabled=False"]
    variables = {
        **os.environ,
        "HOME": str(state),
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(state / "workspaces"),
        "IPYTHONDIR": str(state / "ipython"),
        "MPLCONFIGDIR": str(state / "matplotlib"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "OMP_NUM_THREADS": "1",
        **environment,
    }
    variables.pop("MPLBACKEND", None)  # a kernel has its own
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=variables, cwd=folder)
    try:
        _wait_for_server(f"http://127.0.0.1:{port}/api/status?token={token}", server, log)
        with delayed(port) as reached:
            yield Lab(f"http://127.0.0.1:{reached}/", token, folder, log)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for_server(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start within {START_S} s; it wrote:\n{log.read_text('utf-8')[-3000:]}")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Chromium, without a window; from now on whatever is expected has `WAIT_S` to come."""
    expect.set_options(timeout=WAIT_S * 1000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGS)
        try:
            yield running
        finally:
            running.close()


class Notebook:
    """A notebook open in a page.

    Attributes:
        errors: what the page's scripts could not handle, but for `_LATE`.
    """

    def __init__(self, server: Lab, page: Page, path: str) -> None:
        self.server, self.page, self.path = server, page, path
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.extend({str(error)} - {_LATE}))
        page.set_default_timeout(WAIT_S * 1000)
        self.open()

    def _wait(self, until: str, timeout_s: float = WAIT_S) -> None:
        self.page.wait_for_function(until, timeout=timeout_s * 1000, polling=_POLL_MS)

    def open(self) -> None:
        """Open it, or open it again; until its kernel is there and idle."""
        # `reset` forgets the workspace: the page holds this notebook and nothing else.
        self.page.goto(f"{self.server.url}doc/tree/{self.path}?token={self.server.token}&reset")
        self._wait(_READY, START_S)

    def reopen(self) -> None:
        """Open it again while its kernel lives, and with it the widgets.

        ipywidgets looks for a widget's model for two seconds, and not once more when they are over: a page that gets
        its models in the last tenth of a second shows none of them.  Somebody opens it again; so does this.
        """
        for _ in range(3):
            self.open()
            expect(self.page.get_by_text("Loading widget...")).to_have_count(0)
            if not self.page.get_by_text("Error displaying widget: model not found").count():
                return
        raise AssertionError(f"{self.path} was opened three times, and its widgets were never there")

    def run_all(self, timeout_s: float = RUN_S) -> None:
        """Run every cell, by the command of the menu."""
        self._command("notebook:run-all-cells", timeout_s)
        self._wait(_READY, START_S)

    def _command(self, name: str, timeout_s: float = WAIT_S) -> None:
        self._finish(f"window.jupyterapp.commands.execute({name!r})", timeout_s)

    def _finish(self, promise: str, timeout_s: float = WAIT_S) -> None:
        """Begin something and ask now and then whether it has ended: awaiting minutes would hold up other questions."""
        done = "() => { window.courseDone = true; }"
        self.page.evaluate(f"() => {{ window.courseDone = false; {promise}.finally({done}); return true; }}")
        self._wait("() => window.courseDone", timeout_s)

    def activate(self, cell_id: str) -> None:
        """Make a cell the one that commands are about."""
        self.page.evaluate(
            """(id) => {
                const { content } = window.jupyterapp.shell.currentWidget;
                content.activeCellIndex = content.widgets.findIndex((cell) => cell.model.id === id);
            }""",
            cell_id,
        )

    def run_cell(self, cell_id: str) -> None:
        """Run one cell."""
        self.activate(cell_id)
        self._command("notebook:run-cell", RUN_S)

    def clear(self) -> None:
        """Take all outputs away."""
        self._command("notebook:clear-all-cell-outputs")

    def save(self) -> None:
        """Save until everything is saved: what a widget writes meanwhile makes the notebook unsaved again."""
        deadline = time.monotonic() + WAIT_S
        while True:
            self._command("docmanager:save")
            if not self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty"):
                return
            assert time.monotonic() < deadline, f"{self.path} is unsaved after {WAIT_S} s"

    def shut_down(self) -> None:
        """End the kernel, so that opening the notebook again meets none."""
        self._finish("window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")

    def restart(self) -> None:
        """Give it a new kernel in the place of its old one."""
        self._finish("window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()")
        self._wait(_READY, START_S)

    def content(self) -> nbformat.NotebookNode:
        """The notebook as the page has it now, outputs included."""
        return nbformat.from_dict(
            self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.toJSON()")
        )

    def widget(self, title: str) -> Locator:
        """A live widget."""
        return self.page.locator(f'section.course-widget[aria-label="{title}"]')


def write_notebook(path: Path, cells: dict[str, str], **metadata: Any) -> None:
    """Write a notebook of code cells, id -> source."""
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.cells = [nbformat.v4.new_code_cell(source, id=cell_id) for cell_id, source in cells.items()]
    notebook.metadata.update(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
