"""Cross-entropy with labels that are distributions, as mixup makes them."""

import functools
import math

import torch

from autograder.exercise import Exercise
from exercises.draws import uniform

exercise = Exercise(
    "soft-cross-entropy",
    "soft_cross_entropy(logits, targets)",
    returns="loss",
    forbidden=(
        "torch.nn.functional.cross_entropy",
        "torch.nn.functional.kl_div",
        "torch.distributions",
        "sklearn",
        "scipy.stats",
    ),
)
SOFT = exercise.criterion("the mean over the batch for soft targets", 1, cases="soft*")
STABLE = exercise.criterion("large logits", 0.5, cases="large*")

@exercise.cases
def cases(g):
    def soft(n, k):
        """Mixtures of two classes, the way mixup makes them."""
        first = torch.randint(0, k, (n,), generator=g)
        second = (first + torch.randint(1, k, (n,), generator=g)) % k
        lam = uniform(g, 0.6, 0.85, n)
        targets = torch.zeros(n, k, dtype=torch.float64)
        targets[range(n), first], targets[range(n), second] = lam, 1 - lam
        return targets

    def case(n, k, scale, dtype=torch.float64):
        logits = scale * (2 * torch.rand(n, k, generator=g, dtype=torch.float64) + torch.arange(k) % 3 - 1)
        return {"logits": logits.to(dtype), "targets": soft(n, k).to(dtype)}

    def large():
        """The first example has logits so far apart that one exponential overflows and another probability is zero."""
        logits = uniform(g, 50.0, 400.0, 3, 5)
        logits[0, :2] = uniform(g, 800.0, 900.0, 1) * torch.tensor([1.0, -1.0])
        return {"logits": logits, "targets": uniform(g, 0.5, 1.5, 3, 5).softmax(1)}

    def apart():
        """Each example by itself is harmless; beside the largest logit of all, the last one's exponentials vanish."""
        logits = uniform(g, -1.5, 1.5, 3, 4) + torch.tensor([[900.0], [50.0], [-800.0]])
        return {"logits": logits, "targets": soft(3, 4)}

    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]], dtype=torch.float64)
    targets = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.2, 0.8]], dtype=torch.float64)
    yield "soft, by hand", {"logits": logits, "targets": targets}
    yield "soft", case(5, 4, 1.0)
    yield "soft, as many classes as examples", case(4, 4, 1.5)
    yield "soft, one example", case(1, 6, 1.0)
    yield "soft, float32", case(6, 3, 1.0, torch.float32)
    yield "large, by hand", {"logits": torch.tensor([[1000.0, 0.0]]).double(), "targets": targets[:1, :2].clone()}
    yield "large logits", large()
    yield "large logits, examples far apart", apart()

@exercise.reference
def number_by_number(logits, targets):
    total = 0.0
    for row, target in zip(logits.tolist(), targets.tolist(), strict=True):
        largest = max(row)
        log_sum = largest + math.log(math.fsum(math.exp(z - largest) for z in row))
        total += math.fsum(t * (log_sum - z) for z, t in zip(row, target, strict=True))
    return torch.tensor(total / len(logits), dtype=logits.dtype)

@exercise.right
def log_softmax(logits, targets):
    return -(targets * logits.log_softmax(-1)).sum(-1).mean()

@exercise.right
def logsumexp_minus_the_product(logits, targets):
    return (logits.logsumexp(1) * targets.sum(1) - torch.einsum("nk,nk->n", targets, logits)).mean()

@exercise.right
def shifted_by_the_maximum(logits, targets):
    shifted = logits - logits.max(dim=1, keepdim=True).values
    log_p = shifted - shifted.exp().sum(1, keepdim=True).log()
    return torch.tensordot(-targets, log_p, dims=2) / logits.shape[0]

@exercise.right
def trace_of_a_product(logits, targets):
    return -torch.trace(torch.log_softmax(logits, 1) @ targets.T) / len(targets)

@exercise.right
def as_a_python_number(logits, targets):
    rows = zip(logits.log_softmax(1), targets, strict=True)
    return -sum(float(t @ z) for z, t in rows) / len(logits)

def log_softmax_of(logits, targets):
    return logits.log_softmax(1)

def logarithm_by_itself(logits, targets):
    return logits.softmax(1).log()

def reduced(combine, logarithms=log_softmax_of):
    """The loss that `combine(log_p, targets)` makes of log-probabilities."""

    @functools.wraps(combine)
    def answer(logits, targets):
        return combine(logarithms(logits, targets), targets)

    return answer

def mean_loss(log_p, targets):
    return -(targets * log_p).sum(1).mean()

def with_logarithms(logarithms):
    """The right mean of other logarithms, `logarithms(logits, targets)`."""

    @functools.wraps(logarithms)
    def answer(logits, targets):
        return mean_loss(logarithms(logits, targets), targets)

    return answer

@exercise.wrong(loses=STABLE)
@with_logarithms
def overflow(logits, targets):
    """With large logits the exponential overflows and the loss is not a number. Let the library take softmax and
    logarithm in one step, or subtract the largest logit first."""
    powers = logits.exp()
    return (powers / powers.sum(1, keepdim=True)).log()

@exercise.also(overflow)
@with_logarithms
def overflow_of_the_sum(logits, targets):
    return logits - logits.exp().sum(1, keepdim=True).log()

@exercise.wrong(loses=STABLE)
@with_logarithms
def logarithm_of_softmax(logits, targets):
    """With large logits the softmax rounds to zero, and its logarithm is infinite. Take softmax and logarithm in one
    step."""
    return logarithm_by_itself(logits, targets)

