"""Resizing by bilinear interpolation, so that the short side gets a given length."""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F

from autograder.exercise import Case, Exercise, one_of
from exercises.augmentation.shared import LIBRARY_IMAGES, interpolated, numbered, picture, resized, short_side
from exercises.draws import uniform

EXACT = ("by hand", "landscape, *", "portrait, *", "square, strided")

exercise = Exercise("resize-short-side", "resize_short_side(image, size)", returns="image", forbidden=LIBRARY_IMAGES)
SHORT = exercise.criterion("the short side gets the size, the aspect is kept", 1, cases=EXACT, outputs="size")
ROUNDS = exercise.criterion("the other side is rounded", 0.5, cases="long side*")
BILINEAR = exercise.criterion("interpolates between pixel centers", 1, cases=EXACT, outputs=("pixels", "interior"))

def ramp(g, channels, height, width):
    """A plane in every channel: smoothing beforehand changes nothing but the border."""
    down, right = uniform(g, 0.01, 0.02, channels, 1, 1), uniform(g, 0.02, 0.03, channels, 1, 1)
    rows, columns = torch.arange(height).double()[:, None], torch.arange(width).double()
    return uniform(g, 0.1, 0.2, channels, 1, 1) + down * rows + right * columns

@exercise.cases
def cases(g):
    def case(image, size, *outputs, driver="augmentation/resized"):
        return Case({"image": image, "size": size}, driver=driver, outputs=("size", *outputs))

    wide, enlarged = one_of(g, ((4, 6), 6), ((4, 6), 8), ((2, 5), 4), ((6, 9), 8))
    down, to_down = one_of(g, ((5, 8), 7), ((5, 7), 6), ((7, 9), 8))
    up, to_up = one_of(g, ((7, 4), 5), ((8, 3), 4), ((9, 5), 6))
    yield "by hand", case(numbered(1, 2, 3), 4, "pixels")
    yield "landscape, enlarged", case(picture(g, 3, *wide), enlarged, "pixels")
    yield "portrait, enlarged, float32", case(picture(g, 2, 9, 3, dtype=torch.float32), 5, "pixels")
    yield "landscape, as it is", case(picture(g, 2, 3, 5), 3, "pixels")
    yield "square, strided", case(picture(g, 4, 4, 4), 7, "pixels", driver="augmentation/resized-strided")
    yield "landscape, one row", case(picture(g, 2, 1, 3), 2, "pixels")
    yield "landscape, reduced", case(ramp(g, 3, 8, 14), 4, "interior")
    yield "portrait, reduced", case(ramp(g, 2, 15, 9), 3, "interior")
    yield "long side to be rounded down", case(picture(g, 3, *down), to_down)
    yield "long side to be rounded up", case(picture(g, 2, *up), to_up)

@exercise.reference
def by_the_formula(image, size):
    return interpolated(image, *short_side(image, size))

@exercise.right
def torch_interpolate(image, size):
    height, width = image.shape[1:]
    scale = size / min(height, width)
    new = (int(height * scale + 0.5), int(width * scale + 0.5))
    return F.interpolate(image.unsqueeze(0), size=new, mode="bilinear", align_corners=False).squeeze(0)

@exercise.right
def smoothed_before_reducing(image, size):
    return resized(image, *short_side(image, size), align_corners=False, antialias=True)

@exercise.right
def grid_sample(image, size):
    height, width = short_side(image, size)
    theta = torch.eye(2, 3, dtype=image.dtype, device=image.device)[None]
    grid = F.affine_grid(theta, [1, len(image), height, width], align_corners=False)
    return F.grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0]

@exercise.right
def numpy_one_axis_after_the_other(image, size):
    y = image.numpy()
    for axis, new in zip((1, 2), short_side(image, size), strict=True):
        old = y.shape[axis]
        places = (np.arange(new) + 0.5) * old / new - 0.5
        y = np.apply_along_axis(functools.partial(np.interp, places, np.arange(old)), axis, y)
    return torch.from_numpy(y).to(image.dtype)

def enlarged_to(sides, **options):
    """Resized to the height and width that `sides(image, size)` gives."""

    @functools.wraps(sides)
    def answer(image, size):
        return resized(image, *sides(image, size), **{"align_corners": False, **options})

    return answer

@exercise.wrong(loses=SHORT, costs=1.5)
@enlarged_to
def both_sides_resized(image, size):
    """Both sides get the size, so everything in the image becomes thinner or wider. Only the short side is given; the
    other follows from the aspect."""
    return size, size

@exercise.wrong(loses=SHORT)
@enlarged_to
def long_side_resized(image, size):
    """The long side gets the size. Then the short one becomes smaller than the crop that is to be cut out of the image
    later."""
    scale = size / max(image.shape[-2:])
    return tuple(round(n * scale) for n in image.shape[-2:])

@exercise.wrong(loses=SHORT)
@enlarged_to
def height_always(image, size):
    """The height gets the size even where the width is the shorter side. An image can be portrait or landscape."""
    height, width = image.shape[-2:]
    return size, round(width * size / height)

@exercise.wrong(loses=SHORT)
@enlarged_to
def width_always(image, size):
    """The width gets the size even where the height is the shorter side. An image can be portrait or landscape."""
    height, width = image.shape[-2:]
    return round(height * size / width), size

