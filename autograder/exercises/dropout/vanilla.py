"""Plain dropout: masks while training, weights scaled at test time."""

from __future__ import annotations

import torch

from autograder.exercises.dropout.layers import (
    DROPS,
    DTYPE,
    HINT_FLOAT32,
    HINT_IN_PLACE,
    HINT_ONE_ROW,
    HINT_SWAPPED,
    INPUTS,
    LIBRARY_DROPOUT,
    OUTPUTS,
    SMALL_U,
    SMALL_X,
    STRIDED,
    layer_inputs,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["TRAIN_TEST"]

# dropout-train-test -------------------------------------------------------------------------------------------


def _train(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    flat = [a if r < p_keep else 0.0 for a, r in zip(x.flatten().tolist(), u.flatten().tolist(), strict=True)]
    return torch.tensor(flat, dtype=x.dtype).reshape(x.shape)


def _test(x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.mul(x, p_keep)


def _train_boolean(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return x * (u < p_keep)


def _train_where(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return torch.where(u >= p_keep, torch.zeros_like(x), x)


def _train_filled(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[u > p_keep] = 0
    return y


def _train_einsum(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nd,nd->nd", x, u.lt(p_keep).to(x.dtype))


def _train_ceil(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return x.mul(torch.sign(torch.relu(p_keep - u)))


def _test_divided(x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x / (1 / p_keep)


def _test_rest(x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x - (1 - p_keep) * x


def _train_dropped(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return x * (u >= p_keep)


def _train_scaled(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return x * (u < p_keep) / p_keep


def _train_scaled_down(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return x * (u < p_keep) * p_keep


def _train_one_row(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return x * (u[0] < p_keep)


def _train_fixed_count(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    rank = u.argsort(dim=1).argsort(dim=1)
    return x * (rank < int(p_keep * x.shape[1]))


def _train_mask_only(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return (u < p_keep).to(x.dtype)


def _train_in_place(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    x *= u < p_keep
    return x


def _train_float32(x: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return x.float() * (u < p_keep).float()


def _test_drop_probability(x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x * (1 - p_keep)


def _test_unscaled(x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x.clone()


def _test_inverse(x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x / p_keep


def _test_half(x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x * 0.5


def _train_test_cases(g: torch.Generator) -> dict[str, Case]:
    def train(x: torch.Tensor, u: torch.Tensor, p_keep: float, driver: str = "dropped-units") -> Case:
        return Case({"x": x, "p_keep": p_keep, "u": u}, "dropout_train", driver, OUTPUTS)

    def test(x: torch.Tensor, p_keep: float) -> Case:
        return Case({"x": x, "p_keep": p_keep}, "dropout_test")

    return {
        "training, by hand": train(SMALL_X, SMALL_U, 0.8),
        "training, p = 0.2": train(*layer_inputs(g, 0.2, 6, 5), 0.2),
        "training, float32, strided": train(*layer_inputs(g, 0.7, 5, 5, torch.float32), 0.7, STRIDED),
        "training, nothing dropped": train(*layer_inputs(g, 1.0, 3, 4), 1.0),
        "testing": test(layer_inputs(g, 0.2, 5, 4)[0], 0.2),
        "testing, float32, one example": test(layer_inputs(g, 0.7, 1, 6, torch.float32)[0], 0.7),
    }


_KEPT = "leaves the kept units as they are"
_TESTING = "scales by p_keep at test time"

TRAIN_TEST = Exercise(
    "dropout-train-test",
    defines=("dropout_train(x, p_keep, u)", "dropout_test(x, p_keep)"),
    returns=("y",),
    reference={"dropout_train": _train, "dropout_test": _test},
    cases=_train_test_cases,
    criteria=(
        Criterion(DROPS, 1, cases=("training*",), outputs=("dropped",)),
        Criterion(_KEPT, 1, cases=("training*",), outputs=("y",)),
        Criterion(_TESTING, 1, cases=("testing*",)),
        Criterion(
            DTYPE, 0.5, cases=("training, p = 0.2", "training, float32, strided"), outputs=("y",), aspect="dtype"
        ),
        Criterion(INPUTS, 0.5, cases=("training, by hand", "training, p = 0.2"), aspect="inputs"),
    ),
    misconceptions=(
        Misconception("keep-and-drop-swapped", _train_dropped, HINT_SWAPPED, (DROPS, _KEPT, DTYPE, INPUTS)),
        Misconception(
            "scales-while-training",
            _train_scaled,
            "The kept units are divided by p_keep during training. That is inverted dropout, the next exercise; plain "
            "dropout scales at test time instead, and doing both scales twice.",
            (_KEPT, DTYPE, INPUTS),
        ),
        Misconception(
            "scales-down-while-training",
            _train_scaled_down,
            "The kept units are multiplied by p_keep during training. The masks already make the mean smaller by that "
            "factor; the scaling belongs to test time, where there are no masks.",
            (_KEPT, DTYPE, INPUTS),
        ),
        Misconception("one-mask-for-the-batch", _train_one_row, HINT_ONE_ROW, (DROPS, _KEPT, DTYPE, INPUTS)),
        Misconception(
            "fixed-number-of-units",
            _train_fixed_count,
            "Every row keeps the same number of units. Each unit is kept or dropped on its own, so the number varies "
            "from row to row.",
            (DROPS, _KEPT, DTYPE, INPUTS),
        ),
        Misconception(
            "returns-the-mask",
            _train_mask_only,
            "This is the mask alone. The result is the input where the mask keeps it.",
            (_KEPT, DTYPE, INPUTS),
        ),
        Misconception("changes-its-input", _train_in_place, HINT_IN_PLACE, (INPUTS,)),
        Misconception("always-float32", _train_float32, HINT_FLOAT32, (DTYPE,)),
        Misconception(
            "multiplied-by-the-drop-probability",
            {"dropout_test": _test_drop_probability},
            "At test time the output is multiplied by the probability of dropping. During training a unit was there "
            "with probability p_keep; its mean is what the next layer has learnt to expect.",
            (_TESTING,),
        ),
        Misconception(
            "no-scaling-at-test-time",
            {"dropout_test": _test_unscaled},
            "Nothing is scaled at test time. All units are there at once now, so the next layer receives more than it "
            "did on average during training.",
            (_TESTING,),
        ),
        Misconception(
            "divided-at-test-time",
            {"dropout_test": _test_inverse},
            "The output is divided by p_keep at test time and so becomes larger still. With all units present it has "
            "to become smaller to match the mean during training.",
            (_TESTING,),
        ),
        Misconception(
            "always-half",
            {"dropout_test": _test_half},
            "The factor at test time is 1/2 whatever p_keep is.",
            (_TESTING,),
        ),
    ),
    forbidden=LIBRARY_DROPOUT,
    right={
        "boolean mask": {"dropout_train": _train_boolean},
        "torch.where": {"dropout_train": _train_where, "dropout_test": _test_divided},
        "filled with zeros on a copy": {"dropout_train": _train_filled, "dropout_test": _test_rest},
        "einsum with a float mask": {"dropout_train": _train_einsum},
        "sign of a ReLU": {"dropout_train": _train_ceil},
    },
)
