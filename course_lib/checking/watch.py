"""Which forbidden operations run while an answer is computed?  Found where they run, however they were written.

    watch = Watch(("torch.nn.functional.batch_norm", "sklearn"))
    with watch:
        answer(*inputs)
    watch.used  # ("torch.nn.functional.batch_norm",)

A list of forbidden operations holds dotted names.

- The name of a package, a module or a class forbids all functions that are defined there: ``"sklearn"``.
- The name of one of PyTorch's functions forbids the operation, by whatever road it is reached: as a method, as a layer,
  in place, through ``torch.ops``.  ``".backward"`` is short for ``"torch.Tensor.backward"``.
- ``"torch.autograd.grad"`` forbids differentiation by the machine in every form.
- What lies in a topic's `drivers` is the examiner's: ``"course_lib.TOPIC"`` forbids the topic's other modules.

Three hooks look, for none sees everything: PyTorch's function mode sees public names, its dispatch mode sees the
operators that layers and compiled code end in, and Python's profile hook sees functions of all other packages.
An answer is called under Python's hook, and its second call under PyTorch's two (`drivers.attempt`).
What runs while a module is imported is no use, and neither is what a driver runs within `unwatched`.

This is a rule of the course and no wall: it observes from inside the student's process, where code can hide from it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import re
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, Literal, get_args

import torch
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Hooks", "Watch", "unwatched", "warm_up"]

_MOST = 8
"""As many names are kept: who reads them wants to know which, not how often."""
_MOST_REMEMBERED = 10_000
"""Pieces of code that are known to be innocent."""
_EVERYTHING = frozenset({"torch", "torch.Tensor", "torch._C", "torch.ops", "torch.ops.aten"})
"""Every computation ends there; as rules they forbid nothing."""
_HOOK_REMOVED = "sys.setprofile"
"""Reported where the profile hook is gone at the end: what ran then was not seen."""

_RUNS_BODIES = importlib._bootstrap._call_with_frames_removed.__code__  # type: ignore[attr-defined]
"""Importlib's own code that runs the body of a module."""
_INSTALLED = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    *(str(Path(str(module.__file__)).parents[1]) for module in (torch, sys.modules[__package__])),
)
"""Where modules lie that no submission wrote."""

_GRADIENTS = (
    "torch.Tensor.backward",
    "torch.autograd.backward",
    "torch.autograd.forward_ad",
    "torch.autograd.functional",
    "torch.autograd.graph._engine_run_backward",
    "torch._C._EngineBase.run_backward",
    "torch._functorch.eager_transforms",
)
_ALSO = {"torch.autograd.grad": _GRADIENTS, "torch.autograd.backward": _GRADIENTS, "torch.Tensor.backward": _GRADIENTS}
"""Rule -> other names under which the same runs."""
_MODES = "nearest nearest_exact linear bilinear bicubic trilinear"
_OTHER_WORDS = {
    "grid_sample": ("grid_sampler",),
    "interpolate": tuple(f"upsample_{mode}" for mode in _MODES.split()),
    "layer_norm": ("transformer_encoder_layer_fwd",),
}
"""The plain name of an operation -> those of operators that do it under another name."""
_BEFORE = frozenset(
    "alpha cudnn feature fused lazy linalg miopen mkldnn mps native quantized special sync thnn".split()
)
_AFTER = frozenset(
    "backward counts elemt forward functional gather helper impl index indices legit loss no out stats training update "
    "with".split()
)
"""Words that tell how an operation is carried out: ``_native_batch_norm_legit_no_training`` is a ``batch_norm``."""


Hooks = Literal["all", "functions", "operations"]


