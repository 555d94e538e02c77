"""How large something that grows is when it is compressed, without compressing all of it anew."""

from __future__ import annotations

import zlib

__all__ = ["Size"]


class Size:
    """The size of something that grows, compressed."""

    def __init__(self) -> None:
        self._flow, self._out = zlib.compressobj(6), 0

    def with_more(self, data: bytes) -> int:
        """How large it would be."""
        flow = self._flow.copy()
        return self._out + len(flow.compress(data)) + len(flow.flush())

    def take(self, data: bytes) -> None:
        """Let it grow."""
        self._out += len(self._flow.compress(data))
