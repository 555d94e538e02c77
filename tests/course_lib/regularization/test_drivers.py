"""The drivers of the regularization assignment: right and odd answers, and what is left of wrong ones."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_lib.checking.drivers import run_case
from course_lib.regularization.nets.tiny import IN_PLAIN_CODE, NETWORKS, kinds, network


def run(driver: str, answer: Any, **inputs: Any) -> Any:
    """What the driver hands over."""
    raw = run_case({"answer": answer}, "answer", f"regularization/{driver}", inputs)
    assert "error" not in raw, raw
    return raw["result"]


# --- two factors


@pytest.mark.parametrize("scale", [1.0, -2.0, 100.0])
def test_only_the_product_of_two_factors_counts(scale: float) -> None:
    """Whatever is multiplied into one and divided out of the other."""
    w = torch.arange(6.0).reshape(3, 2)
    found = run("factors", lambda W, k: (W * scale, torch.eye(2) / scale), W=w, k=2)
    assert torch.allclose(found["product"], w)
    assert (found["left"], found["right"]) == ([3, 2], [2, 2])


def test_factors_that_do_not_fit_are_told_in_words() -> None:
    """No exception of ours takes the place of the student's mistake."""
    found = run("factors", lambda W, k: (W, W), W=torch.ones(3, 2), k=2)
    assert found["product"] == "factors [3, 2] and [3, 2], which cannot be multiplied"


@pytest.mark.parametrize("odd", [None, "text", (1, 2), torch.ones(2, 2), (torch.ones(2), torch.ones(2))])
def test_what_is_no_pair_of_matrices_is_handed_over_as_it_is(odd: Any) -> None:
    """Under all three names."""
    found = run("factors", lambda W, k: odd, W=torch.ones(2, 2), k=1)
    assert set(found) == {"product", "left", "right"}


def test_a_strided_matrix_has_the_same_numbers() -> None:
    """And is not contiguous."""
    seen: list[bool] = []

    def answer(matrix: Tensor, k: int) -> tuple[Tensor, Tensor]:
        seen.append(matrix.is_contiguous())
        return matrix, torch.eye(3)

    w = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(run("factors-strided", answer, W=w, k=3)["product"], w)
    assert seen == [False]


# --- a penalty


def test_a_penalty_is_differentiated() -> None:
    """Its gradient is that of autograd, for every tensor."""
    weights = [torch.tensor([[3.0], [4.0]]), torch.tensor([12.0])]
    found = run("penalty", lambda w, lam: lam / 2 * sum(t.square().sum() for t in w), weights=weights, lam=0.1)
    assert float(found["penalty"]) == pytest.approx(8.45)
    assert [g.flatten().tolist() for g in found["gradients"]] == [pytest.approx([0.3, 0.4]), pytest.approx([1.2])]


@pytest.mark.parametrize(
    "answer",
    [lambda w, lam: 3.0, lambda w, lam: w[0].detach().sum(), lambda w, lam: torch.tensor(1.0, requires_grad=True)],
    ids=["number", "detached", "new leaf"],
)
def test_a_penalty_without_a_way_back_has_a_gradient_of_zero(answer: Callable[..., Any]) -> None:
    """That is what it does to training."""
    found = run("penalty", answer, weights=[torch.ones(2), torch.ones(1)], lam=0.1)
    assert [g.tolist() for g in found["gradients"]] == [[0.0, 0.0], [0.0]]


def test_weights_that_are_overwritten_are_noticed_and_stop_nothing() -> None:
    """In place on a leaf would raise; the slip costs what it costs, and no more."""

    def answer(weights: list[Tensor], lam: float) -> Tensor:
        return lam / 2 * sum(weight.mul_(weight).sum() for weight in weights)  # type: ignore[return-value]

    inputs = {"weights": [torch.tensor([3.0, 4.0])], "lam": 0.1}
    raw = run_case({"answer": answer}, "answer", "regularization/penalty", inputs)
    assert float(raw["result"]["penalty"]) == pytest.approx(1.25)
    assert raw["changed"] == ("weights",)


# --- groups of parameters

CASE = {"network": "linear, batchnorm", "start": 4.0, "weight_decay": 0.5, "gradient": 1.0}