class Watch:
    """Notes the forbidden operations that run while it is active; may be entered several times, one after the other.

    Args:
        forbidden: see the module's description.
        hooks: ``functions`` looks with Python's hook, ``operations`` with PyTorch's two.  All three together take three
            times as long as one kind after the other, because Python's hook sees PyTorch's at work.
    """

    def __init__(self, forbidden: tuple[str, ...], hooks: Hooks = "all") -> None:
        self._hooks = hooks
        self._rules = _rules_of(tuple(forbidden))
        self._found: dict[str, str] = {}
        self._eyes: _Eyes | None = None
        self._before: tuple[Any, Any] = (None, None)

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the forbidden operations that ran, in order of their first use."""
        return tuple(dict.fromkeys(self._found.values()))

    def __enter__(self) -> Watch:
        if self._rules.any:
            self._before = sys.getprofile(), threading.getprofile()
            self._eyes = _Eyes(self._rules, self._found, self._hooks)
            _active.append(self._eyes)
            threading.setprofile(self._eyes.follow_thread)
            self._eyes.open()
        return self

    def __exit__(self, *_: object) -> None:
        eyes, self._eyes = self._eyes, None
        if eyes is None:
            return
        if not eyes.close():
            self._found.setdefault(_HOOK_REMOVED, _HOOK_REMOVED)
        # A profiler written in C is no function and cannot be put back; it stays off.
        in_main, in_threads = (hook if callable(hook) else None for hook in self._before)
        threading.setprofile(in_threads)
        sys.setprofile(in_main)
        if eyes in _active:
            _active.remove(eyes)


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """For drivers: what they run themselves, PyTorch's own layer for comparison, is nobody's answer.

    Only a topic's `drivers` module can call it; anywhere else it does nothing.
    """
    caller = sys._getframe(2).f_globals.get("__name__", "")
    eyes = list(_active) if str(caller).endswith(".drivers") else []
    for one in eyes:
        one.paused += 1
    try:
        yield
    finally:
        for one in eyes:
            one.paused -= 1


def warm_up(*lists: tuple[str, ...], backward: bool = True) -> None:
    """Look at common operations, so that the first watched calls of a process are as fast as the others.

    Args:
        lists: of forbidden operations that will be looked for.
        backward: whether that may be one of the operations: with a GPU it starts threads.
    """
    for forbidden in (("torch.rsqrt",), *lists):
        _look_once(forbidden, backward)


@functools.cache
def _look_once(forbidden: tuple[str, ...], backward: bool) -> None:
    for hooks in get_args(Hooks):
        with Watch(forbidden, hooks), contextlib.suppress(Exception):
            _common_operations(backward)


def _common_operations(backward: bool) -> None:
    """What answers are mostly made of."""
    x = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4)
    y = (x - x.mean((0, 2), keepdim=True)) / torch.sqrt(x.var((0, 2), unbiased=False, keepdim=True) + 1e-5)
    y = (y * 2 + 1).sum(0).pow(2).exp().log().abs().clamp(min=0).view(-1)
    y = torch.where(y > y.mean(), y, torch.zeros_like(y)).unsqueeze(0) @ torch.ones(12, 2, dtype=x.dtype)
    y = torch.cat([y, y.detach().clone()]).permute(1, 0).contiguous().flatten()[1:].to(torch.float32)
    z = torch.empty(3, 2).copy_(y.repeat(6)[:6].view(3, 2)).add_(1).mul_(0.5).t().max(0).values
    z[0] = float(z.std()) + z.numel() + z.size(0) + int((z > 0).any())
    z = -z.square() + torch.ones_like(z) * torch.linspace(0, 1, z.dim() * 3) - torch.tensor([1.0, 2.0, 3.0])
    layer = _Layer().to(z).train()
    batch = torch.stack([z, z]).requires_grad_(True)
    loss = (layer(batch) ** 2).mean()
    if backward:
        torch.autograd.grad(loss, batch, torch.ones_like(loss))
    layer.eval()
    layer(z.reshape(1, -1).to(z.device))
    other = _Layer()
    other.load_state_dict(layer.state_dict())
    sum(p.numel() for p in other.parameters() if p.requires_grad and p.grad_fn is None and not torch.equal(p, z))
    with torch.no_grad():
        other.weight.zero_().fill_(1).copy_(z)
    torch.nn.BatchNorm1d(3).load_state_dict(torch.nn.BatchNorm1d(3).eval().state_dict())
    torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())(batch.detach())


class _Layer(torch.nn.Module):
    """A layer as students write them."""

    running: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.register_buffer("running", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale, and remember."""
        if self.training:
            with torch.no_grad():
                self.running = 0.9 * self.running + 0.1 * x.mean(0)
        return self.weight * x


