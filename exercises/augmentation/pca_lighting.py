"""AlexNet's color augmentation: one light for the whole image, along the principal axes of the colors."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import HINT_FLOAT32, HINT_IN_PLACE, KEPT, LIBRARY_IMAGES, numbered, picture, rotation
from exercises.draws import uniform

exercise = Exercise(
    "pca-lighting", "pca_lighting(image, eigenvalues, eigenvectors, alphas)", returns="image", forbidden=LIBRARY_IMAGES
)
SCALED = exercise.criterion("each axis scaled by its alpha and its eigenvalue", 0.5, cases="straight*")
OFFSET = exercise.criterion("one colour for the whole image, along the eigenvectors", 1, cases="turned*")
KEEPS = exercise.criterion("keeps the dtype and leaves its inputs unchanged", 0.5, cases="straight*", aspect=KEPT)

@exercise.cases
def cases(g):
    def case(image, vectors, driver="call"):
        # Sizes for which every product with one factor left out or squared differs.
        values = uniform(g, 0.9, 1.1, 3) * torch.tensor([0.6, 0.3, 0.2])
        alphas = uniform(g, 0.9, 1.1, 3) * torch.tensor([0.8, -0.7, 1.2])
        inputs = {"image": image, "eigenvalues": values, "eigenvectors": vectors, "alphas": alphas}
        return Case({name: tensor.to(image.dtype) for name, tensor in inputs.items()}, driver=driver)

    straight = torch.eye(3, dtype=torch.float64)
    yield "straight, by hand", case(numbered(3, 2, 3), straight)
    yield "straight, one column", case(picture(g, 3, 5, 1), straight)
    yield "turned", case(picture(g, 3, 4, 6), rotation(g))
    yield "turned, square", case(picture(g, 3, 3, 3), rotation(g))
    yield "turned, float32, strided", case(picture(g, 3, 5, 4, dtype=torch.float32), rotation(g), "call-strided")

@exercise.reference
def axis_by_axis(image, eigenvalues, eigenvectors, alphas):
    y = image.clone()
    for channel in range(3):
        for k in range(3):
            y[channel] += eigenvectors[channel, k] * alphas[k] * eigenvalues[k]
    return y

@exercise.right
def matrix_product(image, eigenvalues, eigenvectors, alphas):
    return image + (eigenvectors @ (alphas * eigenvalues))[:, None, None]

@exercise.right
def einsum_channels_last(image, eigenvalues, eigenvectors, alphas):
    offset = torch.einsum("ck,k,k->c", eigenvectors, eigenvalues, alphas)
    return (image.permute(1, 2, 0) + offset).permute(2, 0, 1)

@exercise.right
def scaled_columns(image, eigenvalues, eigenvectors, alphas):
    return image + (eigenvectors * eigenvalues * alphas).sum(1).reshape(3, 1, 1)

@exercise.right
def numpy_diagonal_matrix(image, eigenvalues, eigenvectors, alphas):
    offset = eigenvectors.numpy() @ np.diag(eigenvalues.numpy()) @ alphas.numpy()
    return torch.from_numpy(image.numpy() + offset.reshape(-1, 1, 1))

def lit(image, offset):
    return image + offset.reshape(3, 1, 1)

@exercise.wrong(loses=OFFSET)
def eigenvectors_in_rows(image, eigenvalues, eigenvectors, alphas):
    """The rows of the matrix were taken for the eigenvectors. They stand in the columns."""
    return lit(image, eigenvectors.T @ (alphas * eigenvalues))

@exercise.wrong(loses=(SCALED, OFFSET))
def eigenvalues_forgotten(image, eigenvalues, eigenvectors, alphas):
    """The eigenvalues are missing. They make the light strong along the axis on which colours vary much, and weak along
    the others."""
    return lit(image, eigenvectors @ alphas)

@exercise.wrong(loses=(SCALED, OFFSET))
def alphas_forgotten(image, eigenvalues, eigenvectors, alphas):
    """The alphas are missing, so every image gets the same light. They are the random part."""
    return lit(image, eigenvectors @ eigenvalues)

@exercise.wrong(loses=(SCALED, OFFSET))
def roots_of_the_eigenvalues(image, eigenvalues, eigenvectors, alphas):
    """The alphas are scaled by the roots of the eigenvalues, the standard deviations. The paper multiplies by the
    eigenvalues themselves."""
    return lit(image, eigenvectors @ (alphas * eigenvalues.sqrt()))

@exercise.wrong(loses=(SCALED, OFFSET))
def first_axis_only(image, eigenvalues, eigenvectors, alphas):
    """Only the first axis contributes. The offset is the sum over all three."""
    return lit(image, eigenvectors[:, 0] * alphas[0] * eigenvalues[0])

@exercise.wrong(loses=(SCALED, OFFSET))
def added_to_grey(image, eigenvalues, eigenvectors, alphas):
    """All channels get the same number, which changes the brightness and not the colour. The offset has one number for
    each channel."""
    return lit(image, (eigenvectors @ (alphas * eigenvalues)).sum().expand(3))

@exercise.wrong(loses=(SCALED, OFFSET))
def subtracted(image, eigenvalues, eigenvectors, alphas):
    """The light was taken away instead of added: the sign is wrong."""
    return lit(image, -eigenvectors @ (alphas * eigenvalues))

@exercise.wrong(loses=(SCALED, OFFSET))
def spread_along_columns(image, eigenvalues, eigenvectors, alphas):
    """The three numbers were spread along the width of the image: without further axes a vector is aligned with the
    last axis. They belong to the channels."""
    return image + eigenvectors @ (alphas * eigenvalues)

@exercise.wrong(loses=(SCALED, OFFSET))
def spread_along_rows(image, eigenvalues, eigenvectors, alphas):
    """The three numbers were spread along the height of the image. They belong to the channels, the first axis."""
    return image + (eigenvectors @ (alphas * eigenvalues))[:, None]

@exercise.wrong(loses=(SCALED, OFFSET))
def multiplied(image, eigenvalues, eigenvectors, alphas):
    """The image was multiplied by the light. It is an offset, the same for dark and for bright pixels."""
    return image * (1 + eigenvectors @ (alphas * eigenvalues))[:, None, None]

@exercise.wrong(loses=(SCALED, OFFSET))
def clamped(image, eigenvalues, eigenvectors, alphas):
    """The result was clamped to the range from 0 to 1. That is not part of this step, and it would change the offset of
    single pixels."""
    return matrix_product(image, eigenvalues, eigenvectors, alphas).clamp(0, 1)

@exercise.wrong(loses=KEEPS, hint=HINT_FLOAT32)
def always_float32(image, eigenvalues, eigenvectors, alphas):
    return matrix_product(image, eigenvalues, eigenvectors, alphas).float()

@exercise.wrong(loses=KEEPS, hint=HINT_IN_PLACE)
def changes_its_input(image, eigenvalues, eigenvectors, alphas):
    image += (eigenvectors @ (alphas * eigenvalues))[:, None, None]
    return image
