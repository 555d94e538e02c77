"""Cutout (DeVries and Taylor 2017): a square hole that may lie partly outside the image."""

import functools

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import HINT_FLOAT32, HINT_IN_PLACE, KEPT, LIBRARY_IMAGES, numbered, picture

exercise = Exercise("cutout", "cutout(image, length, centre_y, centre_x)", returns="image", forbidden=LIBRARY_IMAGES)
INSIDE = exercise.criterion("a square hole in all channels", 0.5, cases="inside*")
ODD = exercise.criterion("odd lengths", 0.5, cases="odd*")
BORDER = exercise.criterion("clipped at the border", 1, cases="border*")
KEEPS = exercise.criterion("keeps the dtype and leaves its inputs unchanged", 0.5, cases="inside*", aspect=KEPT)
ALL_VALUES = (INSIDE, ODD, BORDER)

@exercise.cases
def cases(g):
    def case(image, length, centre_y, centre_x, driver="call"):
        inputs = {"image": image, "length": length, "centre_y": centre_y, "centre_x": centre_x}
        return Case(inputs, driver=driver)

    def among(low, high):
        return int(torch.randint(low, high + 1, (1,), generator=g))

    yield "inside, by hand", case(numbered(1, 4, 6), 2, 2, 4)
    yield "inside", case(picture(g, 3, 8, 11), 4, among(2, 3), among(6, 8))
    yield "inside, float32, strided", case(picture(g, 2, 9, 9, dtype=torch.float32), 4, among(5, 6), 3, "call-strided")
    yield "odd", case(picture(g, 3, 9, 11), 3, among(2, 3), among(5, 8))
    yield "odd, larger", case(picture(g, 2, 10, 8), 5, among(5, 7), 3)
    yield "odd, a single pixel", case(picture(g, 3, 5, 6), 1, among(2, 3), among(0, 1))
    yield "border, first row and column", case(picture(g, 3, 7, 9), 4, 0, 1)
    yield "border, last row and column", case(picture(g, 3, 7, 9, dtype=torch.float32), 4, 6, 8)
    yield "border, top", case(picture(g, 2, 7, 6), 5, 1, 3)
    yield "border, left, by hand", case(numbered(1, 4, 5), 3, 2, 0)
    yield "border, corner", case(picture(g, 2, 7, 9), 6, 0, 8)
    yield "border, hole larger than the image", case(picture(g, 2, 3, 4), 12, among(0, 1), among(2, 3))

@exercise.reference
def pixel_by_pixel(image, length, centre_y, centre_x):
    y = image.clone()
    first_row, first_column = centre_y - length // 2, centre_x - length // 2
    for row in range(image.shape[1]):
        for column in range(image.shape[2]):
            if 0 <= row - first_row < length and 0 <= column - first_column < length:
                y[:, row, column] = 0
    return y

