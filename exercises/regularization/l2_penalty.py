"""The L2 penalty: half of lambda times the sum of the squares of all weights."""

import functools

import torch

from autograder.exercise import Case, Exercise
from exercises.regularization.shared import among, away_from_zero, between

exercise = Exercise("l2-penalty", "l2_penalty(weights, lam)", returns=("penalty", "gradients"))
VALUE = exercise.criterion("half of lam times the sum of all squares", 1.75, outputs="penalty")
GRADIENT = exercise.criterion("its gradient reaches every weight", 0.75, outputs="gradients")

@exercise.cases
def cases(g):
    def case(lam, *shapes, dtype=torch.float64, driver="regularization/penalty"):
        return Case({"weights": [away_from_zero(g, *shape).to(dtype) for shape in shapes], "lam": lam}, driver=driver)

    by_hand = [torch.tensor([[3.0], [4.0]], dtype=torch.float64), torch.tensor([12.0], dtype=torch.float64)]
    yield "by hand", Case({"weights": by_hand, "lam": 0.1}, driver="regularization/penalty")
    yield "three shapes", case(between(g, 0.2, 0.4), (3, 4), (among(g, 2, 3),), (2, 3, 2, 1))
    yield "a strong penalty", case(between(g, 2.5, 4.0), (2, 5), (5,))
    yield "float32", case(between(g, 0.5, 0.8), (4, 3), (3,), (1, 4), dtype=torch.float32)

@exercise.reference
def number_by_number(weights, lam):
    total = 0.0
    for weight in weights:
        for number in weight.flatten():
            total = total + number * number
    return 0.5 * lam * total

@exercise.right
def sum_of_squares(weights, lam):
    return lam / 2 * sum(weight.square().sum() for weight in weights)

@exercise.right
def one_long_row(weights, lam):
    row = torch.cat([weight.reshape(-1) for weight in weights])
    return lam * (row @ row) / 2

@exercise.right
def squared_norms(weights, lam):
    return torch.stack([0.5 * lam * torch.linalg.vector_norm(weight) ** 2 for weight in weights]).sum()

@exercise.right
def einsum(weights, lam):
    return sum(lam * torch.einsum("...,...->", w, w) for w in weights) / 2

def of_each(one):
    """The sum over all tensors of what `one` makes of each, times lam / 2."""

    @functools.wraps(one)
    def answer(weights, lam):
        return lam / 2 * sum(one(weight) for weight in weights)

    return answer

def scaled(factor):
    """The right sum with another factor before it."""

    @functools.wraps(factor)
    def answer(weights, lam):
        return factor(lam) * sum(weight.square().sum() for weight in weights)

    return answer

@exercise.wrong(loses=VALUE, costs=0.5)
@scaled
def no_half(lam):
    """The penalty is twice as large as it should be. In the lecture's form lam is halved, so that the derivative with
    respect to a weight is lam times that weight."""
    return lam

@exercise.wrong(loses=VALUE, costs=0.5)
@scaled
def halved_twice(lam):
    """The penalty is half as large as it should be: the factor one half entered twice."""
    return lam / 4

@exercise.wrong(loses=VALUE, costs=0.75)
@scaled
def lam_squared(lam):
    """lam enters squared. It stands as it is before the sum, halved."""
    return lam**2 / 2

@exercise.wrong(loses=VALUE, costs=0.75)
@scaled
def lam_missing(lam):
    """lam does not enter: this is half of the sum of the squares, whatever the strength."""
    return 0.5

@exercise.wrong(loses=VALUE, costs=0.5)
@scaled
def sign_changed(lam):
    """The penalty is negative, so larger weights would lower the loss. It is added to the loss and should make it
    larger."""
    return -lam / 2

@exercise.wrong(loses=VALUE, costs=1)
@of_each
def mean_of_each_tensor(weight):
    """Each tensor gives the mean of its squares. Then a weight in a large layer counts less than one in a small layer;
    sum them all."""
    return weight.square().mean()

@exercise.wrong(loses=VALUE, costs=1)
@of_each
def norms_not_squared(weight):
    """The norms of the tensors were added, not their squares. A norm pulls every weight with a force that does not fade
    as the weights become small."""
    return weight.norm()

