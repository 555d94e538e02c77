"""A pure function of a state, computed once for all states that agree in what it looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

__all__ = ["Remembered"]

Result = TypeVar("Result")
_MISSING = object()


class _Watched(Mapping[str, Any]):
    """A state that keeps the names of what was read, in order.  Whoever copies it has read all of it."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state = state
        self.read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        self.read[name] = self._state.get(name, _MISSING)
        return self._state[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)


class _Node(Generic[Result]):
    """What was read next, and where each value of it leads; or the result."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.next: dict[Any, _Node[Result]] = {}
        self.results: list[Result] = []


class Remembered(Generic[Result]):
    """A function of a state that is not called again for what it has answered.

    A function that is pure reads the same names in the same order as long as it meets the same values, so what it
    reads is a path in a tree.

    Attributes:
        calls: how often the function was called.
    """

    def __init__(self, function: Callable[[Mapping[str, Any]], Result]) -> None:
        self._function = function
        self._root: _Node[Result] = _Node()
        self.calls = 0

    def __call__(self, state: Mapping[str, Any]) -> Result:
        """What the function says to a state."""
        node: _Node[Result] | None = self._root
        while node is not None and node.name is not None:
            node = node.next.get(state.get(node.name, _MISSING))
        if node is not None and node.results:
            return node.results[0]
        self.calls += 1
        watched = _Watched(state)
        result = self._function(watched)
        node = self._root
        for name, value in watched.read.items():
            node.name = name
            node = node.next.setdefault(value, _Node())
        node.results.append(result)
        return result
