"""The reader of code names what tampers with the machine, leaves innocent notebooks alone, and is never slow."""

from __future__ import annotations

import json
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.reading.code_cells import MAX_CHARACTERS, read_code
from autograder.reading.source_reader import SourceReader
from tests.support.fuzzing import fuzz
from tests.support.paths import ROOT

SETUP = """
import functools, os, re, ssl, sys, warnings
import torch
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt
from torch import nn
from torch.nn import functional as F
from torchvision import models
"""


def findings(*cells: str) -> tuple[str, ...]:
    """What is found in a notebook of these cells, beside one with the usual imports."""
    return SourceReader([SETUP, *map(textwrap.dedent, cells)]).findings


TAMPERING = {
    "profile hook": "sys.setprofile(None)",
    "profile hook, renamed": "import sys as s\nh = s.setprofile",
    "profile hook, imported": "from sys import setprofile as quiet",
    "profile hook, everything imported": "from sys import *\nsetprofile(None)",
    "profile hook, through a module": "warnings.sys.setprofile(None)",
    "profile hook, by a pattern": "match sys:\n    case object(setprofile=h): h(None)",
    "profile hook, by getattr": "getattr(sys, 'setprofile')(None)",
    "profile hook, in a magic": "%time sys.setprofile(None)",
    "profile hook, in a cell's magic": "%%timeit sys.setprofile(None)\nx = 1",
    "profile hook, in a text": "exec('import sys as s; s.setprofile(None)')",
    "computed name": "getattr(sys, 'set' + 'profile')(None)",
    "trace hook": "sys.settrace(None)",
    "modules": "sys.modules['torch'] = 1",
    "modules, through a module": "os.sys.modules.get('inside.serve')",
    "import hook": "sys.meta_path.insert(0, object())",
    "frame": "sys._getframe().f_back",
    "frame's variables": "frame.f_locals['x'] = 1",
    "inspect": "import inspect\ninspect.stack()",
    "inspect, imported": "from inspect import currentframe",
    "heap": "import gc\ngc.get_objects()",
    "referrers": "from gc import get_referrers as g",
    "ctypes": "import ctypes",
    "ctypes, imported from": "from ctypes import py_object",
    "subclasses": "object.__subclasses__()",
    "globals": "F.batch_norm.__globals__['torch'] = None",
    "code": "f.__code__ = g.__code__",
    "closure": "f.__closure__[0].cell_contents = 1",
    "builtins": "__builtins__.eval('1')",
    "builtins, imported": "import builtins",
    "exec of a computed text": "exec(''.join(map(chr, [102])))",
    "eval": "eval('F.batch' + chr(95) + 'norm')",
    "compile": "compile(text, '', 'exec')",
    "exec, passed on": "list(map(exec, texts))",
    "import by text": "__import__(name)",
    "import by a constant text": "__import__('ctypes')",
    "import_module of a computed name": "import importlib\nimportlib.import_module(name)",
    "PyTorch's inside": "torch._C._disabled_torch_function_impl",
    "PyTorch's inside, by a pattern's owner": "nn.functional.torch._C",
    "PyTorch's modes": "from torch.utils import _python_dispatch",
    "PyTorch's overrides": "import torch.overrides as o",
    "functorch's inside": "torch._functorch.eager_transforms.vjp",
    "compiled by PyTorch": "torch.jit.script(f)",
    "monkeypatch": "torch.sum = F.batch_norm",
    "monkeypatch of a class": "torch.Tensor.__add__ = lambda a, b: 0",
    "monkeypatch of any class": "type(x).mean = None",
    "monkeypatch by class": "x.__class__.mean = None",
    "monkeypatch in a loop": "for torch.sum in [F.batch_norm]: pass",
    "monkeypatch, deleted": "del F.batch_norm",
    "monkeypatch, augmented": "torch.sum += 1",
    "monkeypatch, renamed": "T = torch.Tensor\nT.mean = None",
    "monkeypatch, unpacked": "a, b = torch, 1\na.sum = b",
    "monkeypatch of each": "for m in [torch, F]:\n    m.relu = None",
    "monkeypatch, imported by name": "m = __import__('torch')\nm.sum = 1",
    "setattr": "setattr(torch, 'sum', torch.mean)",
    "setattr on a class": "setattr(torch.Tensor, name, None)",
    "setattr of a list": "setattr(*a)",
    "setattr, passed on": "functools.partial(setattr, torch)",
    "setattr by type": "type.__setattr__(torch.Tensor, 'mean', None)",
    "delattr": "delattr(torch, 'sum')",
    "module's dict": "torch.__dict__['sum'] = 1",
    "vars": "vars(F)['relu'] = 1",
    "observed by text": "import pydoc\nserver = pydoc.locate('inside.serve')\nserver.attempt = None",
    "sandbox": "import inside.serve",
    "drivers": "import course_lib.checking.drivers as d\nd.DRIVERS['call'] = None",
    "a topic's drivers": "from course_lib.batchnorm import drivers",
    "watch": "from course_lib.checking.watch import unwatched",
    "the course's library": "import course_lib.lab.models as m\nm.seeded = None",
    "pickle": "import pickle\npickle.loads(b'ctorch\\nbatch_norm\\n.')",
    "attrgetter": "import operator\noperator.attrgetter(name)(F)",
    "formatter": "import string\nstring.Formatter().get_field('0.batch_norm', (F,), {})",
    "logging": "import logging.config\nlogging.config.BaseConfigurator({}).resolve('torch.batch_norm')",
    "type hints": "import typing\ntyping.get_type_hints(A)",
    "fork": "os.fork()",
    "kill": "os.kill(0, 9)",
    "exit": "os._exit(0)",
    "exec of a program": "os.execv('/bin/sh', [])",
    "signal": "import signal",
    "processes": "from multiprocessing import Pool",
    "programs": "import subprocess",
    "network": "import socket",
    "threads": "import threading",
    "mock": "from unittest import mock",
    "input transformer": "get_ipython().input_transformers_post.append(str)",
    "cells run by code": "get_ipython().run_cell('1')",
    "own magic": "from IPython.core.magic import register_cell_magic",
    "unknown magic of a cell": "%%secret\nF.batch_norm",
    "a file that is run": "%run helper.py",
    "a file that is written": "%%writefile helper.py\nx = 1",
    "extension": "%load_ext helper",
}


