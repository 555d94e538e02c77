"""Forbidden operations are found by what ran, by whatever road they were reached; right answers are left alone."""

from __future__ import annotations

import contextlib
import functools
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograder.exercise import Exercise
from autograder.reading.source_reader import SourceReader
from course_lib.checking.drivers import run_case
from course_lib.checking.watch import Watch, unwatched, warm_up
from tests.support.course import ASSIGNMENTS

NORMALISERS = (
    *(f"torch.nn.functional.{kind}_norm" for kind in ("batch", "layer", "group", "instance", "rms")),
    *(f"torch.nn.modules.{kind}" for kind in ("batchnorm", "instancenorm", "normalization")),
    "sklearn",
)
GRADIENTS = ("torch.autograd.grad",)
SOFT = ("torch.nn.functional.cross_entropy",)
IMAGES = ("course_lib.augmentation", "scipy.ndimage")

X = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
SETUP = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
CALL = "(x, None, None, training=True)"


def used(function: Callable[..., Any], forbidden: tuple[str, ...], *inputs: Any) -> tuple[str, ...]:
    """Which of the forbidden operations ran in a call; where it fails, those before count all the same.

    Asked as answers are, in two calls with half of the hooks each, which must see what all of them see together.
    """
    found = []
    for hooks in ("functions", "operations", "all"):
        watch = Watch(forbidden, hooks)
        with watch, contextlib.suppress(Exception):
            function(*inputs)
        found.append(watch.used)
    by_functions, by_operations, by_all = found
    assert bool(by_functions or by_operations) == bool(by_all)
    return by_functions or by_operations


def written(code: str) -> tuple[str, dict[str, Any]]:
    """A cell that defines `f`, and what it defines."""
    source = SETUP + textwrap.dedent(code)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)
    return source, namespace


