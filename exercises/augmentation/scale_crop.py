"""Random scale and random crop, as ResNet trains: noise decides the short side and the place of the crop."""

import math

import torch

from autograder.exercise import Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, interpolated, numbered, picture, resized, short_side
from exercises.draws import uniform

exercise = Exercise(
    "scale-crop", "random_scale_crop(image, low, high, crop, u)", returns="crop", forbidden=LIBRARY_IMAGES
)
PLACE = exercise.criterion("cuts the crop at the place given by u", 1, cases="as it is*")
SCALE = exercise.criterion("resizes the short side to every value from low to high", 1, cases="scaled*")
LAST = exercise.criterion("reaches the last place", 0.5, cases="u almost 1*")

@exercise.cases
def cases(g):
    def case(image, low, high, crop, *u, spread=0.01):
        noise = torch.tensor(u, dtype=torch.float64) + uniform(g, 0.0, spread, 3)
        return {"image": image, "low": low, "high": high, "crop": crop, "u": noise.to(image.dtype)}

    almost_one = torch.full((3,), 1 - 1e-6, dtype=torch.float64)
    last = {"image": picture(g, 3, 5, 9), "low": 5, "high": 5, "crop": 3, "u": almost_one}
    yield "as it is, by hand", case(numbered(1, 3, 4), 3, 3, 2, 0.5, 0.5, 0.75, spread=0.0)
    yield "scaled, by hand", case(numbered(1, 2, 4), 2, 4, 2, 0.75, 0.5, 0.25, spread=0.0)
    yield "u almost 1, by hand", case(numbered(1, 3, 4), 3, 3, 2, *[0.999999] * 3, spread=0.0)
    yield "as it is", case(picture(g, 3, 6, 11), 6, 6, 4, 0.9, 0.5, 0.3)
    yield "as it is, u = 0", case(picture(g, 2, 6, 5), 5, 5, 4, 0.0, 0.0, 0.0, spread=0.0)
    yield "as it is, crop as high as the image", case(picture(g, 2, 5, 8, dtype=torch.float32), 5, 5, 5, 0.3, 0.9, 0.6)
    yield "u almost 1", last
    yield "scaled, smallest", case(picture(g, 3, 4, 8), 5, 8, 4, 0.1, 0.2, 0.45)
    yield "scaled, largest", case(picture(g, 3, 4, 8), 5, 8, 4, 0.9, 0.3, 0.7)
    yield "scaled, portrait, float32", case(picture(g, 2, 6, 3, dtype=torch.float32), 4, 6, 3, 0.5, 0.3, 0.7)
    yield "scaled, square, crop = short side", case(picture(g, 4, 3, 3), 4, 4, 4, 0.6, 0.5, 0.5)

def pick(u, n):
    return min(int(u * n), n - 1)

def scaled(image, side):
    return interpolated(image, *short_side(image, side))

def drawn_side(low, high, u):
    return low + pick(float(u[0]), high - low + 1)

def crop_at(image, top, left, crop):
    return image[:, top : top + crop, left : left + crop]

def drawn_crop(image, crop, u):
    """The crop at the place given by u; what there is of an image that is too small."""
    top, left = (pick(float(u[1 + i]), max(image.shape[1 + i] - crop + 1, 1)) for i in range(2))
    return crop_at(image, top, left, crop)

@exercise.reference
def by_the_formula(image, low, high, crop, u):
    return drawn_crop(scaled(image, drawn_side(low, high, u)), crop, u)

@exercise.right
def narrow(image, low, high, crop, u):
    side = int(torch.floor(low + u[0] * (high - low + 1)))
    image = resized(image, *short_side(image, side), align_corners=False, antialias=True)
    rest = torch.tensor(image.shape[1:], device=u.device) - crop + 1
    top, left = (u[1:] * rest).long().tolist()
    return image.narrow(1, top, crop).narrow(2, left, crop)

@exercise.right
def all_windows_unfolded(image, low, high, crop, u):
    sides = list(range(low, high + 1))
    image = resized(image, *short_side(image, sides[int(u[0] * len(sides))]), align_corners=False)
    windows = image.unfold(1, crop, 1).unfold(2, crop, 1)
    top, left = int(u[1] * windows.shape[1]), int(u[2] * windows.shape[2])
    return windows[:, top, left]

