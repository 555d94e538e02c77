"""Cross-entropy with labels that are distributions."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from autograder.exercises.augmentation.images import uniform
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["SOFT_CROSS_ENTROPY"]


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    total = 0.0
    for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
        largest = max(row)
        log_sum = largest + math.log(math.fsum(math.exp(z - largest) for z in row))
        total += math.fsum(t * (log_sum - z) for z, t in zip(row, target, strict=True))
    return torch.tensor(total / len(logits), dtype=logits.dtype)


def _loss_log_softmax(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * logits.log_softmax(-1)).sum(-1).mean()


def _loss_logsumexp(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.logsumexp(1) * targets.sum(1) - torch.einsum("nk,nk->n", targets, logits)).mean()


def _loss_shifted(logits: Tensor, targets: Tensor) -> Tensor:
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    total: Tensor = torch.tensordot(-targets, log_p, dims=2)
    return total / logits.shape[0]


def _loss_trace(logits: Tensor, targets: Tensor) -> Tensor:
    return -torch.trace(torch.log_softmax(logits, 1) @ targets.T) / len(targets)


def _loss_number(logits: Tensor, targets: Tensor) -> float:
    rows = zip(logits.log_softmax(1), targets, strict=True)
    return -sum(float(t @ z) for z, t in rows) / len(logits)


def _reduced(reduce: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Another reduction of the products (N, K)."""
    return lambda logits, targets: reduce(-targets * logits.log_softmax(1))


def _of_targets(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda logits, targets: _loss_log_softmax(logits, change(targets))


def _hardened(targets: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(targets.argmax(1), targets.shape[1]).to(targets)


def _unstable(logits: Tensor, targets: Tensor) -> Tensor:
    powers = logits.exp()
    return -(targets * (powers / powers.sum(1, keepdim=True)).log()).sum(1).mean()


def _log_of_softmax(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * logits.softmax(1).log()).sum(1).mean()


def _with_epsilon(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * (logits.softmax(1) + 1e-9).log()).sum(1).mean()


def _batch_shifted(logits: Tensor, targets: Tensor) -> Tensor:
    shifted = logits - logits.max()
    return -(targets * (shifted - shifted.exp().sum(1, keepdim=True).log())).sum(1).mean()


def _over_the_batch(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * logits.log_softmax(0)).sum(1).mean()


def _no_softmax(logits: Tensor, targets: Tensor) -> Tensor:
    return -(targets * logits).sum(1).mean()


def _negative(logits: Tensor, targets: Tensor) -> Tensor:
    return (targets * logits.log_softmax(1)).sum(1).mean()


def _divergence(logits: Tensor, targets: Tensor) -> Tensor:
    entropies: Tensor = -torch.special.xlogy(targets, targets).sum(1)
    return _loss_log_softmax(logits, targets) - entropies.mean()


def _two_sided(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)


def _squared(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits.softmax(1) - targets).square().sum(1).mean()


def _loss_cases(g: torch.Generator) -> dict[str, Case]:
    def soft(n: int, k: int) -> Tensor:
        """Mixtures of two classes, the way mixup makes them."""
        first = torch.randint(0, k, (n,), generator=g)
        second = (first + torch.randint(1, k, (n,), generator=g)) % k
        lam = uniform(g, 0.6, 0.85, n)
        targets = torch.zeros(n, k, dtype=torch.float64)
        targets[range(n), first], targets[range(n), second] = lam, 1 - lam
        return targets

    def case(n: int, k: int, scale: float, dtype: torch.dtype = torch.float64) -> Case:
        logits = scale * (2 * torch.rand(n, k, generator=g, dtype=torch.float64) + torch.arange(k) % 3 - 1)
        return Case({"logits": logits.to(dtype), "targets": soft(n, k).to(dtype)})

    def large() -> Case:
        """The first example has logits so far apart that one exponential overflows and another probability is zero."""
        logits = uniform(g, 50.0, 400.0, 3, 5)
        logits[0, :2] = uniform(g, 800.0, 900.0, 1) * torch.tensor([1.0, -1.0])
        return Case({"logits": logits, "targets": uniform(g, 0.5, 1.5, 3, 5).softmax(1)})

    def apart() -> Case:
        """Each example by itself is harmless; beside the largest logit of all, the last one's exponentials vanish."""
        logits = uniform(g, -1.5, 1.5, 3, 4) + torch.tensor([[900.0], [50.0], [-800.0]])
        return Case({"logits": logits, "targets": soft(3, 4)})

    small = {
        "logits": torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]]).double(),
        "targets": torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.2, 0.8]]).double(),
    }
    return {
        "soft, by hand": Case(small),
        "soft": case(5, 4, 1.0),
        "soft, as many classes as examples": case(4, 4, 1.5),
        "soft, one example": case(1, 6, 1.0),
        "soft, float32": case(6, 3, 1.0, torch.float32),
        "large logits": large(),
        "large logits, examples far apart": apart(),
    }


