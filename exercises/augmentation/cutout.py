"""Cutout (DeVries and Taylor 2017): a square hole that may lie partly outside the image."""

import functools

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, numbered, picture

exercise = Exercise("cutout", "cutout(image, length, centre_y, centre_x)", returns="image", forbidden=LIBRARY_IMAGES)
INSIDE = exercise.criterion("a square hole in all channels", 0.5, cases="inside*")
ODD = exercise.criterion("odd lengths", 0.5, cases="odd*")
BORDER = exercise.criterion("clipped at the border", 1, cases="border*")

@exercise.cases
def cases(g):
    def case(image, length, centre_y, centre_x, driver="call"):
        inputs = {"image": image, "length": length, "centre_y": centre_y, "centre_x": centre_x}
        return Case(inputs, driver=driver)

    def among(low, high):
        return int(torch.randint(low, high + 1, (1,), generator=g))

    yield "border, by hand", case(numbered(1, 4, 5), 3, 0, 3)
    yield "inside, by hand", case(numbered(1, 4, 5), 2, 2, 3)
    yield "odd, by hand", case(numbered(1, 4, 5), 3, 2, 3)
    yield "inside", case(picture(g, 3, 8, 11), 4, among(2, 3), among(6, 8))
    yield "inside, float32, strided", case(picture(g, 2, 9, 9, dtype=torch.float32), 4, among(5, 6), 3, "call-strided")
    yield "odd", case(picture(g, 3, 9, 11), 3, among(2, 3), among(5, 8))
    yield "odd, larger", case(picture(g, 2, 10, 8), 5, among(5, 7), 3)
    yield "odd, a single pixel", case(picture(g, 3, 5, 6), 1, among(2, 3), among(0, 1))
    yield "border, first row and column", case(picture(g, 3, 7, 9), 4, 0, 1)
    yield "border, last row and column", case(picture(g, 3, 7, 9, dtype=torch.float32), 4, 6, 8)
    yield "border, top", case(picture(g, 2, 7, 6), 5, 1, 3)
    yield "border, left", case(picture(g, 2, 4, 5), 3, 2, 0)
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
    def inside(n, center):
        places = torch.arange(n, device=image.device)
        return torch.isin(places, torch.arange(length, device=image.device) + center - length // 2).to(image.dtype)

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
    """A hole whose rows, and columns, are those from and before the two numbers `span(n, length, center)`."""

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

@exercise.wrong(loses=ODD)
@hole
def odd_length_shortened(n, length, center):
    """A hole of odd length is one row and one column too small: half the length, rounded down, was used on both sides
    of the center."""
    return clipped(center - length // 2, center + length // 2, n)

@exercise.wrong(loses=INSIDE)
@hole
def even_length_extended(n, length, center):
    """The hole reaches one row and one column too far when its length is even: the same number of rows before and after
    the center makes an odd length."""
    return clipped(center - length // 2, center + length // 2 + 1, n)

@exercise.wrong(loses=(INSIDE, ODD), costs=0.75)
@hole
def end_included(n, length, center):
    """The hole reaches one row and one column too far, whether its length is even or odd. An end counts as not
    included, so it lies exactly the length behind the first row."""
    return clipped(center - length // 2, center - length // 2 + length + 1, n)

@exercise.wrong(loses=(INSIDE, ODD), costs=0.75)
@hole
def starts_one_pixel_late(n, length, center):
    """The hole lacks its first row and its first column: it starts one pixel too late and ends where it should. It
    starts half the length, rounded down, before the center, and that row is cut."""
    return clipped(center - length // 2 + 1, center - length // 2 + length, n)

@exercise.also(starts_one_pixel_late)
@hole
def starts_one_pixel_after_the_clipped_one(n, length, center):
    first, end = clipped(center - length // 2, center - length // 2 + length, n)
    return first + 1, end

@exercise.wrong(loses=(INSIDE, ODD), costs=0.75)
@hole
def one_pixel_down_and_right(n, length, center):
    """The hole has the right size but lies one row and one column too far down and right. It starts half the length,
    rounded down, before the center."""
    return clipped(center - length // 2 + 1, center - length // 2 + 1 + length, n)

@exercise.wrong(loses=ODD, costs=0.25)
@hole
def rounded_to_the_other_side(n, length, center):
    """A hole of odd length lies one row and one column too far up and left. It starts half the length, rounded down,
    before the center."""
    return clipped(center - length + length // 2, center + length // 2, n)

@exercise.wrong(loses=INSIDE, costs=0.25)
@hole
def even_length_to_the_other_side(n, length, center):
    """A hole of even length lies one row and one column too far down and right. It starts half the length before the
    center."""
    return clipped(center - (length - 1) // 2, center - (length - 1) // 2 + length, n)

@exercise.wrong(loses=BORDER, costs=0.75)
@hole
def negative_index_wraps(n, length, center):
    """Near the top and left border nothing is cut, or too little. There the first row of the hole has a negative
    number, which as an index counts from the other end."""
    return center - length // 2, center - length // 2 + length

@exercise.both(odd_length_shortened, negative_index_wraps)
@hole
def shortened_and_wrapped(n, length, center):
    return center - length // 2, center + length // 2

@exercise.both(even_length_extended, negative_index_wraps)
@hole
def extended_and_wrapped(n, length, center):
    return center - length // 2, center + length // 2 + 1

@exercise.both(end_included, negative_index_wraps)
@hole
def end_included_and_wrapped(n, length, center):
    return center - length // 2, center - length // 2 + length + 1

@exercise.wrong(loses=BORDER, costs=0.75)
@hole
def pushed_inside(n, length, center):
    """Near the border the hole is moved so that it lies inside completely. Then the border is cut less often than in
    the paper: the part outside is simply lost."""
    first = min(max(center - length // 2, 0), max(n - length, 0))
    return first, first + length

@exercise.wrong(loses=BORDER, costs=0.5)
@hole
def clipped_start_not_end(n, length, center):
    """Near the top and left border the hole is too large: its end was counted from the clipped start. Compute both ends
    before clipping."""
    first = max(center - length // 2, 0)
    return first, min(first + length, n)

@exercise.both(end_included, clipped_start_not_end)
@hole
def end_included_from_the_clipped_start(n, length, center):
    first = max(center - length // 2, 0)
    return first, min(first + length + 1, n)

@exercise.wrong(loses=BORDER, costs=0.5)
@hole
def last_row_left(n, length, center):
    """The last row or column is never cut: the end was limited to the number of the last row. An end counts as not
    included, so it may be the number of rows."""
    return max(center - length // 2, 0), max(min(center - length // 2 + length, n - 1), 0)

@exercise.wrong(loses=BORDER, costs=0.75)
def skipped_at_the_border(image, length, centre_y, centre_x):
    """Where a part of the hole would lie outside nothing is cut at all. The part inside is cut."""
    first = centre_y - length // 2, centre_x - length // 2
    inside = all(start >= 0 and start + length <= n for start, n in zip(first, image.shape[1:], strict=True))
    return clipped_slices(image, length, centre_y, centre_x) if inside else image.clone()

@exercise.wrong(loses=INSIDE, costs=0.75)
@hole
def center_taken_for_corner(n, length, center):
    """The hole starts at the given point. That is its center, not its top left corner."""
    return clipped(center, center + length, n)

@exercise.wrong(loses=INSIDE, costs=0.75)
@hole
def length_taken_for_the_end(n, length, center):
    """The hole ends at the row and the column whose number is its length. An end is counted from the edge of the image,
    so it lies that length behind the first row."""
    return clipped(center - length // 2, length, n)

@exercise.wrong(loses=INSIDE)
@hole
def twice_the_length(n, length, center):
    """The hole is twice as long as it should be: the whole length was used on either side of the center."""
    return clipped(center - length, center + length, n)

@exercise.both(twice_the_length, negative_index_wraps)
@hole
def twice_and_wrapped(n, length, center):
    return center - length, center + length

@exercise.wrong(loses=INSIDE, costs=0.75)
def row_and_column_swapped(image, length, centre_y, centre_x):
    """Rows and columns of the center are exchanged. The first number is the row."""
    return clipped_slices(image, length, centre_x, centre_y)

for mistake in (
    odd_length_shortened, even_length_extended, end_included, clipped_start_not_end, negative_index_wraps
):
    exercise.both(row_and_column_swapped, mistake)(
        lambda image, length, centre_y, centre_x, mistake=mistake: mistake(image, length, centre_x, centre_y)
    )
exercise.both(row_and_column_swapped, odd_length_shortened, negative_index_wraps)(
    lambda image, length, centre_y, centre_x: shortened_and_wrapped(image, length, centre_x, centre_y)
)

@exercise.wrong(loses=INSIDE)
def first_channel_only(image, length, centre_y, centre_x):
    """Only the first channel has a hole. All channels of a pixel are cut."""
    return torch.cat([clipped_slices(image[:1], length, centre_y, centre_x), image[1:]])

@exercise.wrong(loses=INSIDE, costs=1)
def channels_taken_for_rows(image, length, centre_y, centre_x):
    """The first index meant rows but selects channels: an image here has the axes (C, H, W)."""
    y = image.clone()
    top, left = centre_y - length // 2, centre_x - length // 2
    y[max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
    return y

@exercise.wrong(loses=INSIDE, costs=0.75)
def everything_else_cut(image, length, centre_y, centre_x):
    """Only the square is left and all else is zero. It should be the other way around."""
    return image - clipped_slices(image, length, centre_y, centre_x)

@exercise.wrong(loses=INSIDE, costs=0.75)
def whole_rows_and_columns(image, length, centre_y, centre_x):
    """Whole rows and whole columns are cut, a cross instead of a square: only where both meet should be zero."""
    y = image.clone()
    top, left = centre_y - length // 2, centre_x - length // 2
    y[:, max(top, 0) : max(top + length, 0)] = 0
    y[:, :, max(left, 0) : max(left + length, 0)] = 0
    return y

def filled(value):
    """The right hole, filled with `value(image)`."""

    @functools.wraps(value)
    def answer(image, length, centre_y, centre_x):
        outside = clipped_slices(torch.ones_like(image), length, centre_y, centre_x) > 0
        return torch.where(outside, image, value(image))

    return answer

@exercise.wrong(loses=INSIDE, costs=0.25)
@filled
def filled_with_the_mean(image):
    """The hole is filled with the mean of the image. Zeros were asked for, and they are the mean only in images that
    have been normalized."""
    return image.mean((1, 2), keepdim=True)

exercise.also(filled_with_the_mean)(filled(lambda image: image.mean()))

@exercise.wrong(loses=INSIDE, costs=0.25)
@filled
def filled_with_gray(image):
    """The hole is gray, 1/2 everywhere. Zeros were asked for."""
    return 0.5

@exercise.wrong(loses=INSIDE, costs=0.25)
@filled
def filled_with_one(image):
    """The hole is white. Zeros were asked for."""
    return 1.0

for mean in (lambda image: image.mean((1, 2), keepdim=True), lambda image: image.mean()):
    exercise.both(row_and_column_swapped, filled_with_the_mean)(
        lambda image, length, centre_y, centre_x, mean=mean: filled(mean)(image, length, centre_x, centre_y)
    )
