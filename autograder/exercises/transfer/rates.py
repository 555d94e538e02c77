"""`layer-learning-rates`: the further from the head, the slower."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from autograder.exercises.dropout.draws import uniform
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["RATES"]


def _rates(num_layers: int, base_lr: float, decay: float) -> Tensor:
    rate, rates = base_lr, []
    for _ in range(num_layers):
        rates.append(rate)
        rate *= decay
    return torch.tensor(rates[::-1], dtype=torch.float64)


def _rates_power(num_layers: int, base_lr: float, decay: float) -> Tensor:
    return base_lr * decay ** torch.arange(num_layers - 1, -1, -1)


def _rates_list(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return [base_lr * decay ** (num_layers - 1 - layer) for layer in range(num_layers)]


def _rates_numpy(num_layers: int, base_lr: float, decay: float) -> Any:
    return base_lr * np.logspace(num_layers - 1, 0, num_layers, base=decay)


def _rates_product(num_layers: int, base_lr: float, decay: float) -> Tensor:
    factors = torch.full((num_layers,), float(decay))
    factors[0] = base_lr
    return factors.cumprod(0).flip(0)


def _rates_reversed(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return _rates_list(num_layers, base_lr, decay)[::-1]


def _rates_one_too_many(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return [base_lr * decay ** (num_layers - layer) for layer in range(num_layers)]


def _rates_one_layer_more(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return _rates_list(num_layers + 1, base_lr, decay)


def _rates_two_groups(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return [base_lr * decay] * (num_layers - 1) + [base_lr]


def _rates_constant(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return [base_lr] * num_layers


def _rates_growing(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return _rates_list(num_layers, base_lr, 1 / decay)


def _rates_linear(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return [base_lr * (1 - (1 - decay) * (num_layers - 1 - layer)) for layer in range(num_layers)]


def _rates_exponential(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return [base_lr * float(np.exp(-decay * (num_layers - 1 - layer))) for layer in range(num_layers)]


def _rates_summed(num_layers: int, base_lr: float, decay: float) -> list[float]:
    return [base_lr - decay * (num_layers - 1 - layer) for layer in range(num_layers)]


def _rates_cases(g: Generator) -> dict[str, Case]:
    def case(layers: int, low: float, high: float, outputs: tuple[str, ...] = ("rates", "layers", "last")) -> Case:
        base, decay = (round(float(uniform(g, *ends, 1)), 3) for ends in ((0.01, 0.2), (low, high)))
        return Case({"num_layers": layers, "base_lr": base, "decay": decay}, driver="rates", outputs=outputs)

    return {
        "four layers": case(4, 0.25, 0.4),
        "seven layers": case(7, 0.6, 0.85),
        "one layer": case(1, 0.3, 0.5, ("rates",)),
    }


_LAST = "one rate for each layer, the base rate for the last"
_EARLIER = "each earlier layer has the next one's rate times decay"

RATES = Exercise(
    "layer-learning-rates",
    defines=("layer_learning_rates(num_layers, base_lr, decay)",),
    returns=("rates",),
    reference=_rates,
    cases=_rates_cases,
    criteria=(Criterion(_LAST, 1, outputs=("layers", "last")), Criterion(_EARLIER, 2, outputs=("rates",))),
    misconceptions=(
        Misconception(
            "order-reversed",
            _rates_reversed,
            "The first layer has the base rate and the last one the smallest. General features, in the first layers, "
            "are those that should move least.",
            (_LAST, _EARLIER),
        ),
        Misconception(
            "one-decay-too-many",
            _rates_one_too_many,
            "Every rate has one factor decay too many: the last layer should have the base rate itself.",
            (_LAST, _EARLIER),
        ),
        Misconception(
            "one-layer-too-many",
            _rates_one_layer_more,
            "There is one rate more than there are layers.",
            (_LAST, _EARLIER),
        ),
        Misconception(
            "two-groups-only",
            _rates_two_groups,
            "All layers but the last have the same rate. Here the rate falls with every layer on the way down.",
            (_EARLIER,),
        ),
        Misconception(
            "decay-not-used",
            _rates_constant,
            "All layers have the base rate. Then the first layers are changed as fast as the new head.",
            (_EARLIER,),
        ),
        Misconception(
            "rates-grow-downwards",
            _rates_growing,
            "Rates grow towards the first layer. It was divided by decay where it should be multiplied.",
            (_EARLIER,),
        ),
        Misconception(
            "linear-decay",
            _rates_linear,
            "The rates fall by equal differences. Asked for are equal ratios; differences reach zero and go below.",
            (_EARLIER,),
        ),
        Misconception(
            "exponential-of-decay",
            _rates_exponential,
            "decay was used as a rate in an exponential. It is the factor itself.",
            (_EARLIER,),
        ),
        Misconception(
            "decay-subtracted",
            _rates_summed,
            "decay was subtracted for every layer. It is a factor.",
            (_EARLIER,),
        ),
    ),
    right={
        "powers of a tensor": _rates_power,
        "a list": _rates_list,
        "NumPy": _rates_numpy,
        "running product": _rates_product,
    },
)
