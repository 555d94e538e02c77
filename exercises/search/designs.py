"""Two ways to spend a budget of trials: on a grid, or at random."""

import itertools

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform
from exercises.search.shared import among, ranges, tensor

exercise = Exercise(
    "designs", "grid_design(bounds, points_per_axis)", "random_design(bounds, u)", returns="points"
)
GRID = exercise.criterion("a grid of all combinations, evenly spaced in the logarithm", 1.75, cases="grid*")
RANDOM = exercise.criterion("random points, each coordinate by its own u", 1.75, cases="random*")

@exercise.cases
def cases(g):
    def grid(bounds, points_per_axis):
        inputs = {"bounds": bounds, "points_per_axis": points_per_axis}
        return Case(inputs, "grid_design", "search/rows")

    def random(bounds, u):
        return Case({"bounds": bounds, "u": u.to(bounds.dtype)}, "random_design", "search/rows")

    by_hand = tensor(1.0, 100.0, 10.0, 100000.0).reshape(2, 2)
    yield "grid, by hand", grid(by_hand, 3)
    yield "random, by hand", random(by_hand, tensor(0.5, 0.25, 0.0, 0.75).reshape(2, 2))
    yield "grid", grid(ranges(g, 2), among(g, 4, 6))
    yield "grid, three axes", grid(ranges(g, 3), 3)
    yield "grid, one axis", grid(ranges(g, 1), among(g, 4, 7))
    yield "grid, float32", grid(ranges(g, 2).float(), 4)
    yield "random", random(ranges(g, 2), uniform(g, 0.1, 0.9, among(g, 4, 6), 2))
    yield "random, three axes, as many points", random(ranges(g, 3), uniform(g, 0.1, 0.9, 3, 3))
    yield "random, float32", random(ranges(g, 2).float(), uniform(g, 0.1, 0.9, 5, 2))

@exercise.reference
class Reference:
    def grid_design(bounds, points_per_axis):
        steps = [i / (points_per_axis - 1) for i in range(points_per_axis)]
        places = list(itertools.product(steps, repeat=len(bounds)))
        return Reference.random_design(bounds, torch.tensor(places, dtype=bounds.dtype))

    def random_design(bounds, u):
        columns = [
            torch.tensor([low * (high / low) ** r for r in column], dtype=bounds.dtype)
            for (low, high), column in zip(bounds.tolist(), u.T.tolist(), strict=True)
        ]
        return torch.stack(columns, dim=1)

@exercise.right
class MeshOfLogspaces:
    def grid_design(bounds, points_per_axis):
        axes = [torch.logspace(*row.log10().tolist(), points_per_axis, dtype=bounds.dtype) for row in bounds]
        return torch.stack(torch.meshgrid(*axes, indexing="xy"), dim=-1).reshape(-1, len(bounds))

    def random_design(bounds, u):
        low, high = bounds.log10().unbind(1)
        return 10 ** (low + (high - low) * u)

@exercise.right
class NumpyGeomspace:
    def grid_design(bounds, points_per_axis):
        axes = [np.geomspace(low, high, points_per_axis) for low, high in bounds.tolist()]
        grid = np.array(np.meshgrid(*axes)).T.reshape(-1, len(axes))
        return torch.tensor(grid, dtype=bounds.dtype)

    def random_design(bounds, u):
        logs = np.log(bounds.double().numpy())
        return torch.tensor(np.exp(logs[:, 0] * (1 - u.numpy()) + logs[:, 1] * u.numpy()), dtype=bounds.dtype)

