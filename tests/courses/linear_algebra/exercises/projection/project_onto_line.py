"""The point of a line through the origin that is nearest to x."""

import torch

from autograder.exercise import Exercise

exercise = Exercise("project-onto-line", "project_onto_line(x, a)", returns="p", forbidden=("torch.linalg.lstsq",))
NEAREST = exercise.criterion("is the nearest point of the line", 1.5, cases=("by hand", "random", "float32"))

@exercise.cases
def cases(g):
    yield "by hand", {"x": torch.tensor([2.0, 0.0]).double(), "a": torch.tensor([1.0, 1.0]).double()}
    yield "random", {"x": torch.randn(5, generator=g).double(), "a": torch.randn(5, generator=g).double() + 2}
    yield "float32", {"x": torch.randn(4, generator=g), "a": torch.randn(4, generator=g) + 2}

@exercise.reference
def by_least_squares(x, a):
    coefficient = torch.linalg.lstsq(a[:, None], x[:, None]).solution
    return (a[:, None] @ coefficient)[:, 0]

@exercise.right
def by_matrix(x, a):
    return torch.outer(a, a) @ x / (a @ a)

@exercise.wrong(loses=NEAREST)
def length_of_a_forgotten(x, a):
    """The length of a seems to be taken for 1. The farther a reaches, the farther the point is carried along it."""
    return (a @ x) * a

@exercise.wrong(loses=NEAREST)
def divided_by_the_length_once(x, a):
    """It was divided by the length of a once. a enters twice, in the product with x and as the direction."""
    return (a @ x) * a / a.norm()

@exercise.wrong(loses=NEAREST)
def roles_exchanged(x, a):
    """This is a projected onto the line of x. Which of the two is the line?"""
    return (a @ x) * x / (x @ x)
