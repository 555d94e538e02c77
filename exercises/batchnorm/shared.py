"""What the exercises on normalization share: inputs, hints, and what an answer may not call.

The inputs come in two regimes, so that a mistake about eps costs the points for eps and no others:

- *wide*: standard deviations of 3 to 8 with ``eps = TINY``, where no way of using eps shows;
- *narrow*: standard deviations of 0.03 to 0.08 with ``eps = BIG``, where every way shows.

Means and standard deviations of the drawn columns and planes are exact, not merely expected, so the margin between a
right and a wrong answer does not depend on luck.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.exercise import Case

NORMALISERS = (
    *(f"torch.nn.functional.{kind}_norm" for kind in ("batch", "layer", "group", "instance", "rms")),
    *(f"torch.nn.modules.{kind}" for kind in ("batchnorm", "instancenorm", "normalization")),
    "course_lib.batchnorm",
    "sklearn",
    "scipy.stats",
)
"""Ready-made normalization: each would do one of these exercises, or do another's with its axes turned."""

FUSERS = ("torch.nn.utils.fusion", "torch.ao", "torch.fx")
"""Ready-made fusion."""

EPS_OUTSIDE = (
    "It looks as if eps is added to the standard deviation. It belongs to the variance, before the root is taken; "
    "the two differ wherever the variance is about as small as eps."
)
EPS_OMITTED = (
    "eps does not seem to enter. Where the values hardly vary, the division then blows up, "
    "and where they do not vary at all it gives NaN."
)
EPS_FIXED = (
    "The result is what eps = 1e-5 would give, whatever eps is passed. "
    "Use the argument: the default of a library is not the value that was asked for."
)
UNBIASED = (
    "The squared deviations seem to be divided by one less than their number, PyTorch's default. "
    "Normalization uses the biased variance, the plain mean of the squared deviations."
)

TINY, BIG = 1e-9, 1e-2
WIDE, NARROW = (3.0, 8.0), (0.03, 0.08)
BY_HAND = 4.0
"""An eps that goes with deviations of 1.5 and 0: the roots are 2.5 and 2."""

