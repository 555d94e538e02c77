"""Many small networks at once: one architecture, stacked, each copy with its own learning rate and weight decay.

All copies see the same batches and, for a given seed, start from the same weights.  What they differ in afterward is
the work of their hyperparameters alone.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn import functional as F

from course_lib.lab.data import Split, fashion_mnist
from course_lib.lab.models import mlp

__all__ = ["INPUTS", "Population", "Scale", "images", "on_one_thread"]

INPUTS = 196
"""Pixels of an image of half the height and width, 14 x 14."""
MOMENTUM = 0.9

Scale = Literal["raw", "standardized"]
Batch = tuple[Tensor, Tensor]


@contextlib.contextmanager
def on_one_thread() -> Iterator[None]:
    """One thread, and numbers too small for full precision are zero: small networks run fastest so.

    Weights that a strong decay drives to zero pass through such numbers, and a processor is slow on them.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def images(split: Split, limit: int, scale: Scale = "standardized", label_noise: float = 0.0, seed: int = 0) -> Batch:
    """Small images of Fashion-MNIST as rows of pixels.

    Args:
        split: which of the three.
        limit: only the first so many.
        scale: "raw" is 0 to 255, less the mean of every pixel over the training images; "standardized" has the mean 0
            and the standard deviation 1 over all pixels of the training images.
        label_noise: share of the labels that is replaced by another class.
        seed: which labels are replaced.

    Returns:
        pixels (N, 196), float32, and labels (N,), int64.
    """
    reference, _ = fashion_mnist("train", 2000)
    pooled = _pooled(reference)
    x, y = fashion_mnist(split, limit, label_noise=label_noise, seed=seed)
    if scale == "raw":
        return 255 * (_pooled(x) - pooled.mean(0)), y
    return (_pooled(x) - pooled.mean()) / pooled.std(), y


def _pooled(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2).flatten(1)  # (N, 1, 28, 28) -> (N, 1, 14, 14) -> (N, 196)


class Population:
    """Networks with one hidden layer, trained side by side by SGD with momentum 0.9.

    Args:
        lr: (K,) learning rates, one for each network.
        reg: (K,) strengths of the L2 penalty reg / 2 * (sum of the squared weights); biases are left out.
        hidden: units of the hidden layer.
        deviation: standard deviation of the initial weights; He's by default.
        seed: of the initial weights, the same in all networks.
    """

    def __init__(
        self, lr: Tensor, reg: Tensor, hidden: int = 50, deviation: float | None = None, seed: int = 0
    ) -> None:
        net = mlp(INPUTS, hidden, depth=1, seed=seed)
        if deviation is not None:
            _set_deviation(net, deviation)
        stacked, _ = stack_module_state([net] * len(lr))
        self.weights = {name: weight.detach().clone() for name, weight in stacked.items()}
        self.velocity = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.lr, self.reg = lr.float(), reg.float()
        self._skeleton = copy.deepcopy(net).to("meta")
        self._gradients = vmap(grad_and_value(self._cost), in_dims=(0, None, None))
        self._outputs = vmap(self._logits, in_dims=(0, None))

    def _logits(self, weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self._skeleton, weights, (x,))  # type: ignore[no-any-return]

    def _cost(self, weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self._logits(weights, x), y)

    def step(self, x: Tensor, y: Tensor, factor: float | Tensor = 1.0) -> Tensor:
        """One update of every network; the cross-entropy of the batch before it, (K,), without the penalty.

        Args:
            x: (B, 196).
            y: (B,).
            factor: what the learning rates are multiplied by at this step; one for all networks, or (K,).
        """
        gradients, costs = self._gradients(self.weights, x, y)
        for name, weight in self.weights.items():
            each = (-1,) + (1,) * (weight.ndim - 1)
            slope = gradients[name]
            if name.endswith("weight"):
                slope = slope + self.reg.view(each) * weight
            self.velocity[name] = MOMENTUM * self.velocity[name] + slope
            self.weights[name] = weight - (factor * self.lr).view(each) * self.velocity[name]
        return costs  # type: ignore[no-any-return]

    @torch.no_grad()
    def losses(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of every network, (K,); NaN for one that is no longer finite."""
        logits = self._outputs(self.weights, x)  # (K, N, 10)
        return F.cross_entropy(logits.transpose(1, 2), y.expand(len(logits), -1), reduction="none").mean(1)

    @torch.no_grad()
    def accuracies(self, x: Tensor, y: Tensor) -> Tensor:
        """Share of right answers of every network, (K,), in [0, 1].

        A network that is no longer finite answers the first class throughout, which is a tenth of the images.
        """
        answers = self._outputs(self.weights, x).nan_to_num(0.0).argmax(2)  # (K, N, 10) -> (K, N)
        return (answers == y).float().mean(1)

    def norms(self) -> Tensor:
        """Root of the sum of the squared weights of every network, (K,)."""
        squares = [weight.square().flatten(1).sum(1) for name, weight in self.weights.items() if "weight" in name]
        return torch.stack(squares).sum(0).sqrt()


@torch.no_grad()
def _set_deviation(net: nn.Module, deviation: float) -> None:
    """Bring the weights of every layer to a standard deviation."""
    for module in net.modules():
        if isinstance(module, nn.Linear):
            module.weight.mul_(deviation / module.weight.std())
