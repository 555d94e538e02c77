"""Submissions made to cost as much as they can: of the grader's reading, of the sandbox, of the pages."""

from __future__ import annotations

import base64
import functools
import io
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.attacks.attack import Attack, body, submission
from tests.support import made_up

__all__ = ["BURDENS", "Burden"]

_MIB = 1 << 20
_ZEROS = "return torch.zeros_like(x), gamma * 0"
Notebook = dict[str, Any]


@dataclass(frozen=True)
class Burden:
    """One costly submission.

    Attributes:
        files: from the released notebook's JSON, the files of the submission's folder.
    """

    name: str
    aim: str
    files: Callable[[Notebook], Mapping[str, bytes]] = field(repr=False)


def _attack(name: str, aim: str, **parts: Any) -> Burden:
    return Burden(name, aim, lambda released: {"made_up.ipynb": submission(released, Attack(name, aim, **parts))})


def _cells(name: str, aim: str, *cells: Mapping[str, Any], times: int = 1) -> Burden:
    """The released notebook and some cells, so many times."""

    def edit(notebook: Notebook) -> None:
        many = [{**cell, "id": f"mine-{n}"} for n, cell in enumerate([*cells] * times)]
        notebook["cells"][2:2] = many

    return _attack(name, aim, edit=edit)


def _code(source: str) -> Mapping[str, Any]:
    return made_up.code("mine", source)


def _text(source: str) -> Mapping[str, Any]:
    return made_up.markdown("mine", source)


def _call(name: str, aim: str, text: str, before: str = "") -> Burden:
    pair = "double = halve = column_scale"
    return _attack(name, aim, column_scale=body(f"{text}\n{_ZEROS}", before), pair=pair)


def _bytes(name: str, aim: str, make: Callable[[bytes], bytes]) -> Burden:
    """The released notebook's bytes with something done to them."""
    return Burden(name, aim, lambda released: {"made_up.ipynb": make(json.dumps(released).encode())})


