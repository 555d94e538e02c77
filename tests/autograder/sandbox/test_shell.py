"""The shell in which cells run: what it does without IPython is what IPython would have done."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import autograder.sandbox

_CELLS = [
    "1 + 1",
    "x = 3\nx",
    "x;",
    "'a text'",
    "'''of the module'''\ny = 2\nprint(__doc__)",
    "",
    "# nothing",
    "\n\n1 / 0\n",
    "print('a')\n1 / 0",
    "def f():\n  return 1 / 0\nf()",
    "def rec(): return rec()\nrec()",
    "raise ValueError('a\\nb')",
    "return 3",
    "yield 3",
    "def broken(:\n pass",
    "1 if",
    "x = 1\nnonlocal x",
    "zz = 1\nglobal zz",
    "  x = 3\n  x",
    "import sys\nsys.exit(3)",
    "raise SystemExit",
    "raise KeyboardInterrupt",
    "exit()",
    "import bdb\nraise bdb.BdbQuit",
    "%pwd;",
    "!echo hi",
    "x?",
    "'\\d'",
    "assert (1, 2)",
    "import warnings\nwarnings.warn('hello')",
    "lambda: 3",
    "import asyncio\nawait asyncio.sleep(0)\n5",
    "async def g():\n  return 4\nawait g()",
    "await_ = 3\nawait_",
    "display(3)\ndisplay(x)\nx",
    "_",
    "In, Out",
    "for i in range(3): i",
    "print('x', file=sys.stderr)",
    "x = 3; print(x); x",
    "from __future__ import annotations\ndef h(a: unknown): return a\nh(2)",
    "def k(a: unknown): return a\nk(3)",
    "import inspect\ndef shown():\n    return 3\nprint(inspect.getsource(shown))",
    "sys._getframe(0).f_code.co_name",
    "plt.plot([1, 2])",
    "plt.plot([1, 2]);",
    "f'{x!r:>10}'",
    "class A:\n  def _repr_html_(self): return 'b'\nA()",
    "get_ipython().events.register('pre_run_cell', lambda info: print('told of', info.raw_cell))",
    "2 + 2",
    "get_ipython().ast_transformers.append(type('T', (), {'visit': lambda self, node: node})())",
    "3",
]
_PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from inside.shell import CapturingShell
if sys.argv[2] == "IPython":
    CapturingShell._compiled = lambda self, source: None
shell = CapturingShell()
shell.run("%matplotlib inline\\nimport matplotlib.pyplot as plt", 1 << 20)
plain = 0
for cell in json.loads(sys.stdin.read()):
    plain += shell._compiled(cell) is not None
    print(json.dumps(shell.run(cell, 1 << 20)))
print(plain)
"""


def _outputs(road: str) -> tuple[list[str], int]:
    folder = str(Path(autograder.sandbox.__file__).parent)
    command = [sys.executable, "-c", _PROGRAM, folder, road]
    done = subprocess.run(command, input=json.dumps(_CELLS), capture_output=True, text=True, check=True)
    *outputs, plain = done.stdout.splitlines()
    unstable = r"0x[0-9a-f]+|ipython-input-\d+-\w+"
    return [re.sub(unstable, "...", output) for output in outputs], int(plain)


def test_a_plain_cell_shows_what_it_shows_in_ipython() -> None:
    """Values, errors with their lines, warnings, and everything once a cell asks IPython to tell it of cells."""
    ours, plain = _outputs("ours")
    theirs, none = _outputs("IPython")
    assert none == 0
    assert plain > len(_CELLS) / 2
    assert list(zip(_CELLS, ours, strict=True)) == list(zip(_CELLS, theirs, strict=True))
