"""Puts back, before questions and calls, what student code may have changed in the code that calls and observes.

Numbers need no such care, for the verdict on them is made elsewhere.  But whether a layer was left in training mode,
say, can only be seen here, by drivers that lie in the student's own process.  This undoes what can be done to them in
passing (another function in `DRIVERS`, another `__code__`); who searches the heap for this very copy is not stopped.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from operator import attrgetter, is_
from typing import Any

from course_lib.checking import drivers

__all__ = ["Keeper"]

_ALWAYS = drivers.__name__
"""What calls: every case is observed by it, and by the watch and the format that it imports."""


class Keeper:
    """Remembers this package, the drivers, and all that they use of the course's libraries.

    To be made before a student's code runs, in the process that the student's are forked from.
    """

    def __init__(self) -> None:
        package = __name__.rpartition(".")[0]
        serving = [module for name, module in sorted(sys.modules.items()) if name.startswith(f"{package}.")]
        self._serving = [_Space(vars(module), _functions_of(module)) for module in serving]
        self._of_driver = {name: function.__module__ for name, function in drivers.DRIVERS.items()}
        self._reach = {home: _reach(home) for home in (_ALWAYS, *self._of_driver.values())}
        names = sorted(set().union(*self._reach.values()))
        self._observing = {name: _Space(vars(sys.modules[name]), _functions_of(sys.modules[name])) for name in names}
        self._table = _Space(drivers.DRIVERS)

    def before_question(self) -> None:
        """Put back what asks and answers."""
        for space in (*self._serving, *(self._observing[name] for name in self._reach[_ALWAYS]), self._table):
            space.put_back()

    def for_drivers(self, names: Iterable[str]) -> Callable[[], None]:
        """What puts back, before a call by one of these drivers, all that observes it."""
        homes = {self._of_driver[name] for name in names if name in self._of_driver}
        reached = self._reach[_ALWAYS].union(*(self._reach[home] for home in homes))
        spaces = [self._table, *(self._observing[name] for name in sorted(reached))]

        def put_back() -> None:
            for space in spaces:
                space.put_back()

        return put_back


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


def _reach(home: str) -> frozenset[str]:
    """The names of a module and of what it imports from the course's libraries, by any number of steps."""
    names, todo = {home}, [home]
    libraries = {function.__module__.partition(".")[0] for function in drivers.DRIVERS.values()}
    while todo:
        fresh = {_home(found) for found in vars(sys.modules[todo.pop()]).values()} - names
        fresh = {name for name in fresh if name.partition(".")[0] in libraries and name in sys.modules}
        names |= fresh
        todo += fresh
    return frozenset(names)


def _home(found: Any) -> str:
    return found.__name__ if isinstance(found, types.ModuleType) else str(getattr(found, "__module__", ""))
