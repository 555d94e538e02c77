"""The principal axes of the colors of a set of images, as AlexNet's color augmentation needs them."""

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
AXES = exercise.criterion("the eigenvectors in columns, in the order of their eigenvalues", 1, outputs="axes")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases=("several images", "float32"), aspect="dtype")

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
    def case(n, height, width, dtype=torch.float64):
        inputs = {"images": colored(g, n, height, width, dtype)}
        return Case(inputs, driver="augmentation/eigenbasis", outputs=("eigenvalues", "axes"))

    yield "small", case(2, 2, 2)
    yield "several images", case(4, 3, 5)
    yield "as many as channels", case(3, 3, 3)
    yield "float32", case(5, 4, 2, dtype=torch.float32)

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

@exercise.wrong(loses=(VALUES, AXES))
def ascending(images):
    """The smallest eigenvalue comes first, which is how the library returns them. The axis of the largest variance
    should be the first."""
    x = pixel_rows(images)
    values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))
    return values, vectors

@exercise.wrong(loses=AXES)
def only_the_values_sorted(images):
    """The eigenvalues were put in order but their eigenvectors were not, so each value belongs to another axis."""
    values, vectors = ascending(images)
    return values.flip(0), vectors

@exercise.wrong(loses=AXES)
def eigenvectors_in_rows(images):
    """The eigenvectors stand in the rows. They belong in the columns, as the library returns them."""
    values, vectors = eigh_of_the_covariance(images)
    return values, vectors.T

@exercise.wrong(loses=AXES)
def rows_reversed(images):
    """The rows of the matrix were reversed to get the largest first. The eigenvectors are its columns."""
    values, vectors = ascending(images)
    return values.flip(0), vectors.flip(0)

@exercise.wrong(loses=VALUES)
def unbiased_covariance(images):
    """The covariance was divided by one less than the number of pixels. Divide by the number of pixels."""
    return descending(torch.cov(pixel_rows(images).T))

@exercise.wrong(loses=VALUES)
def not_divided(images):
    """The products of the colours were added up but not divided by the number of pixels, so the eigenvalues grow with
    the number of images."""
    values, vectors = eigh_of_the_covariance(images)
    return values * len(pixel_rows(images)), vectors

@exercise.wrong(loses=VALUES)
def standard_deviations(images):
    """These are the roots of the eigenvalues: standard deviations along the axes. The variances are asked for."""
    values, vectors = eigh_of_the_covariance(images)
    return values.sqrt(), vectors

@exercise.wrong(loses=VALUES)
def shares_of_the_variance(images):
    """The eigenvalues were divided by their sum: these are shares of the variance, not variances."""
    values, vectors = eigh_of_the_covariance(images)
    return values / values.sum(), vectors

@exercise.wrong(loses=(VALUES, AXES))
def not_centred(images):
    """The mean colour was not subtracted. Then the first axis points from black to the mean colour and says little
    about how colours vary."""
    x = pixel_rows(images)
    return descending(x.T @ x / len(x))

@exercise.wrong(loses=(VALUES, AXES))
def first_image_only(images):
    """Only the first image was used. The axes are those of all pixels of all images."""
    return eigh_of_the_covariance(images[:1])

@exercise.wrong(loses=(VALUES, AXES))
def mean_colours_only(images):
    """Each image was replaced by its mean colour first. How colours vary within an image is lost;
    every pixel counts."""
    return descending(torch.cov(images.mean((2, 3)).T, correction=0))

@exercise.wrong(loses=(VALUES, AXES))
def centred_image_by_image(images):
    """From every image its own mean colour was subtracted. The images also differ from each other: there is one mean
    for all pixels."""
    x = pixel_rows(images - images.mean((2, 3), keepdim=True))
    return descending(x.T @ x / len(x))

@exercise.wrong(loses=(VALUES, AXES))
def channels_not_moved_last(images):
    """The images were cut into groups of three neighbouring numbers. These are pixels of one channel, not the three
    channels of a pixel: the axes have to be moved before the shape is changed."""
    return descending(torch.cov(images.reshape(-1, 3).T, correction=0))

@exercise.wrong(loses=(VALUES, AXES))
def correlation(images):
    """The channels were divided by their standard deviations: this is the correlation, not the covariance."""
    return descending(torch.corrcoef(pixel_rows(images).T))

@exercise.wrong(loses=DTYPE)
def always_float32(images):
    """The results are float32 whatever came in. They should have the dtype of the images."""
    values, vectors = eigh_of_the_covariance(images)
    return values.float(), vectors.float()
