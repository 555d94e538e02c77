"""Rotation by any angle: where does each new pixel come from?"""

import functools
import math

import torch
import torch.nn.functional as F

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, by_grid, numbered, picture, pixel_grid, sampled
from exercises.draws import uniform

TURNED = ("wide, by hand", "slight", "steep, portrait", "wide angle, square, strided", "small angle, float32")

exercise = Exercise("rotate", "rotate(image, degrees)", returns="image", forbidden=LIBRARY_IMAGES)
QUARTERS = exercise.criterion("quarter and half turns", 1, cases=("quarter*", "three*", "half*"), outputs="inside")
ANGLES = exercise.criterion("any angle, interpolated", 1, cases=TURNED, outputs="inside")
ZEROS = exercise.criterion("zeros where nothing comes from the image", 0.5, cases=TURNED[:4])

@exercise.cases
def cases(g):
    def case(image, degrees, driver="augmentation/rotated"):
        return Case({"image": image, "degrees": degrees}, driver=driver, outputs=("inside", "outside"))

    slight, steep = float(uniform(g, 25.0, 35.0, 1)), float(uniform(g, -60.0, -50.0, 1))
    yield "quarter turn, by hand", case(numbered(1, 4, 4), 90.0)
    yield "wide, by hand", case(numbered(1, 3, 5), 90.0)
    yield "quarter turn", case(picture(g, 3, 6, 6), 90.0)
    yield "three quarters", case(picture(g, 2, 5, 5), -90.0)
    yield "half turn, float32", case(picture(g, 3, 4, 7, dtype=torch.float32), 180.0)
    yield "slight", case(picture(g, 3, 6, 9), slight)
    yield "steep, portrait", case(picture(g, 2, 9, 5), steep)
    yield "wide angle, square, strided", case(picture(g, 4, 7, 7), 360 + slight, "augmentation/rotated-strided")
    yield "small angle, float32", case(picture(g, 3, 8, 7, dtype=torch.float32), 12.0)

def sources(image, radians, middle):
    """Rows and columns from which the pixels of the rotated image come."""
    rows, columns = pixel_grid(image)
    down, right = rows - middle[0], columns - middle[1]
    # Rounded, so that a quarter turn meets the pixels.
    sine, cosine = round(math.sin(radians), 15), round(math.cos(radians), 15)
    return middle[0] + right * sine + down * cosine, middle[1] + right * cosine - down * sine

def middle_of(image):
    return (image.shape[-2] - 1) / 2, (image.shape[-1] - 1) / 2

@exercise.reference
def by_the_formula(image, degrees):
    return sampled(image, *sources(image, math.radians(degrees), middle_of(image)), border=False)

@exercise.right
def grid_with_pixel_edges(image, degrees):
    angle = torch.tensor(degrees, dtype=image.dtype, device=image.device).deg2rad()
    height, width = image.shape[1:]
    rows, columns = (places - middle for places, middle in zip(pixel_grid(image), middle_of(image), strict=True))
    source_columns = (columns * angle.cos() - rows * angle.sin()) * 2 / width
    source_rows = (columns * angle.sin() + rows * angle.cos()) * 2 / height
    grid = torch.stack((source_columns, source_rows), dim=-1).unsqueeze(0)
    return F.grid_sample(image.unsqueeze(0), grid, align_corners=False).squeeze(0)

@exercise.right
def affine_grid_with_the_aspect(image, degrees):
    c, height, width = image.shape
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    theta = [[cosine, -sine * height / width, 0], [sine * width / height, cosine, 0]]
    grid = F.affine_grid(image.new_tensor([theta]), [1, c, height, width], align_corners=False)
    return F.grid_sample(image[None], grid, align_corners=False)[0]

@exercise.right
def grid_with_pixel_centers(image, degrees):
    return by_grid(image, *sources(image, math.radians(degrees), middle_of(image)), align=(True, True))

