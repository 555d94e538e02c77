"""The share of the least-squares solution that ridge regression and stopped gradient descent keep, by direction."""


import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform
from exercises.regularization.shared import among, between

exercise = Exercise(
    "shrinkage-factors",
    "ridge_shrinkage(h, lam)",
    "gradient_descent_shrinkage(h, lr, steps)",
    returns="share",
    forbidden=("course_lib.regularization",),
)
RIDGE = exercise.criterion("the share that ridge regression keeps", 1, cases="ridge*")
DESCENT = exercise.criterion("the share that gradient descent has reached", 1.5, cases="descent*")
LONG_STEPS = exercise.criterion("overshoots where a step is too long", 0.5, cases="long steps*")

@exercise.cases
def cases(g):
    def ridge(h, lam):
        return Case({"h": h, "lam": lam}, "ridge_shrinkage")

    def descent(h, lr, steps):
        return Case({"h": h, "lr": lr, "steps": steps}, "gradient_descent_shrinkage")

    def spectrum(n, low=0.3, high=3.0):
        return uniform(g, low, high, n)

    yield "ridge, by hand", ridge(torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64), 4.0)
    yield "descent, by hand", descent(torch.tensor([4.0, 2.0, 0.0], dtype=torch.float64), 0.2, 2)
    yield "ridge", ridge(spectrum(among(g, 4, 6)), between(g, 0.3, 0.7))
    yield "ridge, float32", ridge(spectrum(5).float(), between(g, 2.5, 4.0))
    yield "descent", descent(spectrum(among(g, 4, 6)), between(g, 0.1, 0.2), among(g, 4, 6))
    yield "descent, one step", descent(spectrum(3), between(g, 0.15, 0.25), 1)
    yield "descent, float32", descent(spectrum(5).float(), between(g, 0.2, 0.3), among(g, 3, 5))
    # lr h is 1.2 to 1.8: an odd number of steps ends beyond the solution.
    yield "long steps", descent(spectrum(4, 2.4, 3.6), 0.5, one_of_odd(g))

def one_of_odd(g):
    """3 or 5."""
    return 3 + 2 * among(g, 0, 1)

@exercise.reference
class Reference:
    def ridge_shrinkage(h, lam):
        """The minimum of h/2 (w - 1)^2 + lam/2 w^2, by the normal equations with a least-squares solution of 1."""
        return torch.linalg.solve(torch.diag(h + lam), h)

    def gradient_descent_shrinkage(h, lr, steps):
        """Gradient descent itself on h/2 (w - 1)^2, from 0."""
        w = torch.zeros_like(h)
        for _ in range(steps):
            w = w - lr * h * (w - 1)
        return w

@exercise.right
class ClosedForm:
    def ridge_shrinkage(h, lam):
        return h / (h + lam)

    def gradient_descent_shrinkage(h, lr, steps):
        return 1 - (1 - lr * h) ** steps

@exercise.right
class GeometricSeries:
    def ridge_shrinkage(h, lam):
        return 1 - lam / (lam + h)

    def gradient_descent_shrinkage(h, lr, steps):
        return sum(lr * h * (1 - lr * h) ** k for k in range(steps))

@exercise.right
class Numpy:
    def ridge_shrinkage(h, lam):
        return torch.from_numpy(np.reciprocal(1 + lam / np.maximum(h.numpy(), 1e-300).astype(h.numpy().dtype)))

    def gradient_descent_shrinkage(h, lr, steps):
        return torch.from_numpy(1 - np.power(1 - lr * h.numpy(), steps))

@exercise.right
class OneByOne:
    def ridge_shrinkage(h, lam):
        return torch.stack([x / (x + lam) for x in h])

    def gradient_descent_shrinkage(h, lr, steps):
        left = torch.ones_like(h)
        for _ in range(steps):
            left = left * (1 - lr * h)
        return torch.ones_like(h) - left

def of_ridge(costs):
    return exercise.wrong(loses=RIDGE, costs=costs, of="ridge_shrinkage")

def of_descent(costs):
    return exercise.wrong(loses=DESCENT, costs=costs, of="gradient_descent_shrinkage")

@of_ridge(0.5)
def share_taken_away(h, lam):
    """This is the share that the penalty takes away. The exercise asks for the share that is kept; the two add up to
    one."""
    return lam / (h + lam)

@of_ridge(0.5)
def twice_the_penalty(h, lam):
    """The penalty acts with twice its strength: the derivative of half of lam times a square is lam times the
    weight."""
    return h / (h + 2 * lam)

@of_ridge(0.5)
def half_the_penalty(h, lam):
    """The penalty acts with half its strength. The loss, too, has a factor one half before h, so the two halves
    cancel."""
    return h / (h + lam / 2)

@of_ridge(0.75)
def eigenvalues_squared(h, lam):
    """The eigenvalues enter squared. That is right for singular values of the data matrix; h is already their
    square."""
    return h**2 / (h**2 + lam)

@of_ridge(0.75)
def penalty_squared(h, lam):
    """lam was squared. The gradient of half of lam times a square contains lam itself."""
    return h / (h + lam**2)

