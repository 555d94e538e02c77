"""Messages on a stream socket: a JSON header and a body of bytes, both with their length in front.

The grader reads these from a process that runs student code, so reading checks every length before it allocates
and gives up at a deadline.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from typing import Any

from . import clock

__all__ = ["FrameError", "FrameTimeout", "GarbageError", "Receiver", "arriving", "send"]

_LENGTHS = struct.Struct("<II")
MAX_HEADER = 8 * 1024 * 1024
_CHUNK, _LARGEST_CHUNK = 1 << 16, 1 << 20


class FrameError(Exception):
    """No message could be had: the other side is gone, or (`GarbageError`) what came is none."""


class GarbageError(FrameError):
    """Bytes arrived that are no message: somebody else wrote into the connection."""


class FrameTimeout(Exception):
    """The deadline passed before a whole message arrived."""


def send(channel: socket.socket, header: dict[str, Any], body: bytes = b"", deadline: float | None = None) -> None:
    """Send one message; `FrameError` if the other side is gone, `FrameTimeout` if it does not read."""
    text = json.dumps(header).encode()
    data = _LENGTHS.pack(len(text), len(body)) + text + body
    try:
        if deadline is None and channel.gettimeout() is None:  # else an earlier deadline's wait would end this
            channel.sendall(data)
            return
        waiting = memoryview(data)
        while waiting:
            channel.settimeout(_wait(deadline))
            with contextlib.suppress(TimeoutError):
                waiting = waiting[channel.send(waiting) :]
    except OSError as error:
        raise FrameError("the other side is gone") from error


def arriving(channel: socket.socket, most: int, deadline: float | None) -> bytes:
    """What arrives next, at most so many bytes; nothing once the other side has hung up.

    Raises:
        FrameTimeout: if nothing arrives before the deadline, a value of `clock.now`.
        OSError: if the connection breaks.
    """
    while True:
        channel.settimeout(_wait(deadline))
        with contextlib.suppress(TimeoutError):
            return channel.recv(most)


class Receiver:
    """Reads messages from a socket; what arrives together is fetched from the kernel together."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._waiting = bytearray()

    def receive(self, max_body: int, deadline: float | None = None) -> tuple[dict[str, Any], bytes]:
        """Receive one message.

        Args:
            max_body: longest body that is accepted, in bytes.
            deadline: value of `clock.now` at which to give up; None waits for ever.
        """
        self._fetch(_LENGTHS.size, deadline)
        header_size, body_size = _LENGTHS.unpack_from(self._waiting)
        if header_size > MAX_HEADER or body_size > max_body:
            raise GarbageError(f"a message of {header_size + body_size} bytes")
        start = _LENGTHS.size + header_size
        self._fetch(start + body_size, deadline)
        with memoryview(self._waiting) as view:
            text, body = bytes(view[_LENGTHS.size : start]), bytes(view[start : start + body_size])
        del self._waiting[: start + body_size]
        try:
            header = json.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise GarbageError("the header is not JSON") from error
        if not isinstance(header, dict):
            raise GarbageError("the header is not an object")
        return header, body

    def _fetch(self, size: int, deadline: float | None) -> None:
        """Wait until so many bytes are there."""
        while len(self._waiting) < size:
            try:
                part = arriving(self._channel, max(_CHUNK, min(size - len(self._waiting), _LARGEST_CHUNK)), deadline)
            except OSError as error:
                raise FrameError("the connection broke") from error
            if not part:
                raise FrameError("the other side is gone")
            self._waiting += part


def _wait(deadline: float | None) -> float | None:
    """How long to wait in one go; `FrameTimeout` if there is no time left."""
    if deadline is None:
        return None
    left = deadline - clock.now()
    if left <= 0:
        raise FrameTimeout
    return min(left, clock.LONGEST_WAIT_S)
