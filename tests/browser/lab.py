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
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from autograder.commands.doctor import find_chromium
from tests.support.paths import ROOT

__all__ = ["Lab", "Notebook", "browser", "lab", "write_notebook"]

CHROMIUM_ARGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu"]
START_S, RUN_S = 90, 240
"""Longest waits, in seconds: for a server or a page, for all cells of a notebook."""
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
_RUN_ALL = """() => {
    window.courseDone = false;
    window.jupyterapp.commands.execute("notebook:run-all-cells").finally(() => { window.courseDone = true; });
    return true;
}"""
# One cell after the other, errors or not: what a student does who skips an exercise.  JupyterLab lays out the page anew
# for each, which takes twice as long as the rest of its work.
_RUN_EACH = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    window.courseDone = false;
    (async () => {
        for (let i = 0; i < panel.content.widgets.length; i++) {
            panel.content.activeCellIndex = i;
            await window.jupyterapp.commands.execute("notebook:run-cell").catch(() => {});
        }
        window.courseDone = true;
    })();
    return true;
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
        url = f"http://127.0.0.1:{port}/"
        _wait_for_server(f"{url}api/status?token={token}", server, log)
        yield Lab(url, token, folder, log)
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
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGS)
        try:
            yield running
        finally:
            running.close()


class Notebook:
    """A notebook open in a page.

    Attributes:
        errors: what the page's scripts could not handle.
    """

    def __init__(self, server: Lab, page: Page, path: str) -> None:
        self.server, self.page, self.path = server, page, path
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(30_000)
        self.open()

    def _wait(self, until: str, timeout_s: float = 30) -> None:
        self.page.wait_for_function(until, timeout=timeout_s * 1000, polling=_POLL_MS)

    def open(self) -> None:
        """Open it, or open it again; until its kernel is there and idle."""
        # `reset` forgets the workspace: the page holds this notebook and nothing else.
        self.page.goto(f"{self.server.url}doc/tree/{self.path}?token={self.server.token}&reset")
        self._wait(_READY, START_S)

    def run_all(self, timeout_s: float = RUN_S, *, past_errors: bool = False) -> None:
        """Run every cell, by the command of the menu, or one by one, the errors of earlier ones notwithstanding."""
        self.page.evaluate(_RUN_EACH if past_errors else _RUN_ALL)
        self._wait("() => window.courseDone", timeout_s)
        self._wait(_READY, START_S)

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
        self.page.evaluate(
            """() => {
                window.courseDone = false;
                window.jupyterapp.commands.execute("notebook:run-cell").finally(() => { window.courseDone = true; });
                return true;
            }"""
        )
        self._wait("() => window.courseDone", RUN_S)

    def clear(self) -> None:
        """Take all outputs away."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")

    def save(self) -> None:
        """Save, and wait until it is saved."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:save'); return true; }")
        self._wait("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")

    def shut_down(self) -> None:
        """End the kernel, so that opening the notebook again meets none."""
        self.page.evaluate(
            """() => {
                window.courseDone = false;
                window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()
                    .finally(() => { window.courseDone = true; });
                return true;
            }"""
        )
        self._wait("() => window.courseDone")

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