@pytest.mark.parametrize("code", TAMPERING.values(), ids=TAMPERING.keys())
def test_tampering_is_found_with_its_place(code: str) -> None:
    """A person reads what it is, and where it stands."""
    found = findings("x = 1", code)
    assert found
    assert all(place.startswith("cell 3, line ") for place in found)


def test_a_finding_names_cell_line_and_construct() -> None:
    """In a cell with a magic, too; a cell's own name is used if it is given."""
    assert findings("x = 1\n\nsys.setprofile(None)") == ("cell 2, line 3: sys.setprofile",)
    assert findings("%%time\nx = 1\nsys.setprofile(None)") == ("cell 2, line 3: sys.setprofile",)
    assert SourceReader(["a = 1", "import ctypes"], ["one", "two"]).findings == ("cell two, line 1: ctypes",)


INNOCENT = {
    "imports": "import google.colab, cv2, torchinfo, plotly, requests, gc, inspect, pickle, importlib, tensorboard",
    "more imports": "import tqdm, seaborn, time, os.path, pathlib, random, dataclasses, itertools, math, json, logging",
    "imports from": "from torch.utils.data import DataLoader\nfrom IPython.display import display\n"
    "from tqdm.auto import tqdm\nfrom torch.utils.tensorboard import SummaryWriter",
    "collector": "import gc\ngc.collect()",
    "source": "import inspect\nprint(inspect.getsource(f), inspect.signature(f))",
    "pickle to a file": "import pickle\nwith open('f', 'wb') as file:\n    pickle.dump(1, file)",
    "saved and loaded": "torch.save(model.state_dict(), 'm.pt')\nmodel.load_state_dict(torch.load('m.pt'))",
    "reload": "import importlib\nimportlib.reload(np)",
    "installed?": "import importlib.util\nfound = importlib.util.find_spec('torchinfo') is not None",
    "Colab": "IN_COLAB = 'google.colab' in sys.modules\nif not IN_COLAB: sys.path.append('..')",
    "Colab by shell": "if 'google.colab' in str(get_ipython()): pass",
    "environment": "os.environ['CUDA_LAUNCH_BLOCKING'] = '1'\nos.makedirs(os.path.join('a', 'b'), exist_ok=True)",
    "magics": "%load_ext autoreload\n%autoreload 2\n%matplotlib inline\n%config InlineBackend.figure_format = 'retina'",
    "timing": "%%time\nz = 1",
    "timing with options": "%timeit -n 10 -r 2 z = 1",
    "shell": "!pip install torchinfo\nfiles = !ls\n%pip install einops",
    "tensorboard": "%load_ext tensorboard\n%tensorboard --logdir runs",
    "markup": "%%html\n<b>a</b>",
    "help": "torch.sum?",
    "own class": "class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.x = 1\n"
    "        self.__dict__.update(a=1)\n    def __setattr__(self, name, value): super().__setattr__(name, value)",
    "own namespace": "from types import SimpleNamespace\nsettings = SimpleNamespace()\nsettings.lr = 1\nvars(settings)",
    "own attributes": "a = A()\na.x = 1\nA.y = 2\nsetattr(a, 'x', 2)\nf.calls = 0\ndel a.x",
    "new head": "model = models.resnet18()\nmodel.fc = nn.Linear(1, 2)\nmodel.layer1[0].conv1.bias = None",
    "frozen": "for p in model.parameters(): p.requires_grad = False",
    "no gradient": "x.grad = None\nm.bias.data.zero_()\nm.track_running_stats = False\nw.data = w.data * 2",
    "learning rate": "optimizer.param_groups[0]['lr'] = 0.1",
    "figures": "plt.rcParams['figure.dpi'] = 80\nax.set_title('a')\npd.options.display.max_rows = 5",
    "determinism": "torch.backends.cudnn.deterministic = True\ntorch.manual_seed(0)\nnp.random.seed(0)",
    "warnings": "warnings.filterwarnings('ignore')",
    "downloads": "ssl._create_default_https_context = ssl._create_unverified_context",
    "functions": "g = functools.partial(F.relu, inplace=True)\n@functools.cache\ndef f(x): return x",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 0",
    "main": "if __name__ == '__main__': print(__name__, type(x).__name__)",
    "isinstance": "isinstance(m, nn.modules.batchnorm._BatchNorm)",
    "evaluation": "model.eval()\nre.compile('a')\ntorch.compile(model)\npd.DataFrame().eval('a')\neval('1 + 1')",
    "getattr": "getattr(torch.optim, 'SGD')\ngetattr(model, name)\nsetattr(model, name, nn.ReLU())",
    "submodule": "functools.reduce(getattr, 'a.b'.split('.'), model)",
    "stack": "torch.stack([x, x])\nnp.stack([x])",
    "forbidden elsewhere": "F.batch_norm(x, None, None, training=True)\ntorch.autograd.grad(y, x)\ny.backward()",
    "parameter called like a module": "from course_lib.transfer.experiments import features\n"
    "def f(features):\n    features.requires_grad = True\n    return features.drivers",
    "syntax error": "def g(:\n",
}


