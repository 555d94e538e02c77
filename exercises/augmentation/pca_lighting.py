"""AlexNet's color augmentation: one light for the whole image, along the principal axes of the colors."""

import functools

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, numbered, picture, rotation
from exercises.draws import uniform

exercise = Exercise(
    "pca-lighting", "pca_lighting(image, eigenvalues, eigenvectors, alphas)", returns="image", forbidden=LIBRARY_IMAGES
)
SCALED = exercise.criterion("each axis scaled by its alpha and its eigenvalue", 0.5, cases="straight*")
OFFSET = exercise.criterion("one color for the whole image, along the eigenvectors", 1, cases="turned*")

@exercise.cases
def cases(g):
    def case(image, vectors, driver="call"):
        # Sizes for which every product with one factor left out or squared differs.
        values = uniform(g, 0.9, 1.1, 3) * torch.tensor([0.6, 0.3, 0.2])
        alphas = uniform(g, 0.9, 1.1, 3) * torch.tensor([0.8, -0.7, 1.2])
        return whole(image, values, vectors, alphas, driver)

    def whole(image, values, vectors, alphas, driver="call"):
        inputs = {"image": image, "eigenvalues": values, "eigenvectors": vectors, "alphas": alphas}
        return Case({name: tensor.to(image.dtype) for name, tensor in inputs.items()}, driver=driver)

    straight = torch.eye(3, dtype=torch.float64)
    turned = torch.tensor([[0.6, 0.0, 0.8], [0.8, 0.0, -0.6], [0.0, 1.0, 0.0]], dtype=torch.float64)
    values, alphas = torch.tensor([[0.4, 0.25, 0.1], [0.5, -2.0, 2.0]], dtype=torch.float64)
    yield "turned, by hand", whole(numbered(3, 1, 3), values, turned, alphas)
    yield "straight, by hand", whole(numbered(3, 2, 1), values, straight, alphas)
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

def lit_by(light):
    """The image plus three numbers, those that `light(values, vectors, alphas)` gives."""

    @functools.wraps(light)
    def answer(image, eigenvalues, eigenvectors, alphas):
        return image + light(eigenvalues, eigenvectors, alphas).reshape(3, 1, 1)

    return answer

@exercise.wrong(loses=OFFSET, costs=0.5)
@lit_by
def eigenvectors_in_rows(values, vectors, alphas):
    """The rows of the matrix were taken for the eigenvectors. They stand in the columns."""
    return vectors.T @ (alphas * values)

@exercise.wrong(loses=OFFSET, costs=0.5)
@lit_by
def rows_weighted(values, vectors, alphas):
    """The products of alphas and eigenvalues scale the rows of the matrix. Each belongs to one axis, and the axes stand
    in the columns."""
    return (vectors * (alphas * values)[:, None]).sum(1)

@exercise.wrong(loses=OFFSET, costs=0.5)
@lit_by
def columns_summed(values, vectors, alphas):
    """The right products were added along the wrong axis: down each column, over the channels. That leaves a number for
    each axis; the sum over the axes leaves one for each channel."""
    return (vectors * alphas * values).sum(0)

@exercise.wrong(loses=SCALED, costs=0.75)
@lit_by
def eigenvalues_forgotten(values, vectors, alphas):
    """The eigenvalues are missing. They make the light strong along the axis on which colors vary much, and weak along
    the others."""
    return vectors @ alphas

@exercise.wrong(loses=SCALED, costs=0.75)
@lit_by
def alphas_forgotten(values, vectors, alphas):
    """The alphas are missing, so every image gets the same light. They are the random part."""
    return vectors @ values

@exercise.wrong(loses=SCALED)
@lit_by
def roots_of_the_eigenvalues(values, vectors, alphas):
    """The alphas are scaled by the roots of the eigenvalues, the standard deviations. The paper multiplies by the
    eigenvalues themselves."""
    return vectors @ (alphas * values.sqrt())

@exercise.wrong(loses=SCALED, costs=0.25)
@lit_by
def deviation_applied_twice(values, vectors, alphas):
    """The light is ten times too weak: the alphas were multiplied by 0.1. They come with their deviation; take them as
    they are."""
    return vectors @ (0.1 * alphas * values)

@exercise.wrong(loses=OFFSET, costs=0.75)
@lit_by
def first_axis_only(values, vectors, alphas):
    """Only the first axis contributes. The offset is the sum over all three."""
    return vectors[:, 0] * alphas[0] * values[0]

@exercise.wrong(loses=OFFSET, costs=0.75)
@lit_by
def added_to_gray(values, vectors, alphas):
    """All channels get the same number, which changes the brightness and not the color. The offset has one number for
    each channel."""
    return (vectors @ (alphas * values)).sum().expand(3)

@exercise.wrong(loses=OFFSET, costs=0.75)
@lit_by
def one_number_for_all_axes(values, vectors, alphas):
    """The products of alphas and eigenvalues were added up before the axes came in. Each product belongs to an axis of
    its own."""
    return vectors.sum(1) * (alphas @ values)

@exercise.wrong(loses=OFFSET, costs=0.5)
@lit_by
def axes_left_out(values, vectors, alphas):
    """The eigenvectors are missing: the products of alphas and eigenvalues were added to red, green and blue. They are
    steps along the axes."""
    return alphas * values

@exercise.wrong(loses=OFFSET, costs=0.25)
@lit_by
def subtracted(values, vectors, alphas):
    """The light was taken away instead of added: the sign is wrong."""
    return -vectors @ (alphas * values)

@exercise.wrong(loses=OFFSET, costs=0.75)
def spread_along_columns(image, eigenvalues, eigenvectors, alphas):
    """The three numbers were spread along the width of the image: without further axes a vector is aligned with the
    last axis. They belong to the channels."""
    return image + eigenvectors @ (alphas * eigenvalues)

@exercise.wrong(loses=OFFSET, costs=0.75)
def spread_along_rows(image, eigenvalues, eigenvectors, alphas):
    """The three numbers were spread along the height of the image. They belong to the channels, the first axis."""
    return image + (eigenvectors @ (alphas * eigenvalues))[:, None]

@exercise.wrong(loses=OFFSET)
def multiplied(image, eigenvalues, eigenvectors, alphas):
    """The image was multiplied by the light. It is an offset, the same for dark and for bright pixels."""
    return image * (1 + eigenvectors @ (alphas * eigenvalues))[:, None, None]

@exercise.wrong(loses=OFFSET, costs=0.25)
def clamped(image, eigenvalues, eigenvectors, alphas):
    """The result was clamped to the range from 0 to 1. That is not part of this step, and it would change the offset of
    single pixels."""
    return matrix_product(image, eigenvalues, eigenvectors, alphas).clamp(0, 1)

for mistake in (eigenvectors_in_rows, eigenvalues_forgotten, roots_of_the_eigenvalues, subtracted):
    exercise.both(mistake, clamped)(lambda *inputs, mistake=mistake: mistake(*inputs).clamp(0, 1))
exercise.both(eigenvectors_in_rows, eigenvalues_forgotten)(lit_by(lambda values, vectors, alphas: vectors.T @ alphas))
exercise.both(eigenvectors_in_rows, roots_of_the_eigenvalues)(
    lit_by(lambda values, vectors, alphas: vectors.T @ (alphas * values.sqrt()))
)
