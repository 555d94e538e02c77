"""Ten crops of one image: the corners, the center, and their mirror images."""

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
CENTRE = exercise.criterion("the centre", 0.5, outputs="centre")
MIRRORS = exercise.criterion("the mirror images in the same order", 1, cases=SMALLER, outputs="mirrored")
DTYPE = exercise.criterion(
    "keeps the dtype", 0.5, cases=("landscape", "portrait, float32"), outputs="corners", aspect="dtype"
)

@exercise.cases
def cases(g):
    def case(image, crop, driver="augmentation/ten-crops"):
        return Case({"image": image, "crop": crop}, driver=driver, outputs=("corners", "centre", "mirrored"))

    # The rest beside the crop is even, so that there is no question where the center is.
    yield "by hand", case(numbered(1, 4, 6), 2)
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

@exercise.wrong(loses=MIRRORS)
def mirror_images_missing(image, crop):
    """There are five crops. Each of them also counts as its mirror image, which makes ten."""
    return five_crops(image, crop)

@exercise.wrong(loses=MIRRORS)
def only_the_centre_mirrored(image, crop):
    """Only the centre crop has its mirror image. All five crops do."""
    five = five_crops(image, crop)
    return torch.cat([five, five[4:].flip(-1)])

@exercise.wrong(loses=MIRRORS)
def crops_repeated(image, crop):
    """The last five are the first five once more, not their mirror images."""
    five = five_crops(image, crop)
    return torch.cat([five, five])

@exercise.wrong(loses=MIRRORS)
def upside_down(image, crop):
    """The last five stand on their heads: their rows are reversed. A mirror exchanges left and right."""
    five = five_crops(image, crop)
    return torch.cat([five, five.flip(-2)])

@exercise.wrong(loses=MIRRORS)
def turned_by_180_degrees(image, crop):
    """The last five are turned by 180 degrees: rows and columns are both reversed. A mirror exchanges left and right
    only."""
    five = five_crops(image, crop)
    return torch.cat([five, five.flip(-2, -1)])

@exercise.wrong(loses=MIRRORS)
def mirror_images_in_reverse_order(image, crop):
    """The mirror images come in reverse order. The sixth belongs to the first crop."""
    five = five_crops(image, crop)
    return torch.cat([five, five.flip(0, -1)])

@exercise.wrong(loses=MIRRORS)
def crops_of_the_mirrored_image(image, crop):
    """The whole image was mirrored and then cropped. That gives the same ten images, but the sixth is the mirror image
    of the second crop: in a mirror the right corner lies left. Mirror the crops themselves."""
    return ten_crops_of_mirrored(image, crop)

@exercise.wrong(loses=(CORNERS, CENTRE, MIRRORS))
def interleaved(image, crop):
    """Every crop is followed by its own mirror image. First come the five crops, then the five mirror images."""
    five = cut(image, crop, places(image, crop))
    return torch.stack([each for crop in five for each in (crop, crop.flip(-1))])

def ten_crops_at(image, crop, places):
    five = torch.stack(cut(image, crop, places))
    return torch.cat([five, five.flip(-1)])

@exercise.wrong(loses=(CORNERS, MIRRORS))
def corners_one_pixel_off(image, crop):
    """The crops at the right and at the bottom stop one pixel before the edge."""
    down, right = max(image.shape[-2] - crop - 1, 0), max(image.shape[-1] - crop - 1, 0)
    return ten_crops_at(image, crop, [(0, 0), (0, right), (down, 0), (down, right), places(image, crop)[4]])

@exercise.wrong(loses=(CENTRE, MIRRORS))
def centre_starts_in_the_middle(image, crop):
    """The centre crop starts at the middle of the image. Its own middle should lie there."""
    middle = tuple(min(n // 2, n - crop) for n in image.shape[-2:])
    return ten_crops_at(image, crop, [*places(image, crop)[:4], middle])

@exercise.wrong(loses=CENTRE)
def nothing_left_of_a_whole_image(image, crop):
    """Where the crop is as large as the image the centre crop is empty: as many rows were taken from both ends, and
    minus zero from the end is the beginning."""
    top, left = places(image, crop)[4]
    five = [*five_crops(image, crop)[:4], image[:, top:-top, left:-left]]
    return torch.stack([*five, *(each.flip(-1) for each in five)])

@exercise.wrong(loses=(CORNERS, MIRRORS))
def corners_exchanged(image, crop):
    """The top right and the bottom left corner are exchanged. Were rows and columns taken for each other?"""
    a, b, c, d, e = places(image, crop)
    return ten_crops_at(image, crop, [a, c, b, d, e])

@exercise.wrong(loses=(CORNERS, MIRRORS))
def corners_clockwise(image, crop):
    """The corners go round the image. Their order is that of reading: first the two at the top, then the two at the
    bottom, each from left to right."""
    a, b, c, d, e = places(image, crop)
    return ten_crops_at(image, crop, [a, b, d, c, e])

@exercise.wrong(loses=(CORNERS, CENTRE, MIRRORS))
def centre_first(image, crop):
    """The centre comes first; it should follow the corners."""
    *corners, centre = places(image, crop)
    return ten_crops_at(image, crop, [centre, *corners])

@exercise.wrong(loses=DTYPE)
def always_float32(image, crop):
    """The crops were written into a new tensor of float32. It should have the dtype of the image."""
    y = torch.zeros(10, len(image), crop, crop)
    return y.copy_(ten_crops(image, crop))
