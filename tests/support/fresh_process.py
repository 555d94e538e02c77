"""What a test process can't do itself, because it would keep the consequences: using a GPU, for instance."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from autograder.sandbox.devices import VISIBLE, users_devices
from tests.support.paths import ROOT

__all__ = ["in_fresh_process"]


def in_fresh_process(function: Callable[[], None]) -> None:
    """Call a test module's function in a Python of its own, which sees the devices that this machine has."""
    code = f"from {function.__module__} import {function.__name__} as function; function()"
    environment = {name: value for name, value in os.environ.items() if name != VISIBLE}
    if (said := users_devices()) is not None:
        environment[VISIBLE] = said
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