NORM_DETOURS = {
    "by its name": f"def f(x): return F.batch_norm{CALL}",
    "alias": f"g = F.batch_norm\ndef f(x): return g{CALL}",
    "layer": "def f(x): return nn.BatchNorm1d(3)(x)",
    "base class": "class C(nn.BatchNorm1d): pass\nlayer = C(3)\ndef f(x): return layer(x)",
    "partial": "import functools\nf = functools.partial(F.layer_norm, normalized_shape=(3,))",
    "map": "def f(x): return list(map(F.layer_norm, [x], [(3,)]))",
    "getattr": f"def f(x): return getattr(F, 'mron_hctab'[::-1]){CALL}",
    "match": f"def f(x):\n    match F:\n        case object(batch_norm=g): return g{CALL}",
    "own method of that name": f"class K:\n    def batch_norm(self): pass\n    def get(self): return F\n"
    f"def f(x): return K().get().batch_norm{CALL}",
    "lambda": f"G = lambda: F\ndef f(x): return G().batch_norm{CALL}",
    "formatter": "import string\ndef f(x):\n"
    f"    return string.Formatter().get_field('0.batch_norm', (F,), {{}})[0]{CALL}",
    "type hints": "import typing\ndef f(x):\n    class A:\n        a: 'torch.nn.functional.batch_norm'\n"
    f"    return typing.get_type_hints(A, vars(typing) | {{'torch': torch}})['a']{CALL}",
    "pydoc": f"import pydoc\ndef f(x): return pydoc.locate('torch.nn.functional.batch_norm'){CALL}",
    "logging": "import logging.config\ndef f(x):\n"
    f"    return logging.config.BaseConfigurator({{}}).resolve('torch.nn.functional.batch_norm'){CALL}",
    "sympy": f"import sympy\ndef f(x):\n    return sympy.lambdify('x', 'g{CALL}', modules=[{{'g': F.batch_norm}}])(x)",
    "timeit": f"import timeit\ndef f(x): timeit.timeit('F.batch_norm{CALL}', globals={{'F': F, 'x': x}}, number=1)",
    "doctest": "import doctest\ndef g():\n    '''\n"
    "    >>> F.layer_norm(x, (3,)).shape\n    torch.Size([6, 3])\n    '''\n"
    "def f(x): doctest.run_docstring_examples(g, {'F': F, 'x': x})",
    "pickle": f"import pickle\ndef f(x): return pickle.loads(b'ctorch.nn.functional\\nbatch_norm\\n.'){CALL}",
    "transformer's layer": "layer = nn.TransformerEncoderLayer(3, 1, 1)\ndef f(x): return layer.norm1(x)",
    "whole transformer": "layer = nn.TransformerEncoderLayer(3, 1, 1).eval()\ndef f(x): return layer(x[None])",
    "rms_norm": "def f(x): return F.rms_norm(x, (3,))",
    "RMSNorm": "def f(x): return nn.RMSNorm(3)(x)",
    "sklearn": "def f(x):\n    import sklearn.preprocessing as p\n    return p.scale(x.numpy())",
    "torch": "def f(x): return torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)",
    "operator": "def f(x): return torch.ops.aten.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)",
    "operator's other name": "def f(x):\n"
    "    return torch.ops.aten._native_batch_norm_legit.no_stats(x, None, None, True, 0.1, 1e-5)",
    "decomposition": "import torch._decomp.decompositions as d\n"
    "def f(x): return d.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)",
    "thread": "import functools, threading\nnorm = functools.partial(torch.layer_norm, normalized_shape=(3,))\n"
    "def f(x):\n    t = threading.Thread(target=norm, args=(x,))\n    t.start()\n    t.join()",
    "generator": "def g(x): yield F.layer_norm(x, (3,))\ndef f(x): return next(g(x))",
    "in vmap": "def f(x): return torch.vmap(lambda row: F.layer_norm(row, (3,)))(x)",
}
GRADIENT_DETOURS = {
    "backward": "def f(x):\n    x.requires_grad_()\n    (x * x).sum().backward()",
    "backward, by a pattern": "def f(x):\n    match (x.requires_grad_() * x).sum():\n"
    "        case object(backward=g): g()",
    "backward, by a formatter": "import string\n"
    "def f(x): string.Formatter().get_field('0.backward', ((x.requires_grad_() * x).sum(),), {})[0]()",
    "grad": "def f(x): return torch.autograd.grad((x.requires_grad_() * x).sum(), x)",
    "autograd.backward": "def f(x): torch.autograd.backward((x.requires_grad_() * x).sum())",
    "functional": "def f(x): return torch.autograd.functional.jacobian(lambda z: z * z, x)",
    "jacrev": "def f(x): return torch.func.jacrev(lambda z: z * z)(x)",
    "jvp": "def f(x): return torch.func.jvp(lambda z: z * z, (x,), (x,))",
    "functorch": "import torch._functorch.eager_transforms as e\ndef f(x): return e.vjp(lambda z: z * z, x)[1](x)",
    "forward mode": "import torch.autograd.forward_ad as a\n"
    "def f(x):\n    with a.dual_level(): return a.unpack_dual(a.make_dual(x, x) ** 2)",
}
SOFT_DETOURS = {
    "by a pattern": "def f(x):\n    match F:\n        case object(cross_entropy=g): return g(x, x)",
    "layer": "def f(x): return nn.CrossEntropyLoss()(x, x)",
    "operator": "def f(x): return torch.ops.aten.cross_entropy_loss(x, x)",
}
IMAGE_DETOURS = {
    "re-exported": "from course_lib.augmentation.nets import augment as a\ndef f(x): return a.mixup(x, x, 0.5, None)",
    "through a widget": "import course_lib.augmentation.widgets.sheets as s\n"
    "def f(x): return s.augment.mixup(x, x, 0.5, None)",
    "scipy": "def f(x):\n    from scipy import ndimage\n    return ndimage.rotate(x.numpy(), 10)",
}
DETOURS = {
    f"{name}: {way}": (code, forbidden)
    for name, forbidden, ways in (
        ("norm", NORMALISERS, NORM_DETOURS),
        ("gradient", GRADIENTS, GRADIENT_DETOURS),
        ("cross-entropy", SOFT, SOFT_DETOURS),
        ("image", IMAGES, IMAGE_DETOURS),
    )
    for way, code in ways.items()
}


