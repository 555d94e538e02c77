"""What training keeps for later: running statistics with PyTorch's momentum and unbiased variance."""

import torch
from torch.nn import functional as F

from autograder.exercise import Exercise
from exercises.batchnorm.shared import NORMALISERS, columns, round_columns, round_statistics, shifts, variances

CONSTANT = ("constant batch, by hand", "constant batch")
OTHERS = ("by hand", "momentum 0.1", "momentum 0", "momentum 1", "square", "float32")

exercise = Exercise(
    "running-statistics",
    "update_running_statistics(running_mean, running_var, x, momentum)",
    returns=("new_mean", "new_var"),
    forbidden=NORMALISERS,
)
MEAN = exercise.criterion("moves the running mean", 0.5, cases=("momentum 0.5", *CONSTANT), outputs="new_mean")
VAR = exercise.criterion("moves the running variance", 0.5, cases=CONSTANT, outputs="new_var")
MOMENTUM = exercise.criterion("momentum is the weight of the new value", 0.75, cases=OTHERS, outputs="new_mean")
UNBIASED = exercise.criterion(
    "the unbiased variance of the batch enters", 0.75, cases=(*OTHERS, "momentum 0.5"), outputs="new_var"
)

def case(g, x, momentum):
    d = x.shape[1]
    mean, var = shifts(g, d, 1.0, 4.0).to(x.dtype), variances(g, d).to(x.dtype)
    return {"running_mean": mean, "running_var": var, "x": x, "momentum": momentum}

def by_hand(g):
    """Unbiased variances of 12 and 48, running ones of 4 and 16."""
    mean, var = round_statistics(g, 2)
    x = round_columns(g)
    center, size = x.mean(0), torch.tensor([3.0, 6.0], dtype=torch.float64)[torch.randperm(2, generator=g)]
    return {"running_mean": mean, "running_var": var, "x": center + size * (x - center).sign(), "momentum": 0.25}

def constant(g):
    """Three equal rows."""
    mean, var = round_statistics(g, 2)
    x = (torch.randperm(4, generator=g)[:2] * 2 + 11).double().repeat(3, 1)
    return {"running_mean": mean, "running_var": var, "x": x, "momentum": 0.5}

@exercise.cases
def cases(g):
    yield "by hand", by_hand(g)
    yield "momentum 0.1", case(g, columns(g, 6, 3), 0.1)
    yield "momentum 0", case(g, columns(g, 5, 2), 0.0)
    yield "momentum 1", case(g, columns(g, 3, 4), 1.0)
    yield "square", case(g, columns(g, 4, 4), 0.3)
    # Old and new weigh the same, so this case says nothing about the convention.
    yield "momentum 0.5", case(g, columns(g, 7, 4), 0.5)
    # Batches without variance, so these cases say nothing about how the variance is taken.
    yield "constant batch, by hand", constant(g)
    yield "constant batch", case(g, columns(g, 6, 3)[:1].repeat(6, 1), 0.5)
    yield "float32", case(g, columns(g, 8, 3).float(), 0.2)

@exercise.reference
def by_torch(running_mean, running_var, x, momentum):
    mean, var = running_mean.clone(), running_var.clone()
    F.batch_norm(x, mean, var, training=True, momentum=momentum)
    return mean, var

@exercise.right
def lerp(rm, rv, x, m):
    return torch.lerp(rm, x.mean(0), m), torch.lerp(rv, x.var(0), m)

@exercise.right
def step_towards_the_new_value(rm, rv, x, m):
    return [rm + m * (x.mean(0) - rm), rv + m * (x.var(0) - rv)]

@exercise.right
def corrected_by_hand(rm, rv, x, m):
    var = ((x - x.mean(0)) ** 2).mean(0)
    return rm * (1 - m) + m * x.sum(0) / len(x), rv * (1 - m) + m * var * len(x) / (len(x) - 1)

@exercise.right
def numpy(rm, rv, x, m):
    mean = (1 - m) * rm.numpy() + m * x.numpy().mean(0)
    var = (1 - m) * rv.numpy() + m * x.numpy().var(0, ddof=1)
    return torch.from_numpy(mean).to(x.dtype), torch.from_numpy(var).to(x.dtype)

