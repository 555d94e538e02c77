"""The reader of code finds forbidden operations however they are written, and leaves honest solutions alone."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.exercise import Exercise
from autograder.reading.code_cells import MAX_CHARACTERS, read_code
from autograder.reading.forbidden import Findings, SourceReader
from autograder.sample_class.student_code import UnportableCodeError, student_code
from tests.support.course import ASSIGNMENTS
from tests.support.fuzzing import fuzz
from tests.support.paths import ROOT

RULES = (
    "torch.nn.functional.batch_norm",
    "torch.batch_norm",
    "torch.nn.BatchNorm1d",
    "torch.nn.modules.batchnorm",
    "torch.autograd",
    ".backward",
)
SETUP = "import torch\nfrom torch import nn\nimport numpy as np\nfrom torch.nn import functional as F\n"
CALL = "    return F.batch_norm(x, None, None, g, b, True, 0.1, e)"


def look(*cells: str) -> Findings:
    """What is found for `f` in a notebook of these cells."""
    return SourceReader([SETUP, *map(textwrap.dedent, cells)]).look(("f",), RULES)


BANNED = {
    "by its name": ["def f(x): return torch.nn.functional.batch_norm(x)"],
    "alias of a module": ["import torch.nn.functional as secret\ndef f(x): return secret.batch_norm(x)"],
    "imported name": ["from torch.nn.functional import batch_norm as bn\ndef f(x): return bn(x)"],
    "imported as the asked name": ["from torch.nn.functional import batch_norm as f"],
    "star import": ["from torch.nn.functional import *\ndef f(x): return batch_norm(x)"],
    "assigned module": ["m = torch.nn\nn = m.functional\ndef f(x): return n.batch_norm(x)"],
    "assigned function": ["g = F.batch_norm\ndef f(x): return g(x)"],
    "tuple assignment": ["g, h = F, 1\ndef f(x): return g.batch_norm(x)"],
    "walrus": ["def f(x): return (g := F).batch_norm(x)"],
    "local alias": ["def f(x):\n    a = torch\n    b = a.nn\n    return b.functional.batch_norm(x)"],
    "local import": ["def f(x):\n    import torch.nn.functional as q\n    return q.batch_norm(x)"],
    "helper": ["def h(x): return F.batch_norm(x)", "def f(x): return h(x)"],
    "helper's helper": ["def f(x): return g(x)", "def g(x): return h(x)", "def h(x): return F.batch_norm(x)"],
    "default argument": ["def f(x, bn=F.batch_norm): return bn(x)"],
    "decorator": ["def d(fn): return lambda x: F.batch_norm(x)", "@d\ndef f(x): return x"],
    "class attribute": ["class C:\n    go = staticmethod(F.batch_norm)\ndef f(x): return C.go(x)"],
    "base class": ["class C(nn.BatchNorm1d): pass\ndef f(x): return C(3)(x)"],
    "object": ["layer = nn.BatchNorm1d(3)\ndef f(x): return layer(x)"],
    "lambda": ["f = lambda x: F.batch_norm(x)"],
    "callable object": ["class C:\n    def __call__(self, x): return F.batch_norm(x)\nf = C()"],
    "partial": ["import functools\nf = functools.partial(F.batch_norm, eps=1)"],
    "redefined later": ["def f(x): return x", "def f(x): return F.batch_norm(x)"],
    "redefined in an if": ["def f(x): return x", "if True:\n    def f(x): return F.batch_norm(x)"],
    "redefined in a try": ["try:\n    1/0\nexcept Exception:\n    f = F.batch_norm"],
    "redefined in a match": ["match 1:\n    case 1:\n        f = F.batch_norm"],
    "captured by a match": ["match F.batch_norm:\n    case f: pass"],
    "redefined in a with": ["import contextlib\nwith contextlib.nullcontext(F.batch_norm) as f: pass"],
    "redefined in a for": ["for f in [F.batch_norm]: pass"],
    "global statement": ["def f(x): return x", "def s():\n    global f\n    f = F.batch_norm\ns()"],
    "attribute of the function": ["def f(x): return f.g(x)\nf.g = F.batch_norm"],
    "getattr": ["def f(x): return getattr(F, 'batch_norm')(x)"],
    "getattr, text in parts": ["def f(x): return getattr(F, 'batch' + '_norm')(x)"],
    "getattr, f-string": ["def f(x): return getattr(F, f\"batch_{'norm'}\")(x)"],
    "getattr, joined": ["def f(x): return getattr(F, '_'.join(['batch', 'norm']))(x)"],
    "getattr of a method": ["def f(x): getattr(x, 'backward')()"],
    "module's dict": ["def f(x): return F.__dict__['batch_norm'](x)"],
    "vars": ["def f(x): return vars(F)['batch_norm'](x)"],
    "sys.modules": ["import sys\ndef f(x): return sys.modules['torch.nn.functional'].batch_norm(x)"],
    "__import__": ["def f(x): return __import__('torch').batch_norm(x)"],
    "importlib": ["import importlib\ndef f(x): return importlib.import_module('torch.nn.functional').batch_norm(x)"],
    "exec": ["exec('def f(x): return torch.nn.functional.batch_norm(x)')", "def f(x): exec('torch.batch_norm(x)')"],
    "conditional": ["def f(x): return (F if x is not None else np).batch_norm(x)"],
    "or": ["def f(x): return (None or F).batch_norm(x)"],
    "item of a list": ["def f(x): return [F][0].batch_norm(x)"],
    "item of a dict": ["def f(x): return {'a': F}['a'].batch_norm(x)"],
    "same operation elsewhere": ["def f(x): return torch.nn.modules.activation.F.batch_norm(x)"],
    "torch.ops": ["def f(x): return torch.ops.aten.native_batch_norm(x)"],
    "torch._C": ["def f(x): return torch._C._nn.something(x)"],
    "torch._VF": ["def f(x): return torch._VF.batch_norm(x)"],
    "prefix": ["def f(x): return torch.autograd.grad(x, x)"],
    "method": ["def f(x): x.sum().backward(); return x.grad"],
    "cell magic": ["%%time\ndef f(x):\n    return F.batch_norm(x)"],
    "cell magic with options": ["%%timeit -n 1 -r 1\ndef f(x):\n    return F.batch_norm(x)"],
    "line magic": ["%time f = F.batch_norm"],
    "magic inside": ["if True:\n    %time f = F.batch_norm"],
    "method, in a text": ["def f(x): exec('x.backward()')"],
    "annotated attribute of the function": ["def f(x): return f.g(x)\nf.g: object = F.batch_norm"],
    "setattr on the function": ["def f(x): return f.g(x)", "setattr(f, 'g', F.batch_norm)"],
    "attribute in a for": ["def f(x): return f.g(x)\nfor f.g in [F.batch_norm]: pass"],
    "put into a dict": ["ops = {}\nops['bn'] = F.batch_norm\ndef f(x): return ops['bn'](x)"],
    "put into a list": ["ops = []\nops.append(F.batch_norm)\ndef f(x): return ops[0](x)"],
    "put into a list in a dict": [
        "ops = {}\nops.setdefault('a', []).append(F.batch_norm)\ndef f(x): return ops['a'][0](x)"
    ],
    "put into a dict by a helper": [
        "ops = {}\ndef fill():\n    ops['bn'] = F.batch_norm\nfill()\ndef f(x): return ops['bn'](x)"
    ],
    "attribute of a helper's class": ["class C: pass\nC.go = F.batch_norm\ndef f(x): return C.go(x)"],
}


_D = "class D:\n    def backward(self): pass\n"
BANNED |= {
    f"{name}, beside a method of that name": [cell.replace("DECOY", _D)]
    for name, cell in {
        "parameter": "DECOY\ndef f(x): x.backward()",
        "rebound": "DECOY\ndef f(x):\n    d = D()\n    d = x\n    d.backward()",
        "unpacked": "DECOY\ndef f(x):\n    d = D()\n    d, e = x, 1\n    d.backward()",
        "walrus": "DECOY\ndef f(x):\n    d = D()\n    (d := x).backward()",
        "loop": "DECOY\ndef f(x):\n    d = D()\n    for d in [x]: d.backward()",
        "with": "DECOY\ndef f(x):\n    d = D()\n    with x as d: d.backward()",
        "parameter of an inner function": "DECOY\ndef f(x):\n    d = D()\n    def g(d): d.backward()\n    g(x)",
        "class hidden by a local name": "DECOY\ndef f(x):\n    D = lambda t: t\n    D(x).backward()",
        "global": "DECOY\nd = D()\nd = torch.ones(1)\ndef f(x): d.backward()",
        "global, bound in a for": "DECOY\nd = D()\nfor d in [torch.ones(1)]: pass\ndef f(x): d.backward()",
        "base that hands out its argument": (
            "class B:\n    def __new__(cls, t): return t\nclass D(B):\n    def backward(self): pass\n"
            "def f(x): D(x).backward()"
        ),
        "endless bases": "class D: pass\n"
        + "".join(f"class D{n}(D{n + 1 if n < 900 else ''}): pass\n" for n in range(900))
        + "def f(x): D0(x).backward()",
        "base of its own": "class D(D):\n    def backward(self): pass\ndef f(x): D(x).backward()",
        "class replaced": "DECOY\nD = lambda t: t\ndef f(x): D(x).backward()",
        "class replaced by a helper": (
            "DECOY\ndef go():\n    global D\n    D = lambda t: t\ngo()\ndef f(x): D(x).backward()"
        ),
        "class replaced by a decorator": "def swap(c): return lambda t: t\n@swap\nDECOY\ndef f(x): D(x).backward()",
        "class that hands out its argument": "DECOY    def __new__(cls, t): return t\ndef f(x): D(x).backward()",
        "class that hands out another's methods": (
            "DECOY    def __getattr__(self, name): return self.other(name)\ndef f(x): D(x).backward()"
        ),
        "class with a value for __new__": "DECOY    __new__ = lambda c, t: t\ndef f(x): D(x).backward()",
        "class changed later": "DECOY\nD.__new__ = lambda c, t: t\ndef f(x): D(x).backward()",
        "class changed by setattr": "DECOY\nsetattr(D, '__new__', lambda c, t: t)\ndef f(x): D(x).backward()",
        "tensor's class": "class D(torch.Tensor):\n    def backward(self): pass\ndef f(x): D(x).backward()",
        "handed to an own method": "DECOY    def go(self): self.backward()\ndef f(x): D.go(x)",
    }.items()
}


@pytest.mark.parametrize("cells", BANNED.values(), ids=BANNED.keys())
def test_a_forbidden_operation_is_found(cells: list[str]) -> None:
    """Aliases, helpers, classes, magics and redefinitions do not hide it."""
    assert look(*cells).banned


DYNAMIC = {
    "exec of computed text": ["exec(''.join(map(chr, [102])))\ndef f(x): return x"],
    "eval": ["def f(x): return eval('F.batch' + chr(95) + 'norm')(x)"],
    "compile": ["compile('1', '', 'exec')\ndef f(x): return x"],
    "getattr with a computed name": ["def f(x): return getattr(F, 'mron_hctab'[::-1])(x)"],
    "getattr passed on": ["import functools\ndef f(x): return functools.reduce(getattr, ['nn', 'q'], torch)(x)"],
    "getattr renamed": ["g = getattr\ndef f(x): return g(F, 'batch_norm')(x)"],
    "attrgetter": ["from operator import attrgetter\ndef f(x): return attrgetter('batch_norm')(F)(x)"],
    "methodcaller": ["import operator\ndef f(x): return operator.methodcaller('batch_norm', x)(F)"],
    "module as an argument": ["def h(m, x): return m.batch_norm(x)\ndef f(x): return h(F, x)"],
    "module in a loop": ["def f(x):\n    for m in [F]:\n        return m.batch_norm(x)"],
    "another module's torch": ["import course_lib.lab.models as m\ndef f(x): return m.nn.BatchNorm1d(3)(x)"],
    "imported from elsewhere": ["from course_lib.lab.models import BatchNorm1d\ndef f(x): return BatchNorm1d(3)(x)"],
    "globals": ["def f(x): return x", "globals()['f'] = lambda x: x"],
    "setattr on a module": ["setattr(torch, 'sum', torch.mean)\ndef f(x): return torch.sum(x)"],
    "setattr on a class": ["name = 'mean'\nsetattr(torch.Tensor, name, None)\ndef f(x): return x.mean()"],
    "setattr of a list of arguments": ["a = [torch, 'sum', None]\nsetattr(*a)\ndef f(x): return torch.sum(x)"],
    "monkeypatch": ["torch.sum = F.batch_norm", "def f(x): return torch.sum(x)"],
    "monkeypatch of a class": ["torch.Tensor.mean = lambda self: 0", "def f(x): return x.mean()"],
    "monkeypatch in a loop": ["for torch.sum in [F.batch_norm]: pass", "def f(x): return torch.sum(x)"],
    "patched table": ["import course_lib.checking.drivers as d\nd.DRIVERS['call'] = None", "def f(x): return x"],
    "code object": ["def f(x): return x\nf.__code__ = (lambda x: x).__code__"],
    "function's globals": ["def f(x): return f.__globals__['F']"],
    "subclasses": ["def f(x): return object.__subclasses__()"],
    "frames": ["import sys\ndef f(x): return sys._getframe().f_back"],
    "gc": ["import gc\ndef f(x): return gc.get_objects()"],
    "ctypes": ["import ctypes\ndef f(x): return ctypes.CDLL(None)"],
    "inspect": ["import inspect\ndef f(x): return inspect.stack()"],
    "builtins": ["import builtins\ndef f(x): return builtins.exec('1')"],
    "__builtins__": ["def f(x): return __builtins__.eval('1')"],
    "pickle": ["import pickle\ndef f(x): return pickle.loads(b'ctorch\\nbatch_norm\\n.')(x)"],
    "own module": ["open('helper.py', 'w').write('...')\nimport helper\ndef f(x): return helper.go(x)"],
    "import hook": ["import sys\nsys.meta_path.insert(0, object())\ndef f(x): return x"],
    "input transformer": ["get_ipython().input_transformers_post.append(str)\ndef f(x): return x"],
    "IPython by import": ["from IPython import get_ipython\ndef f(x): return x"],
    "own magic": ["from IPython.core.magic import register_cell_magic\ndef f(x): return x"],
    "unknown magic": ["%%secret\nF.batch_norm", "def f(x): return x"],
    "extension": ["%load_ext helper", "def f(x): return x"],
    "extension again": ["%reload_ext helper", "def f(x): return x"],
    "run magic": ["%run helper.py", "def f(x): return x"],
    "mock": ["from unittest import mock\nmock.patch('torch.sum').start()\ndef f(x): return torch.sum(x)"],
    "torch.load": ["def f(x): return torch.load('file')(x)"],
    "the course's own drivers": ["from course_lib import drivers\ndef f(x): return drivers.DRIVERS['call'](x)"],
    "the course's experiments": ["from course_lib.batchnorm.experiments import run\ndef f(x): return run(x)"],
    "the course's batched version": [
        "from course_lib.augmentation.augment import mixup\ndef f(x): return mixup(x, x, x, x)"
    ],
    "vars of a module": ["vars(torch)['sum'] = 1\ndef f(x): return x"],
}


@pytest.mark.parametrize("cells", DYNAMIC.values(), ids=DYNAMIC.keys())
def test_what_cannot_be_followed_is_shown_to_a_person(cells: list[str]) -> None:
    """Code made at run time, wherever it stands, is flagged (or even recognised)."""
    found = look(*cells)
    assert found.dynamic or found.banned


HONEST = {
    "plain": ["def f(x, g, b, e):\n    return g * (x - x.mean(0)) / (x.var(0, correction=0) + e).sqrt() + b"],
    "comparison in a cell of their own": [
        "def f(x, g, b, e): return x",
        "x = torch.randn(3, 4)\nprint((f(x, 1, 0, 0) - F.batch_norm(x, None, None, training=True)).abs().max())",
    ],
    "same name as a local one": [
        "y = F.batch_norm(torch.zeros(2, 2), None, None)",
        "def f(x):\n    y = x\n    return y",
    ],
    "same name as a parameter": ["ref = F.batch_norm", "def f(ref):\n    return ref + 1"],
    "same name in a comprehension": ["v = F.batch_norm", "def f(x): return [v for v in x]"],
    "a method of their own": [
        "class Net:\n    def batch_norm(self, x): return x\n    def __call__(self, x): return self.batch_norm(x)",
        "def f(x): return Net()(x)",
    ],
    "a layer of their own, passed backward": [
        "class Layer:\n    def __init__(self, g): self.g = g\n    def backward(self, dy): return dy * self.g",
        "def f(x, g):\n    layer = Layer(g)\n    return layer.backward(x) + Layer(g).backward(x)\nLayer(1).backward(2)",
    ],
    "two layers of one name": [
        "class Layer:\n    def forward(self, x): return x",
        "class Layer:\n    def backward(self, dy): return dy",
        "def f(x): return Layer().backward(x)",
    ],
    "a layer of their own with a base, made outside": [
        "class Base:\n    pass\nclass Layer(Base):\n    def backward(self, dy): return dy",
        "layer = Layer()\nlayer.gain = 2\ndef f(x):\n    own: Layer = Layer()\n"
        "    return layer.backward(x) + own.backward(x)",
    ],
    "a module of their own, passed backward": [
        "class Layer(nn.Module):\n    'Like a library.'\n    @staticmethod\n    def backward(dy): return dy",
        "def f(x): return Layer.backward(x)",
    ],
    "comparison kept in a dict": [
        "def f(x): return x",
        "x, errors = torch.ones(3, requires_grad=True), {}\n"
        "errors['dx'] = (f(x) - torch.autograd.grad(x.sum(), x)[0]).abs().max()\nprint(errors)",
    ],
    "comparison kept in a list": ["def f(x): return x", "found = []\nfound.append(f(1) - F.batch_norm(1))"],
    "comparison in place": ["def f(x): return x", "d = torch.autograd.grad(1, 2)[0]\nd -= f(d)"],
    "comparison as the cell's result": [
        "def f(x): return torch.sum(x)",
        "(f(x) - torch.autograd.grad(x, x)[0]).abs().max()",
        "f(x)[0].sub_(torch.autograd.grad(x, x)[0]).abs()",
        "torch.testing.assert_close(f(x), F.batch_norm(x))",
    ],
    "comparison in a loop": [
        "def f(x): return x",
        "total = 0\nfor seed in range(3):\n    x = torch.ones(2, requires_grad=True)\n    y = F.batch_norm(x)\n"
        "    y.backward()\n    total += (f(x) - x.grad).abs().sum()",
    ],
    "a comment and a docstring": ["def f(x):\n    'like F.batch_norm'\n    return x  # not F.batch_norm(x)"],
    "getattr of a known name": ["def f(x): return getattr(x, 'shape')"],
    "own attributes": [
        "class C:\n    def __init__(self): self.mean = 0\n    def go(self): setattr(self, 'a', 1)\ndef f(x): return x"
    ],
    "a new layer of a model": [
        "def f(model, name, layer):\n    setattr(model.get_submodule('a'), name, layer)\n"
        "    for part in model.modules():\n        setattr(part, 'training', False)\n    return model"
    ],
    "settings": [
        "import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 80\ntorch.backends.cudnn.benchmark = False",
        "def f(x): return x",
    ],
    "magics": [
        "%load_ext autoreload\n%autoreload 2",
        "%matplotlib inline",
        "%%time\nz = 1",
        "!pip list",
        "def f(x): return x",
        "f?",
    ],
    "usual imports": [
        "import math, random, time, itertools, functools\nfrom IPython.display import display\ndef f(x): return x"
    ],
    "syntax error elsewhere": ["def g(:\n", "def f(x): return x"],
    "warnings": ["import warnings\nwarnings.filterwarnings('ignore')\ndef f(x): return x"],
}


@pytest.mark.parametrize("cells", HONEST.values(), ids=HONEST.keys())
def test_an_honest_notebook_is_not_flagged(cells: list[str]) -> None:
    """Comparing with the library in a cell of one's own is what a careful student does."""
    found = look(*cells)
    assert (found.banned, found.dynamic) == ([], [])