@exercise.right
def index_select(image, low, high, crop, u):
    image = interpolated(image, *short_side(image, low + int(u[0].item() * (high + 1 - low))))
    first = [int(v * (n - crop + 1)) for v, n in zip(u[1:].tolist(), image.shape[1:], strict=True)]
    rows, columns = (torch.arange(start, start + crop, device=image.device) for start in first)
    return image.index_select(1, rows).index_select(2, columns)

def placed(image, crop, u, count):
    """The crop whose place is the part u of `count(n)` places along a side of length n."""
    top, left = (int(float(u[1 + i]) * count(image.shape[1 + i])) for i in range(2))
    return crop_at(image, top, left, crop)

@exercise.wrong(loses=LAST)
def last_place_never_drawn(image, low, high, crop, u):
    """The crop never reaches the last row or column of the image. Between the first and the last place there is one
    place more than there are pixels left over."""
    return placed(scaled(image, drawn_side(low, high, u)), crop, u, lambda n: n - crop)

@exercise.also(last_place_never_drawn)
def last_row_never_drawn(image, low, high, crop, u):
    image = scaled(image, drawn_side(low, high, u))
    height, width = image.shape[1:]
    return crop_at(image, pick(float(u[1]), max(height - crop, 1)), pick(float(u[2]), width - crop + 1), crop)

@exercise.also(last_place_never_drawn)
def last_column_never_drawn(image, low, high, crop, u):
    image = scaled(image, drawn_side(low, high, u))
    height, width = image.shape[1:]
    return crop_at(image, pick(float(u[1]), height - crop + 1), pick(float(u[2]), max(width - crop, 1)), crop)

@exercise.wrong(loses=SCALE, costs=0.5)
def largest_size_never_drawn(image, low, high, crop, u):
    """The largest size is never drawn. From low to high, both included, there is one more size than their
    difference."""
    return drawn_crop(scaled(image, low + int(float(u[0]) * (high - low))), crop, u)

@exercise.both(last_place_never_drawn, largest_size_never_drawn)
def no_last_one(image, low, high, crop, u):
    return placed(scaled(image, low + int(float(u[0]) * (high - low))), crop, u, lambda n: n - crop)

@exercise.wrong(loses=(PLACE, SCALE), costs=1)
def rounded_to_the_nearest(image, low, high, crop, u):
    """The number times its range was rounded to the nearest instead of down, so the first and the last value come half
    as often as the others. Of n values the one with the number u times n, rounded down, is meant."""
    image = scaled(image, low + round(float(u[0]) * (high - low)))
    top, left = (round(float(u[1 + i]) * (image.shape[1 + i] - crop)) for i in range(2))
    return crop_at(image, top, left, crop)

@exercise.wrong(loses=PLACE, costs=0.5)
def place_rounded_to_the_nearest(image, low, high, crop, u):
    """The place was rounded to the nearest instead of down. So the first one comes half as often as the others, and one
    beyond the last comes too, where the crop leaves the image."""
    return placed_by(round, scaled(image, drawn_side(low, high, u)), crop, u)

@exercise.wrong(loses=SCALE, costs=0.5)
def size_rounded_to_the_nearest(image, low, high, crop, u):
    """The size was rounded to the nearest instead of down. So the smallest comes half as often as the others, and one
    that is larger than high comes too."""
    return drawn_crop(scaled(image, low + round(float(u[0]) * (high - low + 1))), crop, u)

@exercise.both(place_rounded_to_the_nearest, size_rounded_to_the_nearest)
def all_rounded_to_the_nearest(image, low, high, crop, u):
    return placed_by(round, scaled(image, low + round(float(u[0]) * (high - low + 1))), crop, u)

def placed_by(rounding, image, crop, u, places=1):
    """The crop whose place is u times the number of places, rounded otherwise; what there is of it in the image."""
    rest = [n - crop + places for n in image.shape[1:]]
    return crop_at(image, *(rounding(float(u[1 + i]) * n) for i, n in enumerate(rest)), crop)

