"""`fuse-linear` and `fuse-conv`: batch normalisation in evaluation mode, folded into the layer before it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.utils import fusion

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import BIG, TINY, scales, shifts, uniform, variances
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["FUSE_CONV", "FUSE_LINEAR"]

Pair = tuple[Tensor, Tensor]
Fuse = Callable[[Tensor, Tensor | None, Tensor, Tensor, Tensor, Tensor, float], Pair]

# --- references: PyTorch's own fusion, made for its quantisation


def _linear_reference(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    fused = fusion.fuse_linear_bn_weights(weight, bias, mean, var, eps, gamma, beta)
    return fused[0].detach(), fused[1].detach()


def _conv_reference(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    fused = fusion.fuse_conv_bn_weights(weight, bias, mean, var, eps, gamma, beta)
    return fused[0].detach(), fused[1].detach()


# --- cases


def _case(
    g: Generator,
    shape: tuple[int, ...],
    *,
    bias: bool = True,
    small: bool = False,
    driver: str = "call",
    dtype: torch.dtype = torch.float64,
) -> Case:
    o = shape[0]
    inputs = {
        "weight": uniform(g, shape, -2.0, 2.0),
        "bias": shifts(g, o) if bias else None,
        "gamma": scales(g, o),
        "beta": shifts(g, o),
        "running_mean": shifts(g, o, 1.0, 4.0),
        "running_var": variances(g, o, small=small),
    }
    cast = {name: None if tensor is None else tensor.to(dtype) for name, tensor in inputs.items()}
    return Case({**cast, "eps": BIG if small else TINY}, driver=driver)


def _tiny(g: Generator, shape: tuple[int, ...]) -> Case:
    """Two outputs, whole numbers, variances 4 and 9."""

    def whole() -> Tensor:
        return torch.randint(1, 6, (2,), generator=g).double()

    return Case(
        {
            "weight": torch.randint(1, 6, shape, generator=g).double() * 2 - 5,
            "bias": whole(),
            "gamma": whole() * torch.tensor([2, -3]),
            "beta": whole(),
            "running_mean": whole(),
            "running_var": torch.tensor([4.0, 9.0], dtype=torch.float64),
            "eps": TINY,
        }
    )


def _linear_cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": _tiny(g, (2, 3)),
        "wide": _case(g, (3, 5)),
        "square": _case(g, (4, 4), driver="call-strided"),
        "no bias": _case(g, (4, 3), bias=False),
        "small variance": _case(g, (3, 4), small=True),
    }


def _conv_cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": _tiny(g, (2, 3, 1, 1)),
        "wide": _case(g, (3, 4, 2, 5)),
        "square": _case(g, (3, 3, 3, 3), driver="call-strided"),
        "no bias": _case(g, (4, 2, 1, 3), bias=False),
        "small variance": _case(g, (3, 2, 3, 1), small=True),
        "float32": _case(g, (4, 3, 2, 2), dtype=torch.float32),
    }


_WEIGHT, _BIAS, _NONE, _EPS, _INPUTS = (
    "weight",
    "bias",
    "works without a bias",
    "epsilon inside the root",
    "leaves the layers unchanged and keeps the dtype",
)

# --- what goes wrong


def _rows(scale: Tensor, weight: Tensor) -> Tensor:
    """One number for each output, shaped to multiply a weight (O, I) or (O, I, kh, kw)."""
    return scale.reshape(-1, *[1] * (weight.ndim - 1))


def _or_zero(bias: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if bias is None else bias


def _bias_by(rule: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Fuse:
    """Fusion with a right weight and a bias by `rule(bias, scale, mean, beta)`."""

    def fuse(
        weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
    ) -> Pair:
        scale = gamma / torch.sqrt(var + eps)
        return weight * _rows(scale, weight), rule(_or_zero(bias, mean), scale, mean, beta)

    return fuse


def _scale_by(rule: Callable[[Tensor, Tensor, float], Tensor]) -> Fuse:
    """Fusion with a scale by `rule(gamma, var, eps)`, right otherwise."""

    def fuse(
        weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
    ) -> Pair:
        scale = rule(gamma, var, eps)
        return weight * _rows(scale, weight), beta + (_or_zero(bias, mean) - mean) * scale

    return fuse


_right = _scale_by(lambda gamma, var, eps: gamma / torch.sqrt(var + eps))


def _on_inputs(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    scale = gamma / torch.sqrt(var + eps)
    shape = (1, -1, *[1] * (weight.ndim - 2))
    return weight * scale.reshape(shape), beta + (_or_zero(bias, mean) - mean) * scale


def _needs_bias(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    if bias is None:
        raise TypeError("unsupported operand type(s) for -: 'NoneType' and 'Tensor'")
    return _right(weight, bias, gamma, beta, mean, var, eps)


def _none_stays_none(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> tuple[Tensor, Tensor | None]:
    fused, shift = _right(weight, bias, gamma, beta, mean, var, eps)
    return fused, None if bias is None else shift


def _weight_unscaled(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    return weight.clone(), _right(weight, bias, gamma, beta, mean, var, eps)[1]


def _overwrites(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    _, shift = _right(weight, bias, gamma, beta, mean, var, eps)
    weight *= _rows(gamma / torch.sqrt(var + eps), weight)
    return weight, shift


def _misconceptions(extra: tuple[str, ...]) -> tuple[Misconception, ...]:
    """The mistakes of both exercises.

    Args:
        extra: the criterion that is lost together with any wrong value, where the exercise has one.
    """
    in_bias = (_BIAS, _NONE, _EPS, *extra)
    everywhere = (_WEIGHT, _BIAS, _NONE, _EPS, *extra)
    return (
        Misconception(
            "bias-not-scaled",
            _bias_by(lambda bias, scale, mean, beta: bias + beta - mean * scale),
            "The bias of the layer seems to be added unscaled. It is part of what the normalisation sees, "
            "so it is scaled together with the weight.",
            loses=(_BIAS, _EPS, *extra),
        ),
        Misconception(
            "bias-dropped",
            _bias_by(lambda bias, scale, mean, beta: beta - mean * scale),
            "The bias of the layer does not seem to enter. In training it has no effect, because the mean takes it "
            "out; here it has, because the running mean is fixed.",
            loses=(_BIAS, _EPS, *extra),
        ),
        Misconception(
            "mean-not-subtracted",
            _bias_by(lambda bias, scale, mean, beta: beta + bias * scale),
            "The running mean does not seem to enter the new bias.",
            loses=in_bias,
        ),
        Misconception(
            "mean-added",
            _bias_by(lambda bias, scale, mean, beta: beta + (bias + mean) * scale),
            "The running mean enters the new bias with the wrong sign: it is subtracted from the output of the layer.",
            loses=in_bias,
        ),
        Misconception(
            "mean-not-scaled",
            _bias_by(lambda bias, scale, mean, beta: beta + bias * scale - mean),
            "The running mean enters the new bias unscaled. It is subtracted before the scaling, so it is scaled as "
            "well.",
            loses=in_bias,
        ),
        Misconception(
            "beta-missing",
            _bias_by(lambda bias, scale, mean, beta: (bias - mean) * scale),
            "beta does not seem to enter the new bias.",
            loses=in_bias,
        ),
        Misconception(
            "beta-scaled",
            _bias_by(lambda bias, scale, mean, beta: (bias - mean + beta) * scale),
            "beta seems to be scaled with the rest. It is added last, after the scaling.",
            loses=in_bias,
        ),
        Misconception(
            "scale-on-input-axis",
            _on_inputs,
            "The scale seems to run along the inputs of the weight. Normalisation acts on the outputs, which are "
            "the first axis; only where the layer has as many inputs as outputs does the other way run at all.",
            loses=everywhere,
        ),
        Misconception(
            "weight-not-scaled",
            _weight_unscaled,
            "The weight comes back as it was. Scaling the output of the layer is scaling each output's row of the "
            "weight.",
            loses=(_WEIGHT, _NONE, _EPS, *extra),
        ),
        Misconception(
            "gamma-missing",
            _scale_by(lambda gamma, var, eps: 1 / torch.sqrt(var + eps)),
            "gamma does not seem to enter: the scale is that of the normalisation alone.",
            loses=everywhere,
        ),
        Misconception(
            "absolute-gamma",
            _scale_by(lambda gamma, var, eps: gamma.abs() / torch.sqrt(var + eps)),
            "The sign of gamma seems to be lost. gamma may be negative, and then the layer turns its output over.",
            loses=everywhere,
        ),
        Misconception(
            "divides-by-variance",
            _scale_by(lambda gamma, var, eps: gamma / (var + eps)),
            "The scale seems to hold the running variance itself. Its root is what normalisation divides by.",
            loses=everywhere,
        ),
        Misconception(
            "epsilon-omitted",
            _scale_by(lambda gamma, var, eps: gamma / torch.sqrt(var)),
            "eps does not seem to enter. The layer that is fused divides by the root of variance plus eps; "
            "without it the fused layer differs wherever a variance is small.",
            loses=(_EPS,),
        ),
        Misconception(
            "epsilon-outside-root",
            _scale_by(lambda gamma, var, eps: gamma / (torch.sqrt(var) + eps)),
            wording.EPS_OUTSIDE,
            loses=(_EPS,),
        ),
        Misconception(
            "bias-taken-for-granted",
            _needs_bias,
            "A layer without a bias makes the function fail. Such layers are the usual ones before batch "
            "normalisation: None stands for a bias of zero.",
            loses=(_NONE,),
        ),
        Misconception(
            "no-bias-stays-none",
            _none_stays_none,
            "A layer without a bias gets none after fusion either. beta and the running mean still have to go "
            "somewhere.",
            loses=(_NONE,),
        ),
    )


# --- right, in other ways


def _with_diagonal(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    """Normalisation as a diagonal matrix from the left."""
    scaling = torch.diag(gamma / torch.sqrt(var + eps))
    flat = scaling @ weight.reshape(len(weight), -1)
    return flat.reshape(weight.shape), scaling @ (_or_zero(bias, mean) - mean) + beta


def _row_by_row(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> list[Tensor]:
    new_weight, new_bias = weight.clone(), beta.clone()
    for o in range(weight.shape[0]):
        factor = gamma[o] * (var[o] + eps) ** -0.5
        new_weight[o] *= factor
        new_bias[o] += factor * ((0 if bias is None else bias[o]) - mean[o])
    return [new_weight, new_bias]


def _with_einsum(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    scale = gamma * torch.rsqrt(var + eps)
    shift = beta - scale * mean
    return torch.einsum("o...,o->o...", weight, scale), shift if bias is None else torch.addcmul(shift, bias, scale)


def _with_numpy(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    scale = gamma.numpy() / np.sqrt(var.numpy() + eps)
    b = 0.0 if bias is None else bias.numpy()
    new_weight = (weight.numpy().T * scale).T
    new_bias = beta.numpy() + (b - mean.numpy()) * scale
    return torch.tensor(new_weight, dtype=weight.dtype), torch.tensor(new_bias, dtype=weight.dtype)


def _transposed(
    weight: Tensor, bias: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, eps: float
) -> Pair:
    scale = gamma / (var + eps).sqrt()
    return (weight.transpose(0, -1) * scale).transpose(0, -1), (_or_zero(bias, mean) - mean).mul(scale).add(beta)


_RIGHT = {
    "diagonal matrix": _with_diagonal,
    "row by row": _row_by_row,
    "einsum": _with_einsum,
    "numpy": _with_numpy,
    "transposed": _transposed,
}

_SIGNATURE = "(weight, bias, gamma, beta, running_mean, running_var, eps)"
_FORBIDDEN = (*wording.FUSERS, *wording.NORMALISERS)

FUSE_LINEAR = Exercise(
    "fuse-linear",
    defines=(f"fuse_linear_batchnorm{_SIGNATURE}",),
    returns=("weight", "bias"),
    reference=_linear_reference,
    cases=_linear_cases,
    criteria=(
        Criterion(_WEIGHT, 0.5, cases=("tiny", "wide", "square"), outputs=("weight",)),
        Criterion(_BIAS, 0.5, cases=("tiny", "wide", "square"), outputs=("bias",)),
        Criterion(_NONE, 0.5, cases=("no bias",)),
        Criterion(_EPS, 0.5, cases=("small variance",)),
    ),
    misconceptions=_misconceptions(()),
    forbidden=_FORBIDDEN,
    right=_RIGHT,
)

FUSE_CONV = Exercise(
    "fuse-conv",
    defines=(f"fuse_conv_batchnorm{_SIGNATURE}",),
    returns=("weight", "bias"),
    reference=_conv_reference,
    cases=_conv_cases,
    criteria=(
        Criterion(_WEIGHT, 1, cases=("tiny", "wide", "square"), outputs=("weight",)),
        Criterion(_BIAS, 0.5, cases=("tiny", "wide", "square"), outputs=("bias",)),
        Criterion(_NONE, 0.5, cases=("no bias",)),
        Criterion(_EPS, 0.5, cases=("small variance",)),
        Criterion(_INPUTS, 0.5, cases=("wide", "float32"), aspect=("inputs", "dtype")),
    ),
    misconceptions=(
        *_misconceptions((_INPUTS,)),
        Misconception(
            "layer-overwritten",
            _overwrites,
            "The values are right, but the weight of the original layer was changed on the way, so the unfused network "
            "is broken now. Make new tensors and leave the old ones alone.",
            loses=(_INPUTS,),
        ),
    ),
    forbidden=_FORBIDDEN,
    right=_RIGHT,
)
