"""Attacks on the connection between child and grader."""

from __future__ import annotations

from tests.attacks.attack import Attack, body

__all__ = ["CHANNEL"]

_FIND = """
import json, os, socket, stat, struct

def channel():
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            pass

def frame(header, payload=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<II", len(text), len(payload)) + text + payload

def packed(value):
    from course_lib.checking.values import pack
    return pack(value)

def bare(case, payload, **more):
    return frame({"case": case, "size": len(payload), **more}, payload)

def answer(case, result, inputs, **more):
    result = packed({"result": result})
    return frame({"case": case, "size": len(result), **more}, result + packed(inputs))

def put(data):
    while data:
        data = data[os.write(channel(), data):]
"""
_ZERO = "\nreturn torch.zeros_like(x), gamma * 0"


def _attack(name: str, aim: str, text: str, *, slow: bool = False) -> Attack:
    return Attack(name, aim, column_scale=body(text.strip("\n") + _ZERO, _FIND), slow=slow)


CHANNEL = (
    _attack(
        "every-descriptor",
        "writes points to every open file descriptor",
        """
for fd in range(0, 64):
    try: os.write(fd, b'{"score": 5.0, "passed": true}' * 100)
    except OSError: pass
""",
    ),
    _attack(
        "forged-answer",
        "answers the call itself, with a verdict",
        """
put(answer("random", "correct", {}, passed=True, score=5))
""",
    ),
    _attack(
        "answered-twice",
        "answers every case of the call, then lets the real answers follow",
        """
for name in ("random", "small variance", "tiny"):
    put(answer(name, (x, gamma), {"x": x, "gamma": gamma, "eps": eps}))
put(frame({"advice": []}))
""",
    ),
    _attack(
        "out-of-order",
        "answers the last case first",
        """
put(answer("tiny", (x, gamma), {}))
put(answer("random", (x, gamma), {}))
""",
    ),
    _attack(
        "answer-for-another-exercise",
        "answers cases of the next exercise ahead of time",
        """
for name in ("double", "halve"):
    put(answer(name, x, {}, exercise="pair"))
""",
    ),
    Attack(
        "answered-before-asked",
        "a cell leaves answers to calls in the connection",
        cell=_FIND
        + """
for name in ("random", "small variance", "tiny", "double", "halve"):
    put(answer(name, True, {}))
""",
    ),
    Attack(
        "other-cells-answered",
        "a cell claims that the following cells ran, with a score as output",
        cell=_FIND
        + """
score = {"output_type": "execute_result", "data": {"text/plain": "5.0"}, "execution_count": 1, "metadata": {}}
for name in ("mine", "column-scale-solution", "pair-solution", "column-scale", "pair"):
    put(frame({"cell": name, "good": True, "outputs": [score]}))
""",
    ),
    _attack("endless-lengths", "a message that says it is 8 GiB long", 'put(b"\\xff" * 8)'),
    _attack("random-bytes", "random bytes instead of a message", "put(os.urandom(100_000))"),
    _attack("header-no-json", "a header that is no JSON", 'put(frame(b"not json", b""))'),
    _attack("header-no-object", "a header that is a list", 'put(frame(b"[1, 2, 3]", b""))'),
    _attack("header-deep", "a header nested 4 million deep", 'put(frame(b"[" * 4_000_000, b""))'),
    _attack("header-huge-number", "a header with a number of a million digits", 'put(frame(b"1" * 1_000_000, b""))'),
    _attack(
        "header-wrong-types", "a header whose fields have other types", 'put(frame({"case": ["tiny"], "cell": {}}))'
    ),
    _attack(
        "slow-drip",
        "sends a byte now and then so that no deadline seems to pass",
        """
import time
data = bare("random", packed({"result": True}))
for byte in data:
    os.write(channel(), bytes([byte])); time.sleep(0.1)
""",
        slow=True,
    ),
    _attack("closed-channel", "closes the connection", "os.close(channel())"),
    _attack(
        "replaced-channel", "puts another file in the connection's place", 'os.dup2(os.open("/dev/null", 2), channel())'
    ),
    _attack(
        "stolen-requests",
        "reads the next requests and keeps them",
        """
import threading
def steal():
    while True: os.read(channel(), 1 << 20)
threading.Thread(target=steal, daemon=True).start()
""",
        slow=True,
    ),
    _attack(
        "pickled-answer",
        "a pickle that runs a command, where the tensors should be",
        """
import pickle
class Run:
    def __reduce__(self): return (eval, ("__import__('os').system('touch /tmp/PICKLED')",))
put(bare("random", pickle.dumps(Run())))
""",
    ),
    _attack(
        "pickles-in-every-field",
        "pickles as base64, bytes and tensors in every field of a well-formed answer",
        """
import base64, pickle
class Run:
    def __reduce__(self): return (eval, ("__import__('os').system('touch /tmp/PICKLED')",))
data = pickle.dumps(Run())
text = base64.b64encode(data).decode()
tensor = torch.frombuffer(bytearray(data), dtype=torch.uint8)
value = {"result": (tensor, text), "inputs": {"x": text, text: tensor}, "error": None, text: text}
put(bare("random", packed(value), **{text: text}))
""",
    ),
    _attack(
        "torn-safetensors",
        "safetensors whose offsets overlap, overrun or are negative",
        """
for offsets in ([0, 8], [8, 0], [-8, 0], [0, 1 << 60], [4, 12]):
    tensor = {"dtype": "F64", "shape": [1], "data_offsets": offsets}
    header = json.dumps({"__metadata__": {"tree": '{"t": "0"}'}, "0": tensor}).encode()
    put(bare("random", struct.pack("<Q", len(header)) + header + b"1234"))
""",
    ),
    _attack(
        "exotic-dtypes",
        "safetensors with dtypes that cannot be compared",
        """
for dtype, size in (("C64", 8), ("F4", 1), ("F8_E8M0", 1), ("F6_E2M3", 3), ("F8_E4M3", 1)):
    header = json.dumps({"__metadata__": {"tree": '{"d": [["result", {"t": "0"}], ["inputs", {"d": []}]]}'},
                         "0": {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}}).encode()
    put(bare("random", struct.pack("<Q", len(header)) + header + b"0" * size))
    break
""",
    ),
    _attack(
        "error-with-markup",
        "an error whose kind and message hold markup and control characters",
        """
evil = "\\x1b[31m<script>alert(1)</script>\\u202e"
put(bare("random", packed({"error": evil, "message": evil * 100})))
""",
    ),
    _attack(
        "missing-name-story",
        "an error that makes the grader look for a name everywhere",
        """
put(bare("random", packed({"error": "NameError", "message": "name '" + "a" * 9000 + "' is not defined"})))
""",
    ),
)