@exercise.wrong(loses=(PLACE, SCALE), costs=1)
def rounded_up(image, low, high, crop, u):
    """The number times its range was rounded up instead of down, so the first value comes only where u is exactly 0. Of
    n values the one with the number u times n, rounded down, is meant; the first has the number 0."""
    return placed_by(math.ceil, scaled(image, low + math.ceil(float(u[0]) * (high - low + 1))), crop, u)

@exercise.also(rounded_up)
def rounded_up_to_the_last(image, low, high, crop, u):
    side = low + math.ceil(float(u[0]) * (high - low))
    return placed_by(math.ceil, scaled(image, side), crop, u, places=0)

@exercise.wrong(loses=(PLACE, SCALE), costs=1)
def rounded_down_too_early(image, low, high, crop, u):
    """The crop always comes from the top left corner of the image at its smallest size, whatever u says. Were the
    numbers in u rounded down before they were multiplied? All of them are 0 then."""
    return crop_at(scaled(image, low), 0, 0, crop)

@exercise.wrong(loses=SCALE, costs=0.75)
def smallest_size_always(image, low, high, crop, u):
    """The short side always gets the smallest size. The first number in u chooses between low and high."""
    return drawn_crop(scaled(image, low), crop, u)

@exercise.wrong(loses=SCALE, costs=0.75)
def largest_size_always(image, low, high, crop, u):
    """The short side always gets the largest size. The first number in u chooses between low and high."""
    return drawn_crop(scaled(image, high), crop, u)

@exercise.wrong(loses=SCALE, costs=0.5)
def two_sizes_only(image, low, high, crop, u):
    """Only the smallest and the largest size are drawn. Every whole number between them should be possible."""
    return drawn_crop(scaled(image, low if float(u[0]) < 0.5 else high), crop, u)

@exercise.wrong(loses=SCALE)
def not_resized(image, low, high, crop, u):
    """The crop is cut out of the image at its own size. First its short side is resized to the number drawn between low
    and high."""
    return drawn_crop(image, crop, u)

@exercise.wrong(loses=SCALE)
def aspect_lost(image, low, high, crop, u):
    """Both sides were resized to the same number, so what is in the image is squeezed. Only the short side is drawn;
    the aspect stays."""
    side = drawn_side(low, high, u)
    return drawn_crop(interpolated(image, side, side), crop, u)

@exercise.wrong(loses=SCALE)
def long_side_resized(image, low, high, crop, u):
    """The long side was resized to the number drawn. Then the short one can be smaller than the crop."""
    scale = drawn_side(low, high, u) / max(image.shape[1:])
    return drawn_crop(interpolated(image, *(round(n * scale) for n in image.shape[1:])), crop, u)

@exercise.wrong(loses=(PLACE, SCALE), costs=1.5)
def cut_first_then_resized(image, low, high, crop, u):
    """A square was cut out of the image first and then resized to the crop. Here the order is the other one: the whole
    image is resized, and the crop is cut out of it."""
    side = min(drawn_side(low, high, u), *image.shape[1:])
    return resized(drawn_crop(image, side, u), crop, crop, align_corners=False)

@exercise.also(cut_first_then_resized)
def crop_resized_to_the_drawn_side(image, low, high, crop, u):
    side = drawn_side(low, high, u)
    return resized(drawn_crop(image, crop, u), side, side, align_corners=False)

@exercise.wrong(loses=SCALE, costs=0.5)
def places_of_the_original(image, low, high, crop, u):
    """The place was drawn with the height and width that the image had before it was resized. The numbers of places
    follow from the sides of the resized image."""
    top, left = (int(float(u[1 + i]) * (image.shape[1 + i] - crop + 1)) for i in range(2))
    return crop_at(scaled(image, drawn_side(low, high, u)), top, left, crop)

@exercise.wrong(loses=PLACE, costs=0.5)
def short_side_for_both_places(image, low, high, crop, u):
    """Rows and columns were drawn from equally many places, those along the short side. Along the long side there are
    more, so its end is never seen."""
    side = drawn_side(low, high, u)
    return placed(scaled(image, side), crop, u, lambda n: side - crop + 1)