@exercise.wrong(loses=SHORT)
@enlarged_to
def height_and_width_swapped(image, size):
    """Height and width are exchanged. A size is given as rows, then columns."""
    return short_side(image, size)[::-1]

@exercise.wrong(loses=SHORT, costs=1.5)
@enlarged_to
def channels_taken_for_height(image, size):
    """The number of channels was taken for the height. An image here has the axes (C, H, W)."""
    height, width = image.shape[:2]
    scale = size / min(height, width)
    return round(height * scale), round(width * scale)

@exercise.wrong(loses=SHORT, costs=0.75)
@enlarged_to
def scale_without_fraction(image, size):
    """The factor was rounded down to a whole number, so only doubling, tripling and so on come out right. Keep the
    fraction until the side itself is rounded."""
    return tuple(n * (size // min(image.shape[-2:])) for n in image.shape[-2:])

@exercise.wrong(loses=SHORT)
def never_enlarged(image, size):
    """An image that is smaller than the size comes back as it is. It should become larger."""
    return by_the_formula(image, size) if min(image.shape[-2:]) > size else image.clone()

@exercise.wrong(loses=SHORT)
def never_reduced(image, size):
    """An image that is larger than the size comes back as it is. It should become smaller."""
    return by_the_formula(image, size) if min(image.shape[-2:]) < size else image.clone()

@exercise.wrong(loses=SHORT)
def cut_to_a_square(image, size):
    """The result is square: after resizing, the long side was cut off. Cropping is another step, in the next
    exercise."""
    image = by_the_formula(image, size)
    top, left = ((n - size) // 2 for n in image.shape[-2:])
    return image.narrow(1, top, size).narrow(2, left, size)

@exercise.also(cut_to_a_square)
def cut_at_the_end(image, size):
    return by_the_formula(image, size)[:, :size, :size]

@exercise.wrong(loses=SHORT, costs=0.5)
def batch_axis_left(image, size):
    """The result has one axis too many: a batch of one image. An image comes in with three axes and leaves with
    three."""
    return by_the_formula(image, size)[None]

@exercise.wrong(loses=ROUNDS)
@enlarged_to
def rounded_down(image, size):
    """The other side is always rounded down, so the aspect is kept less well than possible. It should be rounded to the
    nearest whole number."""
    return short_side(image, size, math.floor)

@exercise.wrong(loses=ROUNDS)
@enlarged_to
def rounded_up(image, size):
    """The other side is always rounded up. It should be rounded to the nearest whole number."""
    return short_side(image, size, math.ceil)

@exercise.wrong(loses=BILINEAR, costs=0.5)
def corners_aligned(image, size):
    """The centers of the corner pixels were laid upon each other, which stretches the image by a part of a pixel that
    depends on its size. A pixel is a square: its corners are to be aligned, not its center."""
    return resized(image, *short_side(image, size), align_corners=True)

@exercise.wrong(loses=BILINEAR, costs=0.5)
def half_pixel_forgotten(image, size):
    """The image is moved by a part of a pixel. A pixel's center lies half a pixel from its edge, before and after
    resizing."""
    # Without the half pixel: new pixel i comes from i * old / new.
    height, width = short_side(image, size)
    for new in (height, width):  # the second pass works on the transposed image
        old = image.shape[-2]
        places = (torch.arange(new, dtype=image.dtype) * old / new).clamp(max=old - 1)
        before = places.long()
        after = (before + 1).clamp(max=old - 1)
        part = (places - before)[:, None]
        image = (image[..., before, :] * (1 - part) + image[..., after, :] * part).mT
    return image

@exercise.wrong(loses=BILINEAR, costs=0.75)
def nearest_neighbor(image, size):
    """Each new pixel copies an old one instead of interpolating between four: that is what the library does unless it
    is told otherwise."""
    return resized(image, *short_side(image, size), mode="nearest")

@exercise.wrong(loses=BILINEAR, costs=0.5)
def bicubic(image, size):
    """The interpolation is bicubic: it uses sixteen pixels and can leave the range of the image. Bilinear was asked
    for."""
    return resized(image, *short_side(image, size), mode="bicubic", align_corners=False)

@exercise.also(bicubic)
def bicubic_and_clamped(image, size):
    return bicubic(image, size).clamp(0, 1)

for sides in (both_sides_resized, long_side_resized, height_always, width_always, height_and_width_swapped):
    exercise.both(sides, corners_aligned)(enlarged_to(sides.__wrapped__, align_corners=True))
    exercise.both(sides, nearest_neighbor)(enlarged_to(sides.__wrapped__, mode="nearest", align_corners=None))
    exercise.both(sides, batch_axis_left)(
        lambda image, size, sides=sides.__wrapped__: resized(image, *sides(image, size), align_corners=False)[None]
    )

for sides, rounded in (
    (long_side_resized, lambda image, size: (n * size // max(image.shape[-2:]) for n in image.shape[-2:])),
    (height_always, lambda image, size: (size, image.shape[-1] * size // image.shape[-2])),
    (width_always, lambda image, size: (image.shape[-2] * size // image.shape[-1], size)),
    (height_and_width_swapped, lambda image, size: short_side(image, size, math.floor)[::-1]),
):
    exercise.both(sides, rounded_down)(enlarged_to(rounded))
