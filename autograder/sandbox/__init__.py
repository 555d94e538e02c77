"""Running student code where it can do no harm and prove nothing.

Nothing is imported before it is used: the sandbox can be started while this process still imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.sandbox.launcher import Probe, Sandbox, choose, probe, warm_sandbox
    from autograder.sandbox.limits import Limits
    from autograder.sandbox.session import CellResult, Session, SessionEnded

__all__ = ["CellResult", "Limits", "Probe", "Sandbox", "Session", "SessionEnded", "choose", "probe", "warm_sandbox"]

_MODULES = {"Limits": "limits", "CellResult": "session", "Session": "session", "SessionEnded": "session"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'launcher')}"), name)