@exercise.right
def cut_off_at_the_edge(image, degrees):
    """Without fading at the edge: what lies outside, however little, is zero."""
    rows, columns = sources(image, math.radians(degrees), middle_of(image))
    height, width = image.shape[1:]
    kept = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    return sampled(image, rows, columns, border=True) * kept

@exercise.right
def loops_with_complex_numbers(image, degrees):
    angle = math.radians(degrees)
    turn = complex(math.cos(angle), math.sin(angle))
    (middle_row, middle_column), y = middle_of(image), torch.zeros_like(image)
    height, width = image.shape[1:]
    for row in range(height):
        for column in range(width):
            source = complex(column - middle_column, row - middle_row) * turn
            top, left = source.imag + middle_row, source.real + middle_column
            for i in (math.floor(top), math.floor(top) + 1):
                for j in (math.floor(left), math.floor(left) + 1):
                    if 0 <= i < height and 0 <= j < width:
                        y[:, row, column] += (1 - abs(top - i)) * (1 - abs(left - j)) * image[:, i, j]
    return y

def turned(image, radians, middle=None, **options):
    return by_grid(image, *sources(image, radians, middle or middle_of(image)), **options)

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=1)
def clockwise(image, degrees):
    """The image turns clockwise. Either the matrix says where a pixel goes instead of where it comes from, or it was
    forgotten that rows count downward."""
    return turned(image, -math.radians(degrees))

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=1)
def degrees_taken_for_radians(image, degrees):
    """The angle went into sine and cosine as it is. They expect radians."""
    return turned(image, degrees)

def matrix(row_of, column_of):
    """Sources by other sums: `row_of(down, right, sine, cosine)` and `column_of`, from the middle."""

    def answer(image, degrees):
        down, right = (places - middle for places, middle in zip(pixel_grid(image), middle_of(image), strict=True))
        of = down, right, math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
        middle_row, middle_column = middle_of(image)
        return by_grid(image, middle_row + row_of(*of), middle_column + column_of(*of))

    return answer

def right_row(down, right, sine, cosine):
    return right * sine + down * cosine

def right_column(down, right, sine, cosine):
    return right * cosine - down * sine

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.75)
def both_sines_alike(image, degrees):
    """The two sines have the same sign. In a rotation they differ; with equal ones the image is
    stretched along a diagonal."""
    return matrix(right_row, lambda down, right, sine, cosine: right * cosine + down * sine)(image, degrees)

exercise.also(both_sines_alike)(matrix(lambda down, right, sine, cosine: down * cosine - right * sine, right_column))

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.75)
def overwritten_too_early(image, degrees):
    """One of the two coordinates was already the new one when the other was computed from it. Both are made from the
    old ones."""
    return matrix(
        lambda down, right, sine, cosine: right_column(down, right, sine, cosine) * sine + down * cosine, right_column
    )(image, degrees)

exercise.also(overwritten_too_early)(
    matrix(
        right_row, lambda down, right, sine, cosine: right * cosine - right_row(down, right, sine, cosine) * sine
    )
)

@exercise.wrong(loses=ANGLES, costs=0.75)
def aspect_ignored(image, degrees, padding="zeros", align=(False, False)):
    """On images that are not square the rotation also shears. The grid runs from -1 to 1 along both axes, so one unit
    is another number of pixels in each."""
    # The matrix of a square on an image that is none.
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    theta = image.new_tensor([[[cosine, -sine, 0], [sine, cosine, 0]]])
    grid = F.affine_grid(theta, [1, *image.shape], align_corners=align[0])
    return F.grid_sample(image[None], grid, padding_mode=padding, align_corners=align[1])[0]

exercise.also(aspect_ignored)(lambda image, degrees: aspect_ignored(image, degrees, align=(True, True)))

def measured_by(sides):
    """Distances divided by half of `sides(height, width)`, down and across."""

    @functools.wraps(sides)
    def answer(image, degrees):
        places, sizes = sources(image, math.radians(degrees), middle_of(image)), image.shape[-2:]
        along = zip(places, middle_of(image), sizes, sides(*sizes), strict=True)
        return by_grid(image, *((place - middle) * size / side + middle for place, middle, size, side in along))

    return answer

