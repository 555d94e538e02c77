"""Mirror images: which examples of a batch are flipped is decided by noise."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, numbered, picture, shuffled

exercise = Exercise("horizontal-flip", "random_horizontal_flip(x, p, u)", returns="y", forbidden=LIBRARY_IMAGES)
MIRRORS = exercise.criterion("mirrors left and right", 1, cases="all*", outputs="y")
DECIDES = exercise.criterion("decides for every example by its own u", 0.5, cases="some*", outputs="changed")
EACH = exercise.criterion("an example becomes its mirror image or stays", 0.5, cases="some*", outputs="y")

@exercise.cases
def cases(g):
    def case(x, p, u, driver="augmentation/changed-examples"):
        return Case({"x": x, "p": p, "u": u.to(x.dtype)}, driver=driver, outputs=("y", "changed"))

    # Several examples on either side of p, of 1/2 and of 1 - p, so that every wrong way of deciding shows.  The fifth
    # one flips once, so that no answer passes that stops before it.
    rare, often = shuffled(g, [0.1, 0.4, 0.03, 0.6, 0.9], 0.02), torch.ones(5)
    while rare[-1] > 0.2 and often[-1] > 0.7:
        often = shuffled(g, [0.9, 0.1, 0.65, 0.8, 0.6], 0.02)
    yield "some, by hand", case(numbered(3, 1, 2, 3), 0.5, torch.tensor([0.75, 0.25, 0.5]).double())
    yield "all, by hand", case(numbered(1, 2, 2, 3), 1.0, torch.tensor([0.75]).double())
    yield "all", case(picture(g, 4, 3, 5, 7), 1.0, torch.rand(4, generator=g))
    yield "all, one example, u = 0", case(picture(g, 1, 2, 4, 4), 0.2, torch.zeros(1))
    yield "some, p = 0", case(picture(g, 2, 3, 4, 5), 0.0, torch.tensor([0.0, 0.5]))
    yield "some, p = 0.2", case(picture(g, 5, 3, 4, 6), 0.2, rare)
    square = picture(g, 5, 5, 5, 5, dtype=torch.float32)
    yield "some, p = 0.7, float32, strided", case(square, 0.7, often, "augmentation/changed-examples-strided")

@exercise.reference
def by_loops(x, p, u):
    y = x.clone()
    width = x.shape[-1]
    for i, chance in enumerate(u.tolist()):
        if chance < p:
            for column in range(width):
                y[i, :, :, column] = x[i, :, :, width - 1 - column]
    return y

@exercise.right
def torch_where(x, p, u):
    return torch.where((u < p).reshape(-1, 1, 1, 1), x.flip(3), x)

@exercise.right
def only_the_chosen_ones_written(x, p, u):
    y = x.clone()
    y[u < p] = x[u < p].flip(-1)
    return y

@exercise.right
def gather(x, p, u):
    columns = torch.arange(x.shape[-1], device=x.device)
    index = torch.where((u < p)[:, None], columns.flip(0), columns)
    return x.gather(3, index[:, None, None, :].expand(x.shape))

@exercise.right
def numpy_channels_last(x, p, u):
    y = x.numpy().transpose(0, 2, 3, 1)
    y = [np.fliplr(image) if chance < p else image for image, chance in zip(y, u, strict=True)]
    return torch.from_numpy(np.stack(y).transpose(0, 3, 1, 2).copy())

@exercise.right
def einsum_with_an_exchange_matrix(x, p, u):
    flips = (u < p).to(x.dtype)
    exchange = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    return torch.einsum("nchw,wv,n->nchv", x, exchange.flip(0), flips) + x * (1 - flips)[:, None, None, None]

def flipped(x, chosen, axes=(3,)):
    return torch.where(chosen.reshape(-1, 1, 1, 1), x.flip(axes), x)

@exercise.wrong(loses=MIRRORS)
def upside_down(x, p, u):
    """The images are upside down: the rows were reversed. A batch has the axes (N, C, H, W), so the third axis
    runs from top to bottom. Were the images taken to be (N, H, W, C)?"""
    return flipped(x, u < p, axes=(2,))

@exercise.wrong(loses=MIRRORS)
def turned_by_180_degrees(x, p, u):
    """Rows and columns are both reversed, which turns the image by 180 degrees. A mirror exchanges left and right
    only."""
    return flipped(x, u < p, axes=(2, 3))

@exercise.wrong(loses=MIRRORS)
def channels_reversed(x, p, u):
    """The order of the channels is reversed, so red and blue change places. In (N, C, H, W) the second axis holds
    colors, not columns."""
    return flipped(x, u < p, axes=(1,))

@exercise.wrong(loses=MIRRORS, costs=0.75)
def channels_reversed_too(x, p, u):
    """The images are mirrored, but their channels are reversed as well: the colors change."""
    return flipped(x, u < p, axes=(1, 3))

@exercise.wrong(loses=MIRRORS, costs=0.75)
def examples_exchanged(x, p, u):
    """The flipped examples also change places in the batch, so they get the labels of others. The axis of the batch was
    reversed too."""
    y = x.clone()
    y[u < p] = x[u < p].flip(0, -1)
    return y

@exercise.also(examples_exchanged)
def mirrored_from_the_reversed_batch(x, p, u):
    return flipped(x, u < p, axes=(0, 3))

@exercise.wrong(loses=DECIDES, costs=0.75)
def one_decision_for_the_batch(x, p, u):
    """The whole batch is flipped or left alone together. Each example has its own number in u."""
    return flipped(x, (u[:1] < p).expand(len(u)))

@exercise.wrong(loses=DECIDES, costs=0.75)
def p_ignored(x, p, u):
    """An example is flipped with probability 1/2 whatever p says."""
    return flipped(x, u < 0.5)

@exercise.wrong(loses=DECIDES, costs=0.75)
def always_flips(x, p, u):
    """Every example is flipped, so the network sees mirror images only and never the originals."""
    return flipped(x, u >= 0)

@exercise.wrong(loses=DECIDES, costs=0.75)
def comparison_reversed(x, p, u):
    """Those examples are flipped that should stay, and the other way around: an example is flipped where u is below p,
    so that p is the probability of flipping."""
    return flipped(x, u >= p)

@exercise.also(comparison_reversed)
def above_p(x, p, u):
    return flipped(x, u > p)

@exercise.wrong(loses=DECIDES, costs=0.75)
def complement_of_p(x, p, u):
    """An example is flipped with probability 1 - p. p is the probability of flipping, not of staying."""
    return flipped(x, u < 1 - p)

@exercise.wrong(loses=DECIDES)
def other_end_of_u(x, p, u):
    """As many examples are flipped as p says, but others: those where u lies in the upper part. Something with
    probability p happens where u is below p."""
    return flipped(x, u > 1 - p)

@exercise.also(other_end_of_u)
def other_end_with_equality(x, p, u):
    return flipped(x, u >= 1 - p)

@exercise.wrong(loses=DECIDES, costs=0.25)
def equal_counts_as_below(x, p, u):
    """An example is also flipped where u equals p. With p = 0 nothing may be flipped, and u can be exactly 0."""
    return flipped(x, u <= p)

@exercise.wrong(loses=DECIDES, costs=0.75)
def decisions_along_an_image(x, p, u):
    """The decisions, of shape (N,), lie along an axis inside the images: without further axes a vector belongs to the
    last one. That works only where the sizes happen to agree, and is wrong there too."""
    return torch.where(u < p, x.flip(3), x)

@exercise.also(decisions_along_an_image)
def decisions_along_the_rows(x, p, u):
    return torch.where((u < p)[:, None], x.flip(3), x)

@exercise.also(decisions_along_an_image)
def decisions_along_the_channels(x, p, u):
    return torch.where((u < p)[:, None, None], x.flip(3), x)

@exercise.wrong(loses=EACH, costs=0.75)
def flipped_ones_only(x, p, u):
    """Only the flipped examples come back. The others stay in the batch as they are."""
    return x[u < p].flip(-1)

@exercise.wrong(loses=EACH)
def flipped_ones_first(x, p, u):
    """The flipped examples come first and the others after them, so most examples get the labels of others. The batch
    keeps its order."""
    return torch.cat([x[u < p].flip(-1), x[u >= p]])

for mirror, axes in ((upside_down, (2,)), (turned_by_180_degrees, (2, 3))):
    exercise.both(mirror, comparison_reversed)(lambda x, p, u, axes=axes: flipped(x, u >= p, axes))
    exercise.both(mirror, comparison_reversed)(lambda x, p, u, axes=axes: flipped(x, u > p, axes))
    exercise.both(mirror, one_decision_for_the_batch)(
        lambda x, p, u, axes=axes: flipped(x, (u[:1] < p).expand(len(u)), axes)
    )
    exercise.both(mirror, equal_counts_as_below)(lambda x, p, u, axes=axes: flipped(x, u <= p, axes))
