"""The principal axes of the colours of a set of images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from autograder.exercises.augmentation.images import DTYPE, LIBRARY_IMAGES, rotation, uniform
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["PCA_BASIS"]

Basis = tuple[Tensor, Tensor]


def _basis(images: Tensor) -> Basis:
    """By the singular values of the centred colours, without a covariance matrix."""
    pixels = torch.stack([images[:, channel].flatten() for channel in range(3)])
    u, s, _ = torch.linalg.svd(pixels - pixels.mean(1, keepdim=True), full_matrices=False)
    return s.square() / pixels.shape[1], u


def _colours(images: Tensor) -> Tensor:
    """All pixels as rows, (M, 3)."""
    return images.movedim(1, -1).reshape(-1, 3)


def _descending(covariance: Tensor) -> Basis:
    values, vectors = torch.linalg.eigh(covariance)
    return values.flip(0), vectors.flip(1)


def _basis_eigh(images: Tensor) -> Basis:
    x = _colours(images)
    x = x - x.mean(0)
    return _descending(x.T @ x / len(x))


def _basis_cov(images: Tensor) -> Basis:
    covariance = torch.cov(images.transpose(0, 1).flatten(1), correction=0)
    values, vectors = torch.linalg.eigh(covariance)
    order = values.argsort(descending=True)
    return values[order], -vectors[:, order]


def _basis_numpy(images: Tensor) -> list[Tensor]:
    x = images.numpy().transpose(1, 0, 2, 3).reshape(3, -1)
    values, vectors = np.linalg.eig(np.cov(x, bias=True))
    order = np.argsort(-values)
    return [torch.from_numpy(values[order]).to(images.dtype), torch.from_numpy(vectors[:, order]).to(images.dtype)]


def _basis_einsum(images: Tensor) -> Basis:
    mean = images.mean((0, 2, 3))
    second = torch.einsum("nchw,ndhw->cd", images, images) / (images.numel() / 3)
    u, s, _ = torch.linalg.svd(second - torch.outer(mean, mean))
    return s, u


def _basis_ascending(images: Tensor) -> Basis:
    x = _colours(images)
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    return values, vectors


def _basis_half_sorted(images: Tensor) -> Basis:
    values, vectors = _basis_ascending(images)
    return values.flip(0), vectors


def _basis_rows(images: Tensor) -> Basis:
    values, vectors = _basis_eigh(images)
    return values, vectors.T


def _basis_reversed_rows(images: Tensor) -> Basis:
    values, vectors = _basis_ascending(images)
    return values.flip(0), vectors.flip(0)


def _basis_unbiased(images: Tensor) -> Basis:
    return _descending(torch.cov(_colours(images).T))


def _basis_scatter(images: Tensor) -> Basis:
    values, vectors = _basis_eigh(images)
    return values * len(_colours(images)), vectors


def _basis_deviations(images: Tensor) -> Basis:
    values, vectors = _basis_eigh(images)
    return values.sqrt(), vectors


def _basis_share(images: Tensor) -> Basis:
    values, vectors = _basis_eigh(images)
    return values / values.sum(), vectors


def _basis_not_centred(images: Tensor) -> Basis:
    x = _colours(images)
    return _descending(x.T @ x / len(x))


def _basis_first_image(images: Tensor) -> Basis:
    return _basis_eigh(images[:1])


def _basis_of_means(images: Tensor) -> Basis:
    return _descending(torch.cov(images.mean((2, 3)).T, correction=0))


def _basis_each_centred(images: Tensor) -> Basis:
    x = _colours(images - images.mean((2, 3), keepdim=True))
    return _descending(x.T @ x / len(x))


def _basis_reshaped(images: Tensor) -> Basis:
    return _descending(torch.cov(images.reshape(-1, 3).T, correction=0))


def _basis_correlation(images: Tensor) -> Basis:
    return _descending(torch.corrcoef(_colours(images).T))


def _basis_float32(images: Tensor) -> Basis:
    values, vectors = _basis_eigh(images)
    return values.float(), vectors.float()


def _coloured(g: torch.Generator, n: int, height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Images (n, 3, height, width) whose colours have variances of about 0.04, 0.01 and 0.002 along turned axes.

    Variances and means are exact.  Each image has a cast of its own, so that one image is not like the next.
    """
    raw = torch.randn(n, height * width, 3, generator=g, dtype=torch.float64)
    raw += torch.linspace(-1, 1, n, dtype=torch.float64)[:, None, None] * torch.tensor([1.0, -1.0, 0.5])
    x = raw.reshape(-1, 3)
    x = x - x.mean(0)
    white: Tensor = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T @ x / len(x)), x.T, upper=False)
    variances = torch.tensor([0.04, 0.01, 0.002], dtype=torch.float64) * uniform(g, 0.75, 1.25, 3)
    spread = variances.sqrt()
    colours = rotation(g) @ (spread[:, None] * white) + torch.tensor([[0.6], [0.4], [0.5]])
    return colours.reshape(3, n, height, width).transpose(0, 1).contiguous().to(dtype)


