"""Batch normalization as a module, exchangeable with `torch.nn.BatchNorm2d`.

Almost every mistake differs from `Plain`, which is right, in one method.
"""

import torch
from torch import nn

from autograder.exercise import Case, Exercise
from exercises.batchnorm.shared import (
    BIG,
    BY_HAND,
    EPS_FIXED,
    EPS_OMITTED,
    EPS_OUTSIDE,
    NARROW,
    NORMALISERS,
    TINY,
    UNBIASED,
    images,
    round_affine,
    round_images,
    scales,
    shifts,
    variances,
)

RUN = (
    "train",
    "gradient",
    "running_mean",
    "running_var",
    "evaluation",
    "evaluation_again",
    "trainable",
    "in_parameters",
    "history",
)
EVALUATIONS = ("evaluation", "evaluation_again")
STEPS = ("one step, by hand", "one step", "three steps")

exercise = Exercise(
    "batchnorm2d-module", "class BatchNorm2d(num_features, eps=1e-5, momentum=0.1)", returns=RUN, forbidden=NORMALISERS
)
TRAINING = exercise.criterion(
    "training normalizes by the statistics of the batch",
    1,
    cases=(*STEPS, "without gradients, by hand", "float32"),
    outputs="train",
)
GRADIENT = exercise.criterion("the gradient passes through mean and variance", 0.5, cases=STEPS, outputs="gradient")
STATISTICS = exercise.criterion(
    "running statistics after one and three steps",
    1,
    cases=(*STEPS, "without gradients, by hand"),
    outputs=("running_mean", "running_var"),
)
EVALUATION = exercise.criterion(
    "evaluation uses the running statistics", 1, cases="constant batch, by hand", outputs=EVALUATIONS
)
EPS = exercise.criterion(
    "respects eps in training", 0.5, cases=("large epsilon, by hand", "small variance"), outputs="train"
)
BUFFERS = exercise.criterion(
    "only weight and bias are parameters, and no history is kept",
    0.5,
    cases=STEPS,
    outputs=("trainable", "in_parameters", "history"),
)
STATE = exercise.criterion("state_dict can be exchanged with torch's", 0.5, cases="exchange with torch")

def run(g, batches, *, affine=None, probe=None, gradients=True, outputs=RUN, **settings):
    _, c, h, w = batches[0].shape
    weight, bias = affine or (scales(g, c), shifts(g, c))
    inputs = {
        "settings": {"num_features": c, **settings},
        "parameters": {"weight": weight.to(batches[0].dtype), "bias": bias.to(batches[0].dtype)},
        "batches": batches,
        "probe": (images(g, (2, c, h, w)) if probe is None else probe).to(batches[0].dtype),
        "gradients": gradients,
    }
    return Case(inputs, driver="batchnorm/training-run", outputs=outputs)

def constant_images(g, c):
    """Each channel is one even number throughout, so it makes no difference how its variance is taken or stored."""
    return (2 * torch.randperm(5, generator=g)[:c] + 2).double()[:, None, None].expand(2, c, 1, 2).clone()

def round_probe(g, c):
    """One image of 1 x 2 pixels in whole numbers."""
    return (torch.randperm(12, generator=g)[: 2 * c] - 6).double().reshape(1, c, 1, 2)

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
        "batch": constant_images(g, 3),
        "probe": images(g, (2, 3, 1, 4)),
    }
    outputs = ("initial", "counts_in_integers", "imported", "state", "exported")
    return Case(inputs, driver="batchnorm/state-exchange", outputs=outputs)

@exercise.cases
def cases(g):
    frozen = {"gradients": False, "eps": TINY, "outputs": ("train", "running_mean", "running_var")}
    affine, probe = round_affine(g, 2), round_probe(g, 2)
    single = images(g, (4, 2, 3, 2)).float()
    # 0.5 * 1 + 0.5 * 0 + 1.75 is 1.5 squared.
    constant = {"momentum": 0.5, "eps": 1.75, "outputs": EVALUATIONS}
    large = {"eps": BY_HAND, "outputs": ("train",)}
    yield "one step, by hand", run(g, [round_images(g)], affine=affine, probe=probe)
    yield "one step", run(g, [images(g, (2, 2, 2, 1))])
    yield "three steps", run(g, [images(g, (5, 3, 2, 4)) for _ in range(3)], momentum=0.3, eps=TINY)
    yield "without gradients, by hand", run(g, [round_images(g)], affine=affine, probe=probe, **frozen)
    yield "constant batch, by hand", run(g, [constant_images(g, 2)], affine=affine, probe=probe, **constant)
    yield "large epsilon, by hand", run(g, [round_images(g, small=True)], affine=affine, **large)
    yield "small variance", run(g, [images(g, (4, 3, 2, 3), NARROW, level=0.2)], eps=BIG, outputs=("train",))
    yield "float32", run(g, [single], eps=TINY, outputs=("train",))
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

