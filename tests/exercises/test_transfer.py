"""The fifth assignment: any mechanism with the right effect passes, none with another."""

from __future__ import annotations

import copy
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from course_lib.checking.drivers import shown_by
from course_lib.transfer.nets.tiny import IN_PLAIN_CODE, NETWORKS, network
from tests.support.answering import lost, named, verdict_on
from tests.support.course import exercise_named

LIKE = torch.zeros(1)


def last_linear(model: nn.Module) -> nn.Linear:
    """The head."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def norms(model: nn.Module) -> list[nn.Module]:
    """The batch normalisations."""
    return [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


# --- the networks


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_follows_from_its_name_and_one_number(name: str) -> None:
    """Equal numbers give equal networks, other numbers others; scales and variances are positive."""
    one, same, other = (network(name, phase, LIKE).state_dict() for phase in (1.25, 1.25, 1.5))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)
    assert all(bool((value > 0).all()) for key, value in one.items() if key.endswith("running_var"))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "backbone"])
def test_the_last_linear_layer_is_the_head(name: str) -> None:
    """Its outputs are the model's, so "the last linear layer" is clear in every network."""
    model, seen = network(name, 0.75, LIKE).eval(), []
    last_linear(model).register_forward_hook(lambda module, args, output: seen.append(output))
    assert torch.equal(model(torch.ones(2, 2, 2, 2)), seen[0])


@pytest.mark.parametrize("name", IN_PLAIN_CODE)
def test_a_network_in_plain_code_is_the_network(name: str) -> None:
    """What a student pastes has the same parameters and buffers, and computes the same."""
    written = eval(IN_PLAIN_CODE[name], {"nn": nn, "OrderedDict": OrderedDict})  # our own text
    built = network(name, 0.75, LIKE)
    assert [tuple(t.shape) for t in written.state_dict().values()] == [
        tuple(t.shape) for t in built.state_dict().values()
    ]
    assert {key.split(".")[-1] for key in written.state_dict()} == {key.split(".")[-1] for key in built.state_dict()}
    written.load_state_dict(dict(zip(written.state_dict(), built.state_dict().values(), strict=True)))
    images = torch.linspace(-1, 1, 16).reshape(2, 2, 2, 2)
    torch.testing.assert_close(written.eval()(images), built.eval()(images))


def test_what_an_example_shows_is_what_the_check_got() -> None:
    """A right answer, put through the examples of all cases that have one, prints what is expected."""
    exercise = exercise_named("trainable-parameters")
    key, shown_cases = exercise.make_key("example", diagnose=False), 0
    for case in key.cases:
        shown = shown_by(case.driver)
        assert shown is not None
        assert shown.prepare is not None
        lines = shown.prepare(case.inputs)
        if lines:
            space: dict[str, Any] = {}
            exec("\n".join(lines), space)
            counts = exercise.namespace(exercise.reference_answer)["count_parameters"](space["model"])
            assert counts == (case.expected["trainable"], case.expected["total"]), case.name
            shown_cases += 1
    assert shown_cases == len(key.cases) - sum(case.name.startswith(("shared", "parameters")) for case in key.cases)


# --- replace-head


class _Wider(nn.Linear):
    """A layer of the student's own."""


def by_subclass(model: nn.Module, num_classes: int) -> nn.Module:
    """A subclass of `nn.Linear` takes the place, found by identity."""
    old = last_linear(model)
    new = _Wider(old.in_features, num_classes, device=old.weight.device, dtype=old.weight.dtype)
    for module in model.modules():
        for name, child in module.named_children():
            if child is old:
                setattr(module, name, new)
    return model


def by_copy(model: nn.Module, num_classes: int) -> nn.Module:
    """The model that came in stays as it is; a copy comes back."""
    return by_subclass(copy.deepcopy(model), num_classes)


def by_name(model: nn.Module, num_classes: int) -> nn.Module:
    """Through the dotted name."""
    name = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]
    old = model.get_submodule(name)
    model.set_submodule(name, nn.Linear(old.in_features, num_classes).to(old.weight))
    return model


@pytest.mark.parametrize("answer", [by_subclass, by_copy, by_name])
@pytest.mark.parametrize("seed", range(5))
def test_every_way_of_replacing_the_head_passes(answer: Any, seed: int) -> None:
    """Only what the model computes afterwards decides."""
    verdict = verdict_on("replace-head", answer, seed)
    assert verdict.passed, lost(verdict)