def all_in_one(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Everything decays."""
    return [{"params": list(model.parameters()), "weight_decay": weight_decay}]


def test_a_decaying_parameter_makes_another_step_than_one_that_does_not() -> None:
    """4 - 0.5 (1 + 0.5 * 4) = 2.5, and 4 - 0.5 = 3.5 without decay; untouched it stays 4."""
    values = {kind: found.tolist() for kind, found in run("decay-step", all_in_one, **CASE).items()}
    assert values == {"weights": [2.5, 2.5], "biases": [2.5, 2.5], "normalization": [2.5, 2.5]}
    spared = run("decay-step", lambda model, wd: [{"params": model.parameters(), "weight_decay": 0}], **CASE)
    assert spared["biases"].tolist() == [3.5, 3.5]
    assert run("decay-step", lambda model, wd: [], **CASE)["weights"].tolist() == [4.0, 4.0]


def test_a_parameter_that_is_listed_twice_makes_two_steps() -> None:
    """As it would if an optimizer took such a list."""
    found = run("decay-step", lambda model, wd: all_in_one(model, 0.0) * 2, **CASE)
    assert found["weights"].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("form", ["list", "tuple", "generator", "named", "single"])
def test_groups_come_in_every_form_that_an_optimizer_takes(form: str) -> None:
    """Lists, generators, pairs with names, a parameter by itself."""

    def answer(model: nn.Module, weight_decay: float) -> Any:
        parameters = list(model.parameters())
        forms: dict[str, Any] = {
            "list": [{"params": parameters, "weight_decay": weight_decay}],
            "tuple": ({"params": tuple(parameters), "weight_decay": weight_decay},),
            "generator": [{"params": (p for p in parameters), "weight_decay": weight_decay}],
            "named": [{"params": list(model.named_parameters()), "weight_decay": weight_decay}],
            "single": [{"params": parameter, "weight_decay": weight_decay} for parameter in parameters],
        }
        # PyTorch takes it, too.
        torch.optim.SGD(copy.deepcopy(forms[form]) if form != "generator" else parameters, lr=0.1)
        return forms[form]

    assert run("decay-step", answer, **CASE)["weights"].tolist() == [2.5, 2.5]


@pytest.mark.parametrize("odd", [None, 3, {"params": []}, [1, 2], [{"weight_decay": 1.0}], "text"])
def test_what_are_no_groups_is_handed_over_as_it_is(odd: Any) -> None:
    """And the message says what it is."""
    assert set(run("decay-step", lambda model, wd: odd, **CASE)) == {"weights", "biases", "normalization"}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_of_a_network_is_of_one_kind(name: str) -> None:
    """Each once, shared ones too; the plain code builds the same network."""
    model = network(name, 1.0)
    sorted_out = [parameter for of_kind in kinds(model).values() for _, parameter in of_kind]
    assert sorted(map(id, sorted_out)) == sorted(map(id, model.parameters()))
    if name in IN_PLAIN_CODE:
        written = eval(IN_PLAIN_CODE[name], {"nn": nn})
        assert str(written) == str(model)


def test_the_networks_hold_what_is_easily_forgotten() -> None:
    """A norm with several axes, one without that name, shared weights, an embedding, a parameter of its own."""
    shapes = [parameter.ndim for _, parameter in kinds(network("layernorm over images", 1.0))["normalization"]]
    assert shapes == [3, 3]
    names = [name for name, _ in kinds(network("blocks", 1.0))["normalization"]]
    assert any("norm" not in name for name in names)
    weights = [name for name, _ in kinds(network("blocks", 1.0))["weights"]]
    assert {"embedding.weight", "position"} <= set(weights)
    assert "decoder.weight" not in dict(network("tied", 1.0).named_parameters())


def test_building_a_network_leaves_the_global_generator_alone() -> None:
    """A student's seed is not moved by a check."""
    before = torch.random.get_rng_state()
    network("blocks", 1.0)
    assert torch.equal(before, torch.random.get_rng_state())


# --- early stopping

LOSSES = {"patience": 2, "min_delta": 0.0, "losses": [4.0, 3.0, 3.5, 2.0, 2.5, 3.0, 2.5], "start": 10.0}


class Stopper:
    """A right answer."""

    def __init__(self, patience: int, min_delta: float = 0.0) -> None:
        self.patience, self.min_delta, self.waited, self.epoch = patience, min_delta, 0, -1
        self.best_loss, self.best_epoch, self.best_state = math.inf, -1, None

    def step(self, loss: float, state: dict[str, Tensor]) -> bool | None:
        """True, or nothing."""
        self.epoch, self.waited = self.epoch + 1, self.waited + 1
        if loss < self.best_loss - self.min_delta:
            self.best_loss, self.best_epoch, self.waited = loss, self.epoch, 0
            self.best_state = copy.deepcopy(state)
        return True if self.waited >= self.patience else None


def test_a_stopper_is_asked_on_and_its_state_is_trained_on() -> None:
    """It keeps the weight of epoch 3; that it returns None where it does not stop is as good as False."""
    found = run("stopping", Stopper, **LOSSES)
    assert found["stops"] == [False, False, False, False, False, True, True]
    assert (found["best_loss"], found["best_epoch"], found["best_state"].tolist()) == (2.0, 3, [13.0])


def test_a_state_that_is_not_copied_shows_the_last_weight() -> None:
    """Training goes on in the same tensors."""

    class Shallow(Stopper):
        def step(self, loss: float, state: dict[str, Tensor]) -> bool | None:
            stop = super().step(loss, state)
            self.best_state = dict(state)
            return stop

    assert run("stopping", Shallow, **LOSSES)["best_state"].tolist() == [17.0]


@pytest.mark.parametrize("odd", [None, 3, "text", nn.Identity()])
def test_what_has_no_step_is_handed_over_as_it_is(odd: Any) -> None:
    """And attributes that are missing are None."""
    assert set(run("stopping", lambda patience, min_delta: odd, **LOSSES)) == {
        "stops",
        "best_loss",
        "best_epoch",
        "best_state",
    }

    class Bare:
        def __init__(self, patience: int, min_delta: float) -> None: ...

        def step(self, loss: float, state: object) -> bool:
            return False

    assert run("stopping", Bare, **LOSSES) == {
        "stops": [False] * 7,
        "best_loss": None,
        "best_epoch": None,
        "best_state": None,
    }