@exercise.wrong(loses=ANGLES, costs=0.5)
@measured_by
def divided_by_the_wrong_side(height, width):
    """Distances were not divided by the side to which they belong: those down by the height, those across by the width.
    In a square that makes no difference; elsewhere the image is stretched."""
    return width, width

@measured_by
def height_for_both(height, width):
    return height, height

@measured_by
def sides_exchanged(height, width):
    return width, height

exercise.also(divided_by_the_wrong_side)(height_for_both)
exercise.also(divided_by_the_wrong_side)(sides_exchanged)

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=1)
def about_the_corner(image, degrees):
    """The image turns about its top left corner and leaves the frame. It should turn about its center."""
    return turned(image, math.radians(degrees), (0.0, 0.0))

def halves_of(image):
    return image.shape[-2] / 2, image.shape[-1] / 2

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.5)
def half_a_pixel_off_the_center(image, degrees):
    """The center of rotation lies half a pixel too far down and right. The first pixel has the number 0, so the middle
    of n pixels is not n / 2."""
    return turned(image, math.radians(degrees), halves_of(image))

def shifted(image, radians, by, **options):
    """The image turned about one middle, whose number is added, and read about another."""
    measured = tuple(m + by for m in middle_of(image))
    return by_grid(image, *(place - by for place in sources(image, radians, measured)), **options)

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.5)
def half_pixel_forgotten(image, degrees):
    """Even without rotation the image is shifted by half a pixel. Places are measured from n / 2 on the one side and
    from (n - 1) / 2 on the other: a pixel's center lies half a pixel from its edge, on both."""
    return shifted(image, math.radians(degrees), 0.5)

@exercise.also(half_pixel_forgotten)
def half_pixel_added(image, degrees):
    return by_grid(image, *(place + 0.5 for place in sources(image, math.radians(degrees), middle_of(image))))

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.5)
def center_on_a_pixel(image, degrees):
    """The center of rotation was rounded to a whole pixel. With an even number of rows or columns it lies between
    two."""
    return turned(image, math.radians(degrees), (float(image.shape[-2] // 2), float(image.shape[-1] // 2)))

@exercise.wrong(loses=ZEROS)
def border_repeated(image, degrees):
    """What comes from outside the image repeats its border. Zeros were asked for."""
    return turned(image, math.radians(degrees), padding="border")

@exercise.wrong(loses=ZEROS)
def mirrored_at_the_border(image, degrees):
    """What comes from outside the image is its reflection. Zeros were asked for."""
    return turned(image, math.radians(degrees), padding="reflection")

@exercise.also(mirrored_at_the_border)
def mirrored_at_the_edge(image, degrees):
    return turned(image, math.radians(degrees), padding="reflection", align=(False, False))

@exercise.wrong(loses=ANGLES, costs=0.75)
def nearest_neighbor(image, degrees):
    """Each pixel copies the nearest one instead of interpolating between four."""
    return turned(image, math.radians(degrees), mode="nearest")

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.5)
def corners_mixed(image, degrees):
    """The grid was made with the corners meaning pixel centers and read with the corners meaning pixel edges. So the
    image is enlarged a little as well; use the same convention twice."""
    return turned(image, math.radians(degrees), align=(True, False))

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.5)
def corners_mixed_the_other_way(image, degrees):
    """The grid was made with the corners meaning pixel edges and read with the corners meaning pixel centers. So the
    image is made a little smaller as well; use the same convention twice."""
    return turned(image, math.radians(degrees), align=(False, True))

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.75)
def rows_before_columns(image, degrees):
    """The grid holds rows before columns. It is read as (x, y): the column comes first."""
    rows, columns = sources(image, math.radians(degrees), middle_of(image))
    height, width = image.shape[-2:]
    return grid_of_rows_and_columns(image, (2 * rows + 1) / height - 1, (2 * columns + 1) / width - 1)