class _Rules:
    """A list of forbidden operations, ready to be asked often; equal lists share one and what it remembers."""

    def __init__(self, forbidden: tuple[str, ...]) -> None:
        full = (f"torch.Tensor{rule}" if rule.startswith(".") else rule for rule in forbidden)
        rules = [rule for rule in full if rule not in _EVERYTHING]
        self.any = bool(rules)
        self._prefixes: dict[str, str] = {}
        self._operations: dict[str, str] = {}
        for rule in rules:
            found = _found(rule)
            for name in (rule, *_ALSO.get(rule, ()), *_defined_as(found)):
                self._prefixes.setdefault(name, rule)
            if rule.startswith("torch.") and not isinstance(found, ModuleType):
                word = _words(rule)[0]
                for same in (word, *_OTHER_WORDS.get(word, ())):
                    self._operations.setdefault(same, rule)
        self.of_torch = any(rule.startswith("torch.") for rule in rules)
        self.innocent_modules: set[str] = set()
        self.innocent_code: dict[int, CodeType] = {}
        self.innocent_functions: set[Any] = set()
        self.innocent_operators: dict[int, OpOverload] = {}
        self._functions: dict[tuple[str, str], str] = {}

    def function(self, module: str, qualname: str) -> str:
        """The rule that forbids a function defined there, or nothing."""
        key = module, qualname
        if key not in self._functions:
            if self._is_innocent(module):
                self.innocent_modules.add(module)
            self._functions[key] = self._prefix(f"{module}.{qualname}") or self._operation(module, qualname)
        return self._functions[key]

    def overridable(self, function: Any) -> tuple[str, str]:
        """The rule that forbids what a function mode was shown, or nothing, and its public name."""
        if isinstance(function, OpOverload):
            name = f"torch.ops.{function.namespace}.{function._opname}"
        else:
            name = resolve_name(function) or f"{function.__module__}.{function.__qualname__}"
        rule = self._prefix(name) or self._operation("torch", name)
        if not rule:
            self.innocent_functions.add(function)
        return rule, name

    def operator(self, operator: OpOverload) -> str:
        """The rule that forbids what the dispatcher runs, or nothing."""
        rule = self._operation("torch", operator._opname)
        if not rule:
            self.innocent_operators[id(operator)] = operator
        return rule

    def _prefix(self, name: str) -> str:
        if name.split(".")[0] != "torch" and ".drivers." in name:
            return ""
        for dotted in (name, _public(name)):
            while dotted:
                if dotted in self._prefixes:
                    return self._prefixes[dotted]
                dotted = dotted.rpartition(".")[0]
        return ""

    def _operation(self, module: str, name: str) -> str:
        if not self._operations or module.split(".")[0] != "torch" or "<locals>" in name:
            return ""
        return next((self._operations[word] for word in _words(name) if word in self._operations), "")

    def _is_innocent(self, module: str) -> bool:
        """Whether nothing that is defined in a module can be forbidden."""
        if module.split(".")[0] == "torch" and self.of_torch:
            return False
        inside = _public(f"{module}.x")[:-1]
        return not any(f"{rule}.".startswith(inside) or inside.startswith(f"{rule}.") for rule in self._prefixes)


_rules_of = functools.lru_cache(maxsize=256)(_Rules)


