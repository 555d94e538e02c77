"""Inverted dropout, forward and backward."""

from __future__ import annotations

import numpy as np
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

__all__ = ["BACKWARD", "INVERTED"]

# inverted-dropout ---------------------------------------------------------------------------------------------


def _inverted(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    if not training:
        return x
    flat = [a / p_keep if r < p_keep else 0.0 for a, r in zip(x.flatten().tolist(), u.flatten().tolist(), strict=True)]
    return torch.tensor(flat, dtype=x.dtype).reshape(x.shape)


def _inverted_mask(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * ((u < p_keep).to(x.dtype) / p_keep) if training else x.clone()


def _inverted_where(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return torch.where((u < p_keep) | (not training), x / (p_keep if training else 1), 0)


def _inverted_filled(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x.div(p_keep).masked_fill(~(u < p_keep), 0.0) if training else x


def _inverted_numpy(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    if not training:
        return x
    mask = np.less(u.cpu().numpy(), p_keep) / p_keep
    return x * torch.from_numpy(mask).to(x)


def _inverted_selected(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    if training:
        y = torch.zeros_like(x)
        y[u < p_keep] = x[u < p_keep] / p_keep
        return y
    return x + 0


def _inverted_unscaled(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * (u < p_keep) if training else x


def _inverted_drop_scale(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * (u < p_keep) / (1 - p_keep) if training else x


def _inverted_down(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * (u < p_keep) * p_keep if training else x


def _inverted_swapped(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * (u < 1 - p_keep) / (1 - p_keep) if training else x


def _inverted_complement(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * (u >= p_keep) / p_keep if training else x


def _inverted_always(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * (u < p_keep) / p_keep


def _inverted_and_scaled(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * (u < p_keep) / p_keep if training else x * p_keep


def _inverted_flag_reversed(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x if training else x * (u < p_keep) / p_keep


def _inverted_one_row(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x * (u[0] < p_keep) / p_keep if training else x


def _inverted_in_place(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x.mul_(u < p_keep).div_(p_keep) if training else x


def _inverted_float32(x: torch.Tensor, p_keep: float, u: torch.Tensor, training: bool) -> torch.Tensor:
    return x.float() * (u < p_keep).float() / p_keep if training else x


def _inverted_cases(g: torch.Generator) -> dict[str, Case]:
    def train(x: torch.Tensor, u: torch.Tensor, p_keep: float, driver: str = "dropped-units") -> Case:
        return Case({"x": x, "p_keep": p_keep, "u": u, "training": True}, driver=driver, outputs=OUTPUTS)

    def evaluate(x: torch.Tensor, u: torch.Tensor, p_keep: float) -> Case:
        return Case({"x": x, "p_keep": p_keep, "u": u, "training": False}, outputs=("evaluation",))

    return {
        "training, by hand": train(SMALL_X, SMALL_U, 0.8),
        "training, p = 0.2": train(*layer_inputs(g, 0.2, 6, 5), 0.2),
        "training, float32, strided": train(*layer_inputs(g, 0.7, 5, 5, torch.float32), 0.7, STRIDED),
        "evaluation, p = 0.2": evaluate(*layer_inputs(g, 0.2, 5, 4), 0.2),
        "evaluation, float32, one example": evaluate(*layer_inputs(g, 0.7, 1, 6, torch.float32), 0.7),
    }


_SCALES = "scales what is kept while training"
_EVALUATION = "drops in training only and changes nothing at evaluation"

# The third criterion also asks that training drops something: else returning x would earn it.
INVERTED = Exercise(
    "inverted-dropout",
    defines=("inverted_dropout(x, p_keep, u, training)",),
    returns=("y",),
    reference=_inverted,
    cases=_inverted_cases,
    criteria=(
        Criterion(DROPS, 1, cases=("training*",), outputs=("dropped",)),
        Criterion(_SCALES, 1, cases=("training*",), outputs=("y",)),
        Criterion(_EVALUATION, 1, cases=("evaluation*", "training, by hand"), outputs=("evaluation", "drops")),
        Criterion(
            DTYPE, 0.5, cases=("training, p = 0.2", "training, float32, strided"), outputs=("y",), aspect="dtype"
        ),
        Criterion(INPUTS, 0.5, cases=("training, by hand", "training, p = 0.2"), aspect="inputs"),
    ),
    misconceptions=(
        Misconception(
            "scale-forgotten",
            _inverted_unscaled,
            "The kept units are not scaled. Then the mean during training is smaller than at evaluation, where nothing "
            "is done any more.",
            (_SCALES, DTYPE, INPUTS),
        ),
        Misconception(
            "scaled-by-drop-probability",
            _inverted_drop_scale,
            "The kept units are divided by the probability of dropping. Average over the masks: the factor has to undo "
            "the probability with which a unit is there.",
            (_SCALES, DTYPE, INPUTS),
        ),
        Misconception(
            "scaled-down",
            _inverted_down,
            "The kept units are made smaller. The masks already take part of the sum away, so what is kept has to "
            "become larger.",
            (_SCALES, DTYPE, INPUTS),
        ),
        Misconception(
            "keep-and-drop-probability-swapped",
            _inverted_swapped,
            "p_keep was used as the probability of dropping, in the mask and in the scale. The mean still comes out "
            "right, but too many or too few units are dropped.",
            (DROPS, _SCALES, DTYPE, INPUTS),
        ),
        Misconception("mask-inverted", _inverted_complement, HINT_SWAPPED, (DROPS, _SCALES, DTYPE, INPUTS)),
        Misconception(
            "active-at-evaluation",
            _inverted_always,
            "Units are dropped at evaluation too, so two predictions for the same image differ. The argument training "
            "says which of the two is asked for.",
            (_EVALUATION,),
        ),
        Misconception(
            "scaled-twice",
            _inverted_and_scaled,
            "The scale is applied during training and again at evaluation. Inverted dropout exists so that evaluation "
            "needs no change.",
            (_EVALUATION,),
        ),
        Misconception(
            "training-flag-reversed",
            _inverted_flag_reversed,
            "Training and evaluation are exchanged: units are dropped when training is False.",
            (DROPS, _SCALES, _EVALUATION, DTYPE, INPUTS),
        ),
        Misconception("one-mask-for-the-batch", _inverted_one_row, HINT_ONE_ROW, (DROPS, _SCALES, DTYPE, INPUTS)),
        Misconception("changes-its-input", _inverted_in_place, HINT_IN_PLACE, (INPUTS,)),
        Misconception("always-float32", _inverted_float32, HINT_FLOAT32, (DTYPE,)),
    ),
    forbidden=LIBRARY_DROPOUT,
    right={
        "scaled mask": _inverted_mask,
        "torch.where for both modes": _inverted_where,
        "masked_fill": _inverted_filled,
        "mask made with NumPy": _inverted_numpy,
        "only the kept entries written": _inverted_selected,
    },
)

# inverted-dropout-backward ------------------------------------------------------------------------------------


def _backward(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    x = torch.ones_like(dy, requires_grad=True)
    (dx,) = torch.autograd.grad((x * (u < p_keep) / p_keep * dy).sum(), x)
    return dx


def _backward_forward(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy * (u < p_keep) / p_keep


def _backward_where(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return torch.where(u < p_keep, dy / p_keep, torch.zeros_like(dy))


def _backward_loop(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    dx = torch.zeros_like(dy)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            if u[i, j] < p_keep:
                dx[i, j] = dy[i, j] / p_keep
    return dx


def _backward_jacobian(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    scale = (u < p_keep).to(dy.dtype) * (1 / p_keep)
    return torch.einsum("nj,nji->ni", dy, torch.diag_embed(scale))


def _backward_unscaled(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy * (u < p_keep)


def _backward_down(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy * (u < p_keep) * p_keep


def _backward_drop_scale(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy * (u < p_keep) / (1 - p_keep)


def _backward_no_mask(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy / p_keep


def _backward_complement(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy * (u >= p_keep) / p_keep


def _backward_twice(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy * (u < p_keep) / p_keep**2


def _backward_averaged(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy * (u < p_keep) / p_keep / len(dy)


def _backward_one_row(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    return dy * (u[0] < p_keep) / p_keep


def _backward_in_place(dy: torch.Tensor, p_keep: float, u: torch.Tensor) -> torch.Tensor:
    dy[u >= p_keep] = 0
    return dy / p_keep


def _backward_cases(g: torch.Generator) -> dict[str, Case]:
    def case(dy: torch.Tensor, u: torch.Tensor, p_keep: float, driver: str = "dropped-units") -> Case:
        return Case({"dy": dy, "p_keep": p_keep, "u": u}, driver=driver, outputs=OUTPUTS)

    return {
        "by hand": case(SMALL_X, SMALL_U, 0.8),
        "p = 0.2": case(*layer_inputs(g, 0.2, 6, 5), 0.2),
        "p = 0.7, float32, strided": case(*layer_inputs(g, 0.7, 5, 5, torch.float32), 0.7, STRIDED),
    }


_THROUGH = "passes the gradient through the kept units only"
_BACK_SCALE = "scales the gradient as the forward pass scales the unit"

BACKWARD = Exercise(
    "inverted-dropout-backward",
    defines=("inverted_dropout_backward(dy, p_keep, u)",),
    returns=("dx",),
    reference=_backward,
    cases=_backward_cases,
    criteria=(
        Criterion(_THROUGH, 1, outputs=("dropped",)),
        Criterion(_BACK_SCALE, 1, outputs=("y",)),
        Criterion(INPUTS, 0.5, cases=("by hand", "p = 0.2"), aspect="inputs"),
    ),
    misconceptions=(
        Misconception(
            "scale-forgotten",
            _backward_unscaled,
            "The gradient passes the mask but not the scale. The forward pass multiplied the unit by both.",
            (_BACK_SCALE, INPUTS),
        ),
        Misconception(
            "scaled-down",
            _backward_down,
            "The gradient is made smaller where the forward pass made the unit larger. A constant factor stays the "
            "same in the derivative; it is not inverted.",
            (_BACK_SCALE, INPUTS),
        ),
        Misconception(
            "scaled-by-drop-probability",
            _backward_drop_scale,
            "The gradient is divided by the probability of dropping; the forward pass used the probability of keeping.",
            (_BACK_SCALE, INPUTS),
        ),
        Misconception(
            "mask-forgotten",
            _backward_no_mask,
            "Dropped units receive a gradient. Their output was 0 whatever their input was, so it cannot depend on it.",
            (_THROUGH, _BACK_SCALE, INPUTS),
        ),
        Misconception(
            "mask-inverted",
            _backward_complement,
            "The gradient goes to the dropped units. Use the mask of the forward pass: kept where u < p_keep.",
            (_THROUGH, _BACK_SCALE, INPUTS),
        ),
        Misconception(
            "scaled-twice",
            _backward_twice,
            "The scale is applied twice. dy already is the gradient at the layer's output; the layer adds one factor.",
            (_BACK_SCALE, INPUTS),
        ),
        Misconception(
            "averaged-over-the-batch",
            _backward_averaged,
            "The gradient is divided by the batch size. If the loss is a mean, dy contains that factor already.",
            (_BACK_SCALE, INPUTS),
        ),
        Misconception("one-mask-for-the-batch", _backward_one_row, HINT_ONE_ROW, (_THROUGH, _BACK_SCALE, INPUTS)),
        Misconception("changes-its-input", _backward_in_place, HINT_IN_PLACE, (INPUTS,)),
    ),
    forbidden=(*LIBRARY_DROPOUT, "torch.autograd", "torch.func", ".backward", ".requires_grad_"),
    right={
        "the forward formula on dy": _backward_forward,
        "torch.where": _backward_where,
        "two loops": _backward_loop,
        "vector times diagonal Jacobian": _backward_jacobian,
    },
)
