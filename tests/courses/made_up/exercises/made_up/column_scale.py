"""Scale the columns to variance 1, and give their means."""

import torch

from autograder.exercise import Exercise

exercise = Exercise("column-scale", "column_scale(x, gamma, eps)", returns=("y", "centre"), dtype=0.5, inputs=0.5)
CENTRE = exercise.criterion("centre of the columns", 1, outputs="centre")
VARIANCE = exercise.criterion("variance of the columns", 2, cases=("random", "tiny"), outputs="y")
EPS = exercise.criterion("eps inside the root", 1, cases="small variance", outputs="y")


@exercise.cases
def cases(g):
    def normal(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    yield "random", {"x": 9 * normal(7, 5) + 3, "gamma": normal(5), "eps": 1e-9}
    yield "small variance", {"x": 0.1 * normal(6, 3), "gamma": normal(3), "eps": 1e-2}
    yield "tiny", {"x": torch.tensor([[1.0, 2.0], [3.0, 8.0], [2.0, 5.0]]), "gamma": torch.ones(2), "eps": 1e-9}


@exercise.reference
def reference(x, gamma, eps):
    variance, centre = torch.var_mean(x, dim=0, correction=0)
    return gamma * (x - centre) / torch.sqrt(variance + eps), centre


@exercise.wrong(loses=VARIANCE, costs=1)
def unbiased_variance(x, gamma, eps):
    """The sum was divided by `N - 1`; a batch is divided by its size."""
    variance, centre = torch.var_mean(x, dim=0, correction=1)
    return gamma * (x - centre) / torch.sqrt(variance + eps), centre


@exercise.wrong(loses=(CENTRE, VARIANCE, EPS))
def one_result(x, gamma, eps):
    """Two results are asked for."""
    return reference(x, gamma, eps)[0]


@exercise.wrong(loses=(CENTRE, VARIANCE, EPS))
def wrong_product(x, gamma, eps):
    """The product is taken over the wrong axis."""
    secret_line_of_a_wrong_answer = x @ gamma[:-1]
    return secret_line_of_a_wrong_answer