@exercise.wrong(loses=STATISTICS, costs=0.5)
class MomentumSwapped(Plain):
    """momentum seems to be the weight of the old running value, as in some other libraries and courses. In PyTorch it
    is the weight of the new one. After many batches the two look alike; after one they do not."""

    def mix(self, mean, var, momentum):
        super().mix(mean, var, 1 - momentum)

@exercise.wrong(loses=STATISTICS, costs=0.5)
class BiasedRunningVariance(Plain):
    """The running variance seems to collect the biased variance of the batches. It stands for the variance of all data,
    which a batch underestimates: PyTorch stores the unbiased one, although it normalizes by the biased one."""

    def track(self, mean, var, n):
        with torch.no_grad():
            self.mix(mean, var, self.momentum)
            self.num_batches_tracked += 1

@exercise.wrong(loses=STATISTICS, costs=0.25)
class CorrectedByTheNumberOfImages(Plain):
    """The running variance seems to be made unbiased with the number of images. What counts is how many numbers went
    into the variance of a channel: those of all pixels of all images."""

    least = 0

    def train_step(self, x):
        mean, var = self.statistics(x)
        with torch.no_grad():
            self.mix(mean, var * len(x) / max(len(x) - 1, self.least), self.momentum)
            self.num_batches_tracked += 1
        return self.normalize(x, mean, var)

@exercise.also(CorrectedByTheNumberOfImages)
class CorrectedByTheNumberOfImagesIfThereAreSome(CorrectedByTheNumberOfImages):
    least = 1

@exercise.both(MomentumSwapped, BiasedRunningVariance)
class SwappedAndBiased(BiasedRunningVariance):
    def mix(self, mean, var, momentum):
        super().mix(mean, var, 1 - momentum)

@exercise.wrong(loses=STATISTICS, costs=0.75)
class DeviationStored(Plain):
    """The running variance seems to collect standard deviations. Keep variances; the root comes at evaluation."""

    def mix(self, mean, var, momentum):
        super().mix(mean, var.sqrt(), momentum)

@exercise.wrong(loses=EVALUATION, costs=0.5)
class EpsilonStored(Plain):
    """eps seems to be added to the variance before it is stored. At evaluation it is then added a second time."""

    def mix(self, mean, var, momentum):
        super().mix(mean, var + self.eps, momentum)

@exercise.wrong(loses=STATISTICS, costs=0.5)
class VarianceStartsAtZero(Plain):
    """The running variance seems to start at 0. It starts at 1, so that an untrained layer does not
    blow its input up."""

    def make_statistics(self, c):
        super().make_statistics(c)
        self.running_var.zero_()

@exercise.wrong(loses=(STATISTICS, EVALUATION), costs=1.5)
class StatisticsNeverWritten(Plain):
    """The running statistics stay at their initial values: the update seems to end in a local variable."""

    def mix(self, mean, var, momentum):
        return

@exercise.wrong(loses=EVALUATION)
class UpdatesInEvaluation(Plain):
    """The running statistics move in evaluation mode too, so the same input gives two different answers. Only training
    may change them."""

    unbiased, counted = False, False

    def evaluate(self, x):
        y = super().evaluate(x)
        mean, var = self.statistics(x)
        n = x.numel() // x.shape[1]
        with torch.no_grad():
            self.mix(mean, var * n / (n - 1) if self.unbiased else var, self.momentum)
            self.num_batches_tracked += self.counted
        return y

@exercise.also(UpdatesInEvaluation)
class UpdatesAndCountsInEvaluation(UpdatesInEvaluation):
    counted = True

@exercise.also(UpdatesInEvaluation)
class UpdatesUnbiasedInEvaluation(UpdatesInEvaluation):
    unbiased = True

@exercise.also(UpdatesInEvaluation)
class UpdatesUnbiasedAndCountsInEvaluation(UpdatesInEvaluation):
    unbiased, counted = True, True