_SOFT = "the mean over the batch for soft targets"
_STABLE = "large logits"

SOFT_CROSS_ENTROPY = Exercise(
    "soft-cross-entropy",
    defines=("soft_cross_entropy(logits, targets)",),
    returns=("loss",),
    reference=_loss,
    cases=_loss_cases,
    criteria=(
        Criterion(_SOFT, 1, cases=("soft*",)),
        Criterion(_STABLE, 0.5, cases=("large*",)),
    ),
    misconceptions=(
        Misconception(
            "overflow",
            _unstable,
            "With large logits the exponential overflows and the loss is not a number. Let the library take softmax "
            "and logarithm in one step, or subtract the largest logit first.",
            (_STABLE,),
        ),
        Misconception(
            "logarithm-of-softmax",
            _log_of_softmax,
            "With large logits the softmax rounds to zero, and its logarithm is infinite. Take softmax and logarithm "
            "in one step.",
            (_STABLE,),
        ),
        Misconception(
            "small-number-added",
            _with_epsilon,
            "A small number was added inside the logarithm. It keeps the loss finite but wrong: with large logits it "
            "is much too small, and so is its gradient.",
            (_STABLE,),
        ),
        Misconception(
            "largest-of-the-batch",
            _batch_shifted,
            "The largest logit of the whole batch was subtracted. Beside it all exponentials of another example can "
            "vanish; each example needs its own largest.",
            (_STABLE,),
        ),
        Misconception(
            "summed-over-the-batch",
            _reduced(lambda each: each.sum()),
            "The losses of the examples were added up. The mean is asked for, so that the learning rate need not "
            "change with the batch size.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "mean-over-classes-too",
            _reduced(lambda each: each.mean()),
            "The mean was also taken over the classes. The terms of one example are added up; the mean is over "
            "examples.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "not-reduced",
            _reduced(lambda each: each.sum(1)),
            "There is one loss for each example. Their mean is asked for, a single number.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "sign-forgotten",
            _negative,
            "The loss is negative: logarithms of probabilities are. The minus sign is missing.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "targets-hardened",
            _of_targets(_hardened),
            "Only the largest entry of each target is used. All of them count, each with its weight.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "softmax-of-the-targets",
            _of_targets(lambda targets: targets.softmax(1)),
            "The softmax was applied to the targets too. They are probabilities already.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "softmax-over-the-batch",
            _over_the_batch,
            "The softmax runs over the examples of the batch. It belongs over the classes of each example.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "softmax-forgotten",
            _no_softmax,
            "The targets multiply the logits themselves. They become log-probabilities first.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "divergence",
            _divergence,
            "This is the Kullback-Leibler divergence: it lacks the entropy of the targets. The gradient is the same, "
            "the value is not.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "each-class-by-itself",
            _two_sided,
            "Each class was judged by itself, with a sigmoid. The classes exclude each other here: one softmax over "
            "all.",
            (_SOFT, _STABLE),
        ),
        Misconception(
            "squared-error",
            _squared,
            "These are squared differences of probabilities. Cross-entropy takes logarithms.",
            (_SOFT, _STABLE),
        ),
    ),
    forbidden=(
        "torch.nn.functional.cross_entropy",
        "torch.nn.CrossEntropyLoss",
        "torch.nn.functional.kl_div",
        "torch.kl_div",
        "torch.nn.KLDivLoss",
        "torch.distributions",
        "sklearn",
        "scipy.stats",
    ),
    right={
        "log_softmax": _loss_log_softmax,
        "logsumexp minus the product": _loss_logsumexp,
        "shifted by the maximum": _loss_shifted,
        "trace of a product": _loss_trace,
        "as a Python number": _loss_number,
    },
)
