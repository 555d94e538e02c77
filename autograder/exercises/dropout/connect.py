"""DropConnect: the same pattern, noise in training and its average at test time, on single weights.

Wan et al. 2013, "Regularization of Neural Networks using DropConnect".
"""

from __future__ import annotations

import torch

from autograder.exercises.dropout.draws import magnitudes, noise
from autograder.exercises.dropout.layers import DTYPE, INPUTS, LIBRARY_DROPOUT
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["CONNECT"]

# dropconnect --------------------------------------------------------------------------------------------------


def _connect(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    rows = []
    for n in range(len(x)):
        masked = torch.where(u[n] < p_keep, W, torch.zeros_like(W))
        rows.append(torch.mv(masked, x[n]) + b)
    return torch.stack(rows)


def _connect_test(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.nn.functional.linear(x, p_keep * W, b)


def _connect_einsum(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nkd,kd,nd->nk", (u < p_keep).to(W.dtype), W, x) + b


def _connect_sum(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return (W * (u < p_keep) * x[:, None, :]).sum(dim=2) + b


def _connect_bmm(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    masked = W.expand_as(u).masked_fill(u >= p_keep, 0)
    return torch.baddbmm(b[None, :, None], masked, x.unsqueeze(2)).squeeze(2)


def _connect_test_scaled_input(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float) -> torch.Tensor:
    return (p_keep * x) @ W.t() + b


def _connect_test_scaled_output(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float) -> torch.Tensor:
    return torch.einsum("kd,nd->nk", W, x) * p_keep + b


def _connect_one_mask(
    x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return x @ (W * (u[0] < p_keep)).T + b


def _connect_inputs(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return (x * (u[:, 0, :] < p_keep)) @ W.T + b


def _connect_outputs(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return (x @ W.T + b) * (u[:, :, 0] < p_keep)


def _connect_swapped(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nkd,nd->nk", W * (u >= p_keep), x) + b


def _connect_scaled(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nkd,nd->nk", W * (u < p_keep) / p_keep, x) + b


def _connect_no_bias(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nkd,nd->nk", W * (u < p_keep), x)


def _connect_bias_dropped(
    x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    return torch.einsum("nkd,nd->nk", W * (u < p_keep), x) + b * (u[:, :, 1] < p_keep)


def _connect_float32(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nkd,kd,nd->nk", (u < p_keep).float(), W.float(), x.float()) + b.float()


def _connect_in_place(
    x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float, u: torch.Tensor
) -> torch.Tensor:
    u.lt_(p_keep)
    return torch.einsum("nkd,nd->nk", u * W, x) + b


def _connect_test_unscaled(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x @ W.T + b


def _connect_test_drop(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x @ ((1 - p_keep) * W).T + b


def _connect_test_bias_scaled(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float) -> torch.Tensor:
    return p_keep * (x @ W.T + b)


def _connect_test_no_bias(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor, p_keep: float) -> torch.Tensor:
    return x @ (p_keep * W).T


def _connect_cases(g: torch.Generator) -> dict[str, Case]:
    def tensors(n: int, k: int, d: int, dtype: torch.dtype, *, bias: bool = True) -> dict[str, torch.Tensor]:
        b = magnitudes(g, k) if bias else torch.zeros(k, dtype=torch.float64)
        parts = {"x": magnitudes(g, n, d), "W": magnitudes(g, k, d), "b": b}
        return {name: part.to(dtype) for name, part in parts.items()}

    def train(n: int, k: int, d: int, p: float, dtype: torch.dtype = torch.float64, *, bias: bool = True) -> Case:
        given = tensors(n, k, d, dtype, bias=bias)
        return Case({**given, "p_keep": p, "u": noise(g, p, n, k, d).to(dtype)}, "dropconnect_train")

    def test(n: int, k: int, d: int, p: float, dtype: torch.dtype = torch.float64) -> Case:
        return Case({**tensors(n, k, d, dtype), "p_keep": p}, "dropconnect_test")

    return {
        "training without bias": train(3, 2, 4, 0.7, bias=False),
        "training without bias, square": train(4, 4, 4, 0.2, bias=False),
        "training": train(5, 3, 4, 0.2),
        "training, float32": train(4, 5, 3, 0.7, torch.float32),
        "testing": test(3, 2, 4, 0.2),
        "testing, float32": test(1, 3, 4, 0.7, torch.float32),
    }


_WEIGHTS = "drops the weights of each example by its own mask"
_BIASES = "keeps the biases"
_TESTING = "scales the weights at test time"

CONNECT = Exercise(
    "dropconnect",
    defines=("dropconnect_train(x, W, b, p_keep, u)", "dropconnect_test(x, W, b, p_keep)"),
    returns=("y",),
    reference={"dropconnect_train": _connect, "dropconnect_test": _connect_test},
    cases=_connect_cases,
    criteria=(
        Criterion(_WEIGHTS, 1.5, cases=("training without bias*",)),
        Criterion(_BIASES, 0.5, cases=("training", "training, float32")),
        Criterion(_TESTING, 1, cases=("testing*",)),
        Criterion(DTYPE, 0.5, cases=("training without bias", "training, float32"), aspect="dtype"),
        Criterion(INPUTS, 0.5, cases=("training*",), aspect="inputs"),
    ),
    misconceptions=(
        Misconception(
            "one-mask-for-the-batch",
            {"dropconnect_train": _connect_one_mask},
            "All examples share the first example's weight mask. Each example has its own, u[n].",
            (_WEIGHTS, _BIASES, DTYPE, INPUTS),
        ),
        Misconception(
            "inputs-dropped-instead-of-weights",
            {"dropconnect_train": _connect_inputs},
            "Whole inputs are dropped: that is dropout. DropConnect decides for every single weight, so an input may "
            "reach one output and not another.",
            (_WEIGHTS, _BIASES, DTYPE, INPUTS),
        ),
        Misconception(
            "outputs-dropped-instead-of-weights",
            {"dropconnect_train": _connect_outputs},
            "Whole outputs are dropped: that is dropout after the layer. DropConnect drops single weights.",
            (_WEIGHTS, _BIASES, DTYPE, INPUTS),
        ),
        Misconception(
            "keep-and-drop-swapped",
            {"dropconnect_train": _connect_swapped},
            "Weights are dropped where they should be kept: a weight stays where u < p_keep.",
            (_WEIGHTS, _BIASES, DTYPE, INPUTS),
        ),
        Misconception(
            "scales-while-training",
            {"dropconnect_train": _connect_scaled},
            "The kept weights are divided by p_keep during training. Here the scaling happens at test time; doing both "
            "scales twice.",
            (_WEIGHTS, _BIASES, DTYPE, INPUTS),
        ),
        Misconception(
            "bias-forgotten",
            {"dropconnect_train": _connect_no_bias},
            "The bias is missing in training. Only weights are dropped.",
            (_BIASES, DTYPE, INPUTS),
        ),
        Misconception(
            "bias-dropped-too",
            {"dropconnect_train": _connect_bias_dropped},
            "Biases are dropped as well. Here only weights are.",
            (_BIASES, DTYPE, INPUTS),
        ),
        Misconception(
            "always-float32",
            {"dropconnect_train": _connect_float32},
            "The result is float32 whatever came in. It should have the dtype of the input.",
            (DTYPE,),
        ),
        Misconception(
            "changes-its-input",
            {"dropconnect_train": _connect_in_place},
            "An input tensor was changed. Whoever passed it may still need it: compute a new tensor.",
            (INPUTS,),
        ),
        Misconception(
            "no-scaling-at-test-time",
            {"dropconnect_test": _connect_test_unscaled},
            "Nothing is scaled at test time. All weights are there at once now, so the sums are larger than they were "
            "on average during training.",
            (_TESTING,),
        ),
        Misconception(
            "multiplied-by-the-drop-probability",
            {"dropconnect_test": _connect_test_drop},
            "The weights are multiplied by the probability of dropping. During training a weight was there with "
            "probability p_keep.",
            (_TESTING,),
        ),
        Misconception(
            "bias-scaled-too",
            {"dropconnect_test": _connect_test_bias_scaled},
            "The bias is scaled at test time. It was never dropped, so it enters at full size.",
            (_TESTING,),
        ),
        Misconception(
            "bias-forgotten-at-test-time",
            {"dropconnect_test": _connect_test_no_bias},
            "The bias is missing at test time. It was there in training, at full size, and stays.",
            (_TESTING,),
        ),
    ),
    forbidden=LIBRARY_DROPOUT,
    right={
        "einsum of three": {"dropconnect_train": _connect_einsum},
        "broadcast and sum": {"dropconnect_train": _connect_sum, "dropconnect_test": _connect_test_scaled_input},
        "batched matrix product": {"dropconnect_train": _connect_bmm, "dropconnect_test": _connect_test_scaled_output},
    },
)