@pytest.mark.parametrize("code", INNOCENT.values(), ids=INNOCENT.keys())
def test_innocent_code_is_no_finding(code: str) -> None:
    """What students write every day, here and in tutorials."""
    assert findings(code) == ()


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*/*.ipynb")), ids=lambda path: path.stem)
def test_the_course_s_own_notebooks_are_no_finding(path: Path) -> None:
    """All their cells, experiments too."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    reader = SourceReader(["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"])
    assert (reader.findings, reader.refused) == ((), {})


def test_names_that_are_defined_at_the_top_level_are_known() -> None:
    """In conditions and loops too, but not inside functions."""
    source = (
        "def f():\n    inner = 1\nclass C: pass\nif a:\n    b = 1\nfor c, *d in e: pass\nmatch b:\n    case [g]: pass"
    )
    reader = SourceReader([source, "%time timed = 1"])
    assert reader.defined == ("f", "C", "b", "c", "d", "g", "timed")
    assert reader.defines("timed")
    assert not reader.defines("inner")


TOO_MUCH = {
    "too long": "# " + "x" * MAX_CHARACTERS,
    "too deep": "x = " + "-" * 20_000 + "1",
    "long sum": "x = " + "+".join(["1"] * 20_000),
    "too many magics": "%time 1\n" * 100,
    "magics within magics": "%%time\n" * 10 + "1",
}


@pytest.mark.parametrize("source", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_a_cell_that_is_too_much_is_refused(source: str) -> None:
    """What the reader does not read is not run: else code could be hidden from it."""
    reader = SourceReader(["a = 1", source])
    assert list(reader.refused) == [1]
    assert reader.defines("a")


def test_reading_ends_where_a_notebook_has_too_much_code() -> None:
    """Thousands of definitions are refused, not read for minutes."""
    cell = "\n".join(f"name_{n} = torch.sum" for n in range(2000))
    reader = SourceReader(["def f(x): return x", *[cell] * 100])
    assert len(reader.refused) > 90
    assert reader.defines("f")


def _seconds(source: str) -> float:
    best = float("inf")
    for number in range(3):
        fresh = f"{source}\n# {number}"  # short cells are remembered
        started = time.process_time()
        SourceReader([fresh])
        best = min(best, time.process_time() - started)
    return best


GROWING = {
    "blanks": lambda n: " " * (n * 100) + "x y",
    "signs of assignment": lambda n: "x ===" + " =" * n + "%",
    "aliases": lambda n: (
        "import torch\nx0 = torch\n" + "\n".join(f"x{i} = x{i - 1} or torch.q{i}" for i in range(1, n))
    ),
    "chain of aliases": lambda n: "import torch\nx0 = torch\n" + "\n".join(f"x{i} = x{i - 1}.q" for i in range(1, n)),
    "attributes": lambda n: "import torch\n" + "\n".join(["x = torch" + ".a" * 100] * (n // 20)),
    "assignments": lambda n: "x = 1\n" * n,
    "options": lambda n: "%time" + " -a" * n + " x",
    "texts of code": lambda n: "exec('x = 1')\n" * n,
    "imports": lambda n: "from a import " + ", ".join(f"x{i}" for i in range(n)),
}


@pytest.mark.parametrize("grown", GROWING.values(), ids=GROWING.keys())
def test_time_grows_as_the_code_does(grown) -> None:  # type: ignore[no-untyped-def]
    """Twice the code takes about twice as long; what grows with the square would take 16 times here."""
    small, large = _seconds(grown(400 // 4)), _seconds(grown(400))
    assert large < 10 * small + 0.01


def test_a_cell_that_was_seen_before_is_read_with_what_is_known_now() -> None:
    """The same text is a finding in one notebook and none in another."""
    use = "names.modules"
    assert SourceReader([use]).findings == ()
    assert SourceReader(["import sys as names", use]).findings == ("cell 2, line 1: sys.modules",)
    assert SourceReader([use]).findings == ()
    assert SourceReader(["import os as names", use]).findings == ()


def test_what_stalled_the_old_reader_takes_no_time() -> None:
    """Blanks before damaged code, and a thousand links of aliases: seconds and minutes before."""
    assert _seconds(" " * 49_990 + "x y") < 0.5
    started = time.process_time()
    SourceReader([" " * 49_990 + "x y"] * 8)
    assert time.process_time() - started < 0.5
    assert _seconds("import torch\n" + "\n".join(f"x{i} = x{i - 1} or torch.q{i}" for i in range(1, 1500))) < 0.5


_words = st.sampled_from(
    [
        *"def class f x F torch nn = ( ) [ ] { } : , . ; lambda if else for in @ * ** -> := match case 1 'a'".split(),
        *"f'{ %%time % ! ? \\ \0 async await global import from exec getattr setattr sys del type vars with".split(),
        *'try except # """ __import__ eval . . ( )'.split(),
        *("\n", "\n    ", "\n\t"),
    ]
)


@fuzz(200)
@given(st.one_of(st.text(max_size=300), st.lists(_words, max_size=60).map(" ".join)))
def test_any_text_can_be_read(source: str) -> None:
    """Whatever a cell holds, the reader returns: findings, nothing, or a refusal."""
    reader = SourceReader([SETUP, source])
    assert all(isinstance(place, str) for place in reader.findings)
    assert isinstance(read_code(source).refused, str)
