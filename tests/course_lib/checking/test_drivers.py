"""Drivers use a student's object the same way every time, and turn whatever happens into values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from course_lib.checking.drivers import DRIVERS, attempt, run_case
from course_lib.checking.values import pack, unpack


def call(function: Callable[..., Any], driver: str = "call", **inputs: Any) -> dict[str, Any]:
    """Run a function as `f` through a driver."""
    return run_case({"f": function}, "f", driver, inputs)


# --- running a case


def test_arguments_come_in_the_order_of_the_inputs() -> None:
    """Positions count, not names: a student may name parameters otherwise."""
    assert call(lambda a, b: [a, b], x=1, y=2)["result"] == [1, 2]


def test_a_missing_name_is_reported() -> None:
    """A notebook without the function is told which name is missing."""
    assert run_case({}, "f", "call", {}) == {"error": "missing", "message": "f is not defined"}


def _exit(x: Any) -> None:
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        pytest.param(lambda x: 1 / 0, "ZeroDivisionError", "ZeroDivisionError: division by zero", id="exception"),
        pytest.param(
            lambda x: x.no, "AttributeError", "AttributeError: 'Tensor' object has no attribute 'no'", id="attribute"
        ),
        pytest.param(_exit, "SystemExit", "SystemExit: 0", id="exit"),
    ],
)
def test_an_exception_becomes_one_line(function: Callable[..., Any], error: str, message: str) -> None:
    """What a student's code raises is an answer, not an error of ours."""
    assert call(function, x=torch.ones(1)) == {"error": error, "message": message}


def test_a_stub_says_that_it_is_not_implemented() -> None:
    """The bare exception of the released notebook gets words."""

    def stub(x: Any) -> Any:
        raise NotImplementedError

    assert call(stub, x=1) == {"error": "NotImplementedError", "message": "not implemented yet"}


def test_long_messages_are_cut_and_put_on_one_line() -> None:
    """A message of many lines does not flood the feedback."""

    def fails(x: Any) -> Any:
        raise ValueError("line\n" * 500)

    message = call(fails, x=1)["message"]
    assert "\n" not in message
    assert len(message) < 350


def _fill(x: Tensor) -> Tensor:
    return x.fill_(7.0)


def _resize(x: Tensor) -> Tensor:
    return x.resize_(1)


def _nan(x: Tensor) -> Tensor:
    x[0] = math.nan
    return x


@pytest.mark.parametrize("change", [_fill, _resize, _nan], ids=["fill", "resize", "NaN"])
def test_changed_inputs_are_named_and_the_originals_kept(change: Callable[[Tensor], Tensor]) -> None:
    """The student works on copies; what was changed is reported by name."""
    x, y = torch.arange(3.0), torch.arange(3.0)
    response = call(lambda a, b: change(b), x=x, y=y)
    assert response["changed"] == ("y",)
    assert torch.equal(y, torch.arange(3.0))


def test_changes_inside_structures_are_found() -> None:
    """A tensor in a list in a dict, a key, an item: all are inputs."""
    inputs = {"state": {"a": [torch.zeros(2)]}}
    assert call(lambda s: s["a"][0].add_(1), **inputs)["changed"] == ("state",)
    assert call(lambda s: s.update(b=1), **inputs)["changed"] == ("state",)
    assert call(lambda s: s["a"].clear(), **inputs)["changed"] == ("state",)
    assert call(lambda s: s["a"][0] + 1, **inputs)["changed"] == ()


def test_nan_in_an_input_is_not_a_change() -> None:
    """NaN differs from itself, an untouched input does not."""
    assert call(lambda x: x + 1, x=torch.tensor([math.nan, 1.0]))["changed"] == ()


def test_asking_for_a_gradient_is_not_a_change() -> None:
    """Only numbers count."""
    assert call(lambda x: x.requires_grad_() * 2, x=torch.ones(2))["changed"] == ()


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_strided_call_passes_equal_numbers_in_another_layout(shape: tuple[int, ...]) -> None:
    """No two axes can be merged without a copy, and the numbers are the same."""
    x = torch.arange(math.prod(shape), dtype=torch.float64).reshape(shape)
    seen: list[Tensor] = []
    call(lambda t, v: seen.append(t), "call-strided", x=x, v=torch.ones(3))
    assert torch.equal(seen[0], x)
    assert not seen[0].is_contiguous()
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        seen[0].view(-1)


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_every_driver_reports_a_failing_answer(name: str) -> None:
    """No driver lets an exception of a student's code out, even where inputs are missing."""

    def fails(*args: Any, **kwargs: Any) -> Any:
        raise ValueError("broken")

    response = run_case({"f": fails}, "f", name, {"settings": {}})
    assert ("error" in response) or name == "value"


# --- modules


def training_run(module: Callable[..., Any], **changes: Any) -> dict[str, Any]:
    """A training run of a module on random images, two steps."""
    g = torch.Generator().manual_seed(1)
    inputs = {
        "settings": {"num_features": 3, "momentum": 0.3},
        "parameters": {"weight": torch.tensor([1.0, -2.0, 0.5]).double(), "bias": torch.ones(3).double()},
        "batches": [torch.randn(4, 3, 2, 2, generator=g).double() * 3 for _ in range(2)],
        "probe": torch.randn(2, 3, 2, 2, generator=g).double(),
        "gradients": True,
    }
    response = run_case({"Module": module}, "Module", "batchnorm/training-run", {**inputs, **changes})
    assert response["changed"] == ()
    found: dict[str, Any] = unpack(pack(response["result"]))
    return found


