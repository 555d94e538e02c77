"""AlexNet's colour augmentation: one light for the whole image, along the principal axes of the colours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from autograder.exercises.augmentation.images import (
    HINT_FLOAT32,
    HINT_IN_PLACE,
    KEEPS,
    KEPT,
    LIBRARY_IMAGES,
    numbered,
    picture,
    rotation,
    uniform,
)
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["PCA_LIGHTING"]


def _lighting(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    y = image.clone()
    for channel in range(3):
        for k in range(3):
            y[channel] += eigenvectors[channel, k] * alphas[k] * eigenvalues[k]
    return y


def _lighting_product(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    return image + (eigenvectors @ (alphas * eigenvalues))[:, None, None]


def _lighting_einsum(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    offset = torch.einsum("ck,k,k->c", eigenvectors, eigenvalues, alphas)
    return (image.permute(1, 2, 0) + offset).permute(2, 0, 1)


def _lighting_columns(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    return image + (eigenvectors * eigenvalues * alphas).sum(1).reshape(3, 1, 1)


def _lighting_numpy(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    offset = eigenvectors.numpy() @ np.diag(eigenvalues.numpy()) @ alphas.numpy()
    return torch.from_numpy(image.numpy() + offset.reshape(-1, 1, 1))


Offset = Callable[[Tensor, Tensor, Tensor], Tensor]


def _light(offset: Offset) -> Callable[..., Tensor]:
    """Add another offset (3,), computed from eigenvalues, eigenvectors and alphas."""
    return lambda image, values, vectors, alphas: image + offset(values, vectors, alphas).reshape(3, 1, 1)


def _light_in_place(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    image += (eigenvectors @ (alphas * eigenvalues))[:, None, None]
    return image


def _light_on_columns(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    return image + eigenvectors @ (alphas * eigenvalues)


def _light_on_rows(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    return image + (eigenvectors @ (alphas * eigenvalues))[:, None]


def _light_multiplied(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    return image * (1 + eigenvectors @ (alphas * eigenvalues))[:, None, None]


def _light_clamped(image: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, alphas: Tensor) -> Tensor:
    return _lighting_product(image, eigenvalues, eigenvectors, alphas).clamp(0, 1)


def _lighting_cases(g: torch.Generator) -> dict[str, Case]:
    def case(image: Tensor, vectors: Tensor, driver: str = "call") -> Case:
        # Sizes for which every product with one factor left out or squared differs.
        values = uniform(g, 0.9, 1.1, 3) * torch.tensor([0.6, 0.3, 0.2])
        alphas = uniform(g, 0.9, 1.1, 3) * torch.tensor([0.8, -0.7, 1.2])
        inputs = {"image": image, "eigenvalues": values, "eigenvectors": vectors, "alphas": alphas}
        return Case({name: tensor.to(image.dtype) for name, tensor in inputs.items()}, driver=driver)

    straight = torch.eye(3, dtype=torch.float64)
    return {
        "straight, by hand": case(numbered(3, 2, 3), straight),
        "straight, one column": case(picture(g, 3, 5, 1), straight),
        "turned": case(picture(g, 3, 4, 6), rotation(g)),
        "turned, square": case(picture(g, 3, 3, 3), rotation(g)),
        "turned, float32, strided": case(picture(g, 3, 5, 4, dtype=torch.float32), rotation(g), "call-strided"),
    }


_SCALED = "each axis scaled by its alpha and its eigenvalue"
_OFFSET = "one colour for the whole image, along the eigenvectors"

PCA_LIGHTING = Exercise(
    "pca-lighting",
    defines=("pca_lighting(image, eigenvalues, eigenvectors, alphas)",),
    returns=("image",),
    reference=_lighting,
    cases=_lighting_cases,
    criteria=(
        Criterion(_SCALED, 0.5, cases=("straight*",)),
        Criterion(_OFFSET, 1, cases=("turned*",)),
        Criterion(KEEPS, 0.5, cases=("straight*",), aspect=KEPT),
    ),
    misconceptions=(
        Misconception(
            "eigenvectors-in-rows",
            _light(lambda values, vectors, alphas: vectors.T @ (alphas * values)),
            "The rows of the matrix were taken for the eigenvectors. They stand in the columns.",
            (_OFFSET,),
        ),
        Misconception(
            "eigenvalues-forgotten",
            _light(lambda values, vectors, alphas: vectors @ alphas),
            "The eigenvalues are missing. They make the light strong along the axis on which colours vary much, and "
            "weak along the others.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "alphas-forgotten",
            _light(lambda values, vectors, alphas: vectors @ values),
            "The alphas are missing, so every image gets the same light. They are the random part.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "roots-of-the-eigenvalues",
            _light(lambda values, vectors, alphas: vectors @ (alphas * values.sqrt())),
            "The alphas are scaled by the roots of the eigenvalues, the standard deviations. The paper multiplies by "
            "the eigenvalues themselves.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "first-axis-only",
            _light(lambda values, vectors, alphas: vectors[:, 0] * alphas[0] * values[0]),
            "Only the first axis contributes. The offset is the sum over all three.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "added-to-grey",
            _light(lambda values, vectors, alphas: (vectors @ (alphas * values)).sum().expand(3)),
            "All channels get the same number, which changes the brightness and not the colour. The offset has one "
            "number for each channel.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "subtracted",
            _light(lambda values, vectors, alphas: -vectors @ (alphas * values)),
            "The light was taken away instead of added: the sign is wrong.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "spread-along-columns",
            _light_on_columns,
            "The three numbers were spread along the width of the image: without further axes a vector is aligned with "
            "the last axis. They belong to the channels.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "spread-along-rows",
            _light_on_rows,
            "The three numbers were spread along the height of the image. They belong to the channels, the first axis.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "multiplied",
            _light_multiplied,
            "The image was multiplied by the light. It is an offset, the same for dark and for bright pixels.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception(
            "clamped",
            _light_clamped,
            "The result was clamped to the range from 0 to 1. That is not part of this step, and it would change the "
            "offset of single pixels.",
            (_SCALED, _OFFSET, KEEPS),
        ),
        Misconception("always-float32", lambda *inputs: _lighting_product(*inputs).float(), HINT_FLOAT32, (KEEPS,)),
        Misconception("changes-its-input", _light_in_place, HINT_IN_PLACE, (KEEPS,)),
    ),
    forbidden=LIBRARY_IMAGES,
    right={
        "matrix product": _lighting_product,
        "einsum, channels last": _lighting_einsum,
        "scaled columns": _lighting_columns,
        "NumPy, diagonal matrix": _lighting_numpy,
    },
)
