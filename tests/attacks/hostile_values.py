"""Answers that are made to crash, stall or mislead whoever reads or compares them."""

from __future__ import annotations

from tests.attacks.attack import Attack, body

__all__ = ["HOSTILE_VALUES"]


def _attack(name: str, aim: str, text: str, before: str = "", *, slow: bool = False) -> Attack:
    return Attack(name, aim, column_scale=body(text, before), slow=slow)


HOSTILE_VALUES = (
    _attack(
        "giant-view", "a tensor of 10^12 elements that share one number", "return x[:1, :1].expand(10**6, 10**6), gamma"
    ),
    _attack("too-long-answer", "an answer of 256 MiB", "return torch.zeros(2**25, dtype=torch.float64), gamma"),
    _attack(
        "deep-list",
        "a list nested 100,000 deep",
        "deep = []\nfor _ in range(100_000):\n    deep = [deep]\nreturn deep, gamma",
    ),
    _attack("endless-list", "a list that contains itself", "loop = []\nloop.append(loop)\nreturn loop, loop"),
    _attack("many-parts", "a million small values", "return list(range(1_000_000)), gamma"),
    _attack("many-tensors", "fifty thousand tensors", "return [x[0, 0] for _ in range(50_000)], gamma"),
    _attack("many-dimensions", "a tensor of 100,000 dimensions", "return x[:1, :1].reshape([1] * 100_000), gamma"),
    _attack("complex", "complex numbers with the right real part", "return torch.complex(x * 0, x), gamma + 0j"),
    _attack("sparse", "a sparse tensor", "return torch.zeros_like(x).to_sparse(), gamma"),
    _attack("meta", "a tensor without numbers", "return torch.empty(x.shape, device='meta'), gamma"),
    _attack(
        "quantised",
        "a quantised tensor",
        "import warnings\nwarnings.simplefilter('ignore')\n"
        "return torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8), gamma",
    ),
    _attack("nested-tensor", "a nested tensor", "return torch.nested.nested_tensor([x[0], x[1, :1]]), gamma"),
    _attack(
        "zero-size",
        "a tensor without elements and with huge dimensions",
        "return torch.empty(0, 10**15), torch.empty(0)",
    ),
    _attack("aliasing", "both results are one tensor, the input", "return x, x"),
    _attack(
        "overlapping",
        "results that overlap in memory and are not contiguous",
        "return x.t().expand(3, *x.t().shape)[0], x[:, 0]",
    ),
    _attack("wrong-dtype", "integers and booleans", "return x.to(torch.int8), gamma.bool()"),
    _attack("small-floats", "floats of eight bits", "return x.to(torch.float8_e4m3fn), gamma.to(torch.float8_e5m2)"),
    _attack("huge-integer", "an integer of 4000 digits, which overflows a float", "return 10**4000, -(10**4000)"),
    Attack(
        "huge-scalar",
        "integers of a thousand digits where a tensor without dimensions could be",
        pair="def double(x):\n    return 10**1000\n\ndef halve(x):\n    return (10**1000, 10**1000)",
    ),
    _attack("huge-text", "a text of 50 million characters", "return 'a' * 50_000_000, 'b'"),
    _attack(
        "colliding-keys",
        "thirty thousand keys and items with one hash, which a dict or a set takes seconds to hold",
        "same = [n * (2**61 - 1) for n in range(1, 30_000)]\nreturn dict.fromkeys(same), [(n,) for n in same]",
    ),
    _attack(
        "iterator-that-exits",
        "an iterator that ends the process when it is read",
        "def ends():\n    yield gamma\n    raise SystemExit\nreturn ends(), ends()",
    ),
    _attack(
        "texts",
        "an array in which each of a hundred thousand texts takes the space of the longest",
        "return np.array(['a' * 9_000] + ['b'] * 90_000), {frozenset({n}) for n in range(50_000)}",
        "import numpy as np\n",
    ),
    _attack(
        "tensors-as-keys",
        "dictionaries whose keys are tensors",
        "return {x: gamma, gamma: x, torch.nn.Parameter(x): 1}, {(): ()}",
    ),
    _attack(
        "object-array",
        "a NumPy array of objects",
        "import numpy as np\nreturn np.array([object(), print]), np.array('a')",
    ),
    _attack(
        "structured-array",
        "a NumPy array of records and one of dates",
        "import numpy as np\nreturn np.zeros(3, dtype=[('a', 'f8')]), np.array(['2020-01-01'], dtype='M8[D]')",
    ),
    _attack("endless-iterator", "an iterator without end", "import itertools\nreturn itertools.count(), iter(int, 1)"),
    _attack(
        "hooked-gradients",
        "tensors whose gradients run code",
        "y = torch.zeros_like(x, requires_grad=True)\n"
        "y.register_hook(lambda g: print('HOOK'))\nreturn y * 2, gamma.clone().requires_grad_()",
    ),
    _attack(
        "dict-that-lies",
        "a dict subclass whose items never end",
        "return Lying(y=1), Lying()",
        "class Lying(dict):\n    def items(self):\n        while True:\n            yield 'y', 1\n",
        slow=True,
    ),
    _attack(
        "objects-with-code",
        "objects whose every method raises or loops",
        "return Evil(), Evil()",
        "class Evil:\n    def __getattr__(self, name): raise SystemExit(0)\n    __class__ = torch.Tensor\n",
    ),
    _attack(
        "many-changed-names",
        "results whose inputs are replaced by other objects",
        "x.resize_(0)\ngamma.set_(torch.zeros(10**6))\nreturn x, gamma",
    ),
)
