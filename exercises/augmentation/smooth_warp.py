"""A smooth warp: every pixel is read a little beside its place."""

import functools

import numpy as np
import torch
import torch.nn.functional as F

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, by_grid, numbered, picture, pixel_grid, sampled
from exercises.draws import uniform

exercise = Exercise("smooth-warp", "smooth_warp(image, displacement)", returns="image", forbidden=LIBRARY_IMAGES)
WHOLE = exercise.criterion("moves by whole pixels", 1, cases="whole*", outputs="inside")
BETWEEN = exercise.criterion("interpolates between pixels", 1, cases="between*", outputs="inside")
BEYOND = exercise.criterion("repeats the border outside the image", 0.5, cases=("whole*", "beyond*"))
MOVES = (WHOLE, BETWEEN)

@exercise.cases
def cases(g):
    def case(image, displacement, driver="augmentation/warped", outputs=("inside", "outside")):
        inputs = {"image": image, "displacement": displacement.to(image.dtype)}
        return Case(inputs, driver=driver, outputs=outputs)

    def constant(down, right, height, width):
        return torch.tensor([down, right], dtype=torch.float64)[:, None, None].expand(2, height, width).clone()

    def waves(height, width):
        """A displacement (2, height, width) of up to two pixels that varies smoothly, different down and across."""
        rows, columns = torch.arange(height).double()[:, None], torch.arange(width).double()
        phase, size = uniform(g, 0.0, 6.28, 2), uniform(g, 1.5, 2.0, 2)
        down = size[0] * torch.sin(rows / 2 + columns / 3 + phase[0]) - 0.3
        return torch.stack([down, size[1] * torch.cos(rows / 3 - columns / 2 + phase[1]) + 0.4])

    def field(down, right):
        return torch.tensor([down, right], dtype=torch.float64)

    small = numbered(1, 2, 3)
    yield "whole pixels, by hand", case(small, field([[1, 1, 0], [0, -1, -1]], [[1, 0, -1], [0, 1, 0]]))
    yield "between pixels, by hand", case(small, field([[0.5, 1, 0], [0, -0.5, -1]], [[1, 0.5, -1.5], [0, 0.5, -0.5]]))
    yield "beyond the border, by hand", case(small, field([[-1, 0, 0], [0, 1, 2]], [[0, 0, 1], [-0.5, 0, 0]]))
    yield "whole pixels", case(picture(g, 3, 5, 7), constant(-1.0, 2.0, 5, 7))
    yield "whole pixels, square, float32", case(picture(g, 2, 5, 5, dtype=torch.float32), constant(2.0, -1.0, 5, 5))
    beyond = constant(-1.4, 0.0, 5, 6)
    yield "beyond the border, between pixels", case(picture(g, 3, 5, 6), beyond, outputs=("outside",))
    yield "between pixels", case(picture(g, 3, 6, 9), waves(6, 9))
    yield "between pixels, portrait, float32", case(picture(g, 2, 8, 5, dtype=torch.float32), waves(8, 5))
    yield "between pixels, square, strided", case(picture(g, 4, 6, 6), waves(6, 6), "augmentation/warped-strided")

@exercise.reference
def by_the_formula(image, displacement):
    rows, columns = pixel_grid(image)
    height, width = image.shape[-2:]
    rows = (rows + displacement[0]).clamp(0, height - 1)
    columns = (columns + displacement[1]).clamp(0, width - 1)
    return sampled(image, rows, columns, border=True)

@exercise.right
def grid_with_pixel_centers(image, displacement):
    rows, columns = pixel_grid(image)
    return by_grid(image, rows + displacement[0], columns + displacement[1], "border")

@exercise.right
def shifted_identity_grid(image, displacement):
    channels, height, width = image.shape
    theta = torch.eye(2, 3, dtype=image.dtype, device=image.device).unsqueeze(0)
    grid = F.affine_grid(theta, [1, channels, height, width], align_corners=False)
    scale = torch.tensor([2 / width, 2 / height], dtype=image.dtype, device=image.device)
    shift = displacement.flip(0).permute(1, 2, 0) * scale
    y = F.grid_sample(image.unsqueeze(0), grid + shift, padding_mode="border", align_corners=False)
    return y.squeeze(0)

@exercise.right
def numpy_four_neighbors(image, displacement):
    x, d = image.numpy(), displacement.numpy()
    height, width = x.shape[1:]
    rows = np.clip(np.arange(height)[:, None] + d[0], 0, height - 1)
    columns = np.clip(np.arange(width) + d[1], 0, width - 1)
    top, left = rows.astype(int), columns.astype(int)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = rows - top, columns - left
    upper = x[:, top, left] * (1 - across) + x[:, top, right] * across
    lower = x[:, bottom, left] * (1 - across) + x[:, bottom, right] * across
    return torch.from_numpy(upper * (1 - down) + lower * down).to(image.dtype)

