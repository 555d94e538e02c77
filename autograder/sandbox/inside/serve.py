"""What a child does: run cells and calls as asked, and answer with outputs and values.

It is never asked whether something is right; it could not say, for it knows no expected value.
"""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from course_lib.checking.drivers import attempt
from course_lib.checking.gpu_trace import gpu_fault
from course_lib.checking.values import pack, unpack

from .exhaustion import limit_reached
from .frames import FrameError, Receiver, send
from .gpu import compute_exactly
from .pristine import Keeper
from .shell import CapturingShell

__all__ = ["run_child", "serve"]

_MAX_REQUEST = 256 << 20
_ALWAYS = 1 << 10
"""So much may be answered whatever came before: a reason in words."""


def serve(channel: socket.socket, shell: CapturingShell, limits: Mapping[str, float], keeper: Keeper) -> None:
    """Answer requests until the grader hangs up."""
    cap = int(limits["output_kib"]) << 10
    receiver = Receiver(channel)
    send(channel, {"begun": True})
    while True:
        try:
            request, body = receiver.receive(_MAX_REQUEST)
        except FrameError:
            return
        if request["do"] == "cells":
            for cell in request["cells"]:
                good, outputs = _run_cell(shell, cell["source"], cap, limits)
                send(channel, {"cell": cell["id"], "good": good, "outputs": outputs})
        elif request["do"] == "call":
            _call(channel, shell, request, body, limits, keeper)


def _call(
    channel: socket.socket,
    shell: CapturingShell,
    request: dict[str, Any],
    body: bytes,
    limits: Mapping[str, float],
    keeper: Keeper,
) -> None:
    """Put the student's names through the cases of one exercise: an answer each, at once, and advice at the end."""
    keeper.before_question()
    if request["device"] == "cuda":
        compute_exactly()
    question = unpack(body, _MAX_REQUEST, _MAX_REQUEST)
    namespace = {name: shell.namespace[name] for name in question["names"] if name in shell.namespace}
    put_back = keeper.for_drivers({case["driver"] for case in question["cases"]})
    room = int(limits["answer_mib"]) << 20
    for number, case in enumerate(question["cases"]):
        put_back()
        forbidden = question["forbidden"] if case["watched"] else ()
        anew = None if number in request["traced"] else functools.partial(_inputs_of, body, number)
        result, after = _answer(namespace, case, request["device"], forbidden, limits, anew, room)
        room -= len(result) + len(after)
        send(channel, {"case": case["name"], "size": len(result)}, result + after)
    traced = [question["cases"][number] for number in request["traced"]]
    send(channel, {"advice": _advice(shell.namespace, traced)})


def _inputs_of(question: bytes, number: int) -> dict[str, Any]:
    """The inputs of a case once more, from what was asked."""
    inputs: dict[str, Any] = unpack(question, _MAX_REQUEST, _MAX_REQUEST)["cases"][number]["inputs"]
    return inputs


def _answer(
    namespace: dict[str, Any],
    case: dict[str, Any],
    device: str,
    forbidden: tuple[str, ...],
    limits: Mapping[str, float],
    anew: Callable[[], dict[str, Any]] | None,
    room: int,
) -> tuple[bytes, bytes]:
    """A call's result and its inputs as they are afterwards, as bytes: whether they were changed is not said here.

    Args:
        room: how many bytes are left of what all answers to an exercise may have.
    """
    raw, after = _run(namespace, case, device, forbidden, anew)
    result = _packed(raw, limits)
    inputs = _packed(after, limits) if "error" not in raw else b""
    if len(result) + len(inputs) > max(room, _ALWAYS):
        size, limit = (len(result) + len(inputs)) >> 20, limits["answer_mib"]
        text = f"the answer has {size} MiB; the limit of all answers to this exercise is {limit:g} MiB"
        return pack({"error": "answer-limit", "message": text}), b""
    return result, inputs


def _advice(namespace: Mapping[str, Any], traced: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    """What would go wrong on a GPU, found by calling the functions on fake tensors that lie on one."""
    found = (gpu_fault(namespace, case["function"], case["driver"], case["inputs"]) for case in traced)
    return [None if fault is None else asdict(fault) for fault in found]


def _run_cell(
    shell: CapturingShell, source: str, cap: int, limits: Mapping[str, float]
) -> tuple[bool, list[dict[str, Any]]]:
    """Run a cell; what its code did to the shell itself (or to the memory it needs) is an error of the cell."""
    try:
        return shell.run(source, cap, limits)
    except Exception as error:
        kind, text = type(error).__name__, f"{error}"[:2000]
        text = limit_reached(kind, text, limits) or text
        return False, [{"output_type": "error", "ename": kind, "evalue": text, "traceback": [f"{kind}: {text}"]}]


def _packed(raw: dict[str, Any], limits: Mapping[str, float]) -> bytes:
    """An answer as bytes, with the limit in it that was reached, if one was."""
    if "error" in raw:
        raw["message"] = limit_reached(raw["error"], raw["message"], limits) or raw["message"]
    try:
        return pack(raw)
    except Exception as error:  # no room for a copy, or an object that only pretends to be a tensor
        kind, text = type(error).__name__, " ".join(f"{error}".split())[:300]
        reached = limit_reached(kind, text, limits)
        return pack({"error": kind, "message": reached or f"the result could not be read: {kind}: {text}"})


def _run(
    namespace: dict[str, Any],
    case: dict[str, Any],
    device: str,
    forbidden: tuple[str, ...],
    anew: Callable[[], dict[str, Any]] | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The raw result and the inputs as they are after the call."""
    try:
        return attempt(
            namespace,
            case["function"],
            case["driver"],
            case["inputs"],
            device,
            forbidden=forbidden,
            twice=case["twice"],
            returns=case["returns"],
            anew=anew,
        )
    except KeyboardInterrupt:
        return {"error": "KeyboardInterrupt", "message": "KeyboardInterrupt"}, {}
    except SystemExit as error:
        return {"error": "SystemExit", "message": f"the code ended the program (SystemExit: {str(error)[:80]})"}, {}
    except BaseException as error:  # student code may raise anything
        return {"error": type(error).__name__, "message": f"{type(error).__name__}"}, {}


def run_child(channel_fd: int, shell: CapturingShell, limits: Mapping[str, float], keeper: Keeper) -> None:
    """Serve on a descriptor, then end the process without running anybody's exit handlers."""
    status = 0
    try:
        with socket.socket(fileno=channel_fd) as channel:
            serve(channel, shell, limits, keeper)
    except BaseException:
        status = 70
    os._exit(status)