def _with_metadata(junk: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[:-1] + b', "junk": ' + junk + b"}"


@functools.cache
def _png(width: int, height: int) -> str:
    """A picture of one color, as base64: small as a file, large as pixels."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, packed = zlib.compressobj(9), io.BytesIO()
    for _ in range(height):
        packed.write(packer.compress(bytes(1 + (width + 7) // 8)))
    packed.write(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    whole = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", packed.getvalue()) + part(b"IEND", b"")
    return base64.b64encode(whole).decode()


def _pictures(released: Notebook) -> Mapping[str, bytes]:
    attachments = {f"{n}.png": {"image/png": _png(6000, 6000)} for n in range(12)}
    shown = " ".join(f"![a](attachment:{name})" for name in attachments)
    cells = [{**made_up.markdown(f"mine-{n}", shown), "attachments": attachments} for n in range(60)]
    notebook = json.loads(json.dumps(released))
    notebook["cells"] += cells
    made_up.cell(notebook, "why").update(source=shown, attachments=attachments)
    return {"made_up.ipynb": json.dumps(notebook).encode()}


def _many_files(released: Notebook) -> Mapping[str, bytes]:
    """Copies that were all worked on and are all long: each could be the one that is meant."""
    notebook = json.loads(json.dumps(released))
    made_up.cell(notebook, "pair-solution")["source"] = "1"
    padded = json.dumps(notebook).encode()[:-1] + b', "junk": [' + b"1.5," * (12 * _MIB // 4) + b"0]}"
    return {"made_up.ipynb": json.dumps(released).encode(), **{f"copy{n}.ipynb": padded for n in range(12)}}


_NEVER_READ = """
import gc, os, socket
for thing in gc.get_objects():
    if isinstance(thing, socket.socket): os.dup2(os.pipe()[0], thing.fileno())
"""
_DRIP = """
import gc, socket, time
text = b'{"cell": "x"}'
for thing in gc.get_objects():
    if isinstance(thing, socket.socket):
        for byte in (len(text)).to_bytes(4, "little") + bytes(4) + text:
            thing.send(bytes([byte])); time.sleep(0.5)
"""
_ALIASES = "import torch\n" + "\n".join(f"x{n} = x{n - 1} or torch.q{n}" for n in range(1, 1500))
_CALLS = (_code("f" + "()" * 20_000), _code("a" + ".b" * 20_000))
_ANSWER = made_up.markdown("why", "x " * 40, grade=True, solution=True)
_DEEP = tuple(_code(mark * 20_000) for mark in ("(", "[", "{", "-", "not ", "lambda:"))
_MAGICS = (_code("%%time\n" + "x = !ls $y {z}\n" * 18 + "a?"), _code("%time " * 3000 + "1"))
_QUESTIONS = "a" * 15_000 + "?\n" + "b" * 4000 + "??"
_DIE = "import os, time; time.sleep(1); os._exit(1)"
_SHOWN = f"""
import base64
from IPython.display import Image, display
data = base64.b64decode('{_png(6000, 6000)}')
for _ in range(300): display(Image(data=data, format='png'))
"""
_ERRORS = """
def f(n):
    try: f(n - 1) if n else 1 / 0
    except Exception as e: raise ValueError('x' * 10_000_000) from e
f(200)
"""
_FLOODING_CELLS = "\n".join(["import sys", "for _ in range(2000): sys.stdout.write('<b>&[0;1m\\x1b[31;1m' * 2000)"])
_SLOW_ARRAY = """
import time
class Slow(type(torch.ones(1))):
    def __array__(self, *a, **k): time.sleep(3600)
    def __torch_function__(self, *a, **k): time.sleep(3600)
    @property
    def shape(self): time.sleep(3600)
    @property
    def dtype(self): time.sleep(3600)
class Meta(type):
    def __instancecheck__(cls, x): time.sleep(3600)
    def __getattribute__(cls, name): time.sleep(3600)
class Odd(metaclass=Meta):
    def __getattribute__(self, name): time.sleep(3600)
"""

BURDENS = (
    # What the grader reads before anything runs.
    _cells("blank-cells", "2,600 cells of 49,990 blanks and no Python", _code(" " * 49_990 + "x y"), times=2600),
    _cells("many-cells", "4,900 cells", _code("x = 1"), times=4900),
    _cells("huge-cell", "one cell of 60 MB", _code("x = 1\n" * (10 * _MIB))),
    _cells("long-cells", "600 cells of as much code as is read", _code("x = 1, 2 + 3\n" * 3500), times=600),
    _cells("alias-chain", "names that stand for ever more modules", _code(_ALIASES), times=20),
    _cells("deep-code", "brackets in brackets", *_DEEP, times=40),
    _cells(
        "deep-calls",
        "calls of calls, attributes of attributes",
        _code("f" + "()" * 20_000),
        _code("a" + ".b" * 20_000),
        times=60,
    ),
    _cells("many-magics", "magics as far as they are read", *_MAGICS, times=400),
    _cells("many-questions", "lines that end in a question", _code(_QUESTIONS), times=600),
    _bytes("deep-json", "JSON in JSON in JSON", _with_metadata(b"[" * 900_000 + b"]" * 900_000)),
    _bytes("many-lists", "millions of empty lists", _with_metadata(b"[" + b"[]," * 1_900_000 + b"[]]")),
    _bytes("many-numbers", "a file full of numbers", _with_metadata(b"[" + b"1.5," * (30 * _MIB) + b"0]")),
    _bytes("many-strings", "a file full of strings", _with_metadata(b"[" + b'"a",' * 4_900_000 + b'""]')),
    _bytes("long-numbers", "numbers of 4,000 digits", _with_metadata(b"[" + (b"1" * 4000 + b",") * 30_000 + b"0]")),
    _bytes("escapes", "a string of escapes", _with_metadata(b'"' + b"\\ud800" * (20 * _MIB) + b'"')),
    _bytes("largest-file", "as much as is read at all", lambda data: data + b" " * (128 * _MIB - len(data))),
    _bytes("other-encoding", "UTF-32", lambda data: data.decode().encode("utf-32")[: 100 * _MIB]),
    Burden("many-notebooks", "twelve other notebooks beside the right one", _many_files),
    _cells("one-name", "4,900 cells that are all the same answer", _ANSWER, times=4900),
    _cells("lost-answers", "4,900 texts of which each may be the answer", _text("my answer " * 20), times=4900),
    # Markdown, in grading (references to pictures) and on the page.
    *(
        _cells(f"markdown {name}", f"texts of {mark!r}", *(_text((mark * 20_000)[:19_990]) for _ in range(25)))
        for name, mark in {
            "blanks": "a" + " " * 55,
            "brackets": "[",
            "pictures": "![",
            "pictures-of": "![a](attachment:b) ",
            "stars": "**a",
            "tables": "|a",
            "table-rows": "|a|\n|-|\n",
            "quotes": "> ",
            "lists": "- ",
            "formulas": "$a$ ",
            "environments": "\\begin{a}",
            "tags": "<b>",
            "images": "<img ",
            "entities": "&amp;",
            "backticks": "`a",
            "links": "[a](",
        }.items()
    ),
    Burden("pictures", "720 pictures of 36 megapixels", _pictures),
    # What runs.
    _cells("patient-cells", "cells that stay just below the limit", _code("import time; time.sleep(1.6)"), times=200),
    _cells("hanging-cells", "cells that hang, each of which costs a process", _code("while True: pass"), times=30),
    _cells("dying-cells", "cells that end the process after a while", _code(_DIE), times=30),
    _call("hanging-calls", "every function hangs", "while True: pass"),
    _call("patient-calls", "every call takes a while", "import time; time.sleep(0.3)"),
    _call("dying-calls", "every call ends the process", _DIE),
    _call("fork-bomb", "processes without end", "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"),
    _attack(
        "thread-bomb",
        "threads without end",
        cell="""
        import threading
        def spin():
            while True: pass
        while True:
            try: threading.Thread(target=spin, daemon=True).start()
            except RuntimeError: pass
        """,
    ),
    _call("memory-bomb", "memory without end", "kept = []\nwhile True:\n    kept.append(torch.ones(2**22))"),
    _attack(
        "disk",
        "fills its disk, again and again",
        cell="""
        import os
        for turn in range(10**6):
            for place in ("/tmp", "/dev/shm", "."):
                try:
                    for n in range(10**6): open(f"{place}/{turn}-{n}", "wb").write(bytes(1 << 22))
                except OSError: pass
        """,
    ),
    _cells("endless-output", "output without end", _code("while True: print('flood ' * 1000)"), times=3),
    _cells("odd-output", "as much output of tags and colors as is kept", _code(_FLOODING_CELLS), times=80),
    _cells("pictures-shown", "pictures without end", _code(_SHOWN), times=40),
    _cells("long-errors", "errors of a chain of errors", _code(_ERRORS), times=20),
    _attack(
        "never-reads",
        "takes no question",
        cell="import os\nos.dup2(os.pipe()[0], 3)\n" + _NEVER_READ,
        last="import time; time.sleep(3600)",
    ),
    _attack("drips", "answers a byte at a time", cell=_DRIP),
    # What comes back.
    _call("large-answers", "answers as long as they may be", "return torch.zeros(2**22, dtype=torch.float64), x"),
    _call("many-parts", "answers of many parts", "return [[x] * 30] * 900, {str(n): n for n in range(50_000)}"),
    _call("deep-answers", "answers in answers", "y = x\nfor _ in range(100_000): y = [y]\nreturn y, y"),
    _call("long-texts", "answers of text", "return 'x' * 60_000_000, ['y' * 9000] * 5000"),
    _call("subnormal-answers", "numbers that processors are slow with", "return x * 0 + 5e-324, gamma * 1e-310"),
    _call("slow-arrays", "tensors whose parts hang", "return Slow(), Odd()", _SLOW_ARRAY),
    _attack(
        "patched",
        "a patched server that answers as much as it can",
        cell="""
        import inside.serve as s, inside.frames as f, json, struct
        def flood(channel, *rest, **more):
            text = json.dumps({"case": "x", "size": 1, "junk": "[" * 8_000_000}).encode()[: 8 << 20]
            while True: channel.sendall(struct.pack("<II", len(text), 1 << 20) + text + bytes(1 << 20))
        s._call = flood
        """,
    ),
)
"""Every costly submission that was thought of."""