@exercise.right
def padded_first(image, displacement):
    margin = int(displacement.abs().max()) + 2
    wide = F.pad(image[None], (margin,) * 4, mode="replicate")[0]
    rows, columns = pixel_grid(image)
    return sampled(wide, rows + displacement[0] + margin, columns + displacement[1] + margin, border=False)

@exercise.right
def tents_over_all_pixels(image, displacement):
    """All pixels weighted by their tents."""
    rows, columns = pixel_grid(image)
    height, width = image.shape[1:]
    down = (rows + displacement[0]).clamp(0, height - 1)[..., None] - rows[:, 0]
    across = (columns + displacement[1]).clamp(0, width - 1)[..., None] - columns[0]
    tents = (torch.relu(1 - distance.abs()) for distance in (down, across))
    return torch.einsum("hwi,hwj,cij->chw", *tents, image)

def sources(image, displacement):
    """Rows and columns from which the pixels of the warped image come."""
    rows, columns = pixel_grid(image)
    return rows + displacement[0], columns + displacement[1]

def read_at(places):
    """The image read at `places(rows, columns, down, right, height, width)`, in pixels."""

    @functools.wraps(places)
    def answer(image, displacement, padding="border", **options):
        return by_grid(image, *places(*pixel_grid(image), *displacement, *image.shape[-2:]), padding, **options)

    return answer

@exercise.wrong(loses=MOVES, costs=1)
@read_at
def other_direction(rows, columns, down, right, height, width):
    """Every pixel is read on the opposite side: the displacement was subtracted. It says from where a pixel is read,
    not where it goes."""
    return rows - down, columns - right

@exercise.wrong(loses=MOVES, costs=0.75)
@read_at
def down_and_across_swapped(rows, columns, down, right, height, width):
    """The two displacements are exchanged: the first is for the rows (dy), the second for the columns (dx). A sampling
    grid has them the other way around."""
    return rows + right, columns + down

@exercise.wrong(loses=MOVES, costs=1)
@read_at
def rows_only(rows, columns, down, right, height, width):
    """Only the rows move. The second displacement is for the columns."""
    return rows + down, columns

@exercise.wrong(loses=MOVES, costs=1)
@read_at
def columns_only(rows, columns, down, right, height, width):
    """Only the columns move. The first displacement is for the rows."""
    return rows, columns + right

@exercise.wrong(loses=MOVES, costs=1)
@read_at
def same_displacement_for_both(rows, columns, down, right, height, width):
    """Rows and columns move by the same displacement. Each has its own."""
    return rows + down, columns + down

@exercise.wrong(loses=MOVES, costs=0.5)
@read_at
def half_the_displacement(rows, columns, down, right, height, width):
    """The pixels move half as far as they should. The sampling grid runs from -1 to 1, so its length is 2."""
    return rows + down / 2, columns + right / 2

@exercise.wrong(loses=MOVES, costs=0.75)
@read_at
def pixels_added_to_the_grid(rows, columns, down, right, height, width):
    """The displacement was added to a grid that runs from -1 to 1, where one unit is half the image. It is given in
    pixels and has to be converted."""
    return rows + down * height / 2, columns + right * width / 2

@exercise.wrong(loses=MOVES, costs=0.5)
@read_at
def half_pixel_forgotten(rows, columns, down, right, height, width):
    """The image is shifted by half a pixel up and left, even without displacement. Where the ends of the grid are the
    outer edges, a pixel's center lies half a pixel further in."""
    return rows + down - 0.5, columns + right - 0.5

@exercise.wrong(loses=MOVES, costs=0.5)
@read_at
def displacements_measured_by_the_wrong_side(rows, columns, down, right, height, width):
    """Displacements are scaled by a side of the image to which they do not belong. Rows are measured against the
    height, columns against the width."""
    return rows + down * height / width, columns + right * width / height

@exercise.also(displacements_measured_by_the_wrong_side)
@read_at
def displacements_measured_by_the_width(rows, columns, down, right, height, width):
    return rows + down * height / width, columns + right

@exercise.also(displacements_measured_by_the_wrong_side)
@read_at
def displacements_measured_by_the_height(rows, columns, down, right, height, width):
    return rows + down, columns + right * width / height

# The same between the centers of the corner pixels, where a side is one pixel shorter.
def one_shorter(answer):
    return read_at(
        lambda rows, columns, down, right, height, width: (
            answer.__wrapped__(rows, columns, down, right, height - 1, width - 1)
        )
    )

BY_A_WRONG_SIDE = (
    displacements_measured_by_the_wrong_side, displacements_measured_by_the_width, displacements_measured_by_the_height
)
for by_a_wrong_side in BY_A_WRONG_SIDE:
    exercise.also(displacements_measured_by_the_wrong_side)(one_shorter(by_a_wrong_side))

