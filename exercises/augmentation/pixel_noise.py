"""Negatives of single pixels, chosen by noise."""

import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import HINT_FLOAT32, HINT_IN_PLACE, KEPT, LIBRARY_IMAGES, numbered, picture
from exercises.draws import uniform

exercise = Exercise("pixel-noise", "flip_random_pixels(image, p, u)", returns="y", forbidden=LIBRARY_IMAGES)
WHICH = exercise.criterion("changes the pixels where u is below p", 0.5, outputs="changed")
NEGATIVE = exercise.criterion("a changed pixel becomes its negative in all channels", 1, outputs="y")
KEEPS = exercise.criterion("keeps the dtype and leaves its inputs unchanged", 0.5, outputs="y", aspect=KEPT)

MARGIN = 0.03

def noise(g, p, *shape):
    """Uniform noise on [0, 1), float64, never within rounding of `p`; its first number lies below p, its last not."""
    u = torch.rand(*shape, generator=g, dtype=torch.float64)
    u = torch.where((u - p).abs() < MARGIN, (u + 0.5) % 1.0, u)
    flat = u.view(-1)
    flat[0] = p * uniform(g, 0.2, 0.8, 1).item()
    flat[-1] = 1 - (1 - p) * uniform(g, 0.2, 0.8, 1).item()
    return u

@exercise.cases
def cases(g):
    def case(pixels, p, u, driver="augmentation/changed-pixels"):
        inputs = {"image": pixels, "p": p, "u": u.round(decimals=2).to(pixels.dtype)}
        return Case(inputs, driver=driver, outputs=("y", "changed"))

    def image(*shape, low=0.05, high=0.45, dtype=torch.float64):
        """No pixel is as bright as any noise, which has two decimals: noise taken for a pixel is a change."""
        hundredths = (picture(g, *shape, low=low, high=high) * 100).floor() / 100
        return (hundredths + uniform(g, 0.002, 0.008, *shape)).to(dtype)

    def both(p, height, width):
        """Noise with numbers on both sides of p, of 1/2 and of 1 - p, and rows that differ."""
        u = noise(g, p, height, width)
        u[0, :4] = torch.tensor([0.1, 0.4, 0.6, 0.9]).double() + uniform(g, -0.04, 0.04, 4)
        u[1, :4] = torch.tensor([0.9, 0.6, 0.4, 0.1]).double() + uniform(g, -0.04, 0.04, 4)
        return u

    small_u = torch.tensor([[0.1, 0.9, 0.6], [0.7, 0.3, 0.8]]).double()
    yield "by hand", case(numbered(2, 2, 3), 0.5, small_u)
    yield "p = 0.2", case(image(3, 4, 6), 0.2, both(0.2, 4, 6))
    square = image(4, 5, 5, dtype=torch.float32)
    yield "p = 0.7, float32, strided", case(square, 0.7, both(0.7, 5, 5), "augmentation/changed-pixels-strided")
    yield "p = 0", case(image(2, 3, 4), 0.0, torch.tensor([[0.0, 0.3, 0.6, 0.9]] * 3))
    yield "one channel", case(image(1, 3, 5, low=0.55, high=0.95), 0.2, both(0.2, 3, 5))

@exercise.reference
def number_by_number(image, p, u):
    channels, height, width = image.shape
    flat = [
        1 - value if chance < p else value
        for plane in image.reshape(channels, -1).tolist()
        for value, chance in zip(plane, u.flatten().tolist(), strict=True)
    ]
    return torch.tensor(flat, dtype=image.dtype).reshape(channels, height, width)

@exercise.right
def torch_where(image, p, u):
    return torch.where(u < p, 1 - image, image)

@exercise.right
def arithmetic_with_the_mask(image, p, u):
    mask = (u < p).to(image)
    return image + mask * (1 - 2 * image)

@exercise.right
def only_the_chosen_ones_written(image, p, u):
    y = image.clone()
    y[:, u < p] = 1 - y[:, u < p]
    return y

@exercise.right
def distance_to_the_mask(image, p, u):
    return ((u < p).to(image.dtype).unsqueeze(0) - image).abs()

def inverted(image, chosen):
    return torch.where(chosen, 1 - image, image)

@exercise.wrong(loses=(WHICH, NEGATIVE))
def comparison_reversed(image, p, u):
    """The other pixels are changed: those where u is not below p. p is the probability of being changed."""
    return inverted(image, u >= p)

@exercise.wrong(loses=(WHICH, NEGATIVE))
def complement_of_p(image, p, u):
    """Pixels change with probability 1 - p. p is the probability of being changed, not of staying."""
    return inverted(image, u < 1 - p)

@exercise.wrong(loses=(WHICH, NEGATIVE))
def p_ignored(image, p, u):
    """Half of the pixels change whatever p says."""
    return inverted(image, u < 0.5)

@exercise.wrong(loses=(WHICH, NEGATIVE))
def one_row_of_noise(image, p, u):
    """Every row of the image gets the noise of the first one, which makes vertical stripes. u has a number for every
    pixel."""
    return inverted(image, (u[:1] < p).expand(u.shape))

@exercise.wrong(loses=(WHICH, NEGATIVE))
def whole_image_negative(image, p, u):
    """The whole image became its negative. Only the pixels chosen by u should change."""
    return inverted(image, u >= 0)

@exercise.wrong(loses=(WHICH, NEGATIVE))
def first_channel_only(image, p, u):
    """Only the first channel is changed. A pixel has a value in every channel, and all of them are inverted."""
    y = image.clone()
    y[0] = torch.where(u < p, 1 - image[0], image[0])
    return y

@exercise.wrong(loses=NEGATIVE)
def sign_changed(image, p, u):
    """The pixels change their sign and leave the range from 0 to 1. The negative of a bright pixel is dark, not minus
    bright."""
    return torch.where(u < p, -image, image)

@exercise.wrong(loses=NEGATIVE)
def inverted_as_bytes(image, p, u):
    """The pixels are inverted as if white were 255. In these images white is 1."""
    return torch.where(u < p, 255 - image, image)

@exercise.wrong(loses=NEGATIVE)
def set_to_zero(image, p, u):
    """The chosen pixels become black. This exercise inverts them instead of erasing them."""
    return torch.where(u < p, torch.zeros_like(image), image)

@exercise.wrong(loses=NEGATIVE)
def set_to_one(image, p, u):
    """The chosen pixels become white, whatever they were. Each should become its own negative."""
    return torch.where(u < p, torch.ones_like(image), image)

@exercise.wrong(loses=NEGATIVE)
def noise_as_value(image, p, u):
    """The chosen pixels take the value of the noise itself. u only decides which pixels change."""
    return torch.where(u < p, u.expand_as(image), image)

@exercise.wrong(loses=(WHICH, NEGATIVE))
def equal_counts_as_below(image, p, u):
    """A pixel also changes where u equals p. With p = 0 nothing may change, and u can be exactly 0."""
    return inverted(image, u <= p)

@exercise.wrong(loses=KEEPS, hint=HINT_FLOAT32)
def always_float32(image, p, u):
    return torch_where(image, p, u).float()

@exercise.wrong(loses=KEEPS, hint=HINT_IN_PLACE)
def changes_its_input(image, p, u):
    image[:, u < p] = 1 - image[:, u < p]
    return image
