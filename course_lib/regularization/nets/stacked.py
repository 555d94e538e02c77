"""Many small networks trained side by side, by `torch.func.vmap`: forty take as long as three one after the other.

All have the same layers; data, initial weights, learning rate and decay are each network's own.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from course_lib.lab.data import Split, fashion_mnist
from course_lib.lab.live import Live

__all__ = [
    "INPUTS",
    "SIDE",
    "Labelled",
    "Runs",
    "Setting",
    "memorizing",
    "on_one_thread",
    "small",
    "train_side_by_side",
]

SIDE = 14
"""Rows and columns of a pooled image."""
INPUTS = SIDE * SIDE

Labelled = tuple[Tensor, Tensor]
"""Vectors (N, INPUTS), standardized, and labels (N,)."""


@contextlib.contextmanager
def on_one_thread() -> Iterator[None]:
    """Compute on a single thread: in networks as small as these, more would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def small(split: Split, limit: int | None = None, label_noise: float = 0.0, seed: int = 0) -> Labelled:
    """Fashion-MNIST with 2 x 2 pixels pooled to one, by the mean and standard deviation of the first 1,000 images.

    Args:
        split: "train", "validation" or "test".
        limit: only the first so many images.
        label_noise: share of the labels that is replaced by a different, random class.
        seed: which labels are replaced and by what.
    """
    images, labels = fashion_mnist(split, limit, label_noise, seed)
    known = F.avg_pool2d(fashion_mnist("train", 1000)[0], 2)
    pooled = F.avg_pool2d(images, 2).flatten(1)
    return (pooled - known.mean()) / known.std(), labels


def memorizing(seed: int, images: int = 300, flipped: float = 0.2) -> Labelled:
    """A training set that a network can learn by heart: few images, some of which carry a wrong label."""
    return small("train", images, flipped, seed)


@dataclass(frozen=True)
class Setting:
    """What is one network's own.

    Attributes:
        seed: of its training set, its initial weights and the order of its batches.
        lr: learning rate.
        lam: strength of the L2 penalty on weights, not on biases.
    """

    seed: int
    lr: float = 0.02
    lam: float = 0.0


@dataclass(frozen=True, eq=False)
class Runs:
    """K networks at T checks during their training.

    Attributes:
        steps: (T,), updates before each check.
        training: (T, K), mean cross-entropy on the network's own training images.
        remembered: (T, K), share of the training labels, wrong ones included, that the network gives back.
        validation: (T, K), mean cross-entropy on the validation images.
        accuracy: (T, K), share of right answers there.
        test: (T, K), mean cross-entropy on the test images; NaN if there were none.
        norms: (T, K), Euclidean norm of all weights, without biases.
        parameters: name -> values of all networks at the end, (K, ...).
    """

    steps: tuple[int, ...]
    training: Tensor
    remembered: Tensor
    validation: Tensor
    accuracy: Tensor
    test: Tensor
    norms: Tensor
    parameters: Mapping[str, Tensor]

    def columns(self, chosen: Sequence[int]) -> Runs:
        """Some of the networks."""
        index = list(chosen)
        parameters = {name: values[index] for name, values in self.parameters.items()}
        return Runs(
            self.steps,
            self.training[:, index],
            self.remembered[:, index],
            self.validation[:, index],
            self.accuracy[:, index],
            self.test[:, index],
            self.norms[:, index],
            parameters,
        )


