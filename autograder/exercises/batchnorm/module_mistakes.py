"""Wrong modules for `batchnorm2d-module`: each differs from `Plain` in one method."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autograder.exercises.batchnorm import wording
from autograder.exercises.batchnorm.module_titles import (
    BUFFERS,
    EPS,
    EVALUATION,
    GRADIENT,
    STATE,
    STATISTICS,
    TRAINING,
)
from autograder.exercises.model import Misconception

__all__ = ["MISTAKES", "Plain"]


def _image(values: Tensor) -> Tensor:
    """(C,) -> (C, 1, 1)."""
    return values.reshape(-1, 1, 1)


class Plain(nn.Module):
    """A right batch normalisation in small methods, so that a mistake can replace one of them."""

    weight: nn.Parameter
    bias: nn.Parameter
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.make_statistics(num_features)

    def make_statistics(self, c: int) -> None:
        """Create the running statistics."""
        self.register_buffer("running_mean", torch.zeros(c))
        self.register_buffer("running_var", torch.ones(c))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return self.train_step(x) if self.training else self.evaluate(x)

    def train_step(self, x: Tensor) -> Tensor:
        """Normalise by the statistics of the batch and remember them."""
        mean, var = self.statistics(x)
        self.track(mean, var, x.numel() // x.shape[1])
        return self.normalise(x, mean, var)

    def evaluate(self, x: Tensor) -> Tensor:
        """Normalise by the running statistics."""
        return self.normalise(x, self.running_mean, self.running_var)

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance, each (C,)."""
        var, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        return mean, var

    def track(self, mean: Tensor, var: Tensor, n: int) -> None:
        """Move the running statistics; n numbers went into each mean and (biased) variance."""
        with torch.no_grad():
            self.mix(mean, var * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1

    def mix(self, mean: Tensor, var: Tensor, momentum: float) -> None:
        """In place: what was known fades, the new value enters with weight `momentum`."""
        self.running_mean.mul_(1 - momentum).add_(momentum * mean)
        self.running_var.mul_(1 - momentum).add_(momentum * var)

    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        """Standardise, scale and shift each channel."""
        normal = (x - _image(mean)) / torch.sqrt(_image(var) + self.eps)
        return _image(self.weight) * normal + _image(self.bias)


class _MomentumSwapped(Plain):
    def mix(self, mean: Tensor, var: Tensor, momentum: float) -> None:
        super().mix(mean, var, 1 - momentum)


class _Biased(Plain):
    def track(self, mean: Tensor, var: Tensor, n: int) -> None:
        with torch.no_grad():
            self.mix(mean, var, self.momentum)
            self.num_batches_tracked += 1


class _Deviation(Plain):
    def mix(self, mean: Tensor, var: Tensor, momentum: float) -> None:
        super().mix(mean, var.sqrt(), momentum)


class _WithEps(Plain):
    def mix(self, mean: Tensor, var: Tensor, momentum: float) -> None:
        super().mix(mean, var + self.eps, momentum)


class _StartsAtZero(Plain):
    def make_statistics(self, c: int) -> None:
        super().make_statistics(c)
        self.running_var.zero_()


class _NeverWritten(Plain):
    def mix(self, mean: Tensor, var: Tensor, momentum: float) -> None:
        return


class _AlwaysTracks(Plain):
    def evaluate(self, x: Tensor) -> Tensor:
        y = super().evaluate(x)
        with torch.no_grad():
            self.mix(*self.statistics(x), self.momentum)
        return y


class _EvaluatesByBatch(Plain):
    def evaluate(self, x: Tensor) -> Tensor:
        return self.normalise(x, *self.statistics(x))


class _TrainsByRunning(Plain):
    def train_step(self, x: Tensor) -> Tensor:
        super().train_step(x)
        # Copies: the buffers change in place at the next step, which would break the gradient of this one.
        return self.normalise(x, self.running_mean.clone(), self.running_var.clone())


class _BareEvaluation(Plain):
    def evaluate(self, x: Tensor) -> Tensor:
        return (x - _image(self.running_mean)) / torch.sqrt(_image(self.running_var) + self.eps)


class _Bare(Plain):
    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        return (x - _image(mean)) / torch.sqrt(_image(var) + self.eps)


class _GradientSwitch(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.train_step(x) if torch.is_grad_enabled() else self.evaluate(x)


class _Trained(Plain):
    def make_statistics(self, c: int) -> None:
        self.running_mean = nn.Parameter(torch.zeros(c))
        self.running_var = nn.Parameter(torch.ones(c))
        self.register_buffer("num_batches_tracked", torch.tensor(0))


class _Attributes(Plain):
    def make_statistics(self, c: int) -> None:
        self.running_mean, self.running_var = torch.zeros(c), torch.ones(c)
        self.num_batches_tracked = torch.tensor(0)

    def mix(self, mean: Tensor, var: Tensor, momentum: float) -> None:
        self.running_mean = (1 - momentum) * self.running_mean + momentum * mean
        self.running_var = (1 - momentum) * self.running_var + momentum * var


class _KeepsHistory(Plain):
    def track(self, mean: Tensor, var: Tensor, n: int) -> None:
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * var * n / (n - 1)
        self.num_batches_tracked += 1


class _Shaped(Plain):
    def make_statistics(self, c: int) -> None:
        self.register_buffer("running_mean", torch.zeros(1, c, 1, 1))
        self.register_buffer("running_var", torch.ones(1, c, 1, 1))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def mix(self, mean: Tensor, var: Tensor, momentum: float) -> None:
        super().mix(mean.reshape(1, -1, 1, 1), var.reshape(1, -1, 1, 1), momentum)


class _LastChannel(Plain):
    def mix(self, mean: Tensor, var: Tensor, momentum: float) -> None:
        super().mix(mean[-1], var[-1], momentum)


class _NoCounter(Plain):
    def make_statistics(self, c: int) -> None:
        super().make_statistics(c)
        del self.num_batches_tracked
        self.register_buffer("num_batches_tracked", torch.tensor(0), persistent=False)


class _OtherNames(nn.Module):
    """Right in every other way: a `Plain` inside, so that every name has a prefix."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.layer = Plain(num_features, eps, momentum)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer.forward(x)


class _Unbiased(Plain):
    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        n = x.numel() // x.shape[1]
        return super().normalise(x, mean, var * n / (n - 1) if self.training else var)


class _Constants(Plain):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().statistics(x.detach())


class _EpsFixed(Plain):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(num_features, 1e-5, momentum)


class _MomentumFixed(Plain):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(num_features, eps, 0.1)


class _EpsOutside(Plain):
    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        normal = (x - _image(mean)) / (torch.sqrt(_image(var)) + self.eps)
        return _image(self.weight) * normal + _image(self.bias)


class _EachImage(Plain):
    def train_step(self, x: Tensor) -> Tensor:
        super().train_step(x)
        var, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
        return _image(self.weight) * (x - mean) / torch.sqrt(var + self.eps) + _image(self.bias)


MISTAKES = (
    Misconception(
        "momentum-swapped",
        _MomentumSwapped,
        "momentum seems to be the weight of the old running value, as in some other libraries and courses. "
        "In PyTorch it is the weight of the new one. After many batches the two look alike; after one they do not.",
        loses=(STATISTICS,),
    ),
    Misconception(
        "biased-running-variance",
        _Biased,
        "The running variance seems to collect the biased variance of the batches. It stands for the variance of all "
        "data, which a batch underestimates: PyTorch stores the unbiased one, although it normalises by the biased "
        "one.",
        loses=(STATISTICS,),
    ),
    Misconception(
        "deviation-stored",
        _Deviation,
        "The running variance seems to collect standard deviations. Keep variances; the root comes at evaluation.",
        loses=(STATISTICS,),
    ),
    Misconception(
        "epsilon-stored",
        _WithEps,
        "eps seems to be added to the variance before it is stored. At evaluation it is then added a second time.",
        loses=(EVALUATION,),
    ),
    Misconception(
        "variance-starts-at-zero",
        _StartsAtZero,
        "The running variance seems to start at 0. It starts at 1, so that an untrained layer does not blow its input "
        "up.",
        loses=(STATISTICS, EVALUATION, STATE),
    ),
    Misconception(
        "statistics-never-written",
        _NeverWritten,
        "The running statistics stay at their initial values: the update seems to end in a local variable.",
        loses=(STATISTICS, EVALUATION, STATE),
    ),
    Misconception(
        "updates-in-evaluation",
        _AlwaysTracks,
        "The running statistics move in evaluation mode too, so the same input gives two different answers. "
        "Only training may change them.",
        loses=(EVALUATION, STATE),
    ),
    Misconception(
        "evaluates-by-batch",
        _EvaluatesByBatch,
        "In evaluation mode the statistics of the batch at hand seem to be used. "
        "The answer for an image would depend on the images beside it; the stored statistics are for this.",
        loses=(EVALUATION, STATE),
    ),
    Misconception(
        "trains-by-running-statistics",
        _TrainsByRunning,
        "In training mode the running statistics seem to be used. They lag behind; training normalises by the batch "
        "itself and only keeps the running statistics for later.",
        loses=(TRAINING, GRADIENT, EPS),
    ),
    Misconception(
        "affine-missing-in-evaluation",
        _BareEvaluation,
        "weight and bias are used in training but not in evaluation. They belong to both.",
        loses=(EVALUATION, STATE),
    ),
    Misconception(
        "affine-forgotten",
        _Bare,
        "weight and bias seem to be unused: the output always has mean 0 and variance 1.",
        loses=(TRAINING, GRADIENT, EVALUATION, EPS, STATE),
    ),
    Misconception(
        "gradient-switch-as-mode",
        _GradientSwitch,
        "The mode seems to follow whether gradients are enabled. The two are independent: statistics are collected "
        "without gradients, and a frozen layer is evaluated with them. The module's own mode decides.",
        loses=(TRAINING, STATISTICS, EVALUATION, STATE),
    ),
    Misconception(
        "statistics-are-parameters",
        _Trained,
        "The running statistics are parameters, so an optimizer would move them, and count and decay them as weights. "
        "They are data that the module carries: buffers.",
        loses=(BUFFERS,),
    ),
    Misconception(
        "statistics-are-attributes",
        _Attributes,
        "The running statistics are plain attributes. They are missing when the module is saved, and stay behind when "
        "it moves to another device. Tensors that belong to a module without being trained are registered as buffers.",
        loses=(STATE,),
    ),
    Misconception(
        "statistics-keep-history",
        _KeepsHistory,
        "The running statistics still hang on the graph of every batch so far. Memory grows with each step, and a "
        "second backward pass can fail. Nothing is learnt through them, so the update needs no gradient.",
        loses=(BUFFERS,),
    ),
    Misconception(
        "statistics-in-image-shape",
        _Shaped,
        "The running statistics are stored in the shape of an image. PyTorch stores one plain vector, "
        "so neither module can load what the other saved.",
        loses=(STATE,),
    ),
    Misconception(
        "statistics-of-last-channel",
        _LastChannel,
        "All channels have the same running statistics, those of the last one. A loop over the channels seems to "
        "write to the same place each time.",
        loses=(STATISTICS, EVALUATION, STATE),
    ),
    Misconception(
        "batch-counter-missing",
        _NoCounter,
        "The number of batches seen is not in the saved state. PyTorch's layer keeps it as a third buffer, "
        "num_batches_tracked, and refuses to load into a module that has no place for it.",
        loses=(STATE,),
    ),
    Misconception(
        "other-names",
        _OtherNames,
        "The module computes the right numbers, but its parameters and buffers have other names than PyTorch's, "
        "so the two cannot load each other's state.",
        loses=(STATE,),
    ),
    Misconception("unbiased-variance", _Unbiased, wording.UNBIASED, loses=(TRAINING, GRADIENT, EPS)),
    Misconception(
        "statistics-as-constants",
        _Constants,
        "The output is right but its gradient is not: mean and variance seem to be cut off from the graph. "
        "Only the running statistics should be; the batch's own depend on x, and the gradient must know it.",
        loses=(GRADIENT,),
    ),
    Misconception("epsilon-fixed", _EpsFixed, wording.EPS_FIXED, loses=(EVALUATION, EPS)),
    Misconception("epsilon-outside-root", _EpsOutside, wording.EPS_OUTSIDE, loses=(EVALUATION, EPS)),
    Misconception(
        "momentum-fixed",
        _MomentumFixed,
        "The running statistics move as with momentum 0.1, whatever momentum was asked for.",
        loses=(STATISTICS, EVALUATION, STATE),
    ),
    Misconception(
        "each-image-alone",
        _EachImage,
        "In training each image seems to be normalised on its own. That is instance normalisation; "
        "mean and variance of a channel are taken over the batch, height and width.",
        loses=(TRAINING, GRADIENT, EPS),
    ),
)
