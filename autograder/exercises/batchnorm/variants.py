"""`layer-norm` and `instance-norm`: the same formula over other axes.

Ba et al. 2016 (layer), Ulyanov et al. 2016 (instance).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import (
    BIG,
    NARROW,
    TINY,
    WIDE,
    columns,
    images,
    plain,
    round_columns,
    scales,
    shifts,
)
from autograder.exercises.batchnorm.spatial import image_case, per_channel
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["INSTANCE_NORM", "LAYER_NORM"]

_EPS = "epsilon inside the root"

# --- layer-norm


def _layer_reference(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[1:], gamma, beta, eps)


def _rows(g: Generator, n: int, d: int, std: tuple[float, float], level: float) -> Tensor:
    """A batch (n, d) whose rows have means and deviations of their own."""
    return columns(g, d, n, std, level).T.contiguous()


def _layer_case(x: Tensor, gamma: Tensor, beta: Tensor, eps: float, driver: str = "call") -> Case:
    return Case({"x": x, "gamma": gamma, "beta": beta, "eps": eps}, driver=driver)


def _layer_cases(g: Generator) -> dict[str, Case]:
    narrow = _rows(g, 6, 5, NARROW, 1.0)
    narrow[0] = 0.5
    return {
        "tiny": _layer_case(round_columns(g).T.contiguous(), *plain(4), TINY),
        "wide": _layer_case(_rows(g, 5, 7, WIDE, 6.0), *plain(7), TINY),
        "gamma and beta": _layer_case(_rows(g, 6, 4, WIDE, 6.0), scales(g, 4), shifts(g, 4), TINY),
        "square": _layer_case(_rows(g, 5, 5, WIDE, 6.0), scales(g, 5), shifts(g, 5), TINY, "call-strided"),
        "single row": _layer_case(_rows(g, 1, 6, WIDE, 6.0), *plain(6), TINY),
        "small variance": _layer_case(narrow, *plain(5), BIG),
    }


_L_ROWS, _L_AFFINE = "normalises each example over its features", "scale and shift for each feature"
_L_ALL = (_L_ROWS, _L_AFFINE, _EPS)


def _layer(x: Tensor, gamma: Tensor, beta: Tensor, eps: float, axis: int = 1, correction: int = 0) -> Tensor:
    var, mean = torch.var_mean(x, dim=axis, correction=correction, keepdim=True)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta


def _layer_scaled_along_batch(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    normal = _layer(x, torch.ones_like(x[0]), torch.zeros_like(x[0]), eps)
    return gamma[:, None] * normal + beta[:, None]


_LAYER_MISCONCEPTIONS = (
    Misconception(
        "normalises-over-the-batch",
        lambda x, gamma, beta, eps: _layer(x, gamma, beta, eps, axis=0),
        "Mean and variance seem to be taken over the batch. Layer normalisation takes them over the features of one "
        "example, so that an example does not depend on the others.",
        loses=_L_ALL,
    ),
    Misconception(
        "one-mean-for-everything",
        lambda x, gamma, beta, eps: gamma * (x - x.mean()) / torch.sqrt(x.var(correction=0) + eps) + beta,
        "One mean and one variance seem to be used for the whole array. Each example has its own.",
        loses=_L_ALL,
    ),
    Misconception(
        "unbiased-variance",
        lambda x, gamma, beta, eps: _layer(x, gamma, beta, eps, correction=1),
        wording.UNBIASED,
        loses=_L_ALL,
    ),
    Misconception(
        "unbiased-and-epsilon-outside",
        lambda x, gamma, beta, eps: gamma * (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + eps) + beta,
        "Two things at once, both in well-known code for transformers: the deviation is the unbiased one, "
        "and eps is added to it instead of to the variance.",
        loses=_L_ALL,
    ),
    Misconception(
        "divides-by-variance",
        lambda x, gamma, beta, eps: (
            gamma * (x - x.mean(1, keepdim=True)) / (x.var(1, correction=0, keepdim=True) + eps) + beta
        ),
        wording.NOT_ROOTED,
        loses=_L_ALL,
    ),
    Misconception(
        "affine-forgotten",
        lambda x, gamma, beta, eps: _layer(x, torch.ones_like(gamma), torch.zeros_like(beta), eps),
        wording.AFFINE_FORGOTTEN,
        loses=(_L_AFFINE,),
    ),
    Misconception(
        "one-scale-for-all-features",
        lambda x, gamma, beta, eps: _layer(x, gamma[0], beta[0], eps),
        "All features seem to share the first gamma and beta. Each feature has its own.",
        loses=(_L_AFFINE,),
    ),
    Misconception(
        "scale-per-example",
        _layer_scaled_along_batch,
        "gamma and beta seem to be laid along the batch, one for each example. What is normalised is an example, "
        "but the scale belongs to a feature.",
        loses=_L_ALL,
    ),
    Misconception(
        "epsilon-outside-root",
        lambda x, gamma, beta, eps: (
            gamma * (x - x.mean(1, keepdim=True)) / (x.std(1, correction=0, keepdim=True) + eps) + beta
        ),
        wording.EPS_OUTSIDE,
        loses=(_EPS,),
    ),
    Misconception(
        "epsilon-omitted", lambda x, gamma, beta, eps: _layer(x, gamma, beta, 0.0), wording.EPS_OMITTED, loses=(_EPS,)
    ),
    Misconception(
        "epsilon-fixed", lambda x, gamma, beta, eps: _layer(x, gamma, beta, 1e-5), wording.EPS_FIXED, loses=(_EPS,)
    ),
)


def _layer_by_row(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    rows = []
    for row in x:
        mean = sum(row) / len(row)
        var = sum((v - mean) ** 2 for v in row) / len(row)
        rows.append(gamma * (row - mean) / (var + eps) ** 0.5 + beta)
    return torch.stack(rows)


def _layer_with_numpy(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    a = x.numpy()
    y = (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + eps)
    return torch.from_numpy(y * gamma.numpy() + beta.numpy())


LAYER_NORM = Exercise(
    "layer-norm",
    defines=("layer_norm(x, gamma, beta, eps)",),
    returns=("y",),
    reference=_layer_reference,
    cases=_layer_cases,
    criteria=(
        Criterion(_L_ROWS, 1, cases=("tiny", "wide", "single row")),
        Criterion(_L_AFFINE, 0.5, cases=("gamma and beta", "square")),
        Criterion(_EPS, 0.5, cases=("small variance",)),
    ),
    misconceptions=_LAYER_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "row by row": _layer_by_row,
        "numpy": _layer_with_numpy,
        "transposed": lambda x, gamma, beta, eps: (
            gamma * ((x.T - x.mean(1)) * torch.rsqrt(x.T.var(0, correction=0) + eps)).T + beta
        ),
        "moments": lambda x, gamma, beta, eps: torch.addcmul(
            beta,
            (x - x.mean(-1, keepdim=True)) / (x.square().mean(-1, True) - x.mean(-1, True).square() + eps).sqrt(),
            gamma,
        ),
    },
)

# --- instance-norm


def _instance_reference(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return F.instance_norm(x, weight=gamma, bias=beta, eps=eps)


def _narrow_planes(g: Generator, shape: tuple[int, int, int, int]) -> Tensor:
    """Images of small variance; the first plane is constant."""
    x = images(g, shape, NARROW, level=0.2)
    x[0, 0] = 0.5
    return x


def _tiny_planes(g: Generator) -> Tensor:
    """Two images of two channels and 1 x 2 pixels, whole numbers, each plane m - k and m + k."""
    middle = (torch.randperm(9, generator=g)[:4] - 4).reshape(2, 2, 1, 1)
    size = (torch.randperm(4, generator=g) + 3).reshape(2, 2, 1, 1)
    signs = 2 * torch.randint(0, 2, (2, 2, 1, 1), generator=g) - 1
    return (middle + size * signs * torch.tensor([-1, 1])).double()


def _instance_cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": image_case(_tiny_planes(g), *plain(2), TINY),
        "wide": image_case(images(g, (5, 3, 2, 4)), *plain(3), TINY),
        "gamma and beta": image_case(images(g, (2, 4, 3, 5)), scales(g, 4), shifts(g, 4), TINY),
        "square": image_case(images(g, (3, 3, 3, 3)), scales(g, 3), shifts(g, 3), TINY, driver="call-strided"),
        "small variance": image_case(_narrow_planes(g, (2, 3, 3, 4)), *plain(3), BIG),
    }


_N_PLANES, _N_AFFINE = "normalises each channel of each image", "scale and shift for each channel"
_N_ALL = (_N_PLANES, _N_AFFINE, _EPS)


def _over(x: Tensor, gamma: Tensor, beta: Tensor, eps: float, axes: tuple[int, ...], correction: int = 0) -> Tensor:
    var, mean = torch.var_mean(x, dim=axes, correction=correction, keepdim=True)
    return per_channel(gamma) * (x - mean) / torch.sqrt(var + eps) + per_channel(beta)


def _std_plus_eps(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    std, mean = torch.std_mean(x, dim=(2, 3), correction=0, keepdim=True)
    return per_channel(gamma) * (x - mean) / (std + eps) + per_channel(beta)


def _instance_along_width(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return gamma * _over(x, *plain(x.shape[1], x.dtype), eps, (2, 3)) + beta


def _instance_scales_repeated(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    """All planes in one list, and each channel's scale repeated N times in a row: the order of (C, N), not (N, C)."""
    n, c, h, w = x.shape
    flat = x.reshape(n * c, h * w)
    var, mean = torch.var_mean(flat, dim=1, correction=0, keepdim=True)
    normal = (flat - mean) / torch.sqrt(var + eps)
    return (gamma.repeat_interleave(n)[:, None] * normal + beta.repeat_interleave(n)[:, None]).reshape(x.shape)