@exercise.also(down_and_across_swapped)
@read_at
def each_measured_by_its_own_side_and_swapped(rows, columns, down, right, height, width):
    return rows + right * height / width, columns + down * width / height

exercise.also(down_and_across_swapped)(one_shorter(each_measured_by_its_own_side_and_swapped))

@exercise.wrong(loses=MOVES, costs=0.5)
@read_at
def places_measured_by_the_wrong_side(rows, columns, down, right, height, width):
    """Whole places, not only displacements, are divided by a side to which they do not belong. Rows are measured
    against the height, columns against the width; in a square that makes no difference."""
    return (rows + down + 0.5) * height / width - 0.5, (columns + right + 0.5) * width / height - 0.5

@exercise.also(places_measured_by_the_wrong_side)
@read_at
def width_for_both(rows, columns, down, right, height, width):
    return (rows + down + 0.5) * height / width - 0.5, columns + right

@exercise.also(places_measured_by_the_wrong_side)
@read_at
def height_for_both(rows, columns, down, right, height, width):
    return rows + down, (columns + right + 0.5) * width / height - 0.5

@exercise.wrong(loses=MOVES, costs=0.5)
@read_at
def one_pixel_too_few(rows, columns, down, right, height, width):
    """The pixels move a little too far. Where the corners of the grid mean pixel edges its length of 2 is as many
    pixels as the side has, not one less."""
    return rows + down * height / (height - 1), columns + right * width / (width - 1)

@exercise.wrong(loses=MOVES, costs=0.5)
@read_at
def one_pixel_too_many(rows, columns, down, right, height, width):
    """The pixels do not move quite far enough. Where the corners of the grid mean pixel centers its length of 2 is one
    pixel less than the side has."""
    return rows + down * (height - 1) / height, columns + right * (width - 1) / width

def warped(image, displacement, padding="border", **options):
    return by_grid(image, *sources(image, displacement), padding, **options)

@exercise.wrong(loses=MOVES, costs=0.5)
def corners_mixed(image, displacement, padding="border"):
    """The grid was made with the corners meaning pixel centers and read with the corners meaning pixel edges, so the
    image is also enlarged a little. Without displacement it would not stay as it is."""
    return warped(image, displacement, padding, align=(True, False))

@exercise.also(corners_mixed)
@read_at
def grid_alone_enlarged(rows, columns, down, right, height, width):
    return rows * height / (height - 1) - 0.5 + down, columns * width / (width - 1) - 0.5 + right

@exercise.wrong(loses=MOVES, costs=0.5)
def corners_mixed_the_other_way(image, displacement, padding="border"):
    """The grid was made with the corners meaning pixel edges and read with the corners meaning pixel centers, so the
    image is also made a little smaller. Without displacement it would not stay as it is."""
    return warped(image, displacement, padding, align=(False, True))

@exercise.also(corners_mixed_the_other_way)
@read_at
def grid_alone_made_smaller(rows, columns, down, right, height, width):
    return (rows + 0.5) * (height - 1) / height + down, (columns + 0.5) * (width - 1) / width + right

@exercise.wrong(loses=MOVES, costs=0.75)
@read_at
def rows_before_columns(rows, columns, down, right, height, width):
    """The grid holds rows before columns. It is read as (x, y): the column comes first."""
    return (columns + right + 0.5) * height / width - 0.5, (rows + down + 0.5) * width / height - 0.5

@exercise.also(rows_before_columns)
@read_at
def rows_before_columns_between_centers(rows, columns, down, right, height, width):
    return (columns + right) * (height - 1) / (width - 1), (rows + down) * (width - 1) / (height - 1)

@exercise.also(rows_before_columns)
@read_at
def rows_taken_for_columns(rows, columns, down, right, height, width):
    return columns + right, rows + down

@exercise.both(rows_before_columns, places_measured_by_the_wrong_side)
@read_at
def rows_before_columns_by_the_width(rows, columns, down, right, height, width):
    return (columns + right + 0.5) * height / width - 0.5, rows + down

@exercise.wrong(loses=BEYOND)
def zeros_outside(image, displacement):
    """What is read outside the image is black: that is what the library does unless it is told otherwise. The border
    should be repeated."""
    return warped(image, displacement, "zeros")

@exercise.also(zeros_outside)
def zeros_without_fading(image, displacement):
    rows, columns = sources(image, displacement)
    height, width = image.shape[-2:]
    kept = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    return by_the_formula(image, displacement) * kept

@exercise.wrong(loses=BEYOND)
def mirrored_at_the_border(image, displacement):
    """What is read outside the image is its reflection. The border should be repeated."""
    return warped(image, displacement, "reflection")

