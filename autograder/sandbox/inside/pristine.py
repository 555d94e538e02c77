"""Puts back, before every call, what student code may have changed in the code that calls, observes and answers.

Numbers need no such care, for the verdict on them is made elsewhere.  But whether a layer was left in training mode,
say, can only be seen here, by drivers that lie in the student's own process.  This undoes what can be done to them in
passing (another function in `DRIVERS`, another `__code__`); who searches the heap for this very copy is not stopped.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from itertools import chain
from operator import attrgetter, is_
from typing import Any

from course_lib.checking import drivers, values

__all__ = ["keeper"]


def keeper() -> Callable[[], None]:
    """Remember this package, the drivers, and all that they use of the course's libraries.

    The function returned puts it back; it runs before every call, so what is as it was costs nearly nothing.
    """
    modules = list(_modules_used())
    spaces = [(vars(module), dict(vars(module))) for module in modules]
    tables = [(drivers.DRIVERS, dict(drivers.DRIVERS))]
    functions = list(_functions_of(modules))
    parts_of = attrgetter("__code__", "__defaults__", "__kwdefaults__")
    parts = [part for function in functions for part in parts_of(function)]

    def put_back() -> None:
        for now, before in (*spaces, *tables):
            if len(now) != len(before) or not all(map(is_, now.values(), before.values())):
                now.clear()
                now.update(before)
        if not all(map(is_, chain.from_iterable(map(parts_of, functions)), parts)):
            for number, function in enumerate(functions):
                function.__code__, function.__defaults__, function.__kwdefaults__ = parts[3 * number : 3 * number + 3]

    return put_back


def _functions_of(modules: list[types.ModuleType]) -> Iterator[types.FunctionType]:
    """Functions of modules, and those of the classes that they define."""
    for module in modules:
        for found in vars(module).values():
            inside = vars(found).values() if isinstance(found, type) and found.__module__ == module.__name__ else ()
            yield from (part for part in (found, *inside) if isinstance(part, types.FunctionType))


def _modules_used() -> Iterator[types.ModuleType]:
    """This package's modules, those of all drivers, and what these import from the course's libraries, each once."""
    package = __name__.rpartition(".")[0]
    yield from (module for name, module in sorted(sys.modules.items()) if name.startswith(f"{package}."))
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