@pytest.mark.parametrize(("code", "forbidden"), DETOURS.values(), ids=DETOURS.keys())
def test_a_forbidden_operation_is_found_by_whatever_road(code: str, forbidden: tuple[str, ...]) -> None:
    """Every detour that got past the reader of code is seen by the watch, or is flagged at least."""
    source, namespace = written(code)
    function = namespace["f"]
    assert used(function, forbidden, X.clone()) or SourceReader([source]).findings


@pytest.mark.parametrize(
    ("code", "forbidden", "name"),
    [
        (NORM_DETOURS["alias"], NORMALISERS, "torch.nn.functional.batch_norm"),
        (NORM_DETOURS["base class"], NORMALISERS, "torch.nn.BatchNorm1d"),
        (NORM_DETOURS["RMSNorm"], NORMALISERS, "torch.nn.RMSNorm"),
        (NORM_DETOURS["operator"], NORMALISERS, "torch.nn.functional.batch_norm"),
        ("import sklearn.preprocessing as p\ndef f(x): return p.scale(x)", ("sklearn",), "sklearn.preprocessing.scale"),
        (GRADIENT_DETOURS["backward"], GRADIENTS, "torch.Tensor.backward"),
        (GRADIENT_DETOURS["functorch"], GRADIENTS, "torch.func.vjp"),
        (IMAGE_DETOURS["scipy"], IMAGES, "scipy.ndimage.rotate"),
        ("def f(x): return x.rsqrt()", (".rsqrt",), "torch.Tensor.rsqrt"),
        ("def f(x): return x.rsqrt_()", ("torch.rsqrt",), "torch.Tensor.rsqrt_"),
        ("def f(x): return x.rsqrt()", ("torch.rsqrt", ".rsqrt"), "torch.Tensor.rsqrt"),
        ("def f(x): return torch.linalg.lstsq(x, x)", ("torch.linalg.lstsq",), "torch.linalg.lstsq"),
        ("import numpy as np\ndef f(x): return np.cov(x.numpy())", ("numpy.cov",), "numpy.cov"),
    ],
)
def test_what_was_used_is_named_as_one_would_write_it(code: str, forbidden: tuple[str, ...], name: str) -> None:
    """A student reads the name on the card."""
    assert used(written(code)[1]["f"], forbidden, X.clone()) == (name,)


ALLOWED = {
    "own formula": "def f(x): return (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()",
    "other losses": "def f(x): return -(x.softmax(1) * F.log_softmax(x, 1)).sum(1).mean()",
    "no gradient": "@torch.no_grad()\ndef f(x):\n    with torch.no_grad(): return torch.vmap(lambda v: v * v)(x)",
    "import": "def f(x):\n    import sklearn.preprocessing, scipy.ndimage, scipy.stats\n    return x",
    "mentioned": "def f(x, g=F.batch_norm): return (g, nn.BatchNorm1d, torch.autograd.grad, x.backward)",
    "bench": "from course_lib.lab import models\ndef f(x): return models.seeded(0, lambda: x) if 0 else x",
    "own backward": "class L:\n    def backward(self, d): return d\ndef f(x): return L().backward(x)",
}


@pytest.mark.parametrize("code", ALLOWED.values(), ids=ALLOWED.keys())
def test_what_is_allowed_is_not_found(code: str) -> None:
    """To import, to name and to hold something is no use of it."""
    everything = (*NORMALISERS, *GRADIENTS, *SOFT, *IMAGES, "scipy")
    assert used(written(code)[1]["f"], everything, X.clone()) == ()


def _right_answers() -> Iterator[Any]:
    for exercises in ASSIGNMENTS.values():
        for exercise in exercises.values():
            for name, what in exercise.right_answers.items() if exercise.forbidden else ():
                yield pytest.param(exercise, what, id=f"{exercise.id}: {name}")


@pytest.mark.parametrize(("exercise", "what"), list(_right_answers()))
def test_right_answers_use_nothing_forbidden(exercise: Exercise, what: Any) -> None:
    """Under the list of their exercise, with the drivers of the course; and the watch changes nothing."""
    namespace = exercise.namespace(what)
    watch = Watch(exercise.forbidden)
    for case in exercise.make_key("watched", diagnose=False).cases:
        with watch:
            raw = run_case(namespace, case.function, case.driver, case.inputs)
        assert "error" not in raw
    assert watch.used == ()