def mix(old, new, momentum):
    return (1 - momentum) * old + momentum * new

@exercise.right
def covariance_matrix(rm, rv, x, m):
    return mix(rm, torch.einsum("nd->d", x) / x.shape[0], m), mix(rv, torch.cov(x.T).diagonal(), m)

@exercise.wrong(loses=MOMENTUM, costs=1)
def momentum_swapped(rm, rv, x, m):
    """momentum seems to be the weight of the old value, as in some other libraries and courses. Here, as in PyTorch, it
    is the weight of the new one."""
    return mix(rm, x.mean(0), 1 - m), mix(rv, x.var(0), 1 - m)

@exercise.wrong(loses=UNBIASED, costs=0.5)
def biased_running_variance(rm, rv, x, m):
    """The running variance seems to be moved by the biased variance of the batch. It stands for the variance of all
    data, which a batch underestimates; the running statistics use the unbiased one."""
    return mix(rm, x.mean(0), m), mix(rv, x.var(0, correction=0), m)

@exercise.both(momentum_swapped, biased_running_variance)
def swapped_and_biased(rm, rv, x, m):
    return mix(rm, x.mean(0), 1 - m), mix(rv, x.var(0, correction=0), 1 - m)

@exercise.wrong(loses=UNBIASED, costs=0.5)
def correction_inverted(rm, rv, x, m):
    """The correction for the bias goes the wrong way: it makes the variance of the batch smaller instead of larger."""
    return mix(rm, x.mean(0), m), mix(rv, x.var(0, correction=0) * (len(x) - 1) / len(x), m)

@exercise.wrong(loses=UNBIASED, costs=0.5)
def corrected_twice(rm, rv, x, m):
    """The variance of the batch seems to be corrected for the bias twice: PyTorch's variance divides by N - 1 already,
    and a factor N / (N - 1) comes on top."""
    return mix(rm, x.mean(0), m), mix(rv, x.var(0) * len(x) / (len(x) - 1), m)

@exercise.wrong(loses=UNBIASED, costs=0.5)
def deviation_stored(rm, rv, x, m):
    """The running variance seems to be moved by a standard deviation. Keep variances; the root comes at inference."""
    return mix(rm, x.mean(0), m), mix(rv, x.std(0), m)

@exercise.also(deviation_stored)
def biased_deviation_stored(rm, rv, x, m):
    return mix(rm, x.mean(0), m), mix(rv, x.std(0, correction=0), m)

@exercise.wrong(loses=(VAR, UNBIASED), costs=0.75)
def deviation_around_running_mean(rm, rv, x, m):
    """The deviations seem to be taken from the running mean. The variance of the batch is around the
    mean of the batch."""
    mean = mix(rm, x.mean(0), m)
    return mean, mix(rv, ((x - mean) ** 2).sum(0) / (len(x) - 1), m)

@exercise.also(deviation_around_running_mean)
def biased_deviation_around_running_mean(rm, rv, x, m):
    mean = mix(rm, x.mean(0), m)
    return mean, mix(rv, ((x - mean) ** 2).mean(0), m)

@exercise.also(deviation_around_running_mean)
def deviation_around_old_running_mean(rm, rv, x, m):
    return mix(rm, x.mean(0), m), mix(rv, ((x - rm) ** 2).sum(0) / (len(x) - 1), m)

@exercise.also(deviation_around_running_mean)
def biased_deviation_around_old_running_mean(rm, rv, x, m):
    return mix(rm, x.mean(0), m), mix(rv, ((x - rm) ** 2).mean(0), m)

@exercise.wrong(loses=(VAR, UNBIASED), costs=0.75)
def squares_not_centered(rm, rv, x, m):
    """The running variance seems to be moved by the mean of the squares of x. A variance is the mean square of the
    deviations from the mean."""
    return mix(rm, x.mean(0), m), mix(rv, x.square().mean(0), m)