def train_side_by_side(
    build: Callable[[int], nn.Module],
    settings: Sequence[Setting],
    data: Callable[[int], Labelled] = memorizing,
    *,
    epochs: int,
    checks: Mapping[Split, Labelled],
    every: int = 1,
    every_steps: int | None = None,
    batch_size: int = 50,
    momentum: float = 0.9,
    live: Live | None = None,
    labels: Sequence[str] = (),
) -> Runs:
    """Train one network for each setting with SGD; a network that explodes becomes NaN and disturbs no other.

    Args:
        build: seed -> a network from INPUTS numbers to logits.
        settings: one for each network.
        data: seed -> the training set, of the same size for every seed.
        epochs: passes over the training sets.
        checks: "validation", and "test" where it is wanted.
        every: epochs between two checks.
        every_steps: updates between two checks, in place of `every`.
        batch_size: images in an update.
        momentum: of SGD.
        live: advanced once for each epoch.
        labels: for each network, under which its validation loss appears in `live`; none for an empty one.
    """
    sets = {setting.seed: data(setting.seed) for setting in settings}
    images = torch.stack([sets[setting.seed][0] for setting in settings])  # (K, N, INPUTS)
    answers = torch.stack([sets[setting.seed][1] for setting in settings])  # (K, N)
    nets = [build(setting.seed) for setting in settings]
    parameters, _ = stack_module_state(nets)
    values = {name: stacked.detach() for name, stacked in parameters.items()}
    velocity = {name: torch.zeros_like(value) for name, value in values.items()}
    skeleton = copy.deepcopy(nets[0]).to("meta")

    def loss(own: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(skeleton, own, (x,)), y)

    slope = vmap(grad(loss))
    rates = torch.tensor([setting.lr for setting in settings])
    strengths = torch.tensor([setting.lam for setting in settings])
    examiner = _Examiner(skeleton, images, answers, checks)
    generators = {seed: torch.Generator().manual_seed(seed) for seed in sets}
    rows, count = torch.arange(len(settings))[:, None], answers.shape[1]
    steps = 0
    for epoch in range(epochs):
        orders = {seed: torch.randperm(count, generator=generator) for seed, generator in generators.items()}
        order = torch.stack([orders[setting.seed] for setting in settings])
        for start in range(0, count - batch_size + 1, batch_size):
            index = order[:, start : start + batch_size]
            gradients = slope(values, images[rows, index], answers[rows, index])
            for name, value in values.items():
                per_net = (-1,) + (1,) * (value.ndim - 1)
                pull = strengths.view(per_net) * value if name.endswith("weight") else 0.0
                velocity[name].mul_(momentum).add_(gradients[name] + pull)
                values[name] = value - rates.view(per_net) * velocity[name]
            steps += 1
            if every_steps is not None and steps % every_steps == 0:
                examiner.check(steps, values)
        if every_steps is None and ((epoch + 1) % every == 0 or epoch + 1 == epochs):
            examiner.check(steps, values)
        if live is not None:
            for label, found in zip(labels, examiner.latest(), strict=False):
                if label:
                    live.add(label, epoch + 1, found)
            live.advance()
    return examiner.runs(values)


class _Examiner:
    """Looks at all networks now and then, and remembers what it saw."""

    def __init__(self, skeleton: nn.Module, images: Tensor, answers: Tensor, checks: Mapping[Split, Labelled]) -> None:
        self._own, self._checks = (images, answers), checks
        self._of_own = vmap(lambda values, x: functional_call(skeleton, values, (x,)))
        self._of_shared = vmap(lambda values, x: functional_call(skeleton, values, (x,)), in_dims=(0, None))
        self._steps: list[int] = []
        self._rows: list[tuple[Tensor, ...]] = []

    @torch.no_grad()
    def check(self, steps: int, values: dict[str, Tensor]) -> None:
        """One row more."""
        training = _scores(self._of_own(values, self._own[0]), self._own[1])
        validation = _scores(self._of_shared(values, self._checks["validation"][0]), self._checks["validation"][1])
        test = torch.full_like(training[0], torch.nan)
        if "test" in self._checks:
            test, _ = _scores(self._of_shared(values, self._checks["test"][0]), self._checks["test"][1])
        squares = [value.flatten(1).square().sum(1) for name, value in values.items() if name.endswith("weight")]
        norms = torch.stack(squares).sum(0).sqrt()
        self._steps.append(steps)
        self._rows.append((*training, *validation, test, norms))

    def latest(self) -> list[float]:
        """The validation losses that were seen last."""
        return self._rows[-1][2].tolist() if self._rows else []

    def runs(self, values: dict[str, Tensor]) -> Runs:
        """All that was seen."""
        train, kept, validation, right, test, norms = (torch.stack(c).double() for c in zip(*self._rows, strict=True))
        return Runs(tuple(self._steps), train, kept, validation, right, test, norms, dict(values))


def _scores(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and share of right answers of each network, (K,) both.

    Args:
        logits: (K, N, classes).
        labels: (K, N) or, the same for all, (N,).
    """
    wanted = labels.expand(logits.shape[:2])
    losses = F.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")  # (K, N)
    return losses.mean(1), (logits.argmax(2) == wanted).double().mean(1)
