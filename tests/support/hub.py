"""A JupyterHub for one test: on this machine only, one student, gone at the end.

Needs `pip install jupyterhub` and `npm install configurable-http-proxy`, which the project itself does not.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.support.exchange import environment

__all__ = ["Hub", "lack_of_hub"]

STUDENT = "ada"
_START_S = 120


def lack_of_hub() -> str | None:
    """Why no hub can run here; None if one can."""
    if importlib.util.find_spec("jupyterhub") is None:
        return "no JupyterHub: pip install jupyterhub"
    if shutil.which("configurable-http-proxy") is None:
        return "no proxy for JupyterHub: npm install --global configurable-http-proxy"
    return None


class Hub:
    """A running hub with the server of one student; a context manager."""

    def __init__(self, folder: Path, bundle: Path, student_config: str) -> None:
        """Not started yet.

        Args:
            bundle: what students' kernels have on their path.
            student_config: text of the student's `nbgrader_config.py`.
        """
        self.home = folder / STUDENT
        self.home.mkdir(parents=True)
        (self.home / "nbgrader_config.py").write_text(student_config)
        self._folder = folder
        self._bundle = bundle
        self._token = secrets.token_hex(16)
        self._port, hub_port, api_port = _free_ports(3)
        here = os.environ.get("PYTHONPATH", "")
        own = environment(self.home, bundle)
        own["PYTHONPATH"] = os.pathsep.join([str(bundle), here])  # where jupyterhub itself is, if it is not installed
        config = f"""c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{self._port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.JupyterHub.db_url = "sqlite:///{folder / "hub.sqlite"}"
c.JupyterHub.cookie_secret_file = {str(folder / "secret")!r}
c.ConfigurableHTTPProxy.pid_file = {str(folder / "proxy.pid")!r}
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {str(folder / "{username}")!r}
c.Spawner.args = ["--allow-root"]
c.Spawner.cmd = [{sys.executable!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.environment = {own!r}
c.JupyterHub.services = [{{"name": "test", "api_token": {self._token!r}}}]
c.JupyterHub.load_roles = [{{"name": "test", "services": ["test"],
    "scopes": ["admin:users", "admin:servers", "access:servers"]}}]
"""
        (folder / "jupyterhub_config.py").write_text(config)

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "jupyterhub", "-f", str(self._folder / "jupyterhub_config.py")]
        with (self._folder / "hub.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdout=log, stderr=log, env=dict(os.environ), start_new_session=True
            )
        try:
            self._wait("hub/api/")
            self._ask("POST", f"hub/api/users/{STUDENT}")
            self._ask("POST", f"hub/api/users/{STUDENT}/server")
            self._wait(f"user/{STUDENT}/api/status")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def server(self, method: str, path: str, data: Any = None) -> Any:
        """Ask the student's server, as its pages do."""
        return self._ask(method, f"user/{STUDENT}/{path}", data)

    def _ask(self, method: str, path: str, data: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/{path}",
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Authorization": f"token {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=240) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _wait(self, path: str) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._ask("GET", path)
                return
            except (OSError, ValueError):  # not there yet, or another page for now
                time.sleep(0.5)
        raise RuntimeError(f"no answer from {path}; the hub wrote:\n{(self._folder / 'hub.log').read_text()[-4000:]}")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
