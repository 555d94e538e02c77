"""Negatives of single pixels, chosen by noise."""

import functools

import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, numbered, picture, shuffled
from exercises.draws import uniform

exercise = Exercise("pixel-noise", "flip_random_pixels(image, p, u)", returns="y", forbidden=LIBRARY_IMAGES)
WHICH = exercise.criterion("changes the pixels where u is below p", 0.5, outputs="changed")
NEGATIVE = exercise.criterion("a changed pixel becomes its negative in all channels", 1, outputs="y")

@exercise.cases
def cases(g):
    def case(pixels, p, u, driver="augmentation/changed-pixels"):
        inputs = {"image": pixels, "p": p, "u": u.double().round(decimals=2).to(pixels.dtype)}
        return Case(inputs, driver=driver, outputs=("y", "changed"))

    def image(*shape, low=0.05, high=0.45, dtype=torch.float64):
        """No pixel is as bright as any noise, which has two decimals: noise taken for a pixel is a change."""
        hundredths = (picture(g, *shape, low=low, high=high) * 100).floor() / 100
        return (hundredths + uniform(g, 0.002, 0.008, *shape)).to(dtype)

    def noise(p, height, width):
        """Noise free everywhere, with numbers on both sides of p, of 1/2 and of 1 - p, and none within rounding."""
        u = torch.rand(height * width, generator=g, dtype=torch.float64)
        u = torch.where((u - p).abs() < 0.02, (u + 0.5) % 1.0, u)
        chosen = torch.randperm(height * width, generator=g)[:8]
        u[chosen] = shuffled(g, [0.1, 0.4, 0.6, 0.9] * 2, 0.04)
        return u.reshape(height, width)

    yield "by hand", case(numbered(2, 2, 3), 0.5, torch.tensor([[0.1, 0.9, 0.5], [0.7, 0.3, 0.8]]))
    yield "p = 0.2", case(image(3, 4, 6), 0.2, noise(0.2, 4, 6))
    square = image(4, 5, 5, dtype=torch.float32)
    yield "p = 0.7, float32, strided", case(square, 0.7, noise(0.7, 5, 5), "augmentation/changed-pixels-strided")
    yield "p = 0", case(image(2, 3, 4), 0.0, torch.tensor([[0.0, 0.3, 0.6, 0.9]] * 3))
    yield "p = 1", case(image(3, 3, 2), 1.0, torch.rand(3, 2, generator=g) * 0.99)
    yield "one channel", case(image(1, 3, 5, low=0.55, high=0.95), 0.2, noise(0.2, 3, 5))

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

def where(decide):
    """Those pixels become negative where `decide(u, p)` says so."""

    @functools.wraps(decide)
    def answer(image, p, u):
        return torch.where(decide(u, p), 1 - image, image)

    return answer

@exercise.wrong(loses=WHICH, costs=0.75)
@where
def comparison_reversed(u, p):
    """The other pixels are changed: those where u is not below p. p is the probability of being changed."""
    return u >= p

@exercise.also(comparison_reversed)
@where
def above_p(u, p):
    return u > p

@exercise.wrong(loses=WHICH, costs=0.75)
@where
def complement_of_p(u, p):
    """Pixels change with probability 1 - p. p is the probability of being changed, not of staying."""
    return u < 1 - p

@exercise.wrong(loses=WHICH)
@where
def other_end_of_u(u, p):
    """As many pixels change as p says, but others: those where u lies in the upper part. Something with probability p
    happens where u is below p."""
    return u > 1 - p

@exercise.also(other_end_of_u)
@where
def other_end_with_equality(u, p):
    return u >= 1 - p

@exercise.wrong(loses=WHICH)
@where
def p_ignored(u, p):
    """Half of the pixels change whatever p says."""
    return u < 0.5

@exercise.wrong(loses=WHICH)
@where
def one_row_of_noise(u, p):
    """Every row of the image gets the noise of the first one, which makes vertical stripes. u has a number for every
    pixel."""
    return (u[:1] < p).expand(u.shape)

@exercise.wrong(loses=WHICH)
@where
def one_column_of_noise(u, p):
    """Every column of the image gets the noise of the first one, which makes horizontal stripes. u has a number for
    every pixel."""
    return (u[:, :1] < p).expand(u.shape)

