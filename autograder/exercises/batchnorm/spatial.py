"""`batchnorm2d-forward`: one mean and one variance per channel, Ioffe and Szegedy 2015, section 3.2."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import BIG, NARROW, TINY, images, plain, scales, shifts
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["BATCHNORM2D", "image_case", "per_channel"]


def image_case(x: Tensor, gamma: Tensor, beta: Tensor, eps: float, driver: str = "call") -> Case:
    """A call with images (N, C, H, W) and one gamma and beta for each channel."""
    return Case({"x": x, "gamma": gamma, "beta": beta, "eps": eps}, driver=driver)


def _tiny_images(g: Generator) -> Tensor:
    """Two images of two channels and 1 x 2 pixels, whole numbers, each channel m - k twice and m + k twice."""
    middle, size = torch.randperm(9, generator=g)[:2] - 4, torch.randperm(4, generator=g)[:2] + 3
    # Channel 0 differs between the images, channel 1 between the pixels: no two choices of axes agree.
    signs = torch.tensor([[[-1, -1], [-1, 1]], [[1, 1], [-1, 1]]])[torch.randperm(2, generator=g)]
    return (middle[:, None] + size[:, None] * signs).double()[:, :, None, :]


def per_channel(values: Tensor) -> Tensor:
    """(C,) -> (C, 1, 1)."""
    return values[:, None, None]


def _reference(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)


def _narrow_images(g: Generator) -> Tensor:
    """(3, 3, 2, 2), small variances; the last channel is constant."""
    x = images(g, (3, 3, 2, 2), NARROW, level=0.2)
    x[:, 2] = 0.5
    return x


def _cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": image_case(_tiny_images(g), *plain(2), TINY),
        "wide": image_case(images(g, (5, 3, 2, 4)), *plain(3), TINY),
        "gamma and beta": image_case(images(g, (2, 4, 3, 5)), scales(g, 4), shifts(g, 4), TINY),
        "square": image_case(images(g, (3, 3, 3, 3)), scales(g, 3), shifts(g, 3), TINY),
        "not contiguous in memory": image_case(images(g, (3, 2, 4, 5)), *plain(2), TINY, driver="call-strided"),
        "small variance": image_case(_narrow_images(g), *plain(3), BIG),
        "float32": image_case(images(g, (4, 2, 3, 2)).float(), *plain(2, torch.float32), TINY),
    }


_AXES, _AFFINE, _EPS, _LAYOUT, _DTYPE = (
    "one mean and variance for each channel",
    "scale and shift for each channel",
    "epsilon inside the root",
    "accepts any memory layout",
    "keeps the dtype",
)
_ALL = (_AXES, _AFFINE, _EPS, _LAYOUT, _DTYPE)


def _over(x: Tensor, gamma: Tensor, beta: Tensor, eps: float, axes: tuple[int, ...], correction: int = 0) -> Tensor:
    var, mean = torch.var_mean(x, dim=axes, correction=correction, keepdim=True)
    return per_channel(gamma) * (x - mean) / torch.sqrt(var + eps) + per_channel(beta)


def _rows_normalised(flat: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    """(M, C) -> (M, C), each column normalised."""
    var, mean = torch.var_mean(flat, dim=0, correction=0)
    return gamma * (flat - mean) / torch.sqrt(var + eps) + beta


def _not_permuted(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return _rows_normalised(x.reshape(-1, x.shape[1]), gamma, beta, eps).reshape(x.shape)


def _not_permuted_back(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    return _rows_normalised(flat, gamma, beta, eps).reshape(x.shape)


def _permuted_back_wrongly(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    n, c, h, w = x.shape
    flat = x.permute(0, 2, 3, 1).reshape(-1, c)
    # (N, W, H, C) instead of (N, H, W, C): the right shape, the pixels mixed up.
    return _rows_normalised(flat, gamma, beta, eps).reshape(n, w, h, c).permute(0, 3, 2, 1).contiguous()


def _needs_contiguous(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    n, c, h, w = x.shape
    flat = x.view(n, c, h * w)
    var, mean = torch.var_mean(flat, dim=(0, 2), correction=0, keepdim=True)
    y = gamma[:, None] * (flat - mean) / torch.sqrt(var + eps) + beta[:, None]
    return y.view(n, c, h, w)


def _along_width(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta


def _eps_outside(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    std, mean = torch.std_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return per_channel(gamma) * (x - mean) / (std + eps) + per_channel(beta)


def _by_variance(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0, keepdim=True)
    return per_channel(gamma) * (x - mean) / (var + eps) + per_channel(beta)


_MISCONCEPTIONS = (
    Misconception(
        "reshaped-without-permuting",
        _not_permuted,
        "The images seem to be reshaped to rows of C numbers as they lie in memory. There, neighbours are pixels of "
        "one channel, not the channels of one pixel: the channel axis has to be moved to the end first.",
        loses=_ALL,
    ),
    Misconception(
        "not-permuted-back",
        _not_permuted_back,
        "The values look normalised but lie in the wrong places. The channel axis was moved to the end before, "
        "and a reshape alone does not move it back.",
        loses=_ALL,
    ),
    Misconception(
        "height-and-width-exchanged",
        _permuted_back_wrongly,
        "The values look normalised but height and width are mixed up on the way back to (N, C, H, W).",
        loses=_ALL,
    ),
    Misconception(
        "each-pixel-alone",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (0,)),
        "Mean and variance seem to be taken over the batch only, for each pixel on its own. A convolution treats all "
        "positions alike, so a channel has one mean over batch, height and width.",
        loses=_ALL,
    ),
    Misconception(
        "each-image-alone",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (2, 3)),
        "Each channel of each image seems to be normalised on its own. That is instance normalisation; "
        "batch normalisation averages over the batch as well.",
        loses=_ALL,
    ),
    Misconception(
        "channels-together",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (1, 2, 3)),
        "All channels of an image seem to share one mean and variance. That is layer normalisation; "
        "here each channel has its own, taken over the whole batch.",
        loses=_ALL,
    ),
    Misconception(
        "one-mean-for-everything",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (0, 1, 2, 3)),
        "One mean and one variance seem to be used for all channels. Each channel has its own.",
        loses=_ALL,
    ),
    Misconception(
        "unbiased-variance",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, eps, (0, 2, 3), correction=1),
        wording.UNBIASED,
        loses=_ALL,
    ),
    Misconception("divides-by-variance", _by_variance, wording.NOT_ROOTED, loses=_ALL),
    Misconception(
        "affine-forgotten",
        lambda x, gamma, beta, eps: _over(x, torch.ones_like(gamma), torch.zeros_like(beta), eps, (0, 2, 3)),
        wording.AFFINE_FORGOTTEN,
        loses=(_AFFINE,),
    ),
    Misconception(
        "scale-along-width",
        _along_width,
        "gamma and beta seem to run along the width of the image: a vector of shape (C,) is matched with the last "
        "axis. There is one for each channel; only where W equals C does the other way run at all.",
        loses=_ALL,
    ),
    Misconception("epsilon-outside-root", _eps_outside, wording.EPS_OUTSIDE, loses=(_EPS,)),
    Misconception(
        "epsilon-omitted",
        lambda x, gamma, beta, eps: _over(x, gamma, beta, 0.0, (0, 2, 3)),
        wording.EPS_OMITTED,
        (_EPS,),
    ),
    Misconception(
        "epsilon-fixed", lambda x, gamma, beta, eps: _over(x, gamma, beta, 1e-5, (0, 2, 3)), wording.EPS_FIXED, (_EPS,)
    ),
    Misconception(
        "needs-contiguous-memory",
        _needs_contiguous,
        "The function fails on images whose memory is laid out differently, such as a permuted tensor. "
        "A view needs a certain layout; a reshape copies where it must.",
        loses=(_LAYOUT,),
    ),
    Misconception(
        "always-float32",
        lambda x, gamma, beta, eps: _reference(x, gamma, beta, eps).float(),
        wording.FLOAT32,
        (_DTYPE,),
    ),
)


def _permuted(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    n, c, h, w = x.shape
    flat = x.permute(0, 2, 3, 1).reshape(-1, c)
    return _rows_normalised(flat, gamma, beta, eps).reshape(n, h, w, c).permute(0, 3, 1, 2)


def _channel_by_channel(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    out = torch.zeros_like(x)
    for c in range(x.shape[1]):
        plane = x[:, c]
        out[:, c] = gamma[c] * (plane - plane.mean()) / (plane.var(correction=0) + eps) ** 0.5 + beta[c]
    return out


def _with_einsum(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    m = x.numel() // x.shape[1]
    centred = x - torch.einsum("nchw->c", x).reshape(1, -1, 1, 1) / m
    scale = gamma / torch.sqrt(torch.einsum("nchw,nchw->c", centred, centred) / m + eps)
    return torch.einsum("nchw,c->nchw", centred, scale) + beta.view(1, -1, 1, 1)


def _with_numpy(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    a = np.moveaxis(x.numpy(), 1, -1)
    y = (a - a.mean((0, 1, 2))) / np.sqrt(a.var((0, 1, 2)) + eps) * gamma.numpy() + beta.numpy()
    return torch.from_numpy(np.moveaxis(y, -1, 1).copy()).to(x.dtype)


def _transposed(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    rows = x.transpose(0, 1).flatten(1)
    mean, square = rows.double().mean(1, keepdim=True), rows.double().pow(2).mean(1, keepdim=True)
    y = gamma[:, None] * (rows - mean) / (square - mean**2 + eps).sqrt() + beta[:, None]
    return y.to(x.dtype).reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)


BATCHNORM2D = Exercise(
    "batchnorm2d-forward",
    defines=("batchnorm2d_forward(x, gamma, beta, eps)",),
    returns=("y",),
    reference=_reference,
    cases=_cases,
    criteria=(
        Criterion(_AXES, 1, cases=("tiny", "wide")),
        Criterion(_AFFINE, 0.5, cases=("gamma and beta", "square")),
        Criterion(_EPS, 0.5, cases=("small variance",)),
        Criterion(_LAYOUT, 0.5, cases=("not contiguous in memory",)),
        Criterion(_DTYPE, 0.5, cases=("float32", "wide"), aspect="dtype"),
    ),
    misconceptions=_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "permuted to rows": _permuted,
        "channel by channel": _channel_by_channel,
        "einsum": _with_einsum,
        "numpy": _with_numpy,
        "moments of transposed rows": _transposed,
    },
)