def unused_attribute(model: nn.Module, num_classes: int) -> nn.Module:
    """The new layer hangs in the model, and nobody calls it."""
    model.add_module("new_head", nn.Linear(last_linear(model).in_features, num_classes))
    return model


def dummy_pass_in_training(model: nn.Module, num_classes: int) -> nn.Module:
    """Finds the number of features by sending noise through, which moves running statistics."""
    model.train()(torch.randn(4, 2, 2, 2).to(last_linear(model).weight))
    return by_subclass(model.eval(), num_classes)


@pytest.mark.parametrize(
    ("answer", "most"), [(unused_attribute, 0.0), (dummy_pass_in_training, 4.0)], ids=["unused", "statistics moved"]
)
def test_other_heads_lose(answer: Any, most: float) -> None:
    """Mistakes beyond the list cost what they touch."""
    assert verdict_on("replace-head", answer).score <= most


# --- freeze-backbone


def frozen(model: nn.Module) -> nn.Module:
    """Flags only: the half that everybody remembers."""
    model.requires_grad_(False)
    last_linear(model).requires_grad_(True)
    return model


def rested(model: nn.Module) -> list[nn.Module]:
    """Batch normalisations in evaluation mode."""
    found = norms(model)
    for norm in found:
        norm.eval()
    return found


def by_method_type(model: nn.Module) -> nn.Module:
    """`train` of the whole model is bound anew."""

    def train(self: nn.Module, mode: bool = True) -> nn.Module:
        type(self).train(self, mode)
        rested(self)
        return self

    frozen(model)
    model.train = types.MethodType(train, model)  # type: ignore[method-assign]
    return model.train()


def by_class_of_norm(model: nn.Module) -> nn.Module:
    """Every batch normalisation becomes of a class whose `train` does nothing."""
    frozen(model)
    for norm in rested(model):
        norm.__class__ = type("Resting", (type(norm),), {"train": lambda self, mode=True: self})
    return model


def by_forward(model: nn.Module) -> nn.Module:
    """Every batch normalisation forwards by the stored statistics, whatever its mode."""
    frozen(model)
    for norm in norms(model):
        norm.forward = lambda x, norm=norm: nn.functional.batch_norm(  # type: ignore[method-assign,misc]
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
        )
    return model


def by_hook_on_each(model: nn.Module) -> nn.Module:
    """A hook puts each layer back just before it works."""
    frozen(model)
    for norm in norms(model):
        norm.register_forward_pre_hook(lambda module, args: module.eval() and None)
    return model


def by_no_grad(model: nn.Module) -> nn.Module:
    """The features come from a forward pass without gradients; no flag is touched."""
    head = last_linear(model).requires_grad_(True)
    for module in model.modules():
        if module is not head and not list(module.children()):
            module.forward = torch.no_grad()(module.forward)  # type: ignore[method-assign]
    return by_hook_on_each_norm(model)


def by_hook_on_each_norm(model: nn.Module) -> nn.Module:
    """As `by_hook_on_each`, flags left alone."""
    for norm in norms(model):
        norm.register_forward_pre_hook(lambda module, args: module.eval() and None)
    return model


def in_a_copy(model: nn.Module) -> nn.Module:
    """A copy is frozen and comes back."""
    return by_method_type(copy.deepcopy(model))


class _Split(nn.Module):
    """The model behind `no_grad`, in evaluation mode for good; its head is applied by this module."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.head = last_linear(model).requires_grad_(True)
        self.model = model

    def train(self, mode: bool = True) -> _Split:
        """Only the head has a mode."""
        self.training = mode
        self.model.eval()
        return self

    def forward(self, x: Tensor) -> Any:
        """The input of the head is caught on its way."""
        caught: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda module, args: caught.append(args[0].detach()))
        with torch.no_grad():
            self.model(x)
        hook.remove()
        return self.head(caught[0])


MECHANISMS: list[Callable[[nn.Module], Any]] = [
    by_method_type,
    by_class_of_norm,
    by_forward,
    by_hook_on_each,
    by_no_grad,
    in_a_copy,
    lambda model: _Split(model).train(),
]


@pytest.mark.parametrize(
    "answer", MECHANISMS, ids=["method", "class", "forward", "hooks", "no_grad", "copy", "two modules"]
)
@pytest.mark.parametrize("seed", range(5))
def test_every_mechanism_that_freezes_passes(answer: Any, seed: int) -> None:
    """Only the effect decides: nothing but the head moves, and the backbone computes the same in both modes."""
    verdict = verdict_on("freeze-backbone", answer, seed)
    assert verdict.passed, lost(verdict)


def norms_without_statistics(model: nn.Module) -> nn.Module:
    """Switches the running statistics off instead of fixing them."""
    frozen(model)
    for norm in norms(model):
        norm.track_running_stats = False  # type: ignore[assignment]
    return model


def norms_removed(model: nn.Module) -> nn.Module:
    """No batch normalisation, no problem with it."""
    for module in frozen(model).modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return model


def new_head(model: nn.Module) -> nn.Module:
    """The head is thrown away, too."""
    last_linear(by_method_type(model)).reset_parameters()
    return model


def test_statistics_switched_off_are_named_as_not_used() -> None:
    """They stay, but each batch is still normalised by its own."""
    assert named(verdict_on("freeze-backbone", norms_without_statistics)) == ["statistics-kept-but-not-used"]


@pytest.mark.parametrize("answer", [norms_removed, new_head])
def test_other_ways_of_freezing_lose(answer: Any) -> None:
    """What changes the model's outputs is not freezing."""
    assert not verdict_on("freeze-backbone", answer).passed


