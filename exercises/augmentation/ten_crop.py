"""Ten crops of one image: the corners, the center, and their mirror images."""

import functools
import itertools

import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import (
    LIBRARY_IMAGES,
    cut,
    five_crops,
    numbered,
    picture,
    places,
    ten_crops,
    ten_crops_of_mirrored,
)

SMALLER = ("by hand", "landscape", "portrait, float32", "square, strided", "crops overlap")

exercise = Exercise("ten-crop", "ten_crop(image, crop)", returns="crops", forbidden=LIBRARY_IMAGES)
CORNERS = exercise.criterion("the four corners in their order", 0.5, cases=SMALLER, outputs="corners")
CENTER = exercise.criterion("the center", 0.5, outputs="center")
MIRRORS = exercise.criterion("the mirror images in the same order", 1, cases=SMALLER, outputs="mirrored")

@exercise.cases
def cases(g):
    def case(image, crop, driver="augmentation/ten-crops"):
        return Case({"image": image, "crop": crop}, driver=driver, outputs=("corners", "center", "mirrored"))

    # The rest beside the crop is even, so that there is no question where the center is.
    yield "by hand", case(numbered(1, 4, 4), 2)
    yield "landscape", case(picture(g, 3, 7, 9), 3)
    yield "portrait, float32", case(picture(g, 2, 10, 6, dtype=torch.float32), 4)
    yield "square, strided", case(picture(g, 4, 8, 8), 4, "augmentation/ten-crops-strided")
    yield "crops overlap", case(picture(g, 3, 6, 8), 4)
    yield "crop as large as the image", case(picture(g, 2, 5, 5), 5)

@exercise.reference
def pixel_by_pixel(image, crop):
    pixels = image.tolist()
    five = [
        [[[plane[top + i][left + j] for j in range(crop)] for i in range(crop)] for plane in pixels]
        for top, left in places(image, crop)
    ]
    mirrored = [[[row[::-1] for row in plane] for plane in each] for each in five]
    return torch.tensor(five + mirrored, dtype=image.dtype)

exercise.right(ten_crops)

@exercise.right
def written_one_by_one(image, crop):
    y = image.new_empty(10, image.shape[0], crop, crop)
    for i, (top, left) in enumerate(places(image, crop)):
        y[i] = image[:, top : top + crop, left : left + crop]
        y[5 + i] = torch.fliplr(y[i].permute(1, 2, 0)).permute(2, 0, 1)
    return y

@exercise.right
def all_windows_unfolded(image, crop):
    windows = image.unfold(1, crop, 1).unfold(2, crop, 1)
    rows, columns = windows.shape[1:3]
    tops = [0, 0, rows - 1, rows - 1, round((rows - 1) / 2)]
    lefts = [0, columns - 1, 0, columns - 1, round((columns - 1) / 2)]
    five = windows[:, tops, lefts].transpose(0, 1)
    return torch.cat((five, torch.flip(five, dims=[-1])), dim=0)

@exercise.right
def slices_from_the_end(image, crop):
    height, width = image.shape[1:]
    top, left = (height - crop) // 2, (width - crop) // 2
    first, last = slice(crop), slice(-crop, None)
    five = [image[:, rows, columns] for rows, columns in itertools.product((first, last), (first, last))]
    five.append(image[:, top : height - top, left : width - left])
    return torch.stack([*five, *(each.flip(-1) for each in five)])

def mirrored(mirror):
    """The right crops, followed by what `mirror` makes of them."""

    @functools.wraps(mirror)
    def answer(image, crop):
        five = five_crops(image, crop)
        return torch.cat([five, mirror(five)])

    return answer

@exercise.wrong(loses=MIRRORS)
@mirrored
def mirror_images_missing(five):
    """There are five crops. Each of them also counts as its mirror image, which makes ten."""
    return five[:0]

@exercise.wrong(loses=MIRRORS, costs=0.75)
@mirrored
def only_the_center_mirrored(five):
    """Only the center crop has its mirror image. All five crops do."""
    return five[4:].flip(-1)

@exercise.wrong(loses=MIRRORS)
@mirrored
def crops_repeated(five):
    """The last five are the first five once more, not their mirror images."""
    return five

@exercise.wrong(loses=MIRRORS, costs=0.75)
@mirrored
def upside_down(five):
    """The last five are upside down: their rows are reversed. A mirror exchanges left and right."""
    return five.flip(-2)

@exercise.wrong(loses=MIRRORS, costs=0.75)
@mirrored
def turned_by_180_degrees(five):
    """The last five are turned by 180 degrees: rows and columns are both reversed. A mirror exchanges left and right
    only."""
    return five.flip(-2, -1)

@exercise.wrong(loses=MIRRORS, costs=0.5)
@mirrored
def mirror_images_in_reverse_order(five):
    """The mirror images come in reverse order. The sixth belongs to the first crop."""
    return five.flip(0, -1)

@exercise.wrong(loses=MIRRORS, costs=0.75)
@mirrored
def channels_reversed(five):
    """In the last five the channels are reversed, so colors change places. A mirror exchanges columns, the last
    axis."""
    return five.flip(1)

@exercise.wrong(loses=MIRRORS, costs=0.5)
def crops_of_the_mirrored_image(image, crop):
    """The whole image was mirrored and then cropped. That gives the same ten images in another order: mirroring moves
    the right corner to the left, so the sixth is the mirror image of the second crop. Mirror the crops themselves."""
    return ten_crops_of_mirrored(image, crop)

