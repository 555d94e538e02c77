"""Color jitter: brightness, then contrast about the mean, then clamped."""

import functools

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, picture
from exercises.draws import uniform

exercise = Exercise(
    "colour-jitter", "colour_jitter(image, brightness, contrast)", returns="image", forbidden=LIBRARY_IMAGES
)
BRIGHTNESS = exercise.criterion("multiplies by the brightness", 0.5, cases="brightness*")
CONTRAST = exercise.criterion("stretches the contrast about the mean of the brighter image", 1, cases="contrast*")
CLAMPS = exercise.criterion("stays between 0 and 1", 0.5, cases="clamped*")

@exercise.cases
def cases(g):
    def case(image, brightness, contrast, driver="call"):
        return Case({"image": image, "brightness": brightness, "contrast": contrast}, driver=driver)

    def tinted(low, high, *shape, dtype=torch.float64):
        """An image whose channels differ in brightness, within [low, high)."""
        share = torch.linspace(0, 0.5, shape[0], dtype=torch.float64)[:, None, None]
        return (low + (high - low) * (share + 0.5 * picture(g, *shape, low=0.0, high=1.0))).to(dtype)

    def by_hand(*channels):
        return torch.tensor(channels, dtype=torch.float64)[:, None]

    extreme = tinted(0.1, 0.9, 3, 4, 5)
    extreme[0, 0, :2], extreme[-1, -1, -2:] = uniform(g, 0.01, 0.03, 2), uniform(g, 0.96, 0.99, 2)
    dark, light = float(uniform(g, 0.6, 0.7, 1)), float(uniform(g, 1.2, 1.3, 1))
    narrow = tinted(0.3, 0.6, 3, 5, 5, dtype=torch.float32)
    middle = by_hand([0.4, 0.5, 0.6], [0.6, 0.7, 0.8], [0.2, 0.3, 0.4])
    yield "contrast and brightness, by hand", case(middle, 0.5, 1.5)
    yield "brightness, by hand", case(by_hand([0.2, 0.4], [0.4, 0.6], [0.3, 0.5]), 1.5, 1.0)
    spread_out = by_hand([0.0, 0.2, 0.5], [0.1, 0.7, 0.8], [0.4, 0.9, 0.9])
    yield "clamped, by hand", case(spread_out, 1.25, 2.0)
    yield "clamped, darker, by hand", case(spread_out, 0.75, 3.0)
    yield "brightness, darker", case(tinted(0.1, 0.7, 3, 5, 4), dark, 1.0)
    yield "brightness, lighter, float32", case(tinted(0.1, 0.7, 1, 4, 6, dtype=torch.float32), light, 1.0)
    yield "contrast, lower", case(tinted(0.1, 0.9, 3, 5, 7), 1.0, 0.6)
    yield "contrast, none", case(tinted(0.1, 0.7, 3, 3, 4), light, 0.0)
    yield "contrast and brightness", case(tinted(0.3, 0.6, 3, 4, 6), dark, 1.4)
    yield "contrast and brightness, float32, strided", case(narrow, light, 0.7, "call-strided")
    yield "clamped at both ends", case(extreme, light, 1.9)
    yield "clamped, darker", case(extreme, dark, 1.9)

@exercise.reference
def jitter(image, brightness, contrast):
    brighter = [value * brightness for value in image.flatten().tolist()]
    mean = sum(brighter) / len(brighter)
    flat = [min(max((value - mean) * contrast + mean, 0.0), 1.0) for value in brighter]
    return torch.tensor(flat, dtype=image.dtype).reshape(image.shape)

@exercise.right
def the_formula(image, brightness, contrast):
    x = image * brightness
    return ((x - x.mean()) * contrast + x.mean()).clamp(0, 1)

@exercise.right
def lerp(image, brightness, contrast):
    x = image * brightness
    return torch.clip(torch.lerp(x.mean().expand_as(x), x, contrast), 0, 1)

@exercise.right
def contrast_first(image, brightness, contrast):
    mean = image.mean()
    return (((image - mean) * contrast + mean) * brightness).clamp(min=0).clamp(max=1)

@exercise.right
def one_affine_map(image, brightness, contrast):
    shift = brightness * (1 - contrast) * image.sum() / image.numel()
    return torch.minimum(torch.relu(brightness * contrast * image + shift), torch.ones_like(image))

@exercise.right
def numpy(image, brightness, contrast):
    x = image.numpy() * brightness
    y = np.clip(contrast * x + (1 - contrast) * np.mean(x), 0, 1)
    return torch.from_numpy(y.astype(image.numpy().dtype))

def afterwards(limit):
    """The right image before it is clamped, and what `limit` makes of it."""

    @functools.wraps(limit)
    def answer(image, brightness, contrast):
        x = image * brightness
        return limit((x - x.mean()) * contrast + x.mean())

    return answer

@exercise.wrong(loses=CLAMPS)
@afterwards
def not_clamped(y):
    """Some pixels leave the range from 0 to 1. No image looks like that, and the network has never seen one."""
    return y

@exercise.wrong(loses=CLAMPS, costs=0.25)
@afterwards
def clamped_from_below_only(y):
    """Pixels above 1 remain: was white taken to be 255? Both ends of the range have to be clamped."""
    return y.clamp(min=0)

@exercise.wrong(loses=CLAMPS, costs=0.25)
@afterwards
def clamped_from_above_only(y):
    """Pixels below 0 remain. Both ends of the range have to be clamped."""
    return y.clamp(max=1)