def _basis_cases(g: torch.Generator) -> dict[str, Case]:
    def case(n: int, height: int, width: int, dtype: torch.dtype = torch.float64) -> Case:
        return Case(
            {"images": _coloured(g, n, height, width, dtype)}, driver="eigenbasis", outputs=("eigenvalues", "axes")
        )

    return {
        "small": case(2, 2, 2),
        "several images": case(4, 3, 5),
        "as many as channels": case(3, 3, 3),
        "float32": case(5, 4, 2, dtype=torch.float32),
    }


_VALUES = "the eigenvalues of the covariance, the largest first"
_AXES = "the eigenvectors in columns, in the order of their eigenvalues"

PCA_BASIS = Exercise(
    "pca-basis",
    defines=("pca_colour_basis(images)",),
    returns=("eigenvalues", "eigenvectors"),
    reference=_basis,
    cases=_basis_cases,
    criteria=(
        Criterion(_VALUES, 1, outputs=("eigenvalues",)),
        Criterion(_AXES, 1, outputs=("axes",)),
        Criterion(DTYPE, 0.5, cases=("several images", "float32"), aspect="dtype"),
    ),
    misconceptions=(
        Misconception(
            "ascending",
            _basis_ascending,
            "The smallest eigenvalue comes first, which is how the library returns them. The axis of the largest "
            "variance should be the first.",
            (_VALUES, _AXES, DTYPE),
        ),
        Misconception(
            "only-the-values-sorted",
            _basis_half_sorted,
            "The eigenvalues were put in order but their eigenvectors were not, so each value belongs to another axis.",
            (_AXES, DTYPE),
        ),
        Misconception(
            "eigenvectors-in-rows",
            _basis_rows,
            "The eigenvectors stand in the rows. They belong in the columns, as the library returns them.",
            (_AXES, DTYPE),
        ),
        Misconception(
            "rows-reversed",
            _basis_reversed_rows,
            "The rows of the matrix were reversed to get the largest first. The eigenvectors are its columns.",
            (_AXES, DTYPE),
        ),
        Misconception(
            "unbiased-covariance",
            _basis_unbiased,
            "The covariance was divided by one less than the number of pixels. Divide by the number of pixels.",
            (_VALUES, DTYPE),
        ),
        Misconception(
            "not-divided",
            _basis_scatter,
            "The products of the colours were added up but not divided by the number of pixels, so the eigenvalues "
            "grow with the number of images.",
            (_VALUES, DTYPE),
        ),
        Misconception(
            "standard-deviations",
            _basis_deviations,
            "These are the roots of the eigenvalues: standard deviations along the axes. The variances are asked for.",
            (_VALUES, DTYPE),
        ),
        Misconception(
            "shares-of-the-variance",
            _basis_share,
            "The eigenvalues were divided by their sum: these are shares of the variance, not variances.",
            (_VALUES, DTYPE),
        ),
        Misconception(
            "not-centred",
            _basis_not_centred,
            "The mean colour was not subtracted. Then the first axis points from black to the mean colour and says "
            "little about how colours vary.",
            (_VALUES, _AXES, DTYPE),
        ),
        Misconception(
            "first-image-only",
            _basis_first_image,
            "Only the first image was used. The axes are those of all pixels of all images.",
            (_VALUES, _AXES, DTYPE),
        ),
        Misconception(
            "mean-colours-only",
            _basis_of_means,
            "Each image was replaced by its mean colour first. How colours vary within an image is lost; every pixel "
            "counts.",
            (_VALUES, _AXES, DTYPE),
        ),
        Misconception(
            "centred-image-by-image",
            _basis_each_centred,
            "From every image its own mean colour was subtracted. The images also differ from each other: there is one "
            "mean for all pixels.",
            (_VALUES, _AXES, DTYPE),
        ),
        Misconception(
            "channels-not-moved-last",
            _basis_reshaped,
            "The images were cut into groups of three neighbouring numbers. These are pixels of one channel, not the "
            "three channels of a pixel: the axes have to be moved before the shape is changed.",
            (_VALUES, _AXES, DTYPE),
        ),
        Misconception(
            "correlation",
            _basis_correlation,
            "The channels were divided by their standard deviations: this is the correlation, not the covariance.",
            (_VALUES, _AXES, DTYPE),
        ),
        Misconception(
            "always-float32",
            _basis_float32,
            "The results are float32 whatever came in. They should have the dtype of the images.",
            (DTYPE,),
        ),
    ),
    forbidden=(*LIBRARY_IMAGES, "sklearn"),
    right={
        "eigh of the covariance": _basis_eigh,
        "torch.cov, other signs": _basis_cov,
        "NumPy, general eigenvalues": _basis_numpy,
        "einsum and a singular value decomposition": _basis_einsum,
    },
)