@exercise.right
def clipped_slices(image, length, centre_y, centre_x):
    y = image.clone()
    top, left = centre_y - length // 2, centre_x - length // 2
    y[:, max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
    return y

@exercise.right
def mask_of_comparisons(image, length, centre_y, centre_x):
    rows = torch.arange(image.shape[1], device=image.device) - (centre_y - length // 2)
    columns = torch.arange(image.shape[2], device=image.device) - (centre_x - length // 2)
    hole = ((rows >= 0) & (rows < length))[:, None] & ((columns >= 0) & (columns < length))
    return image.masked_fill(hole, 0.0)

@exercise.right
def outer_product_of_indicators(image, length, centre_y, centre_x):
    def inside(n, centre):
        places = torch.arange(n, device=image.device)
        return torch.isin(places, torch.arange(length, device=image.device) + centre - length // 2).to(image.dtype)

    return image * (1 - torch.outer(inside(image.shape[1], centre_y), inside(image.shape[2], centre_x)))

@exercise.right
def numpy(image, length, centre_y, centre_x):
    y = image.numpy().copy()
    height, width = y.shape[1:]
    top, bottom = np.clip([centre_y - length // 2, centre_y - length // 2 + length], 0, height)
    left, right = np.clip([centre_x - length // 2, centre_x - length // 2 + length], 0, width)
    y[..., top:bottom, left:right] = 0.0
    return torch.from_numpy(y)

@exercise.right
def cut_out_of_a_wide_mask(image, length, centre_y, centre_x):
    height, width = image.shape[1:]
    wide = image.new_ones(height + 2 * length, width + 2 * length)
    top, left = centre_y - length // 2 + length, centre_x - length // 2 + length
    wide[top : top + length, left : left + length] = 0
    return image * wide[length : length + height, length : length + width]

@exercise.right
def the_centre_limited_to_the_image(image, length, centre_y, centre_x):
    """With a center that is kept within the image, where it is anyway."""
    height, width = image.shape[1:]
    return clipped_slices(image, length, min(max(centre_y, 0), height - 1), min(max(centre_x, 0), width - 1))

def hole(span):
    """A hole whose rows, and columns, are those from and before the two numbers `span(n, length, centre)`."""

    @functools.wraps(span)
    def answer(image, length, centre_y, centre_x):
        y = image.clone()
        top, bottom = span(image.shape[1], length, centre_y)
        left, right = span(image.shape[2], length, centre_x)
        y[:, top:bottom, left:right] = 0
        return y

    return answer

def clipped(first, end, n):
    return max(first, 0), max(min(end, n), 0)

@exercise.wrong(loses=(ODD, BORDER))
@hole
def odd_length_shortened(n, length, centre):
    """A hole of odd length is one row and one column too small: half the length, rounded down, was used on both sides
    of the centre."""
    return clipped(centre - length // 2, centre + length // 2, n)

@exercise.wrong(loses=(INSIDE, BORDER))
@hole
def odd_length_extended(n, length, centre):
    """The hole reaches one row and one column too far when its length is even: the same number of rows before and after
    the centre makes an odd length."""
    return clipped(centre - length // 2, centre + length // 2 + 1, n)

@exercise.wrong(loses=(ODD, BORDER))
@hole
def rounded_to_the_other_side(n, length, centre):
    """A hole of odd length lies one row and one column too far up and left. It starts half the length, rounded down,
    before the centre."""
    return clipped(centre - length + length // 2, centre + length // 2, n)

@exercise.wrong(loses=BORDER)
@hole
def negative_index_wraps(n, length, centre):
    """Near the top and left border nothing is cut, or too little. There the first row of the hole has a negative
    number, which as an index counts from the other end."""
    return centre - length // 2, centre - length // 2 + length

@exercise.wrong(loses=BORDER)
@hole
def pushed_inside(n, length, centre):
    """Near the border the hole is moved so that it lies inside completely. Then the border is cut less often than in
    the paper: the part outside is simply lost."""
    first = min(max(centre - length // 2, 0), max(n - length, 0))
    return first, first + length

@exercise.wrong(loses=BORDER)
@hole
def clipped_start_not_end(n, length, centre):
    """Near the top and left border the hole is too large: its end was counted from the clipped start. Compute both ends
    before clipping."""
    first = max(centre - length // 2, 0)
    return first, min(first + length, n)

@exercise.wrong(loses=ALL_VALUES)
@hole
def centre_taken_for_corner(n, length, centre):
    """The hole starts at the given point. That is its centre, not its top left corner."""
    return clipped(centre, centre + length, n)

@exercise.wrong(loses=ALL_VALUES)
@hole
def twice_the_length(n, length, centre):
    """The hole is twice as long as it should be: the whole length was used on either side of the centre."""
    return clipped(centre - length, centre + length, n)

@exercise.wrong(loses=ALL_VALUES)
def row_and_column_swapped(image, length, centre_y, centre_x):
    """Rows and columns of the centre are exchanged. The first number is the row."""
    return clipped_slices(image, length, centre_x, centre_y)

@exercise.wrong(loses=ALL_VALUES)
def first_channel_only(image, length, centre_y, centre_x):
    """Only the first channel has a hole. All channels of a pixel are cut."""
    return torch.cat([clipped_slices(image[:1], length, centre_y, centre_x), image[1:]])

@exercise.wrong(loses=ALL_VALUES)
def channels_taken_for_rows(image, length, centre_y, centre_x):
    """The first index meant rows but selects channels: an image here has the axes (C, H, W)."""
    y = image.clone()
    top, left = centre_y - length // 2, centre_x - length // 2
    y[max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
    return y

@exercise.wrong(loses=ALL_VALUES)
def everything_else_cut(image, length, centre_y, centre_x):
    """Only the square is left and all else is zero. It should be the other way round."""
    return image - clipped_slices(image, length, centre_y, centre_x)

@exercise.wrong(loses=ALL_VALUES)
def whole_rows_and_columns(image, length, centre_y, centre_x):
    """Whole rows and whole columns are cut, a cross instead of a square: only where both meet should be zero."""
    y = image.clone()
    top, left = centre_y - length // 2, centre_x - length // 2
    y[:, max(top, 0) : max(top + length, 0)] = 0
    y[:, :, max(left, 0) : max(left + length, 0)] = 0
    return y

@exercise.wrong(loses=ALL_VALUES)
def filled_with_mean(image, length, centre_y, centre_x):
    """The hole is filled with the mean colour. Zeros were asked for; after normalisation these are the mean."""
    outside = clipped_slices(torch.ones_like(image), length, centre_y, centre_x) > 0
    return torch.where(outside, image, image.mean((1, 2), keepdim=True))

@exercise.wrong(loses=ALL_VALUES)
def filled_with_one(image, length, centre_y, centre_x):
    """The hole is white. Zeros were asked for."""
    outside = clipped_slices(torch.ones_like(image), length, centre_y, centre_x) > 0
    return torch.where(outside, image, 1.0)

@exercise.wrong(loses=KEEPS, hint=HINT_FLOAT32)
def always_float32(image, length, centre_y, centre_x):
    return clipped_slices(image, length, centre_y, centre_x).float()

@exercise.wrong(loses=KEEPS, hint=HINT_IN_PLACE)
def changes_its_input(image, length, centre_y, centre_x):
    return image.copy_(clipped_slices(image, length, centre_y, centre_x))