@pytest.mark.parametrize("name", ["batchnorm-forward", "layer-norm", "inverted-dropout-backward", "batchnorm2d-module"])
def test_references_that_call_the_library_are_found(name: str) -> None:
    """They may, for they are no answers; the list of their exercise sees it."""
    exercise = next(exercises[name] for exercises in ASSIGNMENTS.values() if name in exercises)
    case = exercise.make_key("watched", diagnose=False).cases[0]
    watch = Watch(exercise.forbidden)
    with watch:
        run_case(exercise.namespace(exercise.reference_answer), case.function, case.driver, case.inputs)
    assert watch.used


def test_names_come_once_and_in_order() -> None:
    """The first use of each rule, over several calls."""
    watch = Watch((*NORMALISERS, *GRADIENTS))
    for _ in range(2):
        with watch:
            (F.layer_norm(X, (3,)).requires_grad_() ** 2).sum().backward()  # type: ignore[no-untyped-call]
            F.batch_norm(X, None, None, training=True)
    assert watch.used == (
        "torch.nn.functional.layer_norm",
        "torch.Tensor.backward",
        "torch.nn.functional.batch_norm",
    )


def test_a_long_list_of_uses_is_cut() -> None:
    """Eight names are enough to read."""
    rules = tuple(f"torch.{name}" for name in "sin cos tan exp log sqrt abs neg ceil floor round".split())
    assert len(used(lambda: [getattr(torch, rule[6:])(X) for rule in rules], rules)) == 8


def test_what_a_driver_runs_itself_is_no_use() -> None:
    """Only a module of that name can say so; anywhere else the words have no effect."""
    code = (
        "from course_lib.checking.watch import unwatched\ndef f(x):\n    with unwatched(): return F.layer_norm(x, (3,))"
    )
    _, namespace = written(code)
    assert used(namespace["f"], NORMALISERS, X) == ("torch.nn.functional.layer_norm",)
    namespace["__name__"] = "course_lib.topic.drivers"
    assert used(namespace["f"], NORMALISERS, X) == ()
    assert used(lambda: (namespace["f"](X), F.layer_norm(X, (3,))), NORMALISERS) == ("torch.nn.functional.layer_norm",)
    with unwatched():
        pass


def test_everything_is_put_back() -> None:
    """Hooks of others, PyTorch's modes; also after an exception, and when watches are nested."""

    def own(frame: Any, event: str, argument: Any) -> None:
        pass

    sys.setprofile(own)
    try:
        with pytest.raises(ZeroDivisionError), Watch(NORMALISERS), Watch(GRADIENTS):
            1 / 0  # noqa: B018
        assert sys.getprofile() is own
    finally:
        sys.setprofile(None)
    assert threading.getprofile() is None
    assert not torch.overrides._get_current_function_mode_stack()  # type: ignore[no-untyped-call]


def test_watches_can_be_nested() -> None:
    """The inner one sees what runs in it, and the outer one looks again afterwards."""
    outer, inner = Watch(NORMALISERS), Watch(NORMALISERS)
    with outer:
        with inner:
            F.layer_norm(X, (3,))
        nn.BatchNorm1d(3)(X)
    assert inner.used == ("torch.nn.functional.layer_norm",)
    assert "torch.nn.BatchNorm1d" in outer.used


def test_who_takes_the_hook_away_is_named() -> None:
    """What ran afterwards was not seen, so nobody can say that nothing was."""
    assert used(lambda: sys.setprofile(None), NORMALISERS) == ("sys.setprofile",)


def test_results_and_exceptions_are_those_without_a_watch() -> None:
    """Also where code raises, recurses without end, or has odd globals."""

    def endless(x: Tensor) -> Tensor:
        return endless(x + 1)

    def odd(x: Tensor) -> Tensor:
        exec("y = len('abc')", {"__name__": ["no name"]})
        exec("def g(): return 1\ng()", {})
        return x

    for function, error in ((endless, RecursionError), (lambda x: x @ x, RuntimeError), (lambda x: [][1], IndexError)):
        with pytest.raises(error), Watch(NORMALISERS):
            function(X)
    with Watch(NORMALISERS):
        assert odd(X) is X
        assert torch.equal(torch.compile(lambda z: z + 1, backend="eager")(X), X + 1)


