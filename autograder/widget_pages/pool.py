"""Trees of JSON and arrays, each part of which is kept once: a widget's pictures have most of their parts in common.

A page puts them together again (`templates/recording.js`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

__all__ = ["SAID", "Pool", "Said"]

SAID = "\x01"
"""Stands in a text for the number that was predicted."""
_LIST, _TEXT, _NUMBER = -1, -2, -3
_SENTENCE = re.compile(r".+?(?:[.;:,] |$)", re.DOTALL)


class Said:
    """Stands among numbers for the number that was predicted."""

    def __eq__(self, other: object) -> bool:
        """All are the same."""
        return isinstance(other, Said)

    def __hash__(self) -> int:
        """Of all of them."""
        return hash(Said)


class Pool:
    """The parts.

    Attributes:
        keys: names of the fields of each kind of object.
        nodes: a number, text, truth value or None; or the kind of object, or what else it is, and the nodes in it.
        arrays: one after the other, aligned to four bytes.
    """

    def __init__(self) -> None:
        self.keys: list[tuple[str, ...]] = []
        self.nodes: list[Any] = []
        self.arrays = bytearray()
        self._kinds: dict[tuple[str, ...], int] = {}
        self._places: dict[tuple[Any, ...], int] = {}
        self._arrays: dict[bytes, int] = {}

    def put(self, tree: Any) -> int:
        """The number of the node of a tree of dict, list, str, numbers, None, and bytes, an array."""
        if isinstance(tree, bytes):
            return self._node(self._array(tree))
        if isinstance(tree, dict):
            kind = self._kind(tuple(tree))
            return self._node([kind, *map(self.put, tree.values())])
        if isinstance(tree, list | tuple):
            return self._node([_LIST, *map(self.put, tree)])
        if isinstance(tree, str) and len(pieces := _SENTENCE.findall(tree)) > 1:
            return self._node([_TEXT, *map(self._node, pieces)])
        return self._node([_NUMBER] if isinstance(tree, Said) else tree)

    def _array(self, data: bytes) -> int:
        """Where an array begins."""
        if data not in self._arrays:
            self._arrays[data] = len(self.arrays)
            self.arrays.extend(data + b"\0" * (-len(data) % 4))
        return self._arrays[data]

    def list_of(self, nodes: Sequence[int]) -> int:
        """The node of a list of known nodes."""
        return self._node([_LIST, *nodes])

    def mark(self) -> tuple[int, int, int]:
        """How much there is, for `cut`."""
        return len(self.keys), len(self.nodes), len(self.arrays)

    def cut(self, mark: tuple[int, int, int]) -> None:
        """Forget what has come since."""
        kinds, nodes, arrays = mark
        del self.keys[kinds:], self.nodes[nodes:], self.arrays[arrays:]
        self._kinds = {key: place for key, place in self._kinds.items() if place < kinds}
        self._places = {key: place for key, place in self._places.items() if place < nodes}
        self._arrays = {key: place for key, place in self._arrays.items() if place < arrays}

    def _kind(self, names: tuple[str, ...]) -> int:
        if names not in self._kinds:
            self._kinds[names] = len(self.keys)
            self.keys.append(names)
        return self._kinds[names]

    def _node(self, node: Any) -> int:
        key = tuple(node) if isinstance(node, list) else (type(node), node)
        if key not in self._places:
            self._places[key] = len(self.nodes)
            self.nodes.append(node)
        return self._places[key]
