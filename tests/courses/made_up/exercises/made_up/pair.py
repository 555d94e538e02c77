"""Two functions in one exercise."""

import torch

from autograder.exercise import Case, Exercise

SMALL = "the example stays small"
exercise = Exercise("pair", "double(x)", "halve(x)", returns="y", dtype=SMALL, inputs=SMALL)
exercise.criterion("doubles", 1, cases="double")
exercise.criterion("halves", 1, cases="halve")


@exercise.cases
def cases(g):
    yield "double", Case({"x": torch.randn(4, generator=g)}, function="double")
    yield "halve", Case({"x": torch.randn(3, generator=g)}, function="halve")


@exercise.reference
class Reference:
    def double(x):
        return 2 * x

    def halve(x):
        return x / 2
