"""Puts back, before every call, what student code may have changed in the code that observes it.

Numbers need no such care, for the verdict on them is made elsewhere.  But whether a layer was left in training mode,
say, can only be seen here, by drivers that lie in the student's own process.  This undoes what can be done to them in
passing (another function in `DRIVERS`, another `__code__`); who searches the heap for this very copy is not stopped.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from course_lib.checking import drivers, values

__all__ = ["keeper"]


def keeper() -> Callable[[], None]:
    """Remember the drivers and all that they use of the course's libraries; the function returned puts it back."""
    modules = list(_modules_used())
    spaces = [(vars(module), dict(vars(module))) for module in modules]
    tables = [(drivers.DRIVERS, dict(drivers.DRIVERS))]
    functions = [
        (found, found.__code__, found.__defaults__, found.__kwdefaults__)
        for module in modules
        for found in vars(module).values()
        if isinstance(found, types.FunctionType)
    ]

    def put_back() -> None:
        for now, before in (*spaces, *tables):
            if len(now) != len(before):
                now.clear()
            now.update(before)
        for found, code, defaults, keywords in functions:
            if found.__code__ is not code:
                found.__code__ = code
            if found.__defaults__ is not defaults:
                found.__defaults__ = defaults
            if found.__kwdefaults__ is not keywords:
                found.__kwdefaults__ = keywords

    return put_back


def _modules_used() -> Iterator[types.ModuleType]:
    """The modules of all drivers and of what they import from the course's libraries, each once."""
    names = {drivers.__name__, values.__name__, *(function.__module__ for function in drivers.DRIVERS.values())}
    libraries = {name.partition(".")[0] for name in names}
    todo = sorted(names)
    while todo:
        module = sys.modules[todo.pop()]
        yield module
        fresh = {_home(found) for found in vars(module).values()} - names
        fresh = {name for name in fresh if name.partition(".")[0] in libraries and name in sys.modules}
        names |= fresh
        todo += sorted(fresh)


def _home(found: Any) -> str:
    return found.__name__ if isinstance(found, types.ModuleType) else str(getattr(found, "__module__", ""))