_INSTANCE_MISCONCEPTIONS = (
    Misconception(
        "averages-over-the-batch",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (0, 2, 3)),
        "The images of the batch seem to share mean and variance. That is batch normalisation; "
        "instance normalisation treats each image on its own.",
        loses=_N_ALL,
    ),
    Misconception(
        "averages-over-the-channels",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (1, 2, 3)),
        "The channels of an image seem to share mean and variance. That is layer normalisation; "
        "instance normalisation treats each channel on its own.",
        loses=_N_ALL,
    ),
    Misconception(
        "each-pixel-alone",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (1,)),
        "Mean and variance seem to be taken over the channels of each pixel. "
        "They belong to one channel of one image and are taken over its height and width.",
        loses=_N_ALL,
    ),
    Misconception(
        "one-axis-only",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (3,)),
        "Mean and variance seem to be taken along each row of pixels. They are taken over height and width together.",
        loses=_N_ALL,
    ),
    Misconception(
        "unbiased-variance",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (2, 3), correction=1),
        wording.UNBIASED,
        loses=_N_ALL,
    ),
    Misconception(
        "affine-forgotten",
        lambda x, gamma, beta, eps: _over(x, torch.ones_like(gamma), torch.zeros_like(beta), eps, (2, 3)),
        wording.AFFINE_FORGOTTEN,
        loses=(_N_AFFINE,),
    ),
    Misconception(
        "scale-along-width",
        _instance_along_width,
        "gamma and beta seem to run along the width of the image: a vector of shape (C,) is matched with the last "
        "axis. There is one for each channel; only where W equals C does the other way run at all.",
        loses=_N_ALL,
    ),
    Misconception(
        "scales-in-wrong-order",
        _instance_scales_repeated,
        "The planes are normalised, but gamma and beta go to the wrong ones. In the order of the memory the channels "
        "of the first image come first, then those of the second, so gamma as a whole is repeated for each image.",
        loses=(_N_AFFINE,),
    ),
    Misconception("epsilon-outside-root", _std_plus_eps, wording.EPS_OUTSIDE, loses=(_EPS,)),
    Misconception(
        "epsilon-omitted", lambda x, gamma, beta, eps: _over(x, gamma, beta, 0.0, (2, 3)), wording.EPS_OMITTED, (_EPS,)
    ),
    Misconception(
        "epsilon-fixed", lambda x, gamma, beta, eps: _over(x, gamma, beta, 1e-5, (2, 3)), wording.EPS_FIXED, (_EPS,)
    ),
)


