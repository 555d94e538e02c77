"""Batch normalization as a module, exchangeable with `torch.nn.BatchNorm2d`.

Almost every mistake differs from `Plain`, which is right, in one method.
"""

import torch
from torch import nn

from autograder.exercise import Case, Exercise
from exercises.batchnorm.shared import (
    BIG,
    EPS_FIXED,
    EPS_OUTSIDE,
    NARROW,
    NORMALISERS,
    TINY,
    UNBIASED,
    images,
    scales,
    shifts,
    variances,
)

RUN = ("train", "gradient", "running_mean", "running_var", "evaluation", "evaluation_again", "trainable", "history")
EVALUATIONS = ("evaluation", "evaluation_again")

exercise = Exercise(
    "batchnorm2d-module", "class BatchNorm2d(num_features, eps=1e-5, momentum=0.1)", returns=RUN, forbidden=NORMALISERS
)
TRAINING = exercise.criterion(
    "training normalises by the statistics of the batch",
    1,
    cases=("one step", "three steps", "without gradients"),
    outputs="train",
)
GRADIENT = exercise.criterion(
    "the gradient passes through mean and variance", 0.5, cases=("one step", "three steps"), outputs="gradient"
)
STATISTICS = exercise.criterion(
    "running statistics after one and three steps",
    1,
    cases=("one step", "three steps", "without gradients"),
    outputs=("running_mean", "running_var"),
)
EVALUATION = exercise.criterion(
    "evaluation uses the running statistics", 1, cases="constant batch", outputs=EVALUATIONS
)
EPS = exercise.criterion("respects eps in training", 0.5, cases="small variance", outputs="train")
BUFFERS = exercise.criterion(
    "running statistics are not trained and keep no history",
    0.5,
    cases=("one step", "three steps"),
    outputs=("trainable", "history"),
)
STATE = exercise.criterion("state_dict can be exchanged with torch's", 0.5, cases="exchange with torch")

def run(g, batches, *, gradients=True, outputs=RUN, **settings):
    _, c, h, w = batches[0].shape
    inputs = {
        "settings": {"num_features": c, **settings},
        "parameters": {"weight": scales(g, c), "bias": shifts(g, c)},
        "batches": batches,
        "probe": images(g, (2, c, h, w)),
        "gradients": gradients,
    }
    return Case(inputs, driver="batchnorm/training-run", outputs=outputs)

def constant_images(g, shape):
    """Each channel is one number throughout, so it makes no difference how its variance is taken or stored."""
    return shifts(g, shape[1], 2.0, 6.0)[:, None, None].expand(shape).clone()

def exchange(g):
    """Loading, one step on a batch without variance at a momentum of one half, saving."""
    state = {
        "weight": scales(g, 3),
        "bias": shifts(g, 3),
        "running_mean": shifts(g, 3, 1.0, 4.0),
        "running_var": variances(g, 3),
        "num_batches_tracked": torch.tensor(7),
    }
    inputs = {
        "settings": {"num_features": 3, "momentum": 0.5, "eps": TINY},
        "state": state,
        "batch": constant_images(g, (3, 3, 2, 2)),
        "probe": images(g, (2, 3, 2, 4)),
    }
    return Case(inputs, driver="batchnorm/state-exchange", outputs=("initial", "imported", "state", "exported"))

@exercise.cases
def cases(g):
    small, wide = (2, 2, 2, 1), (5, 3, 2, 4)
    yield "one step", run(g, [images(g, small)])
    yield "three steps", run(g, [images(g, wide) for _ in range(3)], momentum=0.3, eps=TINY)
    forward = ("train", "running_mean", "running_var")
    yield "without gradients", run(g, [images(g, (3, 2, 2, 3))], gradients=False, eps=TINY, outputs=forward)
    yield "constant batch", run(g, [constant_images(g, (3, 4, 2, 2))], momentum=0.5, eps=0.5, outputs=EVALUATIONS)
    yield "small variance", run(g, [images(g, (4, 3, 2, 3), NARROW, level=0.2)], eps=BIG, outputs=("train",))
    yield "exchange with torch", exchange(g)

exercise.reference(nn.BatchNorm2d)