@exercise.wrong(loses=PLACE, costs=0.75)
def row_and_column_swapped(image, low, high, crop, u):
    """The numbers for the row and the column are exchanged: the second one in u places the top edge, the third the left
    one."""
    return by_the_formula(image, low, high, crop, u[[0, 2, 1]])

@exercise.both(row_and_column_swapped, last_place_never_drawn)
def swapped_and_the_last_place_never_drawn(image, low, high, crop, u):
    return last_place_never_drawn(image, low, high, crop, u[[0, 2, 1]])

@exercise.wrong(loses=PLACE, costs=0.5)
def height_and_width_exchanged(image, low, high, crop, u):
    """Height and width of the resized image are exchanged: the row was drawn from the places along the width, the
    column from those along the height. In a square that makes no difference."""
    image = scaled(image, drawn_side(low, high, u))
    top, left = (int(float(u[1 + i]) * (image.shape[2 - i] - crop + 1)) for i in range(2))
    return crop_at(image, top, left, crop)

@exercise.wrong(loses=PLACE, costs=0.75)
def one_number_for_both(image, low, high, crop, u):
    """The same number places row and column, so the crops lie on a diagonal. The third number in u is for the
    columns."""
    return by_the_formula(image, low, high, crop, u[[0, 1, 1]])

@exercise.wrong(loses=PLACE, costs=0.75)
def first_number_for_everything(image, low, high, crop, u):
    """The first number in u decides about everything, so the size says where the crop lies. There are three numbers:
    for the size, the row and the column."""
    return by_the_formula(image, low, high, crop, u[[0, 0, 0]])

@exercise.wrong(loses=PLACE, costs=0.5)
def length_taken_for_the_end(image, low, high, crop, u):
    """The crop is too small, or empty, unless it lies in the top left corner: it ends at the row and the column whose
    number is its length. An end is counted from the edge of the image, so it lies that length behind the start."""
    image = scaled(image, drawn_side(low, high, u))
    top, left = (pick(float(u[1 + i]), image.shape[1 + i] - crop + 1) for i in range(2))
    return image[:, top:crop, left:crop]

@exercise.wrong(loses=(PLACE, SCALE), costs=0.5)
def batch_axis_left(image, low, high, crop, u):
    """The result has one axis too many: a batch of one image. An image comes in with three axes and leaves with
    three."""
    return by_the_formula(image, low, high, crop, u)[None]

@exercise.wrong(loses=PLACE)
def always_the_center(image, low, high, crop, u):
    """The crop always comes from the center. That is for testing; in training u chooses the place."""
    image = scaled(image, drawn_side(low, high, u))
    top, left = ((n - crop) // 2 for n in image.shape[1:])
    return crop_at(image, top, left, crop)

@exercise.wrong(loses=PLACE)
def always_the_top_left_corner(image, low, high, crop, u):
    """The crop always comes from the top left corner. The second and the third number in u choose the place; rounded
    down before they are multiplied they would be 0."""
    return crop_at(scaled(image, drawn_side(low, high, u)), 0, 0, crop)

def resized_otherwise(image, low, high, crop, u, **options):
    return drawn_crop(resized(image, *short_side(image, drawn_side(low, high, u)), **options), crop, u)

@exercise.wrong(loses=SCALE, costs=0.25)
def corners_aligned(image, low, high, crop, u):
    """The crop is right, but the image was resized with the centers of its corner pixels laid upon each other. Compare
    with your function of the previous exercise."""
    return resized_otherwise(image, low, high, crop, u, align_corners=True)

@exercise.wrong(loses=SCALE, costs=0.25)
def nearest_neighbor(image, low, high, crop, u):
    """The crop is right, but the image was resized by copying the nearest pixels. Compare with your function of the
    previous exercise."""
    return resized_otherwise(image, low, high, crop, u, mode="nearest")

@exercise.both(aspect_lost, corners_aligned)
def squeezed_with_corners_aligned(image, low, high, crop, u):
    side = drawn_side(low, high, u)
    return drawn_crop(resized(image, side, side, align_corners=True), crop, u)