@exercise.wrong(loses=WHICH, costs=0.75)
@where
def one_decision_for_the_image(u, p):
    """The first number in u decides for the whole image. Every place has its own."""
    return u[0, 0] < p

@exercise.wrong(loses=WHICH, costs=0.75)
@where
def whole_image_negative(u, p):
    """The whole image became its negative. Only the pixels chosen by u should change."""
    return u >= 0

@exercise.wrong(loses=WHICH, costs=0.25)
@where
def equal_counts_as_below(u, p):
    """A pixel also changes where u equals p. With p = 0 nothing may change, and u can be exactly 0."""
    return u <= p

def becomes(value):
    """The chosen pixels become `value(image, u)`."""

    @functools.wraps(value)
    def answer(image, p, u, chosen=None):
        return torch.where(u < p if chosen is None else chosen, value(image, u), image)

    return answer

@exercise.wrong(loses=NEGATIVE, costs=0.5)
def first_channel_only(image, p, u):
    """Only the first channel is changed. A pixel has a value in every channel, and all of them are inverted."""
    y = image.clone()
    y[0] = torch.where(u < p, 1 - image[0], image[0])
    return y

@exercise.wrong(loses=NEGATIVE, costs=0.75)
@becomes
def sign_changed(image, u):
    """The pixels change their sign and leave the range from 0 to 1. The negative of a bright pixel is dark, not minus
    bright."""
    return -image

@exercise.wrong(loses=NEGATIVE, costs=0.5)
@becomes
def inverted_as_bytes(image, u):
    """The pixels are inverted as if white were 255. In these images white is 1."""
    return 255 - image

@exercise.wrong(loses=NEGATIVE, costs=0.5)
@becomes
def inverted_from_the_brightest(image, u):
    """The pixels were subtracted from the brightest pixel of the image. White is 1, whether the image holds it or
    not."""
    return image.max() - image

@exercise.wrong(loses=NEGATIVE, costs=0.75)
@becomes
def set_to_zero(image, u):
    """The chosen pixels become black. This exercise inverts them instead of erasing them."""
    return torch.zeros_like(image)

@exercise.wrong(loses=WHICH)
def other_pixels_become_zero(image, p, u):
    """The chosen pixels are negative, but all others become black: an image times a mask is zero where the mask is. To
    those that change, the ones that stay have to be added."""
    return (u < p).to(image) * (1 - image)

@exercise.wrong(loses=NEGATIVE, costs=0.75)
@becomes
def value_of_the_mirrored_place(image, u):
    """The chosen pixels take the value of the pixel at the mirrored place. To flip a pixel here is to invert it: bright
    becomes dark, and no pixel moves."""
    return image.flip(-1)

@exercise.also(value_of_the_mirrored_place)
@becomes
def value_of_the_place_upside_down(image, u):
    return image.flip(-2)

@exercise.also(value_of_the_mirrored_place)
@becomes
def value_of_the_place_turned_round(image, u):
    return image.flip(-2, -1)

@exercise.wrong(loses=NEGATIVE, costs=0.75)
@becomes
def set_to_one(image, u):
    """The chosen pixels become white, whatever they were. Each should become its own negative."""
    return torch.ones_like(image)

@exercise.wrong(loses=NEGATIVE)
@becomes
def noise_as_value(image, u):
    """The chosen pixels take the value of the noise itself. u only decides which pixels change."""
    return u.expand_as(image)

@exercise.wrong(loses=NEGATIVE)
@becomes
def complement_of_the_noise(image, u):
    """The chosen pixels become 1 minus the noise. They become 1 minus their own value; u only decides which pixels
    change."""
    return (1 - u).expand_as(image)

for value in (sign_changed, inverted_as_bytes, inverted_from_the_brightest, set_to_zero):
    exercise.both(comparison_reversed, value)(lambda image, p, u, value=value: value(image, p, u, u >= p))
    exercise.both(comparison_reversed, value)(lambda image, p, u, value=value: value(image, p, u, u > p))
    exercise.both(one_decision_for_the_image, value)(lambda image, p, u, value=value: value(image, p, u, u[0, 0] < p))