@exercise.wrong(loses=MIRRORS, costs=0.5)
def interleaved(image, crop):
    """Every crop is followed by its own mirror image. First come the five crops, then the five mirror images."""
    five = cut(image, crop, places(image, crop))
    return torch.stack([each for crop in five for each in (crop, crop.flip(-1))])

@exercise.wrong(loses=(CORNERS, CENTER, MIRRORS), costs=0.5)
def list_of_crops(image, crop):
    """These are the right crops, but in a list. One tensor is asked for, whose first axis counts them: stack them."""
    return list(ten_crops(image, crop))

def ten_crops_at(choose):
    """Crops at the places that `choose(places, image, crop)` gives, and their mirror images."""

    @functools.wraps(choose)
    def answer(image, crop):
        five = torch.stack(cut(image, crop, choose(places(image, crop), image, crop)))
        return torch.cat([five, five.flip(-1)])

    return answer

@exercise.wrong(loses=CORNERS)
@ten_crops_at
def corners_one_pixel_off(right, image, crop):
    """The crops at the right and at the bottom stop one pixel before the edge."""
    down, across = (max(n - crop - 1, 0) for n in image.shape[1:])
    return [(0, 0), (0, across), (down, 0), (down, across), right[4]]

@exercise.also(corners_one_pixel_off)
@ten_crops_at
def corners_one_pixel_off_and_out_of_a_whole_image(right, image, crop):
    down, across = (n - crop - 1 for n in image.shape[1:])
    return [(0, 0), (0, across), (down, 0), (down, across), right[4]]

@exercise.wrong(loses=CENTER)
@ten_crops_at
def center_starts_in_the_middle(right, image, crop):
    """The center crop starts at the middle of the image. Its own middle should lie there."""
    return [*right[:4], tuple(min(n // 2, n - crop) for n in image.shape[1:])]

@exercise.also(center_starts_in_the_middle)
@ten_crops_at
def center_starts_in_the_middle_and_leaves_the_image(right, image, crop):
    return [*right[:4], tuple(n // 2 for n in image.shape[1:])]

@exercise.wrong(loses=CENTER)
@ten_crops_at
def center_ends_in_the_middle(right, image, crop):
    """The center crop ends at the middle of the image: the whole crop was counted back from there. Half of it should
    lie on either side."""
    return [*right[:4], tuple(max(n // 2 - crop, 0) for n in image.shape[1:])]

@exercise.also(center_ends_in_the_middle)
@ten_crops_at
def center_ends_in_the_middle_and_leaves_the_image(right, image, crop):
    return [*right[:4], tuple(n // 2 - crop for n in image.shape[1:])]

@exercise.wrong(loses=CENTER)
@ten_crops_at
def center_by_the_other_side(right, image, crop):
    """The center is right in a square only: its row was computed from the width and its column from the height. Down it
    is the height, across the width."""
    return [*right[:4], right[4][::-1]]

@exercise.wrong(loses=CENTER)
def nothing_left_of_a_whole_image(image, crop):
    """Where the crop is as large as the image the center crop is empty: as many rows were taken from both ends, and
    minus zero from the end is the beginning."""
    top, left = places(image, crop)[4]
    five = [*five_crops(image, crop)[:4], image[:, top:-top, left:-left]]
    return torch.stack([*five, *(each.flip(-1) for each in five)])

@exercise.wrong(loses=CORNERS)
@ten_crops_at
def corners_exchanged(right, image, crop):
    """The top right and the bottom left corner are exchanged. Were rows and columns taken for each other?"""
    a, b, c, d, e = right
    return [a, c, b, d, e]

@exercise.wrong(loses=CORNERS, costs=0.25)
@ten_crops_at
def corners_clockwise(right, image, crop):
    """The corners go around the image. Their order is that of reading: first the two at the top, then the two at the
    bottom, each from left to right."""
    a, b, c, d, e = right
    return [a, b, d, c, e]

@exercise.wrong(loses=(CORNERS, CENTER), costs=0.5)
@ten_crops_at
def center_first(right, image, crop):
    """The center comes first; it should follow the corners."""
    return [right[4], *right[:4]]

@exercise.wrong(loses=CORNERS)
@ten_crops_at
def one_side_for_both(right, image, crop):
    """Rows and columns were counted along the same side of the image. Down it is the height, across the width; they
    agree in a square only."""
    return on_a_square(image.shape[1] - crop)

@exercise.also(one_side_for_both)
@ten_crops_at
def width_for_both(right, image, crop):
    return on_a_square(image.shape[2] - crop)

@exercise.wrong(loses=(CORNERS, CENTER), costs=0.5)
@ten_crops_at
def height_and_width_exchanged(right, image, crop):
    """It works for square images only. Were height and width exchanged? Then crops leave any other image and come out
    in different sizes. An image here has the axes (C, H, W)."""
    return places(image.mT, crop)

def on_a_square(rest):
    return [(0, 0), (0, rest), (rest, 0), (rest, rest), (rest // 2, rest // 2)]

def and_then(first_five, mirror):
    """The first five of one answer, followed by what `mirror` makes of them."""

    def answer(image, crop):
        five = first_five(image, crop)[:5]
        return torch.cat([five, mirror(five)])

    return answer

for misplaced in (corners_exchanged, corners_clockwise, center_first, one_side_for_both):
    for mirror in (mirror_images_missing, upside_down, mirror_images_in_reverse_order):
        exercise.both(misplaced, mirror)(and_then(misplaced, mirror.__wrapped__))

@exercise.both(center_first, one_side_for_both)
@ten_crops_at
def center_of_a_square_first(right, image, crop):
    *corners, center = on_a_square(image.shape[1] - crop)
    return [center, *corners]