def test_training_run_reports_what_torch_does() -> None:
    """The numbers of a run are those of the same steps written out by hand."""
    found = training_run(nn.BatchNorm2d)
    g = torch.Generator().manual_seed(1)
    x, y = (torch.randn(4, 3, 2, 2, generator=g).double() * 3 for _ in range(2))
    mean = 0.7 * 0.3 * x.mean((0, 2, 3)) + 0.3 * y.mean((0, 2, 3))
    torch.testing.assert_close(found["running_mean"], mean)
    torch.testing.assert_close(found["train"].mean((0, 2, 3)), torch.ones(3).double())
    assert torch.equal(found["evaluation"], found["evaluation_again"])
    assert found["gradient"].shape == y.shape
    assert found["gradient"].abs().max() > 1e-3
    assert (found["trainable"], found["history"]) == (6, False)


def test_training_run_without_gradients_has_none() -> None:
    """Training mode under no_grad is an ordinary use of the layer."""
    found = training_run(nn.BatchNorm2d, gradients=False)
    assert found["gradient"] is None
    torch.testing.assert_close(found["train"], training_run(nn.BatchNorm2d)["train"])


class _Renamed(nn.Module):
    """Other names everywhere, and parameters in the shape of an image."""

    def __init__(self, num_features: int, momentum: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, num_features, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, num_features, 1, 1))
        self.momentum = momentum
        self.register_buffer("my_mean", torch.zeros(1, num_features, 1, 1))
        self.register_buffer("my_var", torch.ones(1, num_features, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.get_buffer("my_mean"), self.get_buffer("my_var")
        if self.training:
            new_var, new_mean = torch.var_mean(x.detach(), dim=(0, 2, 3), keepdim=True)
            mean.lerp_(new_mean, self.momentum)
            var.lerp_(new_var, self.momentum)
            var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
        return self.gamma * (x - mean) / torch.sqrt(var + 1e-5) + self.beta


def test_training_run_finds_parameters_and_statistics_under_other_names() -> None:
    """Names and shapes are the business of the state exchange alone."""
    found, right = training_run(_Renamed), training_run(nn.BatchNorm2d)
    assert found.keys() == right.keys()
    for name, value in right.items():
        torch.testing.assert_close(found[name], value)


def test_training_run_of_a_module_without_statistics_gives_none() -> None:
    """What a module does not have is None, and the rest is still reported."""
    found = training_run(lambda num_features, momentum: nn.BatchNorm2d(num_features, track_running_stats=False))
    assert found["running_mean"] is None
    assert found["train"].shape == (4, 3, 2, 2)


def state_exchange(module: Callable[..., Any]) -> dict[str, Any]:
    """A state exchange with a batch norm of three channels."""
    state = nn.BatchNorm2d(3).double().state_dict()
    inputs = {
        "settings": {"num_features": 3, "momentum": 0.5},
        "state": dict(state),
        "batch": torch.ones(2, 3, 2, 2).double(),
        "probe": torch.full((1, 3, 1, 2), 2.0).double(),
    }
    response = run_case({"Module": module}, "Module", "batchnorm/state-exchange", inputs)
    found: dict[str, Any] = unpack(pack(response["result"]))
    return found


def test_state_exchange_goes_both_ways() -> None:
    """A state loads, moves by one step, and loads back."""
    found = state_exchange(nn.BatchNorm2d)
    assert found["initial"]["weight"].tolist() == [1, 1, 1]
    assert found["initial"]["num_batches_tracked"] == 0
    assert found["state"]["num_batches_tracked"] == 1
    torch.testing.assert_close(found["imported"], torch.full((1, 3, 1, 2), 2.0 / math.sqrt(1 + 1e-5)).double())
    torch.testing.assert_close(found["exported"], torch.full((1, 3, 1, 2), 1.5 / math.sqrt(0.5 + 1e-5)).double())


def test_state_that_does_not_fit_is_none() -> None:
    """Other names or shapes are an answer, with the names and values that were found."""
    found = state_exchange(_Renamed)
    assert found["imported"] is found["state"] is found["exported"] is None
    assert found["initial"]["my_mean"].shape == (1, 3, 1, 1)


def test_a_result_on_another_device_than_the_inputs_is_noticed() -> None:
    """On a machine with a GPU; `meta` stands for one here."""
    inputs = {"x": torch.ones(3)}
    beside, _ = attempt({"f": lambda x: torch.zeros(3)}, "f", "call", inputs, "meta")
    there, _ = attempt({"f": lambda x: x + 1}, "f", "call", inputs, "meta")
    assert (beside["device"], "device" in there) == ("cpu", False)


def test_a_call_that_fails_is_repeated_with_inputs_made_anew() -> None:
    """Where a call gets the inputs themselves, what it changed before it failed does not reach the next call."""

    def spoils(x: torch.Tensor) -> torch.Tensor:
        before = x.clone()
        x.zero_()
        return before @ torch.ones(2, 1)  # float32 only

    inputs = {"x": torch.full((2, 2), 3.0, dtype=torch.float64)}
    own = {"x": inputs["x"].clone()}
    raw, given = attempt({"f": spoils}, "f", "call", own, anew=lambda: {"x": inputs["x"].clone()})
    assert raw["eased"] == ("float32",)
    assert raw["result"].tolist() == [[6.0], [6.0]]
    assert own["x"].count_nonzero() == given["x"].count_nonzero() == 0
    attempt({"f": spoils}, "f", "call", inputs)
    assert inputs["x"].min() == 3, "without that the call gets copies"
