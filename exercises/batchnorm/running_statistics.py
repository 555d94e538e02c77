"""What training keeps for later: running statistics with PyTorch's momentum and unbiased variance."""

import torch
from torch.nn import functional as F

from autograder.exercise import Exercise
from exercises.batchnorm.shared import NORMALISERS, columns, round_columns, shifts, variances

exercise = Exercise(
    "running-statistics",
    "update_running_statistics(running_mean, running_var, x, momentum)",
    returns=("new_mean", "new_var"),
    forbidden=NORMALISERS,
)
MEAN = exercise.criterion("moves the running mean", 0.5, cases="momentum 0.5", outputs="new_mean")
MOMENTUM = exercise.criterion(
    "momentum is the weight of the new value",
    1,
    cases=("tiny", "momentum 0.1", "square", "float32"),
    outputs="new_mean",
)
VAR = exercise.criterion(
    "moves the running variance by the unbiased variance",
    1,
    cases=("tiny", "momentum 0.1", "square", "momentum 0.5", "float32"),
    outputs="new_var",
)
INPUTS = exercise.criterion("leaves the old statistics unchanged", 0.5, cases="constant batch", aspect="inputs")

def case(g, x, momentum):
    d = x.shape[1]
    mean, var = shifts(g, d, 1.0, 4.0).to(x.dtype), variances(g, d).to(x.dtype)
    return {"running_mean": mean, "running_var": var, "x": x, "momentum": momentum}

@exercise.cases
def cases(g):
    yield "tiny", case(g, round_columns(g), 0.25)
    yield "momentum 0.1", case(g, columns(g, 6, 3), 0.1)
    yield "square", case(g, columns(g, 5, 5), 0.3)
    # Old and new weigh the same, so this case says nothing about the convention.
    yield "momentum 0.5", case(g, columns(g, 7, 4), 0.5)
    # A batch without variance, so this case says nothing about how the variance is taken.
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

@exercise.wrong(loses=(MOMENTUM, VAR))
def momentum_swapped(rm, rv, x, m):
    """momentum seems to be the weight of the old value, as in some other libraries and courses. Here, as in PyTorch, it
    is the weight of the new one."""
    return mix(rm, x.mean(0), 1 - m), mix(rv, x.var(0), 1 - m)

@exercise.wrong(loses=VAR)
def biased_running_variance(rm, rv, x, m):
    """The running variance seems to be moved by the biased variance of the batch. It stands for the variance of all
    data, which a batch underestimates; the running statistics use the unbiased one."""
    return mix(rm, x.mean(0), m), mix(rv, x.var(0, correction=0), m)

@exercise.wrong(loses=VAR)
def correction_inverted(rm, rv, x, m):
    """The correction for the bias goes the wrong way: it makes the variance of the batch smaller instead of larger."""
    return mix(rm, x.mean(0), m), mix(rv, x.var(0, correction=0) * (len(x) - 1) / len(x), m)

@exercise.wrong(loses=VAR)
def deviation_stored(rm, rv, x, m):
    """The running variance seems to be moved by a standard deviation. Keep variances; the root comes at inference."""
    return mix(rm, x.mean(0), m), mix(rv, x.std(0), m)

@exercise.wrong(loses=VAR)
def deviation_around_running_mean(rm, rv, x, m):
    """The deviations seem to be taken from the running mean. The variance of the batch is around the
    mean of the batch."""
    mean = mix(rm, x.mean(0), m)
    return mean, mix(rv, ((x - mean) ** 2).sum(0) / (len(x) - 1), m)

@exercise.wrong(loses=(MEAN, MOMENTUM, VAR))
def nothing_moves(rm, rv, x, m):
    """The statistics come back as they were: the updated values seem to be lost on the way, not returned."""
    return rm.clone(), rv.clone()

@exercise.wrong(loses=(MEAN, MOMENTUM, VAR))
def batch_statistics_only(rm, rv, x, m):
    """The results are those of this batch alone; the old statistics do not enter. A running average keeps most of what
    it knew before."""
    return x.mean(0), x.var(0)

@exercise.wrong(loses=(MEAN, MOMENTUM, VAR))
def old_value_not_faded(rm, rv, x, m):
    """The new value is added, but the old one keeps its full weight, so the statistics grow with every batch. The two
    weights add up to 1."""
    return rm + m * x.mean(0), rv + m * x.var(0)

@exercise.wrong(loses=(MEAN, MOMENTUM, VAR))
def statistics_of_each_row(rm, rv, x, m):
    """Mean and variance seem to be taken over the features of each example. There is one running value for each
    feature, taken over the batch."""
    return mix(rm, x.mean(1), m), mix(rv, x.var(1), m)

@exercise.wrong(loses=VAR)
def variance_not_moved(rm, rv, x, m):
    """The running mean moves, the running variance stays as it was."""
    return mix(rm, x.mean(0), m), rv.clone()

@exercise.wrong(loses=INPUTS)
def statistics_changed_in_place(rm, rv, x, m):
    """The values are right, but the old statistics were overwritten. The function returns new tensors; a caller who
    keeps the old ones must find them unchanged."""
    return rm.mul_(1 - m).add_(m * x.mean(0)), rv.mul_(1 - m).add_(m * x.var(0))