@exercise.wrong(loses=(MEAN, VAR, MOMENTUM, UNBIASED))
def nothing_moves(rm, rv, x, m):
    """The statistics come back as they were: the updated values seem to be lost on the way, not returned."""
    return rm.clone(), rv.clone()

@exercise.wrong(loses=(MEAN, VAR, MOMENTUM), costs=2)
def batch_statistics_only(rm, rv, x, m):
    """The results are those of this batch alone; the old statistics do not enter. A running average keeps most of what
    it knew before."""
    return x.mean(0), x.var(0)

@exercise.also(batch_statistics_only)
def biased_batch_statistics_only(rm, rv, x, m):
    return x.mean(0), x.var(0, correction=0)

@exercise.wrong(loses=(MEAN, VAR, MOMENTUM), costs=1.5)
def old_value_not_faded(rm, rv, x, m):
    """The new value is added, but the old one keeps its full weight, so the statistics grow with every batch. The two
    weights add up to 1."""
    return rm + m * x.mean(0), rv + m * x.var(0)

@exercise.wrong(loses=(MEAN, VAR, MOMENTUM), costs=1.5)
def old_value_dropped(rm, rv, x, m):
    """The results are momentum times the values of this batch, and the old statistics do not enter. The two weights, of
    the old value and of the new one, add up to 1."""
    return m * x.mean(0), m * x.var(0)

@exercise.wrong(loses=MOMENTUM)
def momentum_ignored(rm, rv, x, m):
    """The statistics move as with another momentum than the one that was given. It looks as if a fixed number, such as
    the default 0.1 or a plain average, stands where the argument belongs."""
    return mix(rm, x.mean(0), 0.5), mix(rv, x.var(0), 0.5)

@exercise.also(momentum_ignored)
def momentum_fixed_at_the_default(rm, rv, x, m):
    return mix(rm, x.mean(0), 0.1), mix(rv, x.var(0), 0.1)

@exercise.wrong(loses=(MEAN, UNBIASED), costs=1.25)
def statistics_of_each_row(rm, rv, x, m):
    """Mean and variance seem to be taken over the features of each example. There is one running value for each
    feature, taken over the batch."""
    return mix(rm, x.mean(1), m), mix(rv, x.var(1), m)

@exercise.wrong(loses=(MEAN, UNBIASED), costs=1.25)
def one_mean_for_everything(rm, rv, x, m):
    """Mean and variance seem to be taken over the whole array, so that all features move toward the same numbers.
    There is one running value for each feature, taken over the batch."""
    return mix(rm, x.mean(), m), mix(rv, x.var(), m)

@exercise.wrong(loses=(VAR, UNBIASED), costs=1)
def variance_not_moved(rm, rv, x, m):
    """The running mean moves, the running variance stays as it was."""
    return mix(rm, x.mean(0), m), rv.clone()

@exercise.wrong(loses=(MEAN, VAR, MOMENTUM, UNBIASED), costs=0.5)
def results_in_wrong_order(rm, rv, x, m):
    """The two results are in the wrong order: the mean should come first, then the variance."""
    return mix(rv, x.var(0), m), mix(rm, x.mean(0), m)

@exercise.both(results_in_wrong_order, biased_running_variance)
def wrong_order_and_biased(rm, rv, x, m):
    return mix(rv, x.var(0, correction=0), m), mix(rm, x.mean(0), m)

@exercise.both(momentum_swapped, deviation_stored)
def swapped_and_deviation_stored(rm, rv, x, m):
    return mix(rm, x.mean(0), 1 - m), mix(rv, x.std(0), 1 - m)

@exercise.both(momentum_swapped, deviation_stored)
def swapped_and_biased_deviation_stored(rm, rv, x, m):
    return mix(rm, x.mean(0), 1 - m), mix(rv, x.std(0, correction=0), 1 - m)

@exercise.both(results_in_wrong_order, momentum_swapped)
def wrong_order_and_swapped(rm, rv, x, m):
    return mix(rv, x.var(0), 1 - m), mix(rm, x.mean(0), 1 - m)
