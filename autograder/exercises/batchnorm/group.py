"""`group-norm`: channels in contiguous groups, Wu and He 2018, section 3."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.inputs import BIG, NARROW, TINY, images, plain, scales, shifts
from autograder.exercises.batchnorm.spatial import per_channel
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["GROUP_NORM"]


def _reference(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return F.group_norm(x, num_groups, gamma, beta, eps)


def _case(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float, driver: str = "call") -> Case:
    return Case({"x": x, "num_groups": num_groups, "gamma": gamma, "beta": beta, "eps": eps}, driver=driver)


def _tiny(g: Generator) -> Tensor:
    """One image of four channels and 1 x 2 pixels, whole numbers; groups of two are m - k twice and m + k twice."""
    size = torch.randperm(4, generator=g)[:2] + 3
    middle = torch.tensor([-6, 6]) + torch.randint(-3, 4, (2,), generator=g)
    signs = torch.tensor([[[-1, 1], [1, -1]], [[-1, -1], [1, 1]]])[torch.randperm(2, generator=g)]
    return (middle[:, None, None] + size[:, None, None] * signs).double().reshape(1, 4, 1, 2)


def _narrow_groups(g: Generator) -> Tensor:
    """(2, 6, 2, 3), small variances; the first group of three channels is constant in the first image."""
    x = images(g, (2, 6, 2, 3), NARROW, level=0.2)
    x[0, :3] = 0.5
    return x


def _cases(g: Generator) -> dict[str, Case]:
    return {
        "tiny": _case(_tiny(g), 2, *plain(4), TINY),
        "wide": _case(images(g, (3, 6, 2, 4)), 2, *plain(6), TINY),
        "one group": _case(images(g, (3, 4, 2, 5)), 1, *plain(4), TINY),
        "each channel a group": _case(images(g, (4, 3, 2, 5)), 3, *plain(3), TINY),
        "gamma and beta": _case(images(g, (2, 6, 3, 5)), 3, scales(g, 6), shifts(g, 6), TINY),
        "square": _case(images(g, (4, 4, 4, 4)), 2, scales(g, 4), shifts(g, 4), TINY),
        "not contiguous in memory": _case(images(g, (3, 4, 2, 3)), 2, *plain(4), TINY, driver="call-strided"),
        "small variance": _case(_narrow_groups(g), 2, *plain(6), BIG),
    }


_GROUPS, _EXTREMES, _AFFINE, _EPS, _LAYOUT = (
    "normalises contiguous groups of channels",
    "from one group to one for each channel",
    "scale and shift for each channel",
    "epsilon inside the root",
    "accepts any memory layout",
)
_ALL = (_GROUPS, _EXTREMES, _AFFINE, _EPS, _LAYOUT)


def _grouped(x: Tensor, num_groups: int, eps: float, axes: tuple[int, ...] = (2, 3, 4), correction: int = 0) -> Tensor:
    """Normalised without scale and shift; axes count in (N, G, C / G, H, W)."""
    n, c, h, w = x.shape
    groups = x.reshape(n, num_groups, c // num_groups, h, w)
    var, mean = torch.var_mean(groups, dim=axes, correction=correction, keepdim=True)
    return ((groups - mean) / torch.sqrt(var + eps)).reshape(x.shape)


def _affine(y: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    return per_channel(gamma) * y + per_channel(beta)


def _interleaved(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    n, c, h, w = x.shape
    groups = x.reshape(n, c // num_groups, num_groups, h, w)
    var, mean = torch.var_mean(groups, dim=(1, 3, 4), correction=0, keepdim=True)
    return _affine(((groups - mean) / torch.sqrt(var + eps)).reshape(x.shape), gamma, beta)


def _scale_of_group(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    size = x.shape[1] // num_groups
    first = torch.arange(x.shape[1]) // size * size
    return _affine(_grouped(x, num_groups, eps), gamma[first], beta[first])


def _eps_outside(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    groups = x.reshape(x.shape[0], num_groups, -1)
    std, mean = torch.std_mean(groups, dim=2, correction=0, keepdim=True)
    return _affine(((groups - mean) / (std + eps)).reshape(x.shape), gamma, beta)


def _by_variance(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    groups = x.reshape(x.shape[0], num_groups, -1)
    var, mean = torch.var_mean(groups, dim=2, correction=0, keepdim=True)
    return _affine(((groups - mean) / (var + eps)).reshape(x.shape), gamma, beta)


def _needs_contiguous(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    n, c, h, w = x.shape
    groups = x.view(n, num_groups, -1)
    var, mean = torch.var_mean(groups, dim=2, correction=0, keepdim=True)
    return _affine(((groups - mean) / torch.sqrt(var + eps)).view(n, c, h, w), gamma, beta)


def _along_width(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    return gamma * _grouped(x, num_groups, eps) + beta


_MISCONCEPTIONS = (
    Misconception(
        "interleaved-groups",
        _interleaved,
        "The groups seem to take every G-th channel. They are contiguous: the first channels form the first group. "
        "The number of groups and the number of channels in a group may have changed places in a reshape.",
        loses=(_GROUPS, _AFFINE, _EPS, _LAYOUT),
    ),
    Misconception(
        "groups-over-the-batch",
        lambda x, num_groups, gamma, beta, eps: _affine(_grouped(x, num_groups, eps, (0, 2, 3, 4)), gamma, beta),
        "The images of the batch seem to share mean and variance. Group normalisation treats each image on its own; "
        "that is why it works with a batch of one.",
        # A single image is a batch that shares nothing, so the tiny case does not show it; the wide one does.
        loses=_ALL,
    ),
    Misconception(
        "each-pixel-alone",
        lambda x, num_groups, gamma, beta, eps: _affine(_grouped(x, num_groups, eps, (2,)), gamma, beta),
        "Mean and variance seem to be taken over the channels of a group at each pixel alone. "
        "Height and width belong to what is averaged over.",
        loses=_ALL,
    ),
    Misconception(
        "each-channel-alone",
        lambda x, num_groups, gamma, beta, eps: _affine(_grouped(x, x.shape[1], eps), gamma, beta),
        "Each channel seems to be normalised on its own. That is instance normalisation, or as many groups as "
        "channels; here the channels of a group share mean and variance.",
        loses=_ALL,
    ),
    Misconception(
        "all-channels-together",
        lambda x, num_groups, gamma, beta, eps: _affine(_grouped(x, 1, eps), gamma, beta),
        "All channels of an image seem to share mean and variance, whatever the number of groups.",
        loses=_ALL,
    ),
    Misconception(
        "group-size-for-number",
        lambda x, num_groups, gamma, beta, eps: _affine(_grouped(x, x.shape[1] // num_groups, eps), gamma, beta),
        "num_groups seems to be used as the number of channels in a group. It is the number of groups.",
        loses=(_GROUPS, _EXTREMES, _AFFINE, _EPS),
    ),
    Misconception(
        "scale-for-each-group",
        _scale_of_group,
        "All channels of a group seem to share one gamma and beta. Mean and variance belong to the group, "
        "the scale to the channel.",
        loses=(_AFFINE,),
    ),
    Misconception(
        "affine-forgotten",
        lambda x, num_groups, gamma, beta, eps: _grouped(x, num_groups, eps),
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
    Misconception(
        "unbiased-variance",
        lambda x, num_groups, gamma, beta, eps: _affine(_grouped(x, num_groups, eps, correction=1), gamma, beta),
        wording.UNBIASED,
        loses=_ALL,
    ),
    Misconception("divides-by-variance", _by_variance, wording.NOT_ROOTED, loses=_ALL),
    Misconception("epsilon-outside-root", _eps_outside, wording.EPS_OUTSIDE, loses=(_EPS,)),
    Misconception(
        "epsilon-omitted",
        lambda x, num_groups, gamma, beta, eps: _affine(_grouped(x, num_groups, 0.0), gamma, beta),
        wording.EPS_OMITTED,
        loses=(_EPS,),
    ),
    Misconception(
        "epsilon-fixed",
        lambda x, num_groups, gamma, beta, eps: _affine(_grouped(x, num_groups, 1e-5), gamma, beta),
        wording.EPS_FIXED,
        loses=(_EPS,),
    ),
    Misconception(
        "needs-contiguous-memory",
        _needs_contiguous,
        "The function fails on images whose memory is laid out differently, such as a permuted tensor. "
        "A view needs a certain layout; a reshape copies where it must.",
        loses=(_LAYOUT,),
    ),
)


def _by_slices(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    out, size = torch.empty_like(x), x.shape[1] // num_groups
    for i in range(x.shape[0]):
        for start in range(0, x.shape[1], size):
            part = x[i, start : start + size]
            normal = (part - part.mean()) / (part.var(correction=0) + eps) ** 0.5
            out[i, start : start + size] = (
                gamma[start : start + size, None, None] * normal + beta[start : start + size, None, None]
            )
    return out


def _by_chunks(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    parts = []
    for part in x.chunk(num_groups, dim=1):
        mean = part.mean((1, 2, 3), keepdim=True)
        parts.append((part - mean) * torch.rsqrt((part - mean).square().mean((1, 2, 3), keepdim=True) + eps))
    return torch.addcmul(per_channel(beta), torch.cat(parts, dim=1), per_channel(gamma))


def _with_numpy(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    a = x.numpy().reshape(x.shape[0], num_groups, -1)
    normal = (a - a.mean(2, keepdims=True)) / np.sqrt(a.var(2, keepdims=True) + eps)
    shape = (1, -1, 1, 1)
    return torch.tensor(normal.reshape(x.shape) * gamma.numpy().reshape(shape) + beta.numpy().reshape(shape))


def _with_membership(x: Tensor, num_groups: int, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    """Averages as a product with the (C, C) matrix of who shares a group with whom."""
    c = x.shape[1]
    group = torch.arange(c) * num_groups // c
    share = (group[:, None] == group).to(x.dtype)
    share = share / share.sum(1, keepdim=True)
    mean = torch.einsum("dc,nc->nd", share, x.mean((2, 3)))[..., None, None]
    var = torch.einsum("dc,nc->nd", share, (x - mean).square().mean((2, 3)))[..., None, None]
    return (x - mean) / (var + eps).sqrt() * gamma.reshape(1, c, 1, 1) + beta.reshape(1, c, 1, 1)


GROUP_NORM = Exercise(
    "group-norm",
    defines=("group_norm(x, num_groups, gamma, beta, eps)",),
    returns=("y",),
    reference=_reference,
    cases=_cases,
    criteria=(
        Criterion(_GROUPS, 1, cases=("tiny", "wide")),
        Criterion(_EXTREMES, 0.5, cases=("one group", "each channel a group")),
        Criterion(_AFFINE, 0.5, cases=("gamma and beta", "square")),
        Criterion(_EPS, 0.5, cases=("small variance",)),
        Criterion(_LAYOUT, 0.5, cases=("not contiguous in memory",)),
    ),
    misconceptions=_MISCONCEPTIONS,
    forbidden=wording.NORMALISERS,
    right={
        "slices": _by_slices,
        "chunks": _by_chunks,
        "numpy": _with_numpy,
        "membership matrix": _with_membership,
    },
)
