"""Messages on a stream socket: a JSON header and a body of bytes, both with their length in front.

The grader reads these from a process that runs student code, so reading checks every length before it allocates
and gives up at a deadline.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

__all__ = ["FrameError", "FrameTimeout", "GarbageError", "Receiver", "send"]

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
    try:
        channel.settimeout(_left(deadline))
        channel.sendall(_LENGTHS.pack(len(text), len(body)) + text + body)
    except TimeoutError as error:
        raise FrameTimeout from error
    except OSError as error:
        raise FrameError("the other side is gone") from error


class Receiver:
    """Reads messages from a socket; what arrives together is fetched from the kernel together."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._waiting = bytearray()

    def receive(self, max_body: int, deadline: float | None = None) -> tuple[dict[str, Any], bytes]:
        """Receive one message.

        Args:
            max_body: longest body that is accepted, in bytes.
            deadline: value of `time.monotonic` at which to give up; None waits for ever.
        """
        header_size, body_size = _LENGTHS.unpack(self._exactly(_LENGTHS.size, deadline))
        if header_size > MAX_HEADER or body_size > max_body:
            raise GarbageError(f"a message of {header_size + body_size} bytes")
        text = self._exactly(header_size, deadline)
        body = self._exactly(body_size, deadline)
        try:
            header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise GarbageError("the header is not JSON") from error
        if not isinstance(header, dict):
            raise GarbageError("the header is not an object")
        return header, body

    def _exactly(self, size: int, deadline: float | None) -> bytes:
        while len(self._waiting) < size:
            try:
                self._channel.settimeout(_left(deadline))
                part = self._channel.recv(max(_CHUNK, min(size - len(self._waiting), _LARGEST_CHUNK)))
            except TimeoutError as error:
                raise FrameTimeout from error
            except OSError as error:
                raise FrameError("the connection broke") from error
            if not part:
                raise FrameError("the other side is gone")
            self._waiting += part
        with memoryview(self._waiting) as view:
            taken = bytes(view[:size])
        del self._waiting[:size]
        return taken


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise FrameTimeout
    return left
