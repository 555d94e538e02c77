"""One neuron behind dropout: its expectation over all masks, and what a ReLU makes of it."""

from __future__ import annotations

import itertools
import math

import torch

from autograder.exercises.dropout.draws import factors, uniform
from autograder.exercises.dropout.masks import all_masks, probabilities
from autograder.exercises.model import Case, Criterion, Exercise, Misconception

__all__ = ["EXPECTED", "RELU_GAP"]

# expected-preactivation ---------------------------------------------------------------------------------------


def _weighted_masks(n: int, p_keep: float) -> list[tuple[float, list[float]]]:
    """Every mask of n inputs with its probability, in plain numbers."""
    masks = all_masks(n)
    return list(zip(probabilities(masks, p_keep).tolist(), masks.tolist(), strict=True))


def _expected(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    products = (w * x).tolist()
    each = [p * sum(m * t for m, t in zip(mask, products, strict=True)) for p, mask in _weighted_masks(len(w), p_keep)]
    return torch.tensor(sum(each), dtype=w.dtype)


def _expected_linear(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return p_keep * torch.dot(w, x)


def _expected_recursive(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor | float:
    if len(w) == 0:
        return 0.0
    rest = _expected_recursive(w[1:], x[1:], p_keep)
    return p_keep * (w[0] * x[0] + rest) + (1 - p_keep) * rest


def _expected_einsum(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    n = len(w)
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=w.dtype, device=w.device)
    each = torch.where(masks > 0.5, p_keep, 1 - p_keep).to(w.dtype).prod(1)
    return torch.einsum("m,mn,n,n->", each, masks, w, x)


def _expected_number(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> float:
    return sum(p_keep * float(a) * float(b) for a, b in zip(w, x, strict=True))


def _expected_unscaled(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return (w * x).sum()


def _expected_dropped(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return (1 - p_keep) * (w * x).sum()


def _expected_half(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return 0.5 * (w * x).sum()


def _expected_divided(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return (w * x).sum() / p_keep


def _expected_all_kept(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return p_keep ** len(w) * (w * x).sum()


def _expected_mean(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return p_keep * (w * x).mean()


def _expected_unweighted(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return (w * x).sum() * 2.0 ** (len(w) - 1)


def _expected_terms(w: torch.Tensor, x: torch.Tensor, p_keep: float) -> torch.Tensor:
    return p_keep * w * x


def _neuron_cases(g: torch.Generator) -> dict[str, Case]:
    def case(n: int, p_keep: float, dtype: torch.dtype = torch.float64) -> Case:
        w, x = factors(g, n)
        return Case({"w": w.to(dtype), "x": x.to(dtype), "p_keep": p_keep})

    lecture = {"w": torch.tensor([2.0, 4.0]).double(), "x": torch.tensor([3.0, 1.0]).double(), "p_keep": 0.5}
    return {
        "two inputs, p = 1/2": Case(lecture),
        "two other inputs, p = 1/2": case(2, 0.5),
        "two inputs": case(2, 0.7),
        "four inputs": case(4, 0.2),
        "five inputs, float32": case(5, 0.7, torch.float32),
        "any p": case(3, float(uniform(g, 0.75, 0.9, 1))),
    }


_LECTURE = "the lecture's neuron at p = 1/2"
_EXPECTED_ANY = "any number of inputs and any probability of keeping"

EXPECTED = Exercise(
    "expected-preactivation",
    defines=("expected_preactivation(w, x, p_keep)",),
    returns=("expectation",),
    reference=_expected,
    cases=_neuron_cases,
    criteria=(
        Criterion(_LECTURE, 0.5, cases=("two inputs, p = 1/2", "two other inputs, p = 1/2")),
        Criterion(_EXPECTED_ANY, 1.5, cases=("two inputs", "four inputs", "five inputs, float32", "any p")),
    ),
    misconceptions=(
        Misconception(
            "nothing-dropped",
            _expected_unscaled,
            "This is the neuron with all inputs present. Some masks drop some of them, so the mean is smaller in size.",
            (_LECTURE, _EXPECTED_ANY),
        ),
        Misconception(
            "scaled-by-drop-probability",
            _expected_dropped,
            "The sum is scaled by the probability of dropping. An input counts in those masks that keep it.",
            (_EXPECTED_ANY,),
        ),
        Misconception(
            "always-half",
            _expected_half,
            "The factor is 1/2 whatever p_keep is: the mean over all masks without their probabilities. "
            "Masks are equally likely only at p_keep = 1/2.",
            (_EXPECTED_ANY,),
        ),
        Misconception(
            "divided-by-keep-probability",
            _expected_divided,
            "The sum is divided by p_keep: the factor by which inverted dropout compensates. Here nothing is "
            "compensated yet.",
            (_LECTURE, _EXPECTED_ANY),
        ),
        Misconception(
            "only-the-full-mask",
            _expected_all_kept,
            "Only the mask that keeps everything is counted. The masks that keep a part contribute too.",
            (_LECTURE, _EXPECTED_ANY),
        ),
        Misconception(
            "mean-over-inputs",
            _expected_mean,
            "The products were averaged over the inputs. A neuron sums them.",
            (_LECTURE, _EXPECTED_ANY),
        ),
        Misconception(
            "masks-not-weighted",
            _expected_unweighted,
            "The values of all masks were added without their probabilities, so the result grows with the number of "
            "masks.",
            (_LECTURE, _EXPECTED_ANY),
        ),
        Misconception(
            "terms-not-summed",
            _expected_terms,
            "This holds one number for each input. The neuron adds them to one.",
            (_LECTURE, _EXPECTED_ANY),
        ),
    ),
    right={
        "by linearity": _expected_linear,
        "one input after the other": _expected_recursive,
        "einsum over all masks": _expected_einsum,
        "as a Python number": _expected_number,
    },
)

# relu-gap -----------------------------------------------------------------------------------------------------


def _relu_gap(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    products = (w * x).tolist()
    outputs, inputs = 0.0, 0.0
    for probability, mask in _weighted_masks(len(w), p_keep):
        a = b + sum(m * t for m, t in zip(mask, products, strict=True))
        outputs, inputs = outputs + probability * max(a, 0.0), inputs + probability * a
    return torch.tensor(outputs, dtype=w.dtype), torch.tensor(max(inputs, 0.0), dtype=w.dtype)


def _relu_gap_loop(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[float, float]:
    outputs, inputs = 0.0, 0.0
    for mask in itertools.product([0, 1], repeat=len(w)):
        probability = math.prod(p_keep if m else 1 - p_keep for m in mask)
        a = float(b) + sum(m * float(v) * float(z) for m, v, z in zip(mask, w, x, strict=True))
        outputs += probability * max(a, 0.0)
        inputs += probability * a
    return outputs, max(inputs, 0.0)


def _relu_gap_linear(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> list[torch.Tensor]:
    masks = torch.cartesian_prod(*[torch.tensor([1.0, 0.0])] * len(w)).reshape(-1, len(w)).to(w)
    each = (p_keep * masks + (1 - p_keep) * (1 - masks)).prod(1)
    return [each @ torch.relu(masks @ (w * x) + b), torch.relu(p_keep * w @ x + b)]


def _relu_gap_where(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    values, each = torch.full((1,), float(b)).to(w), torch.ones(1).to(w)
    for term in w * x:
        values, each = torch.cat([values, values + term]), torch.cat([each * (1 - p_keep), each * p_keep])
    mean = (values * each).sum()
    return (values.clamp(min=0) * each).sum(), torch.where(mean > 0, mean, torch.zeros_like(mean))


def _gap_nothing(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    both = torch.relu(p_keep * (w * x).sum() + b)
    return both, both


def _gap_reversed(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(w)))).to(w)
    each = (p_keep * masks + (1 - p_keep) * (1 - masks)).prod(1)
    return torch.relu(p_keep * w @ x + b), each @ torch.relu(masks @ (w * x) + b)


def _gap_equal_masks(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(w)))).to(w)
    return torch.relu(masks @ (w * x) + b).mean(), torch.relu(p_keep * w @ x + b)


def _gap_swapped(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(w)))).to(w)
    each = (p_keep * (1 - masks) + (1 - p_keep) * masks).prod(1)
    return each @ torch.relu(masks @ (w * x) + b), torch.relu((1 - p_keep) * w @ x + b)


def _gap_no_relu(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(w)))).to(w)
    each = (p_keep * masks + (1 - p_keep) * (1 - masks)).prod(1)
    return each @ torch.relu(masks @ (w * x) + b), p_keep * w @ x + b


def _gap_unscaled(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(w)))).to(w)
    each = (p_keep * masks + (1 - p_keep) * (1 - masks)).prod(1)
    return each @ torch.relu(masks @ (w * x) + b), torch.relu(w @ x + b)


def _gap_bias_scaled(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(w)))).to(w)
    each = (p_keep * masks + (1 - p_keep) * (1 - masks)).prod(1)
    return each @ torch.relu(masks @ (w * x) + b), torch.relu(p_keep * (w @ x + b))


def _gap_no_bias(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=len(w)))).to(w)
    each = (p_keep * masks + (1 - p_keep) * (1 - masks)).prod(1)
    return each @ torch.relu(masks @ (w * x)), torch.relu(p_keep * w @ x)


def _gap_each_term(w: torch.Tensor, x: torch.Tensor, b: float, p_keep: float) -> tuple[torch.Tensor, torch.Tensor]:
    return p_keep * torch.relu(w * x).sum() + max(b, 0.0), torch.relu(p_keep * w @ x + b)


def _gap_cases(g: torch.Generator) -> dict[str, Case]:
    def case(n: int, p_keep: float, shift: float, dtype: torch.dtype = torch.float64) -> Case:
        """The mean pre-activation is `shift` times its own spread, so that masks fall on both sides of zero."""
        w, x = factors(g, n)
        spread = float((w * x).square().sum().sqrt()) * (p_keep * (1 - p_keep)) ** 0.5
        b = shift * spread - p_keep * float(w @ x)
        return Case({"w": w.to(dtype), "x": x.to(dtype), "b": round(b, 6), "p_keep": p_keep})

    small = {"w": torch.tensor([1.0, -2.0]).double(), "x": torch.tensor([2.0, 1.5]).double(), "b": 1.0, "p_keep": 0.8}
    return {
        "by hand": Case(small),
        "three inputs": case(3, 0.7, 0.4),
        "mean below zero": case(4, 0.2, -0.5),
        "five inputs, float32": case(5, 0.7, 0.3, torch.float32),
    }


_MEAN_OF = "the mean of the outputs"
_OF_MEAN = "the output at the mean"

RELU_GAP = Exercise(
    "relu-gap",
    defines=("relu_gap(w, x, b, p_keep)",),
    returns=("mean_of_relu", "relu_of_mean"),
    reference=_relu_gap,
    cases=_gap_cases,
    criteria=(
        Criterion(_MEAN_OF, 1, outputs=("mean_of_relu",)),
        Criterion(_OF_MEAN, 1, outputs=("relu_of_mean",)),
    ),
    misconceptions=(
        Misconception(
            "no-gap-assumed",
            _gap_nothing,
            "Both numbers are the output at the scaled mean. The mean of the outputs over the masks is another number: "
            "the ReLU has to be applied to every mask's value before averaging.",
            (_MEAN_OF,),
        ),
        Misconception(
            "returned-in-other-order",
            _gap_reversed,
            "The two numbers are right but stand in the other order: first the mean of the outputs, then the output "
            "at the mean.",
            (_MEAN_OF, _OF_MEAN),
        ),
        Misconception(
            "masks-equally-likely",
            _gap_equal_masks,
            "The outputs were averaged as if all masks were equally likely. Weight each by its probability.",
            (_MEAN_OF,),
        ),
        Misconception(
            "keep-and-drop-swapped",
            _gap_swapped,
            "p_keep was used as the probability of dropping. It is the probability of keeping.",
            (_MEAN_OF, _OF_MEAN),
        ),
        Misconception(
            "second-relu-missing",
            _gap_no_relu,
            "The second number is the mean pre-activation itself; the unit's output there is never negative.",
            (_OF_MEAN,),
        ),
        Misconception(
            "mean-not-scaled",
            _gap_unscaled,
            "The second number uses the unit with all inputs at full strength. Its mean pre-activation over the masks "
            "is smaller.",
            (_OF_MEAN,),
        ),
        Misconception(
            "bias-scaled-too",
            _gap_bias_scaled,
            "The bias was scaled together with the weights. No mask ever drops the bias, so it enters at full size.",
            (_OF_MEAN,),
        ),
        Misconception(
            "bias-forgotten",
            _gap_no_bias,
            "The bias is missing. It shifts every mask's value and decides how many of them the ReLU cuts off.",
            (_MEAN_OF, _OF_MEAN),
        ),
        Misconception(
            "relu-on-each-term",
            _gap_each_term,
            "The ReLU was applied to each product before adding. The unit first adds, then cuts off.",
            (_MEAN_OF,),
        ),
    ),
    right={
        "loops over Python numbers": _relu_gap_loop,
        "all masks at once, as a list": _relu_gap_linear,
        "doubled input by input": _relu_gap_where,
    },
)