@exercise.wrong(loses=EVALUATION)
class EvaluatesByBatch(Plain):
    """In evaluation mode the statistics of the batch at hand seem to be used. The answer for an image would depend on
    the images beside it; the stored statistics are for this."""

    def evaluate(self, x):
        return self.normalize(x, *self.statistics(x))

@exercise.wrong(loses=EVALUATION, costs=0.5)
class EvaluatesByVariance(Plain):
    """In evaluation mode the division seems to be by the running variance. It is a variance: its root is still to be
    taken, as in training."""

    def evaluate(self, x):
        normal = (x - by_channel(self.running_mean)) / (by_channel(self.running_var) + self.eps)
        return by_channel(self.weight) * normal + by_channel(self.bias)

@exercise.wrong(loses=EVALUATION, costs=0.5)
class EpsilonMissingInEvaluation(Plain):
    """eps enters in training but not in evaluation. Where a variance is small, the two modes then compute different
    networks."""

    def evaluate(self, x):
        normal = (x - by_channel(self.running_mean)) / torch.sqrt(by_channel(self.running_var))
        return by_channel(self.weight) * normal + by_channel(self.bias)

@exercise.wrong(loses=(TRAINING, GRADIENT))
class TrainsByRunningStatistics(Plain):
    """In training mode the running statistics seem to be used. They lag behind; training normalizes by the batch itself
    and only keeps the running statistics for later."""

    def train_step(self, x):
        super().train_step(x)
        # Copies: the buffers change in place at the next step, which would break the gradient of this one.
        return self.normalize(x, self.running_mean.clone(), self.running_var.clone())

@exercise.wrong(loses=EVALUATION, costs=0.5)
class AffineMissingInEvaluation(Plain):
    """weight and bias are used in training but not in evaluation. They belong to both."""

    def evaluate(self, x):
        return (x - by_channel(self.running_mean)) / torch.sqrt(by_channel(self.running_var) + self.eps)

@exercise.wrong(loses=(TRAINING, EVALUATION), costs=1)
class AffineForgotten(Plain):
    """weight and bias seem to be unused: the output always has mean 0 and variance 1."""

    def normalize(self, x, mean, var):
        return (x - by_channel(mean)) / torch.sqrt(by_channel(var) + self.eps)

@exercise.wrong(loses=(TRAINING, EVALUATION), costs=1.5)
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

@exercise.wrong(loses=BUFFERS)
class StatisticsAreFrozenParameters(Plain):
    """The running statistics are parameters, though none that is trained. Whoever goes through the parameters, to count
    them or to let all of them be trained again, takes them for weights. They are data that the module carries:
    buffers."""

    def make_statistics(self, c):
        self.running_mean = nn.Parameter(torch.zeros(c), requires_grad=False)
        self.running_var = nn.Parameter(torch.ones(c), requires_grad=False)
        self.register_buffer("num_batches_tracked", torch.tensor(0))

@exercise.also(StatisticsAreFrozenParameters)
class CounterIsAFrozenParameterToo(StatisticsAreFrozenParameters):
    def make_statistics(self, c):
        super().make_statistics(c)
        del self.num_batches_tracked
        self.num_batches_tracked = nn.Parameter(torch.tensor(0), requires_grad=False)

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

@exercise.also(StatisticsAreAttributes)
class StatisticsAreAttributesChangedInPlace(StatisticsAreAttributes):
    mix = Plain.mix

@exercise.wrong(loses=BUFFERS)
class StatisticsKeepHistory(Plain):
    """The running statistics are still attached to the graph of every batch so far. Memory grows with each step, and a
    second backward pass can fail. Nothing is learned through them, so the update needs no gradient."""

    def track(self, mean, var, n):
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * var * n / (n - 1)
        self.num_batches_tracked += 1