@exercise.wrong(loses=CLAMPS)
@afterwards
def rescaled_instead_of_clamped(y):
    """The whole image was squeezed into the range from 0 to 1, which undoes the contrast. Only the pixels outside are
    set to the end of the range."""
    low, high = min(float(y.min()), 0.0), max(float(y.max()), 1.0)
    return (y - low) / (high - low)

@exercise.wrong(loses=CLAMPS, costs=0.25)
def clamped_in_between(image, brightness, contrast):
    """The image was also clamped between brightness and contrast. What is cut off there is missing from the mean and
    from the contrast; clamp once, at the end."""
    x = (image * brightness).clamp(0, 1)
    return ((x - x.mean()) * contrast + x.mean()).clamp(0, 1)

@exercise.wrong(loses=CLAMPS, costs=0.25)
def contrast_first_and_clamped(image, brightness, contrast):
    """The contrast came first, was clamped, and then the image became darker or lighter: what was cut off at white does
    not come back. Clamp once, at the end; then the order makes no difference."""
    return (the_formula(image, 1.0, contrast) * brightness).clamp(0, 1)

def about(middle):
    """Contrast about `middle(x, image)`, given the brighter image and the original."""

    @functools.wraps(middle)
    def answer(image, brightness, contrast):
        x = image * brightness
        m = middle(x, image)
        return ((x - m) * contrast + m).clamp(0, 1)

    return answer

@exercise.wrong(loses=CONTRAST, costs=0.75)
@about
def contrast_about_zero(x, image):
    """The contrast multiplies the pixels themselves, which is once more a brightness. It stretches their distance from
    the mean."""
    return 0.0

@exercise.wrong(loses=CONTRAST, costs=0.5)
@about
def contrast_about_one_half(x, image):
    """The contrast stretches the distance from 1/2. In a dark image that changes the brightness too: use the mean of
    this image."""
    return 0.5

@exercise.wrong(loses=CONTRAST, costs=0.5)
@about
def mean_of_each_channel(x, image):
    """Every channel has a mean of its own. That keeps a color cast which contrast should change: there is one mean for
    the whole image."""
    return x.mean((1, 2), keepdim=True)

@exercise.wrong(loses=CONTRAST, costs=0.5)
@about
def mean_of_each_pixel(x, image):
    """The mean was taken over the channels of each pixel. That stretches the colors (saturation), not the contrast of
    the image."""
    return x.mean(0, keepdim=True)

@exercise.wrong(loses=CONTRAST, costs=0.5)
@about
def mean_before_brightness(x, image):
    """The mean is that of the image before it became brighter or darker. The contrast acts on the changed image and
    needs its mean."""
    return image.mean()

def luminance(weights):
    """The mean of the gray image, in which the channels have weights; a single channel is gray already."""
    return lambda x, image: (x * x.new_tensor(weights)[:, None, None]).sum(0).mean() if len(x) == 3 else x.mean()

@exercise.wrong(loses=CONTRAST, costs=0.5)
@about
def mean_of_the_luminance(x, image):
    """The mean is that of the gray image, in which green counts more than red and blue; libraries do it like that.
    Here all pixels and channels count the same."""
    return luminance([0.299, 0.587, 0.114])(x, image)

exercise.also(mean_of_the_luminance)(about(luminance([0.2989, 0.587, 0.114])))

@exercise.wrong(loses=CONTRAST)
def contrast_ignored(image, brightness, contrast):
    """The contrast does not change: the argument contrast is not used."""
    return the_formula(image, brightness, 1.0)

@exercise.wrong(loses=CONTRAST)
def mean_not_added_back(image, brightness, contrast):
    """The mean was subtracted and not added again, so half of the image is below zero and becomes black."""
    x = image * brightness
    return ((x - x.mean()) * contrast).clamp(0, 1)

@exercise.wrong(loses=BRIGHTNESS)
def brightness_added(image, brightness, contrast):
    """The brightness was added to the pixels. It is a factor: black stays black."""
    x = image + (brightness - 1)
    return ((x - x.mean()) * contrast + x.mean()).clamp(0, 1)

@exercise.also(brightness_added)
def brightness_added_whole(image, brightness, contrast):
    x = image + brightness
    return ((x - x.mean()) * contrast + x.mean()).clamp(0, 1)

@exercise.wrong(loses=BRIGHTNESS)
def brightness_ignored(image, brightness, contrast):
    """The image does not become brighter or darker: the argument brightness is not used."""
    return the_formula(image, 1.0, contrast)

@exercise.wrong(loses=(BRIGHTNESS, CONTRAST), costs=1)
def arguments_swapped(image, brightness, contrast):
    """Brightness and contrast are exchanged."""
    return the_formula(image, contrast, brightness)

@exercise.wrong(loses=(BRIGHTNESS, CONTRAST), costs=0.75)
def factors_taken_for_changes(image, brightness, contrast):
    """1 was added to brightness and contrast. They are factors already: 1 leaves the image as it is, 0 makes it black
    or flat."""
    return the_formula(image, 1 + brightness, 1 + contrast)

for mistake in (mean_of_each_channel, mean_of_each_pixel):
    exercise.both(mistake, clamped_in_between)(
        lambda image, brightness, contrast, mistake=mistake: mistake((image * brightness).clamp(0, 1), 1.0, contrast)
    )
for mistake in (
    contrast_about_zero, contrast_about_one_half, mean_of_each_channel, mean_of_each_pixel, mean_before_brightness
):
    exercise.both(mistake, not_clamped)(
        lambda image, brightness, contrast, middle=mistake.__wrapped__: torch.lerp(
            torch.as_tensor(middle(image * brightness, image)).to(image).expand_as(image), image * brightness, contrast
        )
    )
