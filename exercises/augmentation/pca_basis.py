"""The principal axes of the colors of a set of images, as AlexNet's color augmentation needs them."""

import functools

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, rotation
from exercises.draws import uniform

exercise = Exercise(
    "pca-basis",
    "pca_colour_basis(images)",
    returns=("eigenvalues", "eigenvectors"),
    forbidden=(*LIBRARY_IMAGES, "sklearn"),
)
VALUES = exercise.criterion("the eigenvalues of the covariance, the largest first", 1, outputs="eigenvalues")
AXES = exercise.criterion("the eigenvectors in columns, in the order of their eigenvalues", 1, outputs="eigenvectors")

def colored(g, n, height, width, dtype=torch.float64):
    """Images (n, 3, height, width) whose colors have variances of about 0.04, 0.01 and 0.002 along turned axes.

    Variances and means are exact.  Each image has a cast of its own, so that one image is not like the next."""
    raw = torch.randn(n, height * width, 3, generator=g, dtype=torch.float64)
    raw += torch.linspace(-1, 1, n, dtype=torch.float64)[:, None, None] * torch.tensor([1.0, -1.0, 0.5])
    x = raw.reshape(-1, 3)
    x = x - x.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(x.T @ x / len(x)), x.T, upper=False)
    variances = torch.tensor([0.04, 0.01, 0.002], dtype=torch.float64) * uniform(g, 0.75, 1.25, 3)
    colors = rotation(g) @ (variances.sqrt()[:, None] * white) + torch.tensor([[0.6], [0.4], [0.5]])
    return colors.reshape(3, n, height, width).transpose(0, 1).contiguous().to(dtype)

@exercise.cases
def cases(g):
    def case(images):
        return Case({"images": images}, driver="augmentation/eigenbasis")

    # One image of eight pixels, gray but for steps along three axes: six along the first, four, two.  A decomposition
    # for any matrix, not only symmetric ones, does not happen to return the largest first here.
    axes = torch.tensor([[2.0, 6, 3], [3, 2, -6], [6, -3, 2]]).double() / 20
    steps = [[1, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1]]
    colors = 0.5 + torch.tensor(steps).double() @ axes
    yield "by hand", case(colors.T.reshape(1, 3, 2, 4).contiguous().round(decimals=2))
    yield "several images", case(colored(g, 4, 3, 5))
    yield "as many as channels", case(colored(g, 3, 3, 3))
    yield "float32", case(colored(g, 5, 4, 2, torch.float32))

@exercise.reference
def by_singular_values(images):
    """By the singular values of the centered colors, without a covariance matrix."""
    pixels = torch.stack([images[:, channel].flatten() for channel in range(3)])
    u, s, _ = torch.linalg.svd(pixels - pixels.mean(1, keepdim=True), full_matrices=False)
    return s.square() / pixels.shape[1], u

def pixel_rows(images):
    """All pixels as rows, (M, 3)."""
    return images.movedim(1, -1).reshape(-1, 3)

def descending(covariance):
    values, vectors = torch.linalg.eigh(covariance)
    return values.flip(0), vectors.flip(1)

@exercise.right
def eigh_of_the_covariance(images):
    x = pixel_rows(images)
    x = x - x.mean(0)
    return descending(x.T @ x / len(x))

@exercise.right
def torch_cov_other_signs(images):
    covariance = torch.cov(images.transpose(0, 1).flatten(1), correction=0)
    values, vectors = torch.linalg.eigh(covariance)
    order = values.argsort(descending=True)
    return values[order], -vectors[:, order]

@exercise.right
def numpy_general_eigenvalues(images):
    x = images.numpy().transpose(1, 0, 2, 3).reshape(3, -1)
    values, vectors = np.linalg.eig(np.cov(x, bias=True))
    order = np.argsort(-values)
    return [torch.from_numpy(values[order]).to(images.dtype), torch.from_numpy(vectors[:, order]).to(images.dtype)]

@exercise.right
def einsum_and_a_singular_value_decomposition(images):
    mean = images.mean((0, 2, 3))
    second = torch.einsum("nchw,ndhw->cd", images, images) / (images.numel() / 3)
    u, s, _ = torch.linalg.svd(second - torch.outer(mean, mean))
    return s, u

def pixel_columns(images):
    """All pixels as columns, (3, M)."""
    return pixel_rows(images).T

def both_ascending(covariance):
    values, vectors = torch.linalg.eigh(covariance)
    return values, vectors