def grid_of_rows_and_columns(image, rows, columns, align=False):
    return F.grid_sample(image[None], torch.stack([rows, columns], -1)[None], align_corners=align)[0]

@exercise.also(rows_before_columns)
def rows_before_columns_between_centers(image, degrees):
    rows, columns = sources(image, math.radians(degrees), middle_of(image))
    height, width = image.shape[-2:]
    return grid_of_rows_and_columns(image, 2 * rows / (height - 1) - 1, 2 * columns / (width - 1) - 1, align=True)

@exercise.also(rows_before_columns)
def rows_taken_for_columns(image, degrees):
    rows, columns = sources(image, math.radians(degrees), middle_of(image))
    return by_grid(image, columns, rows)

@exercise.wrong(loses=(QUARTERS, ANGLES), costs=0.5)
def lies_on_its_side(image, degrees):
    """Rows and columns of the result are exchanged, so a wide image becomes a tall one. In the grid the first axis runs
    down and the second across."""
    return turned(image, math.radians(degrees)).mT

@exercise.wrong(loses=ANGLES)
def quarter_turns_only(image, degrees):
    """The angle was rounded to a quarter turn. At other angles pixels come from between pixels and have to be
    interpolated."""
    return torch.rot90(image, round(degrees / 90), (1, 2))

@exercise.wrong(loses=ANGLES)
def pushed_instead_of_pulled(image, degrees):
    """Every old pixel was sent to its rounded new place, which leaves holes. Ask of every new pixel where it comes
    from."""
    rows, columns = (places.round().long() for places in sources(image, -math.radians(degrees), middle_of(image)))
    height, width = image.shape[-2:]
    kept = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    y = torch.zeros_like(image)
    for row, column in kept.nonzero().tolist():
        y[:, rows[row, column], columns[row, column]] = image[:, row, column]
    return y

for mistake, options in (
    (border_repeated, {"padding": "border"}),
    (nearest_neighbor, {"mode": "nearest"}),
    (corners_mixed, {"align": (True, False)}),
    (corners_mixed_the_other_way, {"align": (False, True)}),
):
    exercise.both(clockwise, mistake)(
        lambda image, degrees, options=options: turned(image, -math.radians(degrees), **options)
    )
exercise.both(clockwise, half_pixel_forgotten)(lambda image, degrees: shifted(image, -math.radians(degrees), 0.5))
exercise.both(clockwise, half_a_pixel_off_the_center)(
    lambda image, degrees: turned(image, -math.radians(degrees), halves_of(image))
)
exercise.both(clockwise, rows_before_columns)(lambda image, degrees: rows_before_columns(image, -degrees))
for way in (divided_by_the_wrong_side, height_for_both, sides_exchanged):
    exercise.both(clockwise, divided_by_the_wrong_side)(lambda image, degrees, way=way: way(image, -degrees))

# In units of half the image, with the corners of the grid meaning the same when it is made and when it is read.
for align in ((False, False), (True, True)):
    exercise.both(clockwise, aspect_ignored)(
        lambda image, degrees, align=align: aspect_ignored(image, -degrees, align=align)
    )
    exercise.both(degrees_taken_for_radians, aspect_ignored)(
        lambda image, degrees, align=align: aspect_ignored(image, math.degrees(degrees), align=align)
    )
    exercise.both(aspect_ignored, border_repeated)(
        lambda image, degrees, align=align: aspect_ignored(image, degrees, "border", align)
    )

for mistake, align in ((corners_mixed, (True, False)), (corners_mixed_the_other_way, (False, True))):
    exercise.both(mistake, aspect_ignored)(
        lambda image, degrees, align=align: aspect_ignored(image, degrees, align=align)
    )
    exercise.both(clockwise, mistake, aspect_ignored)(
        lambda image, degrees, align=align: aspect_ignored(image, -degrees, align=align)
    )
    exercise.both(mistake, border_repeated)(
        lambda image, degrees, align=align: turned(image, math.radians(degrees), padding="border", align=align)
    )