@exercise.right
class OneMethod(nn.Module):
    """Buffers under the right names, the mean and variance by moments, everything in one method."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        for name, value in (("running_mean", torch.zeros), ("running_var", torch.ones)):
            self.register_buffer(name, value(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x):
        buffers = dict(self.named_buffers())
        mean, var = buffers["running_mean"], buffers["running_var"]
        if self.training:
            rows = x.transpose(0, 1).flatten(1)
            mean, var = rows.mean(1), rows.square().mean(1) - rows.mean(1) ** 2
            m, n = self.momentum, rows.shape[1]
            with torch.no_grad():
                buffers["running_mean"].lerp_(mean, m)
                buffers["running_var"].mul_(1 - m).add_(m * var * n / (n - 1))
                buffers["num_batches_tracked"] += 1
        scale = self.weight / torch.sqrt(var + self.eps)
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]

def by_channel(values):
    """C numbers in any shape -> (C, 1, 1)."""
    return values.reshape(-1, 1, 1)

@exercise.right
class Plain(nn.Module):
    """A right batch normalization in small methods, so that a mistake can replace one of them."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.make_statistics(num_features)

    def make_statistics(self, c):
        """Create the running statistics."""
        self.register_buffer("running_mean", torch.zeros(c))
        self.register_buffer("running_var", torch.ones(c))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        """(N, C, H, W) -> (N, C, H, W)."""
        return self.train_step(x) if self.training else self.evaluate(x)

    def train_step(self, x):
        """Normalize by the statistics of the batch and remember them."""
        mean, var = self.statistics(x)
        self.track(mean, var, x.numel() // x.shape[1])
        return self.normalize(x, mean, var)

    def evaluate(self, x):
        """Normalize by the running statistics."""
        return self.normalize(x, self.running_mean, self.running_var)

    def statistics(self, x):
        """Mean and biased variance, each (C,)."""
        var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        return mean, var

    def track(self, mean, var, n):
        """Move the running statistics; n numbers went into each mean and (biased) variance."""
        with torch.no_grad():
            self.mix(mean, var * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1

    def mix(self, mean, var, momentum):
        """In place: what was known fades, the new value enters with weight `momentum`."""
        self.running_mean.mul_(1 - momentum).add_(momentum * mean)
        self.running_var.mul_(1 - momentum).add_(momentum * var)

    def normalize(self, x, mean, var):
        """Standardize, scale and shift each channel."""
        normal = (x - by_channel(mean)) / torch.sqrt(by_channel(var) + self.eps)
        return by_channel(self.weight) * normal + by_channel(self.bias)

@exercise.right
class BuffersReassigned(Plain):
    """New tensors are assigned to the buffers instead of changing them in place."""

    def track(self, mean, var, n):
        with torch.no_grad():
            self.running_mean = self.running_mean + self.momentum * (mean - self.running_mean)
            self.running_var = self.running_var + self.momentum * (var * n / (n - 1) - self.running_var)
            self.num_batches_tracked = self.num_batches_tracked + 1

@exercise.right
class LoopOverChannels(Plain):
    """Running statistics through `detach`, in a loop over channels."""

    def track(self, mean, var, n):
        self.num_batches_tracked += 1
        for c in range(len(mean)):
            unbiased = var[c].detach() * n / (n - 1)
            self.running_mean[c] = (1 - self.momentum) * self.running_mean[c] + self.momentum * mean[c].detach()
            self.running_var[c] = (1 - self.momentum) * self.running_var[c] + self.momentum * unbiased

@exercise.right
class RowsOfChannels(Plain):
    """Images as rows of channels, and back."""

    def statistics(self, x):
        rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        var, mean = torch.var_mean(rows, dim=0, correction=0)
        return mean, var

    def normalize(self, x, mean, var):
        rows = x.movedim(1, -1)
        return torch.addcmul(self.bias, (rows - mean) * torch.rsqrt(var + self.eps), self.weight).movedim(-1, 1)

@exercise.wrong(loses=STATISTICS)
class MomentumSwapped(Plain):
    """momentum seems to be the weight of the old running value, as in some other libraries and courses. In PyTorch it
    is the weight of the new one. After many batches the two look alike; after one they do not."""

    def mix(self, mean, var, momentum):
        super().mix(mean, var, 1 - momentum)

@exercise.wrong(loses=STATISTICS)
class BiasedRunningVariance(Plain):
    """The running variance seems to collect the biased variance of the batches. It stands for the variance of all data,
    which a batch underestimates: PyTorch stores the unbiased one, although it normalises by the biased one."""

    def track(self, mean, var, n):
        with torch.no_grad():
            self.mix(mean, var, self.momentum)
            self.num_batches_tracked += 1

@exercise.wrong(loses=STATISTICS)
class DeviationStored(Plain):
    """The running variance seems to collect standard deviations. Keep variances; the root comes at evaluation."""

    def mix(self, mean, var, momentum):
        super().mix(mean, var.sqrt(), momentum)

@exercise.wrong(loses=EVALUATION)
class EpsilonStored(Plain):
    """eps seems to be added to the variance before it is stored. At evaluation it is then added a second time."""

    def mix(self, mean, var, momentum):
        super().mix(mean, var + self.eps, momentum)

@exercise.wrong(loses=(STATISTICS, EVALUATION, STATE))
class VarianceStartsAtZero(Plain):
    """The running variance seems to start at 0. It starts at 1, so that an untrained layer does not
    blow its input up."""

    def make_statistics(self, c):
        super().make_statistics(c)
        self.running_var.zero_()

@exercise.wrong(loses=(STATISTICS, EVALUATION, STATE))
class StatisticsNeverWritten(Plain):
    """The running statistics stay at their initial values: the update seems to end in a local variable."""

    def mix(self, mean, var, momentum):
        return

@exercise.wrong(loses=(EVALUATION, STATE))
class UpdatesInEvaluation(Plain):
    """The running statistics move in evaluation mode too, so the same input gives two different answers. Only training
    may change them."""

    def evaluate(self, x):
        y = super().evaluate(x)
        with torch.no_grad():
            self.mix(*self.statistics(x), self.momentum)
        return y

@exercise.wrong(loses=(EVALUATION, STATE))
class EvaluatesByBatch(Plain):
    """In evaluation mode the statistics of the batch at hand seem to be used. The answer for an image would depend on
    the images beside it; the stored statistics are for this."""

    def evaluate(self, x):
        return self.normalize(x, *self.statistics(x))

@exercise.wrong(loses=(TRAINING, GRADIENT, EPS))
class TrainsByRunningStatistics(Plain):
    """In training mode the running statistics seem to be used. They lag behind; training normalises by the batch itself
    and only keeps the running statistics for later."""

    def train_step(self, x):
        super().train_step(x)
        # Copies: the buffers change in place at the next step, which would break the gradient of this one.
        return self.normalize(x, self.running_mean.clone(), self.running_var.clone())

@exercise.wrong(loses=(EVALUATION, STATE))
class AffineMissingInEvaluation(Plain):
    """weight and bias are used in training but not in evaluation. They belong to both."""

    def evaluate(self, x):
        return (x - by_channel(self.running_mean)) / torch.sqrt(by_channel(self.running_var) + self.eps)

@exercise.wrong(loses=(TRAINING, GRADIENT, EVALUATION, EPS, STATE))
class AffineForgotten(Plain):
    """weight and bias seem to be unused: the output always has mean 0 and variance 1."""

    def normalize(self, x, mean, var):
        return (x - by_channel(mean)) / torch.sqrt(by_channel(var) + self.eps)

@exercise.wrong(loses=(TRAINING, STATISTICS, EVALUATION, STATE))
class GradientSwitchAsMode(Plain):
    """The mode seems to follow whether gradients are enabled. The two are independent: statistics are collected without
    gradients, and a frozen layer is evaluated with them. The module's own mode decides."""

    def forward(self, x):
        return self.train_step(x) if torch.is_grad_enabled() else self.evaluate(x)

@exercise.wrong(loses=BUFFERS)
class StatisticsAreParameters(Plain):
    """The running statistics are parameters, so an optimizer would move them, and count and decay them as weights. They
    are data that the module carries: buffers."""

    def make_statistics(self, c):
        self.running_mean = nn.Parameter(torch.zeros(c))
        self.running_var = nn.Parameter(torch.ones(c))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

@exercise.wrong(loses=STATE)
class StatisticsAreAttributes(Plain):
    """The running statistics are plain attributes. They are missing when the module is saved, and stay behind when it
    moves to another device. Tensors that belong to a module without being trained are registered as buffers."""

    def make_statistics(self, c):
        self.running_mean, self.running_var = torch.zeros(c), torch.ones(c)
        self.num_batches_tracked = torch.tensor(0)

    def mix(self, mean, var, momentum):
        self.running_mean = (1 - momentum) * self.running_mean + momentum * mean
        self.running_var = (1 - momentum) * self.running_var + momentum * var

@exercise.wrong(loses=BUFFERS)
class StatisticsKeepHistory(Plain):
    """The running statistics still hang on the graph of every batch so far. Memory grows with each step, and a second
    backward pass can fail. Nothing is learnt through them, so the update needs no gradient."""

    def track(self, mean, var, n):
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * var * n / (n - 1)
        self.num_batches_tracked += 1

@exercise.wrong(loses=STATE)
class StatisticsInImageShape(Plain):
    """The running statistics are stored in the shape of an image. PyTorch stores one plain vector, so neither module
    can load what the other saved."""

    def make_statistics(self, c):
        self.register_buffer("running_mean", torch.zeros(1, c, 1, 1))
        self.register_buffer("running_var", torch.ones(1, c, 1, 1))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def mix(self, mean, var, momentum):
        super().mix(mean.reshape(1, -1, 1, 1), var.reshape(1, -1, 1, 1), momentum)

@exercise.wrong(loses=(STATISTICS, EVALUATION, STATE))
class StatisticsOfLastChannel(Plain):
    """All channels have the same running statistics, those of the last one. A loop over the channels seems to write to
    the same place each time."""

    def mix(self, mean, var, momentum):
        super().mix(mean[-1], var[-1], momentum)

@exercise.wrong(loses=STATE)
class BatchCounterMissing(Plain):
    """The number of batches seen is not in the saved state. PyTorch's layer keeps it as a third buffer,
    num_batches_tracked, and refuses to load into a module that has no place for it."""

    def make_statistics(self, c):
        super().make_statistics(c)
        del self.num_batches_tracked
        self.register_buffer("num_batches_tracked", torch.tensor(0), persistent=False)

@exercise.wrong(loses=STATE)
class OtherNames(nn.Module):
    """The module computes the right numbers, but its parameters and buffers have other names than PyTorch's, so the two
    cannot load each other's state."""

    # Right in every other way: a `Plain` inside, so that every name has a prefix.
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.layer = Plain(num_features, eps, momentum)

    def forward(self, x):
        return self.layer.forward(x)

@exercise.wrong(loses=(TRAINING, GRADIENT, EPS), hint=UNBIASED)
class UnbiasedVariance(Plain):
    def normalize(self, x, mean, var):
        n = x.numel() // x.shape[1]
        return super().normalize(x, mean, var * n / (n - 1) if self.training else var)

@exercise.wrong(loses=GRADIENT)
class StatisticsAsConstants(Plain):
    """The output is right but its gradient is not: mean and variance seem to be cut off from the graph. Only the
    running statistics should be; the batch's own depend on x, and the gradient must know it."""

    def statistics(self, x):
        return super().statistics(x.detach())

@exercise.wrong(loses=(EVALUATION, EPS), hint=EPS_FIXED)
class EpsilonFixed(Plain):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, 1e-5, momentum)

@exercise.wrong(loses=(EVALUATION, EPS), hint=EPS_OUTSIDE)
class EpsilonOutsideRoot(Plain):
    def normalize(self, x, mean, var):
        normal = (x - by_channel(mean)) / (torch.sqrt(by_channel(var)) + self.eps)
        return by_channel(self.weight) * normal + by_channel(self.bias)

@exercise.wrong(loses=(STATISTICS, EVALUATION, STATE))
class MomentumFixed(Plain):
    """The running statistics move as with momentum 0.1, whatever momentum was asked for."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, 0.1)

@exercise.wrong(loses=(TRAINING, GRADIENT, EPS))
class EachImageAlone(Plain):
    """In training each image seems to be normalised on its own. That is instance normalisation; mean and variance of a
    channel are taken over the batch, height and width."""

    def train_step(self, x):
        super().train_step(x)
        var, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
        return by_channel(self.weight) * (x - mean) / torch.sqrt(var + self.eps) + by_channel(self.bias)