@exercise.wrong(loses=(VALUES, AXES), costs=0.75)
def ascending(images):
    """The smallest eigenvalue comes first, which is how the library returns them. The axis of the largest variance
    should be the first."""
    return both_ascending(torch.cov(pixel_columns(images), correction=0))

@exercise.wrong(loses=AXES, costs=0.75)
def columns_ascending(images):
    """The columns come in the order in which the library returns them, that of ascending eigenvalues. The axis of the
    largest variance belongs in the first column, beside the first eigenvalue."""
    values, vectors = ascending(images)
    return values.flip(0), vectors

@exercise.wrong(loses=VALUES, costs=0.75)
def values_ascending(images):
    """The eigenvalues come in ascending order. The largest should be the first, beside the axis to which it belongs."""
    values, vectors = ascending(images)
    return values, vectors.flip(1)

def unsorted(covariance):
    values, vectors = torch.linalg.eig(covariance)
    return values.real, vectors.real

@exercise.wrong(loses=(VALUES, AXES), costs=0.75)
def not_sorted(images):
    """The eigenvalues come in no particular order: that is how a decomposition for any matrix returns them. The axis of
    the largest variance should be the first."""
    return unsorted(torch.cov(pixel_columns(images), correction=0))

@exercise.wrong(loses=AXES, costs=0.5)
def eigenvectors_in_rows(images):
    """The eigenvectors stand in the rows, as a singular value decomposition returns the right ones. They belong in the
    columns."""
    values, vectors = eigh_of_the_covariance(images)
    return values, vectors.T

@exercise.wrong(loses=AXES, costs=0.75)
def rows_reversed(images):
    """The rows of the matrix were reversed to get the largest first. The eigenvectors are its columns."""
    values, vectors = ascending(images)
    return values.flip(0), vectors.flip(0)

@exercise.wrong(loses=AXES, costs=0.5)
def axes_of_other_lengths(images):
    """The eigenvectors are multiplied by the roots of their eigenvalues. An eigenvector of length 1 is asked for."""
    values, vectors = eigh_of_the_covariance(images)
    return values, vectors * values.clamp(min=0).sqrt()

@exercise.wrong(loses=(VALUES, AXES), costs=0.5)
def results_exchanged(images):
    """The eigenvectors come first and the eigenvalues second. It is the other way around."""
    return eigh_of_the_covariance(images)[::-1]

def other_values(change):
    """The right axes, and what `change(values, images)` makes of the eigenvalues."""

    @functools.wraps(change)
    def answer(images):
        values, vectors = eigh_of_the_covariance(images)
        return change(values.clamp(min=0), images), vectors

    return answer

@exercise.wrong(loses=VALUES, costs=0.25)
@other_values
def unbiased_covariance(values, images):
    """The covariance was divided by one less than the number of pixels. Divide by the number of pixels."""
    return values * images[:, 0].numel() / (images[:, 0].numel() - 1)

@exercise.wrong(loses=VALUES, costs=0.5)
@other_values
def not_divided(values, images):
    """The products of the colors were added up but not divided by the number of pixels, so the eigenvalues grow with
    the number of images."""
    return values * images[:, 0].numel()

@exercise.wrong(loses=VALUES, costs=0.5)
@other_values
def divided_by_the_number_of_images(values, images):
    """The products of the colors were divided by the number of images. Every pixel is a point of its own: divide by the
    number of pixels of all images."""
    return values * images[0, 0].numel()

@exercise.wrong(loses=VALUES, costs=0.5)
@other_values
def divided_by_all_numbers(values, images):
    """The products of the colors were divided by the count of all numbers, three for each pixel. Divide by the number
    of pixels."""
    return values / 3

@exercise.wrong(loses=VALUES, costs=0.5)
@other_values
def standard_deviations(values, images):
    """These are the roots of the eigenvalues: standard deviations along the axes. The variances are asked for."""
    return values.sqrt()

@exercise.wrong(loses=VALUES, costs=0.5)
@other_values
def singular_values(values, images):
    """These are the singular values of the pixels. Their squares, divided by the number of pixels, are the eigenvalues
    of the covariance."""
    return (values * images[:, 0].numel()).sqrt()

@exercise.wrong(loses=VALUES, costs=0.5)
@other_values
def shares_of_the_variance(values, images):
    """The eigenvalues were divided by their sum: these are shares of the variance, not variances."""
    return values / values.sum()

