"""Pictures that move: predict, then explore, then read why.

The frame alone: a topic's widgets live with the topic, in its folder `widgets/`.  A widget is a module with a pure
function from the controls' state to a `Scene` and a `Design` that declares the controls and the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lazily"]


def lazily(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for a package of widgets: importing it does no work, a widget's module is imported when shown.

    Args:
        package: name of the package.
        modules: name of a widget -> name of its module.
    """

    def look_up(name: str) -> Any:
        if name in modules:
            return getattr(import_module(f"{package}.{modules[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return look_up