@exercise.also(mirrored_at_the_border)
def mirrored_at_the_edge(image, displacement):
    return warped(image, displacement, "reflection", align=(False, False))

@exercise.wrong(loses=BEYOND)
def wrapped_around(image, displacement):
    """What leaves the image on one side comes back on the other. A negative number of a row counts from the end, and
    rolling wraps around: repeat the border instead."""
    rows, columns = sources(image, displacement)
    height, width = image.shape[-2:]
    wide = torch.cat([image, image[:, :1]], 1)
    wide = torch.cat([wide, wide[..., :1]], 2)
    return sampled(wide, rows % height, columns % width, border=True)

@exercise.wrong(loses=BEYOND, costs=0.25)
def rounded_towards_zero(image, displacement):
    """A place less than one pixel above or left of the image gives more than the border's value, or less. Cutting off
    the fraction of a negative number makes it larger: round down instead."""
    rows, columns = sources(image, displacement)
    height, width = image.shape[-2:]
    # For a negative place, cutting off the fraction does not give the pixel before it.
    row, column = rows.long(), columns.long()
    down, right = rows - row, columns - column

    def pixels(i, j):
        return image[:, (row + i).clamp(0, height - 1), (column + j).clamp(0, width - 1)]

    above = pixels(0, 0) * (1 - right) + pixels(0, 1) * right
    return above * (1 - down) + (pixels(1, 0) * (1 - right) + pixels(1, 1) * right) * down

@exercise.wrong(loses=BETWEEN, costs=0.75)
def nearest_neighbor(image, displacement):
    """The places were rounded to whole pixels. Interpolate between the four around them."""
    rows, columns = sources(image, displacement)
    height, width = image.shape[-2:]
    return image[:, rows.round().long().clamp(0, height - 1), columns.round().long().clamp(0, width - 1)]

@exercise.also(nearest_neighbor)
def displacement_rounded(image, displacement):
    return nearest_neighbor(image, displacement.round())

@exercise.wrong(loses=BETWEEN, costs=0.75)
def truncated(image, displacement):
    """The places were cut off to whole pixels, which also moves the image by half a pixel on average. Interpolate
    between the four around them."""
    rows, columns = sources(image, displacement)
    height, width = image.shape[-2:]
    return image[:, rows.clamp(0, height - 1).long(), columns.clamp(0, width - 1).long()]

# Zeros are the library's default.
for mistake in (
    other_direction, down_and_across_swapped, half_pixel_forgotten, pixels_added_to_the_grid, half_the_displacement,
    rows_before_columns, corners_mixed, corners_mixed_the_other_way,
):
    exercise.both(mistake, zeros_outside)(
        lambda image, displacement, mistake=mistake: mistake(image, displacement, padding="zeros")
    )
exercise.both(down_and_across_swapped, zeros_outside)(
    lambda image, displacement: each_measured_by_its_own_side_and_swapped(image, displacement, padding="zeros")
)
for way in (*BY_A_WRONG_SIDE, *map(one_shorter, BY_A_WRONG_SIDE)):
    exercise.both(displacements_measured_by_the_wrong_side, zeros_outside)(
        lambda image, displacement, way=way: way(image, displacement, padding="zeros")
    )
    exercise.both(other_direction, displacements_measured_by_the_wrong_side)(
        lambda image, displacement, way=way: way(image, -displacement)
    )
for way in (*BY_A_WRONG_SIDE[1:], *map(one_shorter, BY_A_WRONG_SIDE[1:])):
    exercise.both(down_and_across_swapped, displacements_measured_by_the_wrong_side)(
        lambda image, displacement, way=way: way(image, displacement.flip(0))
    )
for mistake, ways in (
    (corners_mixed, (corners_mixed, grid_alone_enlarged)),
    (corners_mixed_the_other_way, (corners_mixed_the_other_way, grid_alone_made_smaller)),
):
    exercise.both(mistake, zeros_outside)(
        lambda image, displacement, way=ways[1]: way(image, displacement, padding="zeros")
    )
    for way in ways:
        exercise.both(other_direction, mistake)(lambda image, displacement, way=way: way(image, -displacement))
        exercise.both(down_and_across_swapped, mistake)(
            lambda image, displacement, way=way: way(image, displacement.flip(0))
        )

def one_side_for_both(image, displacement, axis, less):
    """Displacements that are as long as if both were divided by one side, or one pixel less."""
    sides = torch.tensor(image.shape[1:]).to(displacement) - less
    return displacement * (sides / sides[axis])[:, None, None]

for way, less in ((grid_alone_enlarged, 0), (corners_mixed, 1)):
    for axis in range(2):
        exercise.both(displacements_measured_by_the_wrong_side, corners_mixed)(
            lambda image, displacement, way=way, less=less, axis=axis: (
                way(image, one_side_for_both(image, displacement, axis, less))
            )
        )
