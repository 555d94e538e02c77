"""Mirror images: which examples of a batch are flipped is decided by noise."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import HINT_FLOAT32, HINT_IN_PLACE, KEPT, LIBRARY_IMAGES, numbered, picture
from exercises.draws import uniform

exercise = Exercise("horizontal-flip", "random_horizontal_flip(x, p, u)", returns="y", forbidden=LIBRARY_IMAGES)
MIRRORS = exercise.criterion("mirrors left and right", 1, cases="all*", outputs="y")
DECIDES = exercise.criterion("decides for every example by its own u", 0.5, cases="some*", outputs="changed")
EACH = exercise.criterion("an example becomes its mirror image or stays", 0.5, cases="some*", outputs="y")
KEEPS = exercise.criterion(
    "keeps the dtype and leaves its inputs unchanged", 0.5, cases=("all", "all, by hand"), outputs="y", aspect=KEPT
)

@exercise.cases
def cases(g):
    def case(x, p, u, driver="augmentation/changed-examples"):
        return Case({"x": x, "p": p, "u": u.to(x.dtype)}, driver=driver, outputs=("y", "changed"))

    sure = uniform(g, 0.6, 0.99, 4)
    # Several examples on either side of p and of 1/2, so that every wrong way of deciding shows; the last one flips
    # once, so that no answer passes that stops before it.
    rare = torch.tensor([0.1, 0.4, 0.03, 0.6, 0.8]).double() + uniform(g, -0.02, 0.02, 5)
    often = torch.tensor([0.9, 0.1, 0.65, 0.8, 0.6]).double() + uniform(g, -0.02, 0.02, 5)
    by_hand = torch.tensor([0.1, 0.9]).double()
    yield "all, by hand", case(numbered(2, 2, 2, 3), 1.0, by_hand)
    yield "all", case(picture(g, 4, 3, 5, 7), 1.0, sure)
    yield "all, one example, u = 0", case(picture(g, 1, 2, 4, 4), 0.2, torch.zeros(1))
    yield "some, p = 0", case(picture(g, 2, 3, 4, 5), 0.0, torch.tensor([0.0, 0.5]))
    yield "some, by hand", case(numbered(2, 2, 2, 3), 0.5, by_hand)
    yield "some, p = 0.2", case(picture(g, 5, 3, 4, 6), 0.2, rare)
    square = picture(g, 5, 3, 3, 3, dtype=torch.float32)
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

@exercise.wrong(loses=(MIRRORS, EACH))
def upside_down(x, p, u):
    """The images stand on their heads: the rows were reversed. A batch has the axes (N, C, H, W), so the third axis
    runs from top to bottom. Were the images taken to be (N, H, W, C)?"""
    return flipped(x, u < p, axes=(2,))

@exercise.wrong(loses=(MIRRORS, EACH))
def turned_by_180_degrees(x, p, u):
    """Rows and columns are both reversed, which turns the image by 180 degrees. A mirror exchanges
    left and right only."""
    return flipped(x, u < p, axes=(2, 3))

@exercise.wrong(loses=(MIRRORS, EACH))
def channels_reversed(x, p, u):
    """The order of the channels is reversed, so red and blue change places. In (N, C, H, W) the second axis holds
    colours, not columns."""
    return flipped(x, u < p, axes=(1,))

@exercise.wrong(loses=(MIRRORS, EACH))
def channels_reversed_too(x, p, u):
    """The images are mirrored, but their channels are reversed as well: the colours change."""
    return flipped(x, u < p, axes=(1, 3))

@exercise.wrong(loses=(DECIDES, EACH))
def one_decision_for_the_batch(x, p, u):
    """The whole batch is flipped or left alone together. Each example has its own number in u."""
    return flipped(x, (u[:1] < p).expand(len(u)))

@exercise.wrong(loses=(DECIDES, EACH))
def p_ignored(x, p, u):
    """An example is flipped with probability 1/2 whatever p says."""
    return flipped(x, u < (0.5 if p < 1 else 1.0))

@exercise.wrong(loses=(DECIDES, EACH))
def always_flips(x, p, u):
    """Every example is flipped, so the network sees mirror images only and never the originals."""
    return flipped(x, u >= 0)

@exercise.wrong(loses=(MIRRORS, DECIDES, EACH))
def comparison_reversed(x, p, u):
    """Those examples are flipped that should stay, and the other way round: p is the probability of flipping."""
    return flipped(x, u >= p)

@exercise.wrong(loses=(MIRRORS, DECIDES, EACH))
def complement_of_p(x, p, u):
    """An example is flipped with probability 1 - p. p is the probability of flipping, not of staying."""
    return flipped(x, u < 1 - p)

@exercise.wrong(loses=(MIRRORS, EACH))
def examples_exchanged(x, p, u):
    """The flipped examples also change places in the batch, so they get the labels of others. The axis of the batch was
    reversed too."""
    y = x.clone()
    y[u < p] = x[u < p].flip(0, -1)
    return y

@exercise.wrong(loses=(DECIDES, EACH))
def equal_counts_as_below(x, p, u):
    """An example is also flipped where u equals p. With p = 0 nothing may be flipped, and u can be exactly 0."""
    return flipped(x, u <= p)

@exercise.wrong(loses=KEEPS, hint=HINT_FLOAT32)
def always_float32(x, p, u):
    return torch_where(x, p, u).float()

@exercise.wrong(loses=KEEPS, hint=HINT_IN_PLACE)
def changes_its_input(x, p, u):
    x[u < p] = x[u < p].flip(-1)
    return x