def test_a_fault_of_the_watch_is_not_the_student_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in the hooks, the answer is what it is."""
    from course_lib.checking import watch as module

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken")

    for name in ("function", "overridable", "operator"):
        monkeypatch.setattr(module._Rules, name, broken)
    with Watch(("torch.relu",)):
        assert torch.equal(F.relu(X), X.clamp(min=0))


def test_a_small_list_costs_little() -> None:
    """About 0.2 ms for eight operations on a quiet machine; the limit is generous because this one may be busy."""

    def answer(x: Tensor) -> Tensor:
        mean = x.mean(0)
        variance = ((x - mean) ** 2).mean(0)
        return (x - mean) / (variance + 1e-5).sqrt() * 2 + 1

    def milliseconds(call: Callable[[], object]) -> float:
        def once() -> float:
            started = time.perf_counter()
            for _ in range(50):
                call()
            return (time.perf_counter() - started) * 20

        return min(once() for _ in range(5))

    def watched() -> None:
        with Watch(NORMALISERS):
            answer(X)

    warm_up()
    assert milliseconds(watched) - milliseconds(functools.partial(answer, X)) < 2


def test_no_list_no_cost() -> None:
    """An exercise that forbids nothing installs nothing."""
    with Watch(()) as watch:
        assert sys.getprofile() is None
    assert watch.used == ()


def test_what_only_looks_like_an_import_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that calls itself importlib, one that borrows importlib's own code, and a module it wrote itself."""
    as_importlib = f"def f(x): exec('F.batch_norm{CALL}', {{**globals(), '__name__': 'importlib._bootstrap', 'x': x}})"
    borrowed = (
        "import importlib, torch.nn.functional\ndef f(x):\n"
        f"    code = compile('F.batch_norm{CALL}', torch.nn.functional.__file__, 'exec')\n"
        "    importlib._bootstrap._call_with_frames_removed(exec, code, {'F': F, 'x': x})"
    )
    for code in (as_importlib, borrowed):
        _, namespace = written(code)
        namespace["__name__"] = "importlib._bootstrap"
        assert used(namespace["f"], NORMALISERS, X), code
    (tmp_path / "own_h59.py").write_text(
        f"import torch.nn.functional as F, torch\nx = torch.randn(6, 3)\nF.batch_norm{CALL}"
    )
    monkeypatch.syspath_prepend(tmp_path)
    _, namespace = written("import importlib\ndef f(x):\n    import own_h59\n    importlib.reload(own_h59)")
    assert used(namespace["f"], NORMALISERS, X)
    sys.modules.pop("own_h59", None)


def test_an_own_name_of_a_forbidden_operation_is_the_student_s() -> None:
    """A function of the notebook may be called as it likes."""
    code = "def batch_norm(x): return x - x.mean()\nclass LayerNorm(nn.Module):\n    def forward(self, x): return x\n"
    _, namespace = written(code + "def f(x): return LayerNorm()(batch_norm(x))")
    assert used(namespace["f"], NORMALISERS, X) == ()
    assert isinstance(namespace, Mapping)


def test_the_profile_hook_alone_sees_what_is_written_to_be_read() -> None:
    """For special cases, whose branches are watched less thoroughly: functions and methods by their names."""
    x = torch.ones(4, 3)
    rules = ("torch.nn.functional.batch_norm", "torch.Tensor.backward", "torch.rsqrt")
    for call, name in (
        (lambda: torch.nn.functional.batch_norm(x, None, None, training=True), rules[0]),
        (lambda: torch.nn.BatchNorm1d(3)(x), rules[0]),
        (lambda: x.clone().requires_grad_().sum().backward(), rules[1]),
    ):
        watch = Watch(rules, "functions")
        with watch:
            call()
        assert watch.used == (name,)
