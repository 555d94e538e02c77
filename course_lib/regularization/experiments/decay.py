"""Penalties on weights: how strong, and what becomes of them in Adam."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.lab.live import Live
from course_lib.lab.models import mlp
from course_lib.lab.training import batches, evaluate
from course_lib.regularization.nets.stacked import (
    INPUTS,
    SIDE,
    Labelled,
    Runs,
    Setting,
    on_one_thread,
    small,
    train_side_by_side,
)

__all__ = [
    "STRENGTHS",
    "AdamRun",
    "Invariance",
    "Sweep",
    "adam_runs",
    "half_life",
    "l2_sweep",
    "left_by_decay",
    "scaled_before_norm",
    "silent_weight",
]

STRENGTHS = (0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
_LR, _MOMENTUM = 0.02, 0.9

Step = Callable[..., tuple[Tensor, Tensor, Tensor]]
"""(w, grad, m, v, t, lr, beta1, beta2, eps, lam) -> (w, m, v)."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """One network for each strength of the L2 penalty and each seed.

    Attributes:
        strengths: (L,), ascending.
        seeds: (S,).
        runs: networks in the order of strengths, and for each strength in the order of seeds.
        steps: updates of each network.
    """

    strengths: tuple[float, ...]
    seeds: tuple[int, ...]
    runs: Runs
    steps: int

    def at_the_end(self, name: str) -> list[list[float]]:
        """A quantity of `Runs` at the end: for each seed one value for each strength."""
        last: Tensor = getattr(self.runs, name)[-1]
        return last.view(len(self.strengths), len(self.seeds)).T.tolist()

    @property
    def gap(self) -> list[list[float]]:
        """Validation loss minus training loss, as `at_the_end`."""
        pairs = zip(self.at_the_end("validation"), self.at_the_end("training"), strict=True)
        return [[a - b for a, b in zip(validation, training, strict=True)] for validation, training in pairs]

    def filters(self, strength: float, units: int = 12) -> Tensor:
        """What the first hidden units of the first seed's network weigh each pixel with, (units, SIDE, SIDE).

        The units with the largest norms.
        """
        net = self.strengths.index(strength) * len(self.seeds)
        weights = next(value for name, value in self.runs.parameters.items() if value.ndim == 3)[net]
        return weights[weights.norm(dim=1).argsort(descending=True)[:units]].view(-1, SIDE, SIDE)


def l2_sweep(
    strengths: Sequence[float] = STRENGTHS,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    epochs: int = 70,
    live: Live | None = None,
) -> Sweep:
    """Train a network that can memorize its 300 images, a fifth of them with a wrong label, under every penalty.

    196-128-10, SGD with a learning rate of 0.02, momentum 0.9 and batches of 50.
    """
    settings = [Setting(seed, _LR, lam) for lam in strengths for seed in seeds]
    labels = [
        f"λ = {lam:g}" if seed == seeds[0] and i % 2 == 1 else "" for i, lam in enumerate(strengths) for seed in seeds
    ]
    with on_one_thread():
        runs = train_side_by_side(
            lambda seed: mlp(INPUTS, 128, depth=1, seed=seed),
            settings,
            epochs=epochs,
            checks={"validation": small("validation", 1000)},
            every=5,
            live=live,
            labels=labels,
        )
    return Sweep(tuple(strengths), tuple(seeds), runs, runs.steps[-1])


def left_by_decay(lam: float, steps: int, lr: float = _LR, momentum: float = _MOMENTUM) -> float:
    """The share of a weight that is left after so many steps if nothing but the penalty pulls at it."""
    weight, velocity = 1.0, 0.0
    for _ in range(steps):
        velocity = momentum * velocity + lam * weight
        weight -= lr * velocity
    return weight


def half_life(lr: float, lam: float) -> float:
    """Steps after which weight decay alone has halved a weight, (1 - lr lam)^steps = 1/2."""
    return math.log(0.5) / math.log1p(-lr * lam)


def silent_weight(steps: int, lr: float = 0.1, lam: float = 0.1, momentum: float = 0.9) -> dict[str, list[float]]:
    """A weight of 1 on which the loss has no influence, under SGD with momentum.

    Returns:
        its values before each step and after the last, with the penalty in the gradient, as `torch.optim.SGD` has it,
        and with decay beside the step, as AdamW has it (Loshchilov, Hutter 2019, algorithm 1).
    """
    coupled, decoupled, velocity = [1.0], [1.0], 0.0
    for _ in range(steps):
        velocity = momentum * velocity + lam * coupled[-1]
        coupled.append(coupled[-1] - lr * velocity)
        decoupled.append(decoupled[-1] * (1 - lr * lam))
    return {"penalty in the gradient": coupled, "decay beside the step": decoupled}


@dataclass(frozen=True, eq=False)
class AdamRun:
    """One network trained by one rule.

    Attributes:
        rule: "L2 in Adam" or "AdamW".
        lam: strength.
        seed: of weights, labels and batches.
        steps: updates.
        dead: norm of the weights of dead pixels, after / before.
        alive: the same of all other first-layer weights.
        validation: mean cross-entropy on the validation images at the end.
        accuracy: share of right answers at the end.
        filters: (hidden, SIDE, SIDE), the first layer at the end.
    """

    rule: str
    lam: float
    seed: int
    steps: int
    dead: float
    alive: float
    validation: float
    accuracy: float
    filters: Tensor


def adam_runs(
    rules: dict[str, Step],
    strengths: Sequence[float],
    seeds: Sequence[int] = (0,),
    epochs: int = 15,
    live: Live | None = None,
) -> list[AdamRun]:
    """Train with the student's own steps on images whose border is dead: these pixels are 0 in every image.

    1,000 images of which a fifth carries a wrong label, 196-128-10, learning rate 1e-3, batches of 50.

    Args:
        rules: name -> one step of the optimizer.
        strengths: of the regularization.
        seeds: of weights, labels and batches.
        epochs: of training.
        live: advanced once for each network.
    """
    found = []
    with on_one_thread():
        for seed in seeds:
            known, new = _without_border(small("train", 1000, 0.2, seed)), _without_border(small("validation"))
            for lam in strengths:
                for rule, step in rules.items():
                    found.append(_adam_run(rule, step, lam, seed, epochs, known, new))
                    if live is not None:
                        live.add(f"{rule}, seed {seed}", lam, found[-1].dead)
                        live.advance()
    return found


def _border() -> Tensor:
    """Which of the INPUTS pixels lie on the border, (INPUTS,)."""
    border = torch.ones(SIDE, SIDE, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    return border.flatten()


def _without_border(data: Labelled) -> Labelled:
    return data[0].masked_fill(_border(), 0.0), data[1]


def _adam_run(rule: str, step: Step, lam: float, seed: int, epochs: int, known: Labelled, new: Labelled) -> AdamRun:
    model = mlp(INPUTS, 128, depth=1, seed=seed)
    first = next(layer for layer in model if isinstance(layer, nn.Linear))
    before = first.weight.detach().clone()
    moments = {
        parameter: (torch.zeros_like(parameter), torch.zeros_like(parameter)) for parameter in model.parameters()
    }
    generator, t = torch.Generator().manual_seed(seed), 0
    for _ in range(epochs):
        for index in batches(len(known[1]), 50, generator):
            model.zero_grad()
            F.cross_entropy(model(known[0][index]), known[1][index]).backward()  # type: ignore[no-untyped-call]
            t += 1
            with torch.no_grad():
                for parameter, (m, v) in moments.items():
                    strength = lam if parameter.ndim > 1 else 0.0  # biases are left alone
                    result = step(parameter.detach(), parameter.grad, m, v, t, 1e-3, 0.9, 0.999, 1e-8, strength)
                    parameter.copy_(result[0])
                    moments[parameter] = result[1], result[2]
    validation, accuracy = evaluate(model, *new, batch_size=2000)
    after, border = first.weight.detach(), _border()
    dead, alive = (float(after[:, part].norm() / before[:, part].norm()) for part in (border, ~border))
    return AdamRun(rule, lam, seed, t, dead, alive, validation, accuracy, after.view(-1, SIDE, SIDE))


@dataclass(frozen=True)
class Invariance:
    """A layer in front of batch normalization, and the same with its weights multiplied by a factor.

    Attributes:
        change: largest difference of the outputs, relative to the largest output.
        gradient: norm of the gradient with respect to the weights, after / before.
        along: cosine between the gradient and the weights themselves.
    """

    change: float
    gradient: float
    along: float


def scaled_before_norm(factor: float, seed: int = 0) -> Invariance:
    """Multiply the weights of a layer that batch normalization follows, in training mode."""
    x, y = small("train", 200)
    linear, rest = nn.Linear(INPUTS, 32, bias=False), nn.Sequential(nn.BatchNorm1d(32, eps=1e-8), nn.ReLU())
    head = nn.Linear(32, 10)
    generator = torch.Generator().manual_seed(seed)
    for layer in (linear, head):
        nn.init.normal_(layer.weight, std=0.1, generator=generator)
    outputs, gradients = [], []
    for scale in (1.0, factor):
        layer = copy.deepcopy(linear)
        with torch.no_grad():
            layer.weight.mul_(scale)
        logits = head(rest(layer(x)))
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y), layer.weight)
        outputs.append(logits.detach())
        gradients.append((gradient, layer.weight.detach()))
    change = float((outputs[1] - outputs[0]).abs().max() / outputs[0].abs().max())
    ratio = float(gradients[1][0].norm() / gradients[0][0].norm())
    along = float(F.cosine_similarity(gradients[0][0].flatten(), gradients[0][1].flatten(), dim=0))
    return Invariance(change, ratio, along)