@of_ridge(0.75)
def the_inverse_alone(h, lam):
    """The numerator is 1. That is the inverse of the penalized Hessian; the right-hand side, which brings a factor h,
    is still to come."""
    return 1 / (h + lam)

@of_ridge(0.75)
def same_for_all(h, lam):
    """All directions shrink by the same factor. Ridge regression hardly touches the steep ones and flattens the others:
    h belongs in the denominator as well."""
    return torch.full_like(h, 1 / (1 + lam)) * (h > 0).to(h)

@exercise.also(same_for_all, of="ridge_shrinkage")
def same_for_all_flat_ones_too(h, lam):
    return torch.full_like(h, 1 / (1 + lam))

@of_ridge(0.75)
def penalty_times_h(h, lam):
    """lam was multiplied by h and the sum with 1 taken as denominator. Solve the normal equations of one direction: lam
    is added to h."""
    return h / (1 + lam * h)

@of_ridge(0.75)
def threshold(h, lam):
    """The directions with h below lam are set to zero and the others reduced by lam. Ridge regression has no threshold:
    every direction keeps a part."""
    return torch.relu(h - lam) / torch.where(h > 0, h, 1)

@exercise.also(threshold, of="ridge_shrinkage")
def threshold_divided(h, lam):
    return torch.relu(h - lam) / h

@of_descent(0.5)
def share_still_missing(h, lr, steps):
    """This is the share that is still missing after so many steps. The exercise asks for the share that has been
    reached; the two add up to one."""
    return (1 - lr * h) ** steps

@of_descent(0.75)
def continuous_time(h, lr, steps):
    """An exponential stands where the power of one step's factor belongs. They agree in the limit of short steps; these
    are steps of finite length."""
    return 1 - torch.exp(-lr * h * steps)

@of_descent(1)
def progress_linear_in_the_steps(h, lr, steps):
    """Every step brings as much as the first. But a step is proportional to what is still missing, so the steps become
    shorter."""
    return lr * h * steps

@of_descent(0.5)
def one_step_too_many(h, lr, steps):
    """One step too many was counted. Without any step nothing has been reached, whatever h is."""
    return 1 - (1 - lr * h) ** (steps + 1)

@of_descent(0.5)
def one_step_too_few(h, lr, steps):
    """One step too few was counted. After a single step the share is the learning rate times h."""
    return 1 - (1 - lr * h) ** (steps - 1)

@of_descent(0.75)
def learning_rate_missing(h, lr, steps):
    """The learning rate does not enter: each step seems to have the length 1."""
    return 1 - (1 - h) ** steps

@of_descent(0.75)
def h_missing(h, lr, steps):
    """All directions proceed at the same pace. The slope in a direction, and so the step, is
    proportional to h."""
    return (1 - (1 - lr) ** steps) * (h > 0).to(h)

@exercise.also(h_missing, of="gradient_descent_shrinkage")
def h_missing_flat_ones_too(h, lr, steps):
    return torch.full_like(h, 1 - (1 - lr) ** steps)

@of_descent(0.75)
def h_squared(h, lr, steps):
    """The eigenvalues enter squared. The gradient of half of h times a square has one factor h."""
    return 1 - (1 - lr * h**2) ** steps

@of_descent(0.75)
def ridge_in_its_place(h, lr, steps):
    """This is the share of ridge regression with lam = 1 / (lr steps). It is close, and it is not what gradient descent
    does: follow the error through one step, then through many."""
    return h / (h + 1 / (lr * steps))

@of_descent(0.75)
def twice_the_slope(h, lr, steps):
    """Each step is twice as long as it should be: the derivative of half of h times a square is h times the
    distance."""
    return 1 - (1 - 2 * lr * h) ** steps

@of_descent(0.75)
def multiplied_by_the_steps(h, lr, steps):
    """The factor of a step was multiplied by the number of steps. It acts once in every step, so it is raised to that
    power."""
    return 1 - (1 - lr * h) * steps

@of_descent(1)
def power_of_the_share(h, lr, steps):
    """The share of the first step was raised to the number of steps. What is multiplied from step to step is the part
    still missing."""
    return (lr * h) ** steps

@exercise.wrong(loses=LONG_STEPS, costs=0.5, of="gradient_descent_shrinkage")
def never_beyond_the_solution(h, lr, steps):
    """The share was limited to one. Where the learning rate times h is above 1, each step jumps over the solution, and
    an odd number of them ends beyond it."""
    return (1 - (1 - lr * h) ** steps).clamp(0, 1)

@exercise.wrong(loses=LONG_STEPS, costs=0.5, of="gradient_descent_shrinkage")
def sign_of_the_error_lost(h, lr, steps):
    """The factor of a step was taken as a positive number. Where the learning rate times h is above 1 it is negative:
    the error changes its sign with every step."""
    return 1 - (1 - lr * h).abs() ** steps

@exercise.also(never_beyond_the_solution, of="gradient_descent_shrinkage")
def factor_of_a_step_never_negative(h, lr, steps):
    return 1 - (1 - lr * h).clamp(min=0) ** steps