class _Eyes:
    """The hooks in one thread.  Whatever goes wrong in them must not change what the student's code gives."""

    def __init__(self, rules: _Rules, found: dict[str, str], hooks: Hooks) -> None:
        self.paused = 0
        self.rules = rules
        self._found = found
        self.inside: FrameType | None = None
        self._active = False
        self._hooks = hooks
        self._look = _profile_hook(self, rules) if hooks != "operations" else None
        self._modes = (_Functions(self), _Operators(self)) if hooks != "functions" and rules.of_torch else ()

    def open(self) -> None:
        """Begin to look in this thread."""
        self._active = True
        for mode in self._modes:
            mode.__enter__()  # type: ignore[no-untyped-call]
        if self._look is not None:
            sys.setprofile(self._look)

    def close(self) -> bool:
        """Stop; whether the profile hook was still there."""
        undisturbed = self._look is None or sys.getprofile() is self._look
        sys.setprofile(None)
        self._active = False
        for mode in reversed(self._modes):
            with contextlib.suppress(Exception):  # the code may have left the stack of modes in disorder
                mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        return undisturbed

    def follow_thread(self, frame: FrameType, event: str, argument: Any) -> None:
        """The first event of a thread that was started meanwhile: look there too, as long as it lives."""
        sys.setprofile(None)
        if self._active:
            with contextlib.suppress(Exception):
                eyes = _Eyes(self.rules, self._found, self._hooks)
                eyes.paused = self.paused
                eyes.open()

    @property
    def blind(self) -> bool:
        """Whether what runs now is not looked at: it is part of what was noted, or it is the driver's own."""
        return self.inside is not None or self.paused > 0 or not self._active

    def see_function(self, function: Any, frame: FrameType) -> bool:
        """Look at what a function mode was shown; whether it was noted, so that what it does inside is part of it."""
        rule, name = self.rules.overridable(function)
        noted = bool(rule) and not self.blind
        if noted:
            self.note(rule, lambda: name if _found(name) is not None else rule, frame, whole=True)
        return noted

    def see_operator(self, operator: OpOverload, frame: FrameType) -> None:
        """Look at what the dispatcher runs."""
        rule = self.rules.operator(operator)
        if rule and not self.blind:
            self.note(rule, lambda: rule, frame)

    def note(self, rule: str, name: Callable[[], str], frame: FrameType | None, whole: bool = False) -> None:
        """Note that something forbidden runs.

        Args:
            name: its public name.
            frame: where it is.
            whole: whether what runs in this frame, until it ends, is part of it.
        """
        if whole:
            self.inside = frame
        if rule in self._found or len(self._found) >= _MOST or _is_import(frame):
            return
        self._found[rule] = name()