def of_covariance(covariance):
    """The right decomposition of another matrix."""

    @functools.wraps(covariance)
    def answer(images):
        return descending(covariance(images))

    return answer

@exercise.wrong(loses=(VALUES, AXES), costs=1)
@of_covariance
def not_centered(images):
    """The mean color was not subtracted. Then the first axis points from black to the mean color and says little about
    how colors vary."""
    return pixel_columns(images) @ pixel_rows(images) / len(pixel_rows(images))

@exercise.wrong(loses=(VALUES, AXES), costs=1)
@of_covariance
def first_image_only(images):
    """Only the first image was used. The axes are those of all pixels of all images."""
    return torch.cov(pixel_columns(images[:1]), correction=0)

@exercise.wrong(loses=(VALUES, AXES), costs=1)
@of_covariance
def mean_colors_only(images):
    """Each image was replaced by its mean color first. How colors vary within an image is lost; every pixel counts."""
    return torch.cov(images.mean((2, 3)).T, correction=0)

@exercise.wrong(loses=(VALUES, AXES), costs=0.75)
@of_covariance
def centered_image_by_image(images):
    """From every image its own mean color was subtracted. The images also differ from each other: there is one mean for
    all pixels."""
    return torch.cov(pixel_columns(images - images.mean((2, 3), keepdim=True)), correction=0)

@exercise.wrong(loses=(VALUES, AXES), costs=1)
@of_covariance
def channels_not_moved_last(images):
    """The images were cut into groups of three neighboring numbers. These are pixels of one channel, not the three
    channels of a pixel: the axis of the channels has to be the last before the shape is changed."""
    return torch.cov(images.reshape(-1, 3).T, correction=0)

@exercise.also(channels_not_moved_last)
@of_covariance
def channels_moved_first_and_cut_into_threes(images):
    return torch.cov(images.transpose(0, 1).reshape(-1, 3).T, correction=0)

@exercise.wrong(loses=(VALUES, AXES), costs=1)
@of_covariance
def cut_into_three_parts(images):
    """All numbers were cut into three equal parts, one after the other. These are the three channels only where there
    is a single image: the axis of the channels has to be the first before the shape is changed."""
    return torch.cov(images.reshape(3, -1), correction=0)

for mistake, rearranged in (
    (channels_not_moved_last, lambda images: images.reshape(-1, 3).T),
    (channels_not_moved_last, lambda images: images.transpose(0, 1).reshape(-1, 3).T),
    (cut_into_three_parts, lambda images: images.reshape(3, -1)),
):
    exercise.both(mistake, unbiased_covariance)(
        of_covariance(lambda images, rearranged=rearranged: torch.cov(rearranged(images)))
    )
    exercise.both(ascending, mistake, unbiased_covariance)(
        lambda images, rearranged=rearranged: both_ascending(torch.cov(rearranged(images)))
    )

@exercise.wrong(loses=(VALUES, AXES), costs=0.75)
@of_covariance
def correlation(images):
    """The channels were divided by their standard deviations: this is the correlation, not the covariance."""
    return torch.corrcoef(pixel_columns(images))

@exercise.also(correlation)
@of_covariance
def correlation_by_the_unbiased_deviation(images):
    return torch.corrcoef(pixel_columns(images)) * (1 - 1 / len(pixel_rows(images)))

exercise.both(not_sorted, unbiased_covariance)(lambda images: unsorted(torch.cov(pixel_columns(images))))
for mistake in (unbiased_covariance, not_divided, divided_by_the_number_of_images):
    exercise.both(ascending, mistake)(
        lambda images, mistake=mistake: tuple(part.flip(-1) for part in mistake(images))
    )
for mistake in (not_centered, channels_not_moved_last, cut_into_three_parts, first_image_only, mean_colors_only):
    exercise.both(ascending, mistake)(
        lambda images, covariance=mistake.__wrapped__: both_ascending(covariance(images))
    )
    exercise.both(columns_ascending, mistake)(
        lambda images, covariance=mistake.__wrapped__: values_alone_sorted(covariance(images))
    )

exercise.both(ascending, channels_not_moved_last)(
    lambda images: both_ascending(channels_moved_first_and_cut_into_threes.__wrapped__(images))
)

def values_alone_sorted(covariance):
    values, vectors = torch.linalg.eigh(covariance)
    return values.flip(0), vectors
