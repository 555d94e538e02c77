"""Messages between grader and child: whole, or an error of a known kind, and always before the deadline."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import SandboxError
from autograder.grading.outputs import clean_outputs
from autograder.sandbox.inside import clock
from autograder.sandbox.inside.frames import MAX_HEADER, FrameError, FrameTimeout, GarbageError, Receiver, send
from autograder.sandbox.limits import Limits
from autograder.sandbox.session import Session, SessionEnded
from course_lib.checking.keys import Response, respond
from course_lib.checking.values import pack
from course_lib.checking.verdict import judge
from tests.support import made_up
from tests.support.fuzzing import any_json, fuzz

MOST = 1 << 20
KEY = made_up.EXERCISE.make_key("frames", diagnose=False)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def _soon(seconds: float = 2.0) -> float:
    return clock.now() + seconds


def _receive_bytes(data: bytes, most: int = MOST) -> tuple[dict[str, Any], bytes]:
    """Receive what a child that then hangs up has sent."""
    one, other = socket.socketpair()
    with one, other:
        sender = threading.Thread(target=_put, args=(other, data))
        sender.start()
        try:
            return Receiver(one).receive(most, _soon(5))
        finally:
            one.close()
            sender.join()


def _put(end: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        end.sendall(data)
    end.close()


def _frame(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<II", len(header), len(body)) + header + body


@fuzz(50, full=2_000)
@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()), st.binary(max_size=5000))
def test_what_is_sent_arrives(header: dict[str, Any], body: bytes) -> None:
    """Header and body come back as they were."""
    one, other = socket.socketpair()
    with one, other:
        send(one, header, body, _soon())
        assert Receiver(other).receive(MOST, _soon()) == (header, body)


def test_a_message_without_a_deadline_waits_for_a_slow_reader(pair: tuple[socket.socket, socket.socket]) -> None:
    """Also after one with a deadline, whose wait the connection still has."""
    header, body = {"size": 1 << 22}, b"x" * (1 << 22)
    pair[1].settimeout(0.05)
    arrived: list[tuple[dict[str, Any], bytes]] = []

    def read_later() -> None:
        time.sleep(0.3)
        arrived.append(Receiver(pair[0]).receive(len(body), _soon()))

    reader = threading.Thread(target=read_later)
    reader.start()
    send(pair[1], header, body)
    reader.join()
    assert arrived == [(header, body)]


def test_messages_that_arrive_together_are_read_one_by_one(pair: tuple[socket.socket, socket.socket]) -> None:
    """What was fetched of the next message with this one is not lost."""
    sent = [({"case": str(number)}, bytes([number]) * number * 7) for number in range(40)]
    for header, body in sent:
        send(pair[1], header, body, _soon())
    receiver = Receiver(pair[0])
    assert [receiver.receive(MOST, _soon()) for _ in sent] == sent


BROKEN = {
    "nothing": b"",
    "half a length": b"\1\0",
    "half a header": _frame(b'{"a": 1}')[:-3],
    "half a body": _frame(b"{}", b"12345678")[:-3],
}
GARBAGE = {
    "huge header": struct.pack("<II", MAX_HEADER + 1, 0),
    "huge body": struct.pack("<II", 2, MOST + 1) + b"{}",
    "ones": b"\xff" * 100,
    "text": b"Traceback (most recent call last)",
    "no JSON": _frame(b"hello"),
    "not UTF-8": _frame(b"\xff\xfe\xfd"),
    "a list": _frame(b"[]"),
    "a number": _frame(b"1"),
    "deep": _frame(b"[" * 100_000),
    "long number": _frame(b'{"a": ' + b"9" * 10_000 + b"}"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_connection_that_breaks_is_an_error(data: bytes) -> None:
    """A child that dies in the middle of a message is noticed at once."""
    with pytest.raises(FrameError):
        _receive_bytes(data)


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
def test_bytes_that_are_no_message_are_garbage(data: bytes) -> None:
    """They are recognised before memory is taken for them."""
    with pytest.raises(GarbageError):
        _receive_bytes(data)


def test_a_silent_child_is_given_up_at_the_deadline(pair: tuple[socket.socket, socket.socket]) -> None:
    """Waiting ends when it should."""
    started = time.monotonic()
    with pytest.raises(FrameTimeout):
        Receiver(pair[0]).receive(MOST, _soon(0.2))
    assert time.monotonic() - started < 2


def test_a_dripping_child_is_given_up_at_the_deadline(pair: tuple[socket.socket, socket.socket]) -> None:
    """The deadline is for the whole message, not for each byte."""
    stop = threading.Event()

    def drip() -> None:
        for byte in _frame(b" " * 10_000):
            if stop.wait(0.02):
                return
            pair[1].send(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(FrameTimeout):
            Receiver(pair[0]).receive(MOST, _soon(0.3))
    finally:
        stop.set()
        thread.join()


def test_a_child_that_does_not_read_is_given_up_at_the_deadline(pair: tuple[socket.socket, socket.socket]) -> None:
    """Sending ends, too."""
    with pytest.raises(FrameTimeout):
        send(pair[0], {}, bytes(64 << 20), _soon(0.3))


@fuzz(300, full=40_000)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(_frame))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    """Nothing that a child can send raises anything but the errors that are expected."""
    try:
        header, body = _receive_bytes(data)
    except FrameError:
        return
    assert isinstance(header, dict)
    assert len(body) <= MOST


_headers = st.dictionaries(
    st.sampled_from(["cell", "case", "good", "outputs", "trace", "advice", "x"]),
    any_json | st.sampled_from(["one", "random", "tiny", "small variance", True]),
)
_outputs = st.lists(
    st.dictionaries(
        st.sampled_from(["output_type", "name", "text", "data", "ename", "evalue", "traceback", "metadata"]),
        any_json | st.sampled_from(["stream", "error", "display_data", "execute_result"]),
    ),
    max_size=4,
)
_bodies = st.binary(max_size=50) | any_json.map(pack) | st.builds(lambda v: pack({"result": v}), any_json)


def _answer(header: dict[str, Any], result: bytes, inputs: bytes, size: Any) -> bytes:
    return _frame(json.dumps({"size": len(result) if size is None else size} | header).encode(), result + inputs)


_answers = st.builds(_answer, _headers, _bodies, _bodies, st.none() | st.integers(-3, 200) | any_json)


@fuzz(150, full=40_000)
@given(st.lists(_answers, max_size=5))
def test_any_messages_end_a_session_in_a_known_way(messages: list[bytes]) -> None:
    """Calls answered with anything give responses or `SessionEnded`, and whatever came can be judged."""
    responses: dict[str, Response] = {}
    ends: list[str] = []
    with _session(messages) as session:
        try:
            session.ask(KEY, "cpu")
            for name, raw in session.answers(_soon(5)):
                responses[name] = respond(raw)
            assert all(isinstance(line, str) for line in session.advice(_soon(5)))
        except SessionEnded as ended:
            ends.append(ended.reason)
    assert all(ends)
    assert all(isinstance(response, Response) for response in responses.values())
    assert judge(KEY, responses).score == 0


@fuzz(100, full=20_000)
@given(
    st.lists(
        st.tuples(st.sampled_from(["one", "two"]) | any_json, st.booleans() | any_json, _outputs | any_json), max_size=4
    )
)
def test_any_answers_to_cells_end_in_a_known_way(answers: list[tuple[Any, Any, Any]]) -> None:
    """Cells answered with anything give results whose outputs can be cleaned, or `SessionEnded`."""
    ends: list[str] = []
    headers = [{"cell": cell, "good": good, "outputs": outputs} for cell, good, outputs in answers]
    with _session([_frame(json.dumps(header).encode()) for header in headers]) as session:
        try:
            for result in session.run_cells([{"id": "one", "source": "1"}, {"id": "two", "source": "2"}], _soon(5)):
                assert isinstance(result.good, bool)
                kept, size = clean_outputs(result.outputs)
                assert size < 3_000_000
                assert all(output.output_type in ("stream", "error", "display_data") for output in kept)
        except SessionEnded as ended:
            ends.append(ended.reason)
    assert all(ends)


@pytest.mark.parametrize("first", [b'{"begun": 1}', b'{"cell": "one", "good": true}', b"[]", b"{"])
def test_a_child_that_does_not_begin_as_it_should_is_ended(first: bytes) -> None:
    """Nothing that comes instead is taken for a result."""
    with _session([], first) as session, pytest.raises(SessionEnded) as caught:
        list(session.run_cells([{"id": "one", "source": "1"}], _soon(5)))
    assert caught.value.kind == "unreadable"


def test_a_child_that_never_begins_is_the_sandbox_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is too busy costs nobody points."""
    monkeypatch.setattr("autograder.sandbox.session._START_S", 0.2)
    channel, child = socket.socketpair()
    status, parent = socket.socketpair()
    with (
        child,
        parent,
        Session(channel, status, Limits()) as session,
        pytest.raises(SandboxError, match="did not start"),
    ):
        list(session.run_cells([{"id": "one", "source": "1"}]))


@contextmanager
def _session(messages: list[bytes], first: bytes = b'{"begun": true}') -> Iterator[Session]:
    """A session whose child says these things and then ends by itself."""
    channel, child = socket.socketpair()
    status, parent = socket.socketpair()
    parent.sendall(b'{"status": 0, "cpu_s": 0.1, "memory_mib": 1, "wall_s": 0.1}')
    sender = threading.Thread(target=_talk, args=(child, b"".join([_frame(first), *messages])))
    sender.start()
    with parent, Session(channel, status, Limits(call_s=5, cell_s=5)) as session:
        yield session
    sender.join()


def _talk(child: socket.socket, data: bytes) -> None:
    with contextlib.suppress(FrameError, FrameTimeout):
        Receiver(child).receive(MOST, _soon(5))  # the request
    _put(child, data)