@exercise.wrong(loses=BUFFERS)
class WeightsAreBuffers(Plain):
    """weight and bias are not among the module's parameters, so an optimizer would never move them. What is learned is
    a parameter."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        del self.weight, self.bias
        self.register_buffer("weight", torch.ones(num_features))
        self.register_buffer("bias", torch.zeros(num_features))

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

@exercise.wrong(loses=STATISTICS)
class StatisticsOfLastChannel(Plain):
    """All channels have the same running statistics, those of the last one. A loop over the channels seems to write to
    the same place each time."""

    def mix(self, mean, var, momentum):
        super().mix(mean[-1], var[-1], momentum)

@exercise.wrong(loses=STATE, costs=0.25)
class BatchCounterMissing(Plain):
    """The number of batches seen is not in the saved state. PyTorch's layer keeps it as a third buffer,
    num_batches_tracked, and refuses to load into a module that has no place for it."""

    def make_statistics(self, c):
        super().make_statistics(c)
        del self.num_batches_tracked
        self.register_buffer("num_batches_tracked", torch.tensor(0), persistent=False)

@exercise.wrong(loses=STATE, costs=0.25)
class BatchesNotCounted(Plain):
    """num_batches_tracked is there, but it does not count: it stays as it was after a step of training."""

    def track(self, mean, var, n):
        with torch.no_grad():
            self.mix(mean, var * n / (n - 1), self.momentum)

@exercise.wrong(loses=STATE, costs=0.25)
class CounterIsFloat(Plain):
    """num_batches_tracked is a floating-point tensor. It counts, so it is an integer tensor: as a float it would
    change its dtype with the module, and in half precision stop counting at 2048."""

    def make_statistics(self, c):
        super().make_statistics(c)
        self.num_batches_tracked = torch.tensor(0.0)

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

@exercise.wrong(loses=TRAINING, hint=UNBIASED)
class UnbiasedVariance(Plain):
    def normalize(self, x, mean, var):
        n = x.numel() // x.shape[1]
        return super().normalize(x, mean, var * n / (n - 1) if self.training else var)

@exercise.both(UnbiasedVariance, BiasedRunningVariance)
class VariancesExchanged(UnbiasedVariance, BiasedRunningVariance):
    """The one variance where the other belongs."""

@exercise.wrong(loses=GRADIENT)
class StatisticsAsConstants(Plain):
    """The output is right but its gradient is not: mean and variance seem to be cut off from the graph. Only the
    running statistics should be; the batch's own depend on x, and the gradient must know it."""

    def statistics(self, x):
        return super().statistics(x.detach())

@exercise.wrong(loses=GRADIENT)
class NoGradientAtAll(Plain):
    """The output is right, but no gradient reaches the input: the whole forward pass seems to run without gradients, or
    its input or output to be cut off from the graph. Switch gradients off around the update of the running statistics
    only; otherwise nothing in front of this layer can be trained."""

    def train_step(self, x):
        with torch.no_grad():
            return super().train_step(x)

@exercise.wrong(loses=EPS, hint=EPS_FIXED)
class EpsilonFixed(Plain):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, 1e-5, momentum)

@exercise.wrong(loses=EPS, hint=EPS_OMITTED)
class EpsilonOmitted(Plain):
    def normalize(self, x, mean, var):
        normal = (x - by_channel(mean)) / torch.sqrt(by_channel(var))
        return by_channel(self.weight) * normal + by_channel(self.bias)

@exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
class EpsilonOutsideRoot(Plain):
    def normalize(self, x, mean, var):
        normal = (x - by_channel(mean)) / (torch.sqrt(by_channel(var)) + self.eps)
        return by_channel(self.weight) * normal + by_channel(self.bias)

@exercise.wrong(loses=STATISTICS, costs=0.5)
class MomentumFixed(Plain):
    """The running statistics move as with momentum 0.1, whatever momentum was asked for."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, 0.1)

class OverOtherAxes(Plain):
    """In training mean and variance are taken over other axes than they should be."""

    axes = (2, 3)

    def train_step(self, x):
        super().train_step(x)
        var, mean = torch.var_mean(x, dim=self.axes, correction=0, keepdim=True)
        return by_channel(self.weight) * (x - mean) / torch.sqrt(var + self.eps) + by_channel(self.bias)

@exercise.wrong(loses=TRAINING)
class EachImageAlone(OverOtherAxes):
    """In training each image seems to be normalized on its own. That is instance normalization; mean and variance of a
    channel are taken over the batch, height and width."""

@exercise.wrong(loses=TRAINING)
class EachPixelAlone(OverOtherAxes):
    """In training each pixel seems to be normalized on its own, over the batch alone. A channel has one mean and one
    variance, over batch, height and width."""

    axes = (0,)

@exercise.wrong(loses=TRAINING)
class ChannelsTogether(OverOtherAxes):
    """In training the channels of an image seem to share mean and variance. That is layer normalization; here each
    channel has its own, taken over the whole batch."""

    axes = (1, 2, 3)