def _plane_by_plane(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    out = x.clone()
    for image in out:
        for c, plane in enumerate(image):
            plane -= plane.mean()
            plane *= gamma[c] / torch.sqrt(plane.square().mean() + eps)
            plane += beta[c]
    return out


def _planes_with_numpy(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    a = x.numpy()
    y = (a - a.mean((2, 3), keepdims=True)) / np.sqrt(a.var((2, 3), keepdims=True) + eps)
    return torch.from_numpy(y * gamma.numpy()[None, :, None, None] + beta.numpy()[None, :, None, None])


def _planes_by_einsum(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    flat = x.flatten(2)
    centred = flat - torch.einsum("ncs->nc", flat)[..., None] / flat.shape[2]
    scale = gamma / torch.sqrt(torch.einsum("ncs,ncs->nc", centred, centred) / flat.shape[2] + eps)
    return (torch.einsum("ncs,nc->ncs", centred, scale) + beta[:, None]).reshape(x.shape)


def _as_rows(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    n = x.shape[0]
    rows = x.reshape(-1, x.shape[2] * x.shape[3])
    normal = (rows - rows.mean(1, keepdim=True)) / torch.sqrt(rows.var(1, correction=0, keepdim=True) + eps)
    return (gamma.repeat(n)[:, None] * normal + beta.repeat(n)[:, None]).reshape(x.shape)


INSTANCE_NORM = Exercise(
    "instance-norm",
    defines=("instance_norm(x, gamma, beta, eps)",),
    returns=("y",),
    reference=_instance_reference,
    cases=_instance_cases,
    criteria=(
        Criterion(_N_PLANES, 1, cases=("tiny", "wide")),
        Criterion(_N_AFFINE, 0.5, cases=("gamma and beta", "square")),
        Criterion(_EPS, 0.5, cases=("small variance",)),
    ),
    misconceptions=_INSTANCE_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "plane by plane": _plane_by_plane,
        "numpy": _planes_with_numpy,
        "einsum": _planes_by_einsum,
        "rows": _as_rows,
    },
)
