"""A long line between a page and its server, to find tests that do not wait.

A test that asserts at once what comes a moment later passes on a fast machine and fails on a slow one.  With
``COURSE_BROWSER_DELAY_MS=250`` everything between a page and its JupyterLab, requests and a kernel's messages alike,
takes that long in each direction.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

__all__ = ["delayed"]

_DELAY_S = float(os.environ.get("COURSE_BROWSER_DELAY_MS", "0")) / 1000
_CHUNK = 1 << 16


@contextlib.contextmanager
def delayed(port: int) -> Iterator[int]:
    """The port on which a server of this machine answers late; its own port if no delay is asked for."""
    if not _DELAY_S:
        yield port
        return
    listener, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    async def serve() -> None:
        async with await asyncio.start_server(_connect(port), sock=listener):
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        thread.join()


def _connect(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(_forward(reader, back), _forward(there, writer))
            finally:
                back.close()
                writer.close()

    return serve


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, in order, each piece `_DELAY_S` after it came: a long line, not a narrow one."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - loop.time())
            if not piece:
                break
            writer.write(piece)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    with contextlib.suppress(OSError):
        while piece := await reader.read(_CHUNK):
            pieces.put_nowait((loop.time() + _DELAY_S, piece))
    pieces.put_nowait((loop.time() + _DELAY_S, b""))
    await delivery
    if writer.can_write_eof():
        writer.write_eof()