def _right_answers() -> list[tuple[Exercise, str]]:
    return [(e, name) for exercises in ASSIGNMENTS.values() for e in exercises.values() for name in e.right_answers]


@pytest.mark.parametrize(("exercise", "name"), _right_answers(), ids=lambda value: getattr(value, "id", value))
def test_right_but_unusual_answers_are_not_flagged(exercise: Exercise, name: str) -> None:
    """Every right answer of the registry, written as a student would hand it in, passes the reader."""
    given_names = exercise.namespace(exercise.right_answers[name])
    reference = exercise.namespace(exercise.reference_answer)
    own = {key: value for key, value in given_names.items() if reference.get(key) is not value}
    try:
        source = student_code(own, "mine")
    except UnportableCodeError as error:
        pytest.skip(f"cannot be written as a cell: {error}")
    found = SourceReader([SETUP, source]).look(tuple(own), exercise.forbidden)
    assert (found.banned, found.dynamic) == ([], [])


PACKAGES = {"cv2": "OpenCV", "skimage": "scikit-image", "sklearn": "scikit-learn"}


@pytest.mark.parametrize(
    "source",
    [
        "def g(x, features=None):\n    y = x if features is None else features\n    return y.T\ndef f(x): return g(x)",
        "def f(features):\n    experiments = features\n    return experiments.run",
        "def f(figures):\n    for features in figures:\n        x = features\n    return x.mean()",
    ],
    ids=["a default", "renamed", "in a loop"],
)
def test_a_parameter_called_like_an_imported_module_is_not_that_module(source: str) -> None:
    """Notebooks import `features`, `figures` and `experiments`; students use these words for what they are given."""
    setup = "from course_lib.transfer.experiments import features\nfrom course_lib.transfer import experiments, figures"
    found = SourceReader([setup, source]).look(("f",), ())
    assert (found.banned, found.dynamic) == ([], [])


