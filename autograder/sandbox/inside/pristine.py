"""Puts back, before questions and calls, what student code may have changed in the code that calls and observes.

Numbers need no such care, for the verdict on them is made elsewhere.  But whether a layer was left in training mode,
say, can only be seen here, by drivers that lie in the student's own process.  This undoes what can be done to them in
passing (another function in `DRIVERS`, another `__code__`); who searches the heap for this very copy is not stopped.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable, Iterator
from itertools import chain
from operator import attrgetter, is_
from typing import Any

from course_lib.checking import drivers, values

__all__ = ["Keeper"]


class Keeper:
    """Remembers this package, the drivers, and all that they use of the course's libraries."""

    def __init__(self) -> None:
        package = __name__.rpartition(".")[0]
        serving = [module for name, module in sorted(sys.modules.items()) if name.startswith(f"{package}.")]
        self._serving = [_Space(vars(module), _functions_of(module)) for module in serving]
        self._observing = [_Space(vars(module), _functions_of(module)) for module in _modules_of_drivers()]
        self._observing.append(_Space(drivers.DRIVERS))

    def before_question(self) -> None:
        """Put everything back."""
        for space in (*self._serving, *self._observing):
            space.put_back()

    def before_call(self) -> None:
        """Put back what observes; what asks and answers was put back when the question came."""
        for space in self._observing:
            space.put_back()


class _Space:
    """The names in a module or a table, and what its functions are made of.

    As long as nothing changed, it costs nearly nothing to put it back: identities are compared without Python's help.
    """

    _parts_of = attrgetter("__code__", "__defaults__", "__kwdefaults__")

    def __init__(self, names: dict[str, Any], functions: Iterable[types.FunctionType] = ()) -> None:
        self._now, self._before = names, dict(names)
        self._functions = list(functions)
        self._parts = [part for function in self._functions for part in self._parts_of(function)]

    def put_back(self) -> None:
        """Undo what was changed."""
        now, before = self._now, self._before
        if len(now) != len(before) or not all(map(is_, now.values(), before.values())):
            now.clear()
            now.update(before)
        if not all(map(is_, chain.from_iterable(map(self._parts_of, self._functions)), self._parts)):
            for number, function in enumerate(self._functions):
                three = self._parts[3 * number : 3 * number + 3]
                function.__code__, function.__defaults__, function.__kwdefaults__ = three


def _functions_of(module: types.ModuleType) -> Iterator[types.FunctionType]:
    """Functions of a module, and those of the classes that it defines."""
    for found in vars(module).values():
        own = isinstance(found, type) and found.__module__ == module.__name__
        for part in (found, *(vars(found).values() if own else ())):
            if isinstance(part, types.FunctionType) and part.__module__ == module.__name__:
                yield part


def _modules_of_drivers() -> Iterator[types.ModuleType]:
    """The modules of all drivers, and what these import from the course's libraries, each once."""
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