@exercise.wrong(loses=STABLE)
@with_logarithms
def small_number_added(logits, targets):
    """A small number was added inside the logarithm, or the probabilities were kept above one. It keeps the loss finite
    but wrong: with large logits it is much too small, and so is its gradient."""
    return (logits.softmax(1) + 1e-9).log()

def kept_finite(exponent):
    """Logarithms of probabilities to which a small number was added, and of such that were kept above one."""
    tiny = 10.0**-exponent
    return (
        lambda logits, targets: (logits.softmax(1) + tiny).log(),
        lambda logits, targets: logits.softmax(1).clamp(min=tiny).log(),
    )

FINITE = [way for exponent in (15, 12, 10, 9, 8) for way in kept_finite(exponent)]
for way in FINITE:
    exercise.also(small_number_added)(with_logarithms(way))

@exercise.wrong(loses=STABLE, costs=0.25)
@with_logarithms
def largest_of_the_batch(logits, targets):
    """The largest logit of the whole batch was subtracted. Beside it all exponentials of another example can vanish;
    each example needs its own largest."""
    shifted = logits - logits.max()
    return shifted - shifted.exp().sum(1, keepdim=True).log()

@exercise.wrong(loses=SOFT, costs=0.5)
@reduced
def summed_over_the_batch(log_p, targets):
    """The losses of the examples were added up. The mean is asked for, so that the learning rate need not change with
    the batch size."""
    return -(targets * log_p).sum()

@exercise.wrong(loses=SOFT, costs=0.5)
@reduced
def mean_over_classes_too(log_p, targets):
    """The mean was also taken over the classes. The terms of one example are added up; the mean is over examples."""
    return -(targets * log_p).mean()

@exercise.wrong(loses=SOFT, costs=0.5)
@reduced
def not_reduced(log_p, targets):
    """There is one loss for each example. Their mean is asked for, a single number."""
    return -(targets * log_p).sum(1)

@exercise.wrong(loses=SOFT, costs=0.5)
@reduced
def sign_forgotten(log_p, targets):
    """The loss is negative: logarithms of probabilities are. The minus sign is missing."""
    return (targets * log_p).sum(1).mean()

for reduction in (summed_over_the_batch, mean_over_classes_too, not_reduced, sign_forgotten):
    exercise.both(reduction, logarithm_of_softmax)(reduced(reduction.__wrapped__, logarithm_by_itself))
    exercise.both(reduction, overflow)(reduced(reduction.__wrapped__, overflow.__wrapped__))

@exercise.wrong(loses=SOFT)
def targets_hardened(logits, targets):
    """Only the largest entry of each target is used. All of them count, each with its weight."""
    largest = torch.nn.functional.one_hot(targets.argmax(1), targets.shape[1])
    return log_softmax(logits, largest.to(targets))

@exercise.wrong(loses=SOFT, costs=0.75)
def softmax_of_the_targets(logits, targets):
    """The softmax was applied to the targets too. They are probabilities already."""
    return log_softmax(logits, targets.softmax(1))

@exercise.wrong(loses=SOFT, costs=0.75)
@with_logarithms
def softmax_over_the_batch(logits, targets):
    """The softmax runs over the examples of the batch. It belongs over the classes of each example."""
    return logits.log_softmax(0)

@exercise.both(sign_forgotten, summed_over_the_batch)
@reduced
def sign_forgotten_and_summed(log_p, targets):
    return (targets * log_p).sum()

@exercise.both(sign_forgotten, mean_over_classes_too)
@reduced
def sign_forgotten_and_mean_over_classes_too(log_p, targets):
    return (targets * log_p).mean()

for reduction in (summed_over_the_batch, mean_over_classes_too, sign_forgotten):
    exercise.both(reduction, softmax_over_the_batch)(
        reduced(reduction.__wrapped__, softmax_over_the_batch.__wrapped__)
    )
    for way in FINITE:
        exercise.both(reduction, small_number_added)(reduced(reduction.__wrapped__, way))

@exercise.wrong(loses=SOFT, costs=0.75)
@with_logarithms
def softmax_twice(logits, targets):
    """The softmax was applied twice: to the logits, and again together with the logarithm. Even a sure and right answer
    then has a large loss."""
    return logits.softmax(1).log_softmax(1)

@exercise.wrong(loses=SOFT)
@with_logarithms
def softmax_forgotten(logits, targets):
    """The targets multiply the logits themselves. They become log-probabilities first."""
    return logits

@exercise.wrong(loses=SOFT, costs=0.75)
@with_logarithms
def logarithm_forgotten(logits, targets):
    """The targets multiply the probabilities. Cross-entropy takes their logarithms, so that a confident mistake costs
    much."""
    return logits.softmax(1)

@exercise.wrong(loses=SOFT, costs=0.25)
@with_logarithms
def logarithm_of_base_two(logits, targets):
    """The logarithm has the base 2, so the loss comes in bits. The natural logarithm is meant."""
    return logits.log_softmax(1) / math.log(2)

@exercise.wrong(loses=SOFT, costs=0.75)
def divergence(logits, targets):
    """This is the Kullback-Leibler divergence: it lacks the entropy of the targets. The gradient is the same, the value
    is not."""
    entropies = -torch.special.xlogy(targets, targets).sum(1)
    return log_softmax(logits, targets) - entropies.mean()

@exercise.wrong(loses=SOFT)
def each_class_by_itself(logits, targets):
    """Each class was judged by itself, with a sigmoid. The classes exclude each other here: one softmax over all."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / len(logits)

@exercise.wrong(loses=SOFT)
def squared_error(logits, targets):
    """These are squared differences of probabilities. Cross-entropy takes logarithms."""
    return (logits.softmax(1) - targets).square().sum(1).mean()
