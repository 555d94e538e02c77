"""Rotation by any angle: where does each new pixel come from?"""

import math

import torch
import torch.nn.functional as F

from autograder.exercise import Case, Exercise
from exercises.augmentation.shared import LIBRARY_IMAGES, by_grid, numbered, picture, pixel_grid, sampled
from exercises.draws import uniform

TURNED = ("slight", "steep, portrait", "wide angle, square, strided", "small angle, float32")

exercise = Exercise("rotate", "rotate(image, degrees)", returns="image", forbidden=LIBRARY_IMAGES)
QUARTERS = exercise.criterion(
    "quarter and half turns", 1, cases=("*quarter*", "quarter*", "three*", "half*"), outputs="inside"
)
ANGLES = exercise.criterion("any angle, interpolated", 1, cases=TURNED, outputs="inside")
ZEROS = exercise.criterion("zeros where nothing comes from the image", 0.5, cases=TURNED[:3])
DTYPE = exercise.criterion(
    "keeps the dtype", 0.5, cases=("quarter turn", "half turn, float32"), outputs="inside", aspect="dtype"
)
ALL_VALUES = (QUARTERS, ANGLES, ZEROS)

@exercise.cases
def cases(g):
    def case(image, degrees, driver="augmentation/rotated"):
        return Case({"image": image, "degrees": degrees}, driver=driver, outputs=("inside", "outside"))

    slight, steep = float(uniform(g, 25.0, 35.0, 1)), float(uniform(g, -60.0, -50.0, 1))
    yield "quarter turn, by hand", case(numbered(1, 4, 4), 90.0)
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
    sine, cosine = math.sin(radians), math.cos(radians)
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
def grid_with_pixel_centres(image, degrees):
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

@exercise.wrong(loses=ALL_VALUES)
def clockwise(image, degrees):
    """The image turns clockwise. Either the matrix says where a pixel goes instead of where it comes from, or it was
    forgotten that rows count downwards."""
    return turned(image, -math.radians(degrees))

@exercise.wrong(loses=ALL_VALUES)
def degrees_taken_for_radians(image, degrees):
    """The angle went into sine and cosine as it is. They expect radians."""
    return turned(image, degrees)

@exercise.wrong(loses=(ANGLES, ZEROS))
def aspect_ignored(image, degrees):
    """On images that are not square the rotation also shears. The grid runs from -1 to 1 along both axes, so one unit
    is another number of pixels in each."""
    # The matrix of a square on an image that is none.
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    theta = image.new_tensor([[[cosine, -sine, 0], [sine, cosine, 0]]])
    grid = F.affine_grid(theta, [1, *image.shape], align_corners=False)
    return F.grid_sample(image[None], grid, align_corners=False)[0]

@exercise.wrong(loses=ALL_VALUES)
def about_the_corner(image, degrees):
    """The image turns about its top left corner and leaves the frame. It should turn about its centre."""
    return turned(image, math.radians(degrees), (0.0, 0.0))

@exercise.wrong(loses=ALL_VALUES)
def half_a_pixel_off_the_centre(image, degrees):
    """The centre of rotation lies half a pixel too far down and right. The first pixel has the number 0, so the middle
    of n pixels is not n / 2."""
    return turned(image, math.radians(degrees), (image.shape[-2] / 2, image.shape[-1] / 2))

@exercise.wrong(loses=ALL_VALUES)
def centre_on_a_pixel(image, degrees):
    """The centre of rotation was rounded to a whole pixel. With an even number of rows or columns it
    lies between two."""
    return turned(image, math.radians(degrees), (float(image.shape[-2] // 2), float(image.shape[-1] // 2)))

@exercise.wrong(loses=ZEROS)
def border_repeated(image, degrees):
    """What comes from outside the image repeats its border. Zeros were asked for."""
    return turned(image, math.radians(degrees), padding="border")

@exercise.wrong(loses=ZEROS)
def mirrored_at_the_border(image, degrees):
    """What comes from outside the image is its reflection. Zeros were asked for."""
    return turned(image, math.radians(degrees), padding="reflection")

@exercise.wrong(loses=(ANGLES, ZEROS))
def nearest_neighbour(image, degrees):
    """Each pixel copies the nearest one instead of interpolating between four."""
    return turned(image, math.radians(degrees), mode="nearest")

@exercise.wrong(loses=ALL_VALUES)
def corners_mixed(image, degrees):
    """The grid was made with the corners meaning pixel centres and read with the corners meaning pixel edges. So the
    image is enlarged a little as well; use the same convention twice."""
    return turned(image, math.radians(degrees), align=(True, False))

@exercise.wrong(loses=ALL_VALUES)
def corners_mixed_the_other_way(image, degrees):
    """The grid was made with the corners meaning pixel edges and read with the corners meaning pixel centres. So the
    image is made a little smaller as well; use the same convention twice."""
    return turned(image, math.radians(degrees), align=(False, True))

@exercise.wrong(loses=ALL_VALUES)
def rows_before_columns(image, degrees):
    """The grid holds rows before columns. It is read as (x, y): the column comes first."""
    rows, columns = sources(image, math.radians(degrees), middle_of(image))
    height, width = image.shape[-2:]
    grid = torch.stack([2 * rows / (height - 1) - 1, 2 * columns / (width - 1) - 1], -1)
    return F.grid_sample(image[None], grid[None], align_corners=True)[0]

@exercise.wrong(loses=(ANGLES, ZEROS))
def quarter_turns_only(image, degrees):
    """The angle was rounded to a quarter turn. At other angles pixels come from between pixels and have to be
    interpolated."""
    y = torch.rot90(image, round(degrees / 90), (1, 2))
    return y if y.shape == image.shape else image.clone()

@exercise.wrong(loses=(ANGLES, ZEROS))
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

@exercise.wrong(loses=DTYPE)
def always_float32(image, degrees):
    """The result is float32 whatever came in. The grid and the image should both have the dtype of the input."""
    return by_the_formula(image.float(), degrees)
