"""What a child does: run cells and calls as asked, and answer with outputs and values.

It is never asked whether something is right; it could not say, for it knows no expected value.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from course_lib.drivers import attempt
from course_lib.values import pack, unpack

from .exhaustion import limit_reached
from .frames import FrameError, receive, send
from .shell import CapturingShell

__all__ = ["run_child", "serve"]

_MAX_REQUEST = 256 << 20


def serve(channel: socket.socket, shell: CapturingShell, limits: Mapping[str, float]) -> None:
    """Answer requests until the grader hangs up."""
    cap = int(limits["output_kib"]) << 10
    while True:
        try:
            request, body = receive(channel, _MAX_REQUEST)
        except FrameError:
            return
        if request["do"] == "cells":
            for cell in request["cells"]:
                good, outputs = shell.run(cell["source"], cap, limits)
                send(channel, {"cell": cell["id"], "good": good, "outputs": outputs})
        elif request["do"] == "call":
            _call(channel, shell, request, body, limits)


def _call(
    channel: socket.socket, shell: CapturingShell, request: dict[str, Any], body: bytes, limits: Mapping[str, float]
) -> None:
    """Put the student's names through the cases of one exercise, one answer each, as soon as it is there."""
    max_answer = int(limits["answer_mib"]) << 20
    inputs = unpack(body, _MAX_REQUEST)
    namespace = {name: shell.namespace[name] for name in request["names"] if name in shell.namespace}
    for case, given in zip(request["cases"], inputs, strict=True):
        raw = _run(namespace, case, given, request["device"])
        if "error" in raw:
            raw["message"] = limit_reached(raw["error"], raw["message"], limits) or raw["message"]
        answer = pack(raw)
        if len(answer) > max_answer:
            text = f"the answer has {len(answer) >> 20} MiB; its limit is {max_answer >> 20} MiB"
            answer = pack({"error": "answer-limit", "message": text})
        send(channel, {"case": case["name"]}, answer)


def _run(namespace: dict[str, Any], case: dict[str, Any], given: dict[str, Any], device: str) -> dict[str, Any]:
    """The result and the inputs as they are afterwards: whether they were changed is for the grader to say."""
    try:
        raw, after = attempt(namespace, case["function"], case["driver"], given, device)
        return raw if "error" in raw else {**raw, "inputs": after}
    except KeyboardInterrupt:
        return {"error": "KeyboardInterrupt", "message": "KeyboardInterrupt"}
    except SystemExit as error:
        return {"error": "SystemExit", "message": f"the code ended the program (SystemExit: {str(error)[:80]})"}
    except BaseException as error:  # student code may raise anything
        return {"error": type(error).__name__, "message": f"{type(error).__name__}"}


def run_child(channel_fd: int, shell: CapturingShell, limits: Mapping[str, float]) -> None:
    """Serve on a descriptor, then end the process without running anybody's exit handlers."""
    status = 0
    try:
        with socket.socket(fileno=channel_fd) as channel:
            serve(channel, shell, limits)
    except BaseException:
        status = 70
    os._exit(status)