def uniform(g: Generator, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """Float64 numbers, uniform on [low, high)."""
    return torch.empty(shape, dtype=torch.float64).uniform_(low, high, generator=g)

def shifts(g: Generator, d: int, low: float = 0.5, high: float = 2.0) -> Tensor:
    """Numbers away from zero, of random sign, shape (d,): a beta, a mean, a bias."""
    return uniform(g, (d,), low, high).copysign_(uniform(g, (d,), -1.0, 1.0))

def scales(g: Generator, d: int) -> Tensor:
    """A gamma, shape (d,): sizes 0.5 to 2, signs alternating, so that some are negative."""
    values = uniform(g, (d,), 0.5, 2.0)
    values[int(torch.randint(0, 2, (1,), generator=g)) :: 2].neg_()
    return values

def plain(d: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """A gamma of ones and a beta of zeros: scale and shift do not show."""
    return torch.ones(d, dtype=dtype), torch.zeros(d, dtype=dtype)

def variances(g: Generator, d: int, *, small: bool = False) -> Tensor:
    """Running variances, shape (d,): 2 to 9; or 0.001 to 0.004 and one 0, where eps matters; never near 1."""
    if not small:
        return uniform(g, (d,), 2.0, 9.0)
    return torch.cat([torch.zeros(1, dtype=torch.float64), uniform(g, (d - 1,), 1e-3, 4e-3)])

def columns(g: Generator, n: int, d: int, std: tuple[float, float] = WIDE, level: float = 6.0) -> Tensor:
    """A batch (n, d) whose columns have means up to `level` and biased standard deviations within `std`, exactly."""
    z = torch.randn(n, d, generator=g, dtype=torch.float64)
    z = (z - z.mean(0)) / z.std(0, correction=0)
    return shifts(g, d, level / 3, level) + uniform(g, (d,), *std) * z

def narrow_columns(g: Generator) -> Tensor:
    """(6, 3), small variances; the last column is constant."""
    x = columns(g, 6, 3, NARROW, level=1.0)
    x[:, 2] = x[0, 2]
    return x

def sizes(g: Generator, d: int, *, small: bool = False) -> Tensor:
    """Deviations for cases that are worked by hand: 3 to 6, or 1.5 and a single 0, to go with an eps of `BY_HAND`."""
    if small:
        return torch.tensor([1.5] * (d - 1) + [0.0], dtype=torch.float64)[torch.randperm(d, generator=g)]
    return torch.randperm(4, generator=g)[:d].double() + 3

def round_columns(g: Generator, d: int = 2, *, small: bool = False) -> Tensor:
    """A batch (4, d) of round numbers, each column m - k twice and m + k twice: standardized it is -1 and 1.

    Small enough to work by hand.  No column repeats or mirrors the signs of another, for d up to 2."""
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)[:, :d]
    signs = signs[torch.randperm(4, generator=g)]
    middle = torch.randperm(9, generator=g)[:d] - 4
    return middle + sizes(g, d, small=small) * signs

def round_images(g: Generator, *, small: bool = False) -> Tensor:
    """Two images of two channels and 1 x 2 pixels, round numbers, each channel m - k twice and m + k twice."""
    middle = torch.randperm(9, generator=g)[:2] - 4
    # Channel 0 differs between the images, channel 1 between the pixels: no two choices of axes agree.
    signs = torch.tensor([[[-1, -1], [-1, 1]], [[1, 1], [-1, 1]]])[torch.randperm(2, generator=g)]
    return (middle[:, None] + sizes(g, 2, small=small)[:, None] * signs)[:, :, None, :]

def round_affine(g: Generator, d: int) -> tuple[Tensor, Tensor]:
    """A gamma and a beta of small whole numbers, all different; the gammas change sign from one to the next."""
    gamma = torch.arange(2, d + 2)[torch.randperm(d, generator=g)] * torch.tensor([1, -1]).repeat(d)[:d]
    return gamma.double(), (torch.randperm(d, generator=g) + d + 2).double()

def round_statistics(g: Generator, d: int) -> tuple[Tensor, Tensor]:
    """A running mean of even numbers, and running variances of 4 and 16."""
    var = torch.tensor([4.0, 16.0], dtype=torch.float64).repeat(d)[:d]
    return (2 * torch.randperm(4, generator=g)[:d] + 2).double(), var[torch.randperm(d, generator=g)]

def images(
    g: Generator, shape: tuple[int, int, int, int], std: tuple[float, float] = WIDE, level: float = 6.0
) -> Tensor:
    """Images (N, C, H, W); every plane (n, c) has a mean and a biased standard deviation of its own.

    Channels differ from each other by about `level`, images by a third of it, so that every wrong choice of what
    to average over shows."""
    n, c, _, _ = shape
    z = torch.randn(shape, generator=g, dtype=torch.float64)
    z = (z - z.mean((2, 3), keepdim=True)) / z.std((2, 3), correction=0, keepdim=True)
    middle = shifts(g, c, level / 3, level) + uniform(g, (n, c), -level / 3, level / 3)
    return middle[:, :, None, None] + uniform(g, (n, c), *std)[:, :, None, None] * z

def norm_case(x: Tensor, gamma: Tensor, beta: Tensor, eps: float, driver: str = "call") -> Case:
    """A call with examples (N, D) or images (N, C, H, W), and one gamma and beta for each feature or channel."""
    return Case({"x": x, "gamma": gamma, "beta": beta, "eps": eps}, driver=driver)

def by_column(x: Tensor, gamma: Tensor, beta: Tensor, eps: float) -> Tensor:
    """Batch normalization of (N, D), number by number."""
    out = torch.empty_like(x)
    for j in range(x.shape[1]):
        mean = sum(x[i, j] for i in range(len(x))) / len(x)
        var = sum((x[i, j] - mean) ** 2 for i in range(len(x))) / len(x)
        for i in range(len(x)):
            out[i, j] = gamma[j] * (x[i, j] - mean) / (var + eps) ** 0.5 + beta[j]
    return out

def per_channel(values: Tensor) -> Tensor:
    """(C,) -> (C, 1, 1), to be matched with images."""
    return values[:, None, None]

def normalized(
    x: Tensor, gamma: Tensor, beta: Tensor, eps: float, axes: tuple[int, ...], correction: int = 0
) -> Tensor:
    """Images normalized by mean and variance over the axes, each channel with its own gamma and beta."""
    var, mean = torch.var_mean(x, dim=axes, correction=correction, keepdim=True)
    return per_channel(gamma) * (x - mean) / torch.sqrt(var + eps) + per_channel(beta)