@exercise.right
class DigitsOfANumber:
    def grid_design(bounds, points_per_axis):
        d = len(bounds)
        numbers = torch.arange(points_per_axis**d)
        digits = torch.stack([numbers // points_per_axis**axis % points_per_axis for axis in range(d)], dim=1)
        return DigitsOfANumber.random_design(bounds, digits.to(bounds.dtype) / (points_per_axis - 1)).flip(0)

    def random_design(bounds, u):
        return bounds[:, 0] * (bounds[:, 1] / bounds[:, 0]) ** u

def placed(bounds, u):
    low, high = bounds.log().unbind(1)
    return torch.exp(low + (high - low) * u)

def linear(bounds, u):
    return bounds[:, 0] + (bounds[:, 1] - bounds[:, 0]) * u

def products(steps, bounds):
    """All combinations of places, (len(steps) ** d, d)."""
    return torch.cartesian_prod(*[steps] * len(bounds)).reshape(-1, len(bounds)).to(bounds.dtype)

def evenly(bounds, points_per_axis):
    return products(torch.linspace(0, 1, points_per_axis, dtype=torch.float64), bounds)

def grid(costs):
    return exercise.wrong(loses=GRID, costs=costs, of="grid_design")

def random(costs):
    return exercise.wrong(loses=RANDOM, costs=costs, of="random_design")

# --- the grid

@grid(1)
def grid_without_the_logarithm(bounds, points_per_axis):
    """The points of the grid are evenly spaced themselves, so nearly all lie in the highest decade. Space the
    logarithms evenly."""
    return linear(bounds, evenly(bounds, points_per_axis))

@grid(1.25)
def diagonal_only(bounds, points_per_axis):
    """The axes were run through side by side, which gives the diagonal alone. A grid has every combination: as many
    points to the power of the number of axes."""
    steps = torch.linspace(0, 1, points_per_axis, dtype=bounds.dtype)
    return placed(bounds, steps[:, None].expand(-1, len(bounds))) if len(bounds) > 1 else placed(bounds, steps[:, None])

@grid(0.5)
def upper_end_left_out(bounds, points_per_axis):
    """The upper end is missing: the spacing is that of one point more. Both ends belong to the grid."""
    return placed(bounds, products(torch.arange(points_per_axis).double() / points_per_axis, bounds))

@grid(0.5)
def centers_of_cells(bounds, points_per_axis):
    """The points are the centers of equal cells. Both ends of each axis were asked for."""
    return placed(bounds, products((torch.arange(points_per_axis).double() + 0.5) / points_per_axis, bounds))

@grid(0.5)
def inner_points_only(bounds, points_per_axis):
    """The points lie evenly between the ends but leave both of them out. Both belong to the grid."""
    return placed(bounds, products((torch.arange(points_per_axis).double() + 1) / (points_per_axis + 1), bounds))

@grid(0.75)
def exponents_of_the_grid(bounds, points_per_axis):
    """The grid holds exponents. The values themselves are asked for."""
    return placed(bounds, evenly(bounds, points_per_axis)).log10()

@exercise.also(exponents_of_the_grid, of="grid_design")
def natural_exponents_of_the_grid(bounds, points_per_axis):
    return placed(bounds, evenly(bounds, points_per_axis)).log()

@grid(0.75)
def first_bounds_for_all_axes_of_the_grid(bounds, points_per_axis):
    """Every axis of the grid has the bounds of the first one. Each has its own."""
    return placed(bounds[:1].expand_as(bounds), evenly(bounds, points_per_axis))

@grid(1)
def one_axis_at_a_time(bounds, points_per_axis):
    """One axis was varied at a time, the others staying at their lower ends. A grid has every combination."""
    places = torch.zeros(len(bounds), points_per_axis, len(bounds), dtype=bounds.dtype)
    for axis in range(len(bounds)):
        places[axis, :, axis] = torch.linspace(0, 1, points_per_axis)
    return placed(bounds, places.flatten(0, 1))

@grid(0.5)
def one_point_more_on_each_axis(bounds, points_per_axis):
    """Every axis has one point more than asked for: points_per_axis counts points, not the gaps between them."""
    return placed(bounds, evenly(bounds, points_per_axis + 1))

@grid(0.5)
def axes_instead_of_points(bounds, points_per_axis):
    """These are the axes of the grid, not its points. Every combination of them is a point."""
    return placed(bounds, torch.linspace(0, 1, points_per_axis, dtype=bounds.dtype)[:, None]).T.contiguous()

# --- random points

@random(1)
def random_without_the_logarithm(bounds, u):
    """The random points are evenly spread themselves, so nine of ten lie in the highest decade. Spread the
    logarithms."""
    return linear(bounds, u)

@random(1.25)
def one_draw_for_all_axes(bounds, u):
    """The first column of u was used for every axis, so all points lie on the diagonal. Each coordinate has its own
    draw; that is what random search lives on."""
    return placed(bounds, u[:, :1].expand_as(u))

@random(0.75)
def exponents_of_random_points(bounds, u):
    """The random points are exponents. The values themselves are asked for."""
    return placed(bounds, u).log10()

@exercise.also(exponents_of_random_points, of="random_design")
def natural_exponents_of_random_points(bounds, u):
    return placed(bounds, u).log()

@random(0.75)
def first_bounds_for_all_axes_of_random_points(bounds, u):
    """Every axis of the random points has the bounds of the first one. Each has its own."""
    return placed(bounds[:1].expand_as(bounds), u)

@random(0.5)
def lower_and_upper_bound_exchanged(bounds, u):
    """The random points run from the upper bounds down to the lower ones. u = 0 should give the lower bound, so that
    equal draws give equal points."""
    return placed(bounds.flip(1), u)

@random(0.5)
def columns_of_u_exchanged(bounds, u):
    """The axes took their draws in reverse order. Column i of u belongs to axis i."""
    return placed(bounds, u.flip(1))

@random(0.75)
def two_bases_mixed(bounds, u):
    """The exponents were taken to one base and raised to another, so the points leave the bounds. Logarithm and power
    need the same base."""
    low, high = bounds.log10().unbind(1)
    return torch.exp(low + (high - low) * u)

@random(0.5)
def a_column_for_each_point(bounds, u):
    """Rows and columns are exchanged. The exercise asks for a row for each point."""
    return placed(bounds, u).T.contiguous()

@random(1)
def u_rounded_to_the_ends(bounds, u):
    """Every coordinate lies at one end of its axis. u says where between the ends it lies."""
    return placed(bounds, u.round())

exercise.both(grid_without_the_logarithm, random_without_the_logarithm, costs=1.5)(
    {
        "grid_design": lambda bounds, points_per_axis: linear(bounds, evenly(bounds, points_per_axis)),
        "random_design": linear,
    }
)

def linear_diagonal(bounds, points_per_axis):
    steps = torch.linspace(0, 1, points_per_axis, dtype=bounds.dtype)
    return linear(bounds, steps[:, None].expand(-1, len(bounds)))

exercise.both(grid_without_the_logarithm, diagonal_only, costs=1.5, of="grid_design")(linear_diagonal)
exercise.both(random_without_the_logarithm, one_draw_for_all_axes, costs=1.5, of="random_design")(
    lambda bounds, u: linear(bounds, u[:, :1].expand_as(u))
)