@pytest.mark.parametrize(
    "source",
    [
        "from course_lib.augmentation.nets import augment\ndef f(x): return augment.mixup(x)",
        "from course_lib.augmentation import nets\ndef f(x):\n    tool = nets.augment\n    return tool.mixup(x)",
        "import course_lib.augmentation.widgets.sheets as s\ndef f(x): return s.transformed(x)",
        "from course_lib.transfer.experiments import features\ndef f(x): return features.table(x)",
    ],
)
def test_whatever_of_the_library_is_not_the_bench_is_found(source: str) -> None:
    """A list of folders, so that no re-export is forgotten; what lies in `course_lib.lab` may be used."""
    assert SourceReader([source]).look(("f",), ()).dynamic
    bench = "from course_lib.lab import data, models\ndef f(x): return models.seeded(x, data.CLASSES)"
    assert SourceReader([bench]).look(("f",), ()).dynamic == []


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_notebook_names_every_package_that_it_forbids(assignment: str) -> None:
    """Nobody loses points for a package that the text does not speak of."""
    (path,) = (ROOT / "notebooks" / assignment).glob("*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    rules = {rule for exercise in ASSIGNMENTS[assignment].values() for rule in exercise.forbidden}
    packages = {rule for rule in rules if not rule.startswith((".", "torch."))}
    assert [package for package in packages if PACKAGES.get(package, package) not in text] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*/*.ipynb")), ids=lambda path: path.stem)
def test_the_course_s_own_notebooks_are_not_flagged(path: Path) -> None:
    """The solutions in the source notebooks use nothing forbidden and nothing that cannot be followed."""
    exercises = ASSIGNMENTS.get(path.parent.name)
    if not exercises:
        pytest.skip("no exercises yet")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = [
        "".join(cell["source"])
        for cell in cells
        if cell["cell_type"] == "code"
        and "experiment" not in cell["metadata"].get("tags", ())
        and cell["id"] not in exercises
    ]
    reader = SourceReader(sources)
    assert not reader.refused
    for exercise in exercises.values():
        found = reader.look(exercise.names, exercise.forbidden)
        assert (exercise.id, found.banned, found.dynamic) == (exercise.id, [], [])


TOO_MUCH = {
    "too long": "# " + "x" * MAX_CHARACTERS,
    "too deep": "x = " + "-" * 20_000 + "1",
    "long sum": "x = " + "+".join(["1"] * 8000),
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


_words = st.sampled_from(
    [
        *"def class f x F torch nn = ( ) [ ] { } : , . ; lambda if else for in @ * ** -> := match case 1 'a'".split(),
        "f'{",
        *'%%time % ! ? \\ \0 async await global import from exec getattr batch_norm with try except # """'.split(),
        *("\n", "\n    ", "\n\t"),
    ]
)


@fuzz(150)
@given(st.one_of(st.text(max_size=300), st.lists(_words, max_size=60).map(" ".join)))
def test_any_text_can_be_read(source: str) -> None:
    """Whatever a cell holds, the reader returns: findings, nothing, or a refusal."""
    reader = SourceReader([SETUP, source])
    found = reader.look(("f",), RULES)
    assert isinstance(found, Findings)
    assert isinstance(read_code(source).refused, str)