class _Functions(TorchFunctionMode):
    """Sees PyTorch's public functions and methods."""

    def __init__(self, eyes: _Eyes) -> None:
        super().__init__()
        self._eyes = eyes
        self._innocent = eyes.rules.innocent_functions

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Short, because it runs for every operation, and calls nothing, because the profile hook would see it.
        noted = False
        try:  # noqa: SIM105
            noted = func not in self._innocent and self._eyes.see_function(func, sys._getframe(0))
        except Exception:
            pass
        try:
            return func(*args, **(kwargs or {}))
        finally:
            if noted:
                self._eyes.inside = None


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees the operators in which everything ends that computes with tensors."""

    supports_higher_order_operators = True  # else some of PyTorch would refuse to run while somebody looks

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # PyTorch would wrap it, which takes as long as everything else here together

    def __init__(self, eyes: _Eyes) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._eyes = eyes
        self._innocent = eyes.rules.innocent_operators

    def __torch_dispatch__(
        self, func: OpOverload, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        try:
            if id(func) not in self._innocent:  # an operator's own hash is written in Python
                self._eyes.see_operator(func, sys._getframe(1))
        except Exception:
            pass
        return func(*args, **(kwargs or {}))


def _profile_hook(eyes: _Eyes, rules: _Rules) -> Callable[[FrameType, str, Any], None]:
    """Sees calls of functions, by the module that defines them.  One function, for it runs at every call and return."""
    innocent, innocent_code = rules.innocent_modules, rules.innocent_code

    def look(frame: FrameType, event: str, argument: Any) -> None:
        try:
            if event == "call":
                code = frame.f_code
                if id(code) in innocent_code:  # a code's own hash looks at all of its parts
                    return
                module = frame.f_globals["__name__"]
                rule = "" if module in innocent else rules.function(module, code.co_qualname)
                if not rule:
                    if len(innocent_code) < _MOST_REMEMBERED:
                        innocent_code[id(code)] = code
                elif not eyes.blind:
                    eyes.note(rule, lambda: _readable(module, frame, rule), frame, whole=True)
            elif event == "c_call":
                module = argument.__module__ or type(argument.__self__).__module__
                if module in innocent:
                    return
                rule = rules.function(module, argument.__qualname__)
                if rule and not eyes.blind:
                    name = f"{module}.{argument.__qualname__}"
                    eyes.note(rule, lambda: name if _found(name) and "._" not in name else rule, frame)
            elif event == "return" and frame is eyes.inside:
                eyes.inside = None
        except Exception:
            pass  # an exception here would be one of the student's code

    return look


_active: list[_Eyes] = []
"""Those of the watches that are active, for `unwatched`."""


def _is_import(frame: FrameType | None) -> bool:
    """Whether the body of an installed module that is being imported is on the stack.

    Not that of one which a submission wrote, and not what only calls itself importlib.
    """
    while frame is not None and frame.f_back is not None:
        if frame.f_back.f_code is _RUNS_BODIES and frame.f_code.co_name == "<module>":
            found = sys.modules.get(str(frame.f_globals.get("__name__")))
            is_module = getattr(found, "__dict__", None) is frame.f_globals
            if is_module and frame.f_code.co_filename.startswith(_INSTALLED):
                return True
        frame = frame.f_back
    return False


def _readable(module: str, frame: FrameType, rule: str) -> str:
    """The name of a function as one would write it; where that is not known, the rule."""
    qualname = frame.f_code.co_qualname
    if "<locals>" in qualname:  # what a decorator made of a function, which it knows by some name
        known = (value for value in frame.f_locals.values() if isinstance(value, FunctionType))
        wrapped = next((value for value in known if "<locals>" not in value.__qualname__), None)
        module, qualname = (wrapped.__module__, wrapped.__qualname__) if wrapped else (module, qualname)
    qualname = qualname.partition(".<locals>")[0]
    owner, _, method = qualname.rpartition(".")
    if owner:
        mine = next((kind for kind in type(frame.f_locals.get("self")).__mro__ if kind.__module__ == module), None)
        owner = mine.__qualname__ if mine else owner
        qualname = owner if method in ("__init__", "__call__", "forward") else f"{owner}.{method}"
    name = _public(f"{module}.{qualname}")
    short = re.sub(r"^torch\.nn\.modules\.\w+\.", "torch.nn.", name)
    return next((one for one in (short, name) if _found(one) is not None), rule)


def _public(name: str) -> str:
    """A dotted name without its private parts: ``numpy.linalg._linalg.lstsq`` is known as ``numpy.linalg.lstsq``."""
    name = name.replace("torch._functorch.eager_transforms", "torch.func")
    path, dot, last = name.rpartition(".")
    # The last part is what is done: it loses its underscore only, and stays.
    return re.sub(r"\._[a-z0-9]\w*", "", path) + dot + last.lstrip("_")


def _found(name: str) -> Any:
    """What a dotted name stands for among what is imported; None if there is nothing."""
    module, rest = name, []
    while module not in sys.modules:
        module, _, last = module.rpartition(".")
        rest.append(last)
        if not module:
            return None
    found: Any = sys.modules[module]
    for part in reversed(rest):
        found = inspect.getattr_static(found, part, None)
    return found


def _defined_as(found: Any) -> tuple[str, ...]:
    """The name of a function or class where it is defined, if it is known by another."""
    found = inspect.unwrap(found) if callable(found) else None
    code = getattr(found, "__code__", None)
    if code is not None:
        # What is made inside a function is shared: all of `boolean_dispatch`'s are one piece of code.
        shared = "<locals>" in code.co_qualname
        return () if shared else (f"{found.__globals__['__name__']}.{code.co_qualname}",)
    return (f"{found.__module__}.{found.__qualname__}",) if isinstance(found, type) else ()


@functools.lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, str]:
    """The plain name of an operation, and the same without its dimensions: ``BatchNorm2d`` is ``batch_norm``."""
    last = name.rpartition(".")[2]
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", last).lower()
    words = [word for word in snake.split("_") if word]
    while len(words) > 1 and words[0] in _BEFORE:
        del words[0]
    while len(words) > 1 and words[-1] in _AFTER:
        del words[-1]
    plain = "_".join(words)
    return plain, re.sub(r"_?[123]d$", "", plain)