@exercise.wrong(loses=VALUE, costs=1)
@of_each
def absolute_values(weight):
    """Absolute values were added: that is the L1 penalty. The L2 penalty sums squares."""
    return weight.abs().sum()

@exercise.wrong(loses=VALUE, costs=1)
@of_each
def square_of_the_sum(weight):
    """The weights of each tensor were added first and then squared, so that weights of different sign cancel. Square
    each weight first."""
    return weight.sum() ** 2

@exercise.also(square_of_the_sum)
def square_of_the_sum_of_all(weights, lam):
    return lam / 2 * sum(weight.sum() for weight in weights) ** 2

@exercise.wrong(loses=VALUE, costs=1)
def norm_of_all_not_squared(weights, lam):
    """This is half of lam times the norm of all weights. The penalty is made of its square, the sum of the squares."""
    return lam / 2 * torch.cat([weight.flatten() for weight in weights]).norm()

@exercise.also(norm_of_all_not_squared)
def norm_of_all_without_half(weights, lam):
    return lam * torch.cat([weight.flatten() for weight in weights]).norm()

@exercise.wrong(loses=VALUE, costs=1)
def square_of_the_sum_of_norms(weights, lam):
    """The norms of the tensors were added and their sum squared. Squares add up, norms do not: square before you
    add."""
    return lam / 2 * sum(weight.norm() for weight in weights) ** 2

@exercise.wrong(loses=VALUE, costs=1)
def mean_of_all(weights, lam):
    """The sum of the squares was divided by the number of weights. The exercise asks for the sum."""
    return lam / 2 * torch.cat([weight.flatten() for weight in weights]).square().mean()

@exercise.wrong(loses=VALUE, costs=0.5)
def mean_over_tensors(weights, lam):
    """The sum of the squares was divided by the number of tensors. The exercise asks for the sum over all of them."""
    return sum_of_squares(weights, lam) / len(weights)

@exercise.wrong(loses=VALUE, costs=1)
def last_tensor_only(weights, lam):
    """Only the last tensor counts: what the others gave was lost on the way, in a loop that overwrites instead of
    adding."""
    return sum_of_squares(weights[-1:], lam)

@exercise.wrong(loses=VALUE, costs=1)
def first_tensor_only(weights, lam):
    """Only the first tensor counts. Is there a return inside the loop?"""
    return sum_of_squares(weights[:1], lam)

@exercise.wrong(loses=VALUE, costs=0.75)
def only_two_axes_or_more(weights, lam):
    """Tensors with a single axis were left out. Which parameters are penalized is decided by whoever calls; here every
    tensor in the list counts."""
    return sum_of_squares([weight for weight in weights if weight.ndim > 1], lam)

@exercise.wrong(loses=VALUE, costs=0.5)
def a_number_for_each_tensor(weights, lam):
    """There is a number for each tensor. A penalty is one number, which is added to the loss: sum over the tensors as
    well."""
    return torch.stack([lam / 2 * weight.square().sum() for weight in weights])

@exercise.wrong(loses=GRADIENT)
def graph_cut(weights, lam):
    """No gradient leads back to the weights: the penalty was taken out of the graph on the way, as a Python number,
    detached, or without gradients. Added to a loss it would change the number and not the training."""
    return sum_of_squares([weight.detach() for weight in weights], lam)

@exercise.also(graph_cut)
def graph_cut_by_a_number(weights, lam):
    return float(sum_of_squares(weights, lam))

@exercise.also(graph_cut)
def graph_made_anew(weights, lam):
    return sum_of_squares(weights, lam).detach().requires_grad_()

@exercise.wrong(loses=GRADIENT, costs=0.5)
def last_tensor_alone_in_the_graph(weights, lam):
    """A gradient leads to the last tensor alone: what was added up before was taken out of the graph."""
    return sum_of_squares([weight.detach() for weight in weights[:-1]], lam) + sum_of_squares(weights[-1:], lam)

for mistake in (no_half, mean_of_all, last_tensor_only, norm_of_all_not_squared, a_number_for_each_tensor):
    exercise.both(mistake, graph_cut)(
        lambda weights, lam, mistake=mistake: mistake([weight.detach() for weight in weights], lam)
    )