def test_train_without_an_argument_costs_points_and_says_why() -> None:
    """`eval` calls `train(False)`: a replacement has to take the argument."""

    def answer(model: nn.Module) -> nn.Module:
        frozen(model)
        for norm in rested(model):
            norm.train = lambda norm=norm: norm  # type: ignore[method-assign,misc]
        model.train = lambda: model  # type: ignore[method-assign]
        return model

    verdict = verdict_on("freeze-backbone", answer)
    assert verdict.score == 0
    assert verdict.failure is not None
    assert "positional argument" in verdict.failure.message


# --- extract-features


def with_numpy(backbone: nn.Module, images: Tensor, batch_size: int) -> Any:
    """Rows collected as arrays."""
    modes = {name: module.training for name, module in backbone.named_modules()}
    backbone.eval()
    rows = [backbone(images[i : i + batch_size]).detach().numpy() for i in range(0, len(images), batch_size)]
    for name, module in backbone.named_modules():
        module.training = modes[name]
    return torch.from_numpy(np.concatenate(rows))


def generator_of_rows(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    """Smaller batches than allowed, modes restored by functions that were remembered."""
    undo = [lambda m=module, t=module.training: setattr(m, "training", t) for module in backbone.modules()]  # type: ignore[misc]
    backbone.eval()
    with torch.no_grad():
        size = max(1, batch_size // 2)
        features = torch.vstack([backbone(part) for part in images.split(size)])  # type: ignore[no-untyped-call]
    for restore in undo:
        restore()
    return features


@pytest.mark.parametrize("answer", [with_numpy, generator_of_rows])
@pytest.mark.parametrize("seed", range(5))
def test_every_way_of_extracting_passes(answer: Any, seed: int) -> None:
    """Smaller batches, other containers: the rows decide."""
    verdict = verdict_on("extract-features", answer, seed)
    assert verdict.passed, lost(verdict)


def two_mistakes(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    """No restored mode, and a graph that stays."""
    backbone.eval()
    return torch.cat([backbone(part) for part in torch.split(images, batch_size)])


def test_two_mistakes_at_once_are_both_named() -> None:
    """They touch different entries."""
    verdict = verdict_on("extract-features", two_mistakes)
    assert set(named(verdict)) == {"left-in-evaluation-mode", "gradient-graph-kept"}


def test_gradients_are_on_again_after_a_function_that_switched_them_off() -> None:
    """The mistake of one exercise must not make the next fail."""

    def answer(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
        torch.set_grad_enabled(False)
        return images

    verdict_on("extract-features", answer)
    assert torch.is_grad_enabled()


def reversed_rows(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    """Every feature is there, in another order."""
    answer = exercise_named("extract-features").reference_answer
    assert callable(answer)
    return answer(backbone, images, batch_size).flip(0)  # type: ignore[no-any-return]


def test_rows_in_another_order_lose() -> None:
    """Features belong to images."""
    assert lost(verdict_on("extract-features", reversed_rows))[:2] == [
        "evaluates the backbone, whose statistics stay",
        "one row for every image, in order, for any batch size",
    ]


# --- linear-probe


def by_gradient(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    """Newton's method on the objective, all derivatives by autograd: one step solves a quadratic."""
    x, y = features.double(), nn.functional.one_hot(labels, num_classes).double()

    def loss(flat: Tensor) -> Tensor:
        w, b = flat[:-num_classes].reshape(num_classes, -1), flat[-num_classes:]
        return ((x @ w.T + b - y) ** 2).sum() + lam * (w**2).sum()

    start = torch.zeros(num_classes * (x.shape[1] + 1), dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(loss, start)
    gradient = torch.autograd.functional.jacobian(loss, start)
    found = (start - torch.linalg.solve(hessian, gradient)).to(features.dtype)
    return found[:-num_classes].reshape(num_classes, -1), found[-num_classes:]


def in_float32(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    """In the dtype that came, by the inverse, as most will write it."""
    y = torch.zeros(len(labels), num_classes, dtype=features.dtype)
    y[torch.arange(len(labels)), labels] = 1
    centre = features - features.mean(0)
    w = (torch.inverse(centre.T @ centre + lam * torch.eye(features.shape[1], dtype=features.dtype)) @ centre.T @ y).T
    return w, y.mean(0) - w @ features.mean(0)


def by_quasi_newton(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    """PyTorch's L-BFGS with its usual tolerances, in double precision.

    In single precision its line search stops where the loss no longer changes, at the square root of the rounding
    error: whether that is near enough depends on the processor.
    """
    dtype, features = features.dtype, features.double()
    y = nn.functional.one_hot(labels, num_classes).to(features)
    w = torch.zeros(num_classes, features.shape[1], dtype=features.dtype, requires_grad=True)
    b = torch.zeros(num_classes, dtype=features.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([w, b], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = ((features @ w.T + b - y) ** 2).sum() + lam * (w**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    for _ in range(10):
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return w.detach().to(dtype), b.detach().to(dtype)


@pytest.mark.parametrize("answer", [by_gradient, in_float32, by_quasi_newton])
@pytest.mark.parametrize("seed", range(20))
def test_every_way_to_the_minimum_passes(answer: Any, seed: int) -> None:
    """The objective has one minimum; how it is found is free, and so is the order of operations."""
    verdict = verdict_on("linear-probe", answer, seed)
    assert verdict.passed, lost(verdict)


def test_the_reference_minimises_the_objective() -> None:
    """Every small step away from it makes the objective larger; so does a shrunk bias."""
    case = exercise_named("linear-probe").make_key(3, diagnose=False).cases[0]
    x, labels, classes, lam = case.inputs.values()
    y = nn.functional.one_hot(labels, classes).double()
    w, b = case.expected["W"], case.expected["b"]

    def objective(w: Tensor, b: Tensor) -> float:
        return float(((x @ w.T + b - y) ** 2).sum() + lam * (w**2).sum())

    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        step_w = 1e-3 * torch.randn(w.shape, generator=generator, dtype=torch.float64)
        step_b = 1e-3 * torch.randn(b.shape, generator=generator, dtype=torch.float64)
        assert objective(w + step_w, b + step_b) > objective(w, b)
    assert objective(w, 0.99 * b) > objective(w, b)


def test_scikit_learn_agrees_with_the_reference() -> None:
    """An independent implementation, which the exercise itself forbids."""
    from sklearn.linear_model import Ridge

    for case in exercise_named("linear-probe").make_key(5, diagnose=False).cases:
        x, labels, classes, lam = case.inputs.values()
        model = Ridge(alpha=lam).fit(x.double().numpy(), np.eye(classes)[labels.numpy()])
        np.testing.assert_allclose(case.expected["W"].numpy(), model.coef_, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(case.expected["b"].numpy(), model.intercept_, rtol=1e-4, atol=1e-5)


# --- the small ones


@pytest.mark.parametrize(
    "counts", [lambda t, n: (torch.tensor(t), torch.tensor(n)), lambda t, n: [np.int64(t), np.int64(n)]]
)
def test_counts_of_any_kind_of_number_pass(counts: Any) -> None:
    """Tensors and NumPy's integers are numbers, a list is as good as a tuple."""

    def answer(model: nn.Module) -> Any:
        sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
        return counts(sum(n for n, trains in sizes if trains), sum(n for n, _ in sizes))

    assert verdict_on("trainable-parameters", answer).passed


@pytest.mark.parametrize("answer", [lambda much_data, similar: "fine-tune many layers", lambda much_data, similar: 3])
def test_one_strategy_for_everything_earns_nothing(answer: Any) -> None:
    """Each criterion needs two cells of the table."""
    assert verdict_on("choose-strategy", answer).score == 0


# --- what strangers wrote


def _last_child(model: nn.Module, num_classes: int) -> nn.Module:
    part = list(model.named_children())[-1]
    if isinstance(part[1], nn.Sequential):
        part[1][-1] = nn.Linear(part[1][-1].in_features, num_classes).to(next(model.parameters()))
    else:
        setattr(model, part[0], nn.Linear(part[1].in_features, num_classes).to(next(model.parameters())))
    return model


def _two_levels(model: nn.Module, num_classes: int) -> nn.Module:
    places = [(model, name, child) for name, child in model.named_children()]
    places += [(child, name, inner) for child in model.children() for name, inner in child.named_children()]
    owner, name, old = [place for place in places if isinstance(place[2], nn.Linear)][-1]
    setattr(owner, name, nn.Linear(old.in_features, num_classes).to(old.weight))
    return model


def _by_name(model: nn.Module, num_classes: int) -> nn.Module:
    for name in ("fc", "classifier", "head"):
        part = getattr(model, name, None)
        if isinstance(part, nn.Linear):
            setattr(model, name, nn.Linear(part.in_features, num_classes).to(part.weight))
        elif isinstance(part, nn.Sequential):
            part[-1] = nn.Linear(part[-1].in_features, num_classes).to(part[-1].weight)
    return model


def _by_name_always_float32(model: nn.Module, num_classes: int) -> nn.Module:
    return _by_name(model, num_classes).float()


def _modes_of_the_parts(backbone: nn.Module, images: Tensor, batch_size: int) -> Tensor:
    own, parts = backbone.training, [(child, child.training) for child in backbone.children()]
    backbone.eval()
    with torch.no_grad():
        features = torch.cat([backbone(part) for part in images.split(batch_size)])
    backbone.train(own)
    for child, mode in parts:
        child.train(mode)
    return features


def _upwards(num_layers: int, base_lr: float, decay: float) -> list[float]:
    rates = [base_lr * decay ** (num_layers - 1)]
    for _ in range(num_layers - 1):
        rates.append(rates[-1] / decay)
    return rates


def _norms_by_name(model: nn.Module) -> nn.Module:
    model.requires_grad_(False)
    last_linear(model).requires_grad_(True)
    for name, module in model.named_modules():
        if "bn" in name or "norm" in name:
            module.eval()
            module.train = types.MethodType(lambda self, mode=True: self, module)  # type: ignore[method-assign]
    return model


def _not_tracked(model: nn.Module) -> nn.Module:
    model.requires_grad_(False)
    last_linear(model).requires_grad_(True)
    for norm in norms(model):
        norm.track_running_stats = False  # type: ignore[assignment]
    return model


def _every_level(model: nn.Module) -> tuple[int, int]:
    found = [p for module in model.modules() for p in module.parameters()]
    return sum(p.numel() for p in found if p.requires_grad), sum(p.numel() for p in found)


def _on_standardized(features: Tensor, labels: Tensor, num_classes: int, lam: float) -> tuple[Tensor, Tensor]:
    fit = exercise_named("linear-probe").namespace(exercise_named("linear-probe").reference_answer)["fit_linear_probe"]
    return fit((features - features.mean(0)) / features.std(0), labels, num_classes, lam)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("exercise_id", "answer", "names"),
    [
        ("replace-head", _last_child, ["last-entry-of-the-last-part"]),
        ("replace-head", _two_levels, ["only-two-levels"]),
        ("replace-head", _by_name, ["head-guessed-by-name"]),
        ("extract-features", _modes_of_the_parts, ["modes-of-the-parts-only"]),
        ("layer-learning-rates", _upwards, ["divided-on-the-way-up"]),
        ("freeze-backbone", _norms_by_name, ["batchnorm-found-by-name"]),
        ("freeze-backbone", _not_tracked, ["statistics-kept-but-not-used"]),
        ("trainable-parameters", _every_level, ["every-level-counted"]),
        ("linear-probe", _on_standardized, ["features-standardized"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_strangers_wrote_loses_points_and_is_named(exercise_id: str, answer: Any, names: list[str]) -> None:
    """On ten seeds, each under its own name."""
    for seed in range(10):
        verdict = verdict_on(exercise_id, answer, seed)
        assert not verdict.passed
        assert named(verdict) == names


def test_a_guessed_name_is_not_hidden_by_the_dtype() -> None:
    """Both are lost, and a name that explains half a point does not stand alone."""
    assert named(verdict_on("replace-head", _by_name_always_float32)) != ["always-float32"]
