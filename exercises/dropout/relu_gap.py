"""One neuron behind dropout: the mean of its ReLU over all masks is not the ReLU of its mean."""

import itertools
import math

import torch

from autograder.exercise import Exercise
from exercises.dropout.shared import chances, factors, masks_of, weighted_masks

exercise = Exercise("relu-gap", "relu_gap(w, x, b, p_keep)", returns=("mean_of_relu", "relu_of_mean"))
MEAN_OF_RELU = exercise.criterion("the mean of the outputs", 1, outputs="mean_of_relu")
RELU_OF_MEAN = exercise.criterion("the output at the mean", 1, outputs="relu_of_mean")

@exercise.cases
def cases(g):
    def case(n, p_keep, shift, dtype=torch.float64):
        """The mean pre-activation is `shift` times its own spread, so that masks fall on both sides of zero."""
        w, x = factors(g, n)
        spread = float((w * x).square().sum().sqrt()) * (p_keep * (1 - p_keep)) ** 0.5
        b = shift * spread - p_keep * float(w @ x)
        return {"w": w.to(dtype), "x": x.to(dtype), "b": round(b, 6), "p_keep": p_keep}

    w, x = torch.tensor([1.0, -2.0]).double(), torch.tensor([2.0, 1.5]).double()
    yield "by hand", {"w": w, "x": x, "b": 1.0, "p_keep": 0.8}
    yield "three inputs", case(3, 0.7, 0.4)
    yield "mean below zero", case(4, 0.2, -0.5)
    yield "five inputs, float32", case(5, 0.7, 0.3, torch.float32)

@exercise.reference
def by_all_masks(w, x, b, p_keep):
    products = (w * x).tolist()
    outputs, inputs = 0.0, 0.0
    for probability, mask in weighted_masks(len(w), p_keep):
        a = b + sum(m * t for m, t in zip(mask, products, strict=True))
        outputs, inputs = outputs + probability * max(a, 0.0), inputs + probability * a
    return torch.tensor(outputs, dtype=w.dtype), torch.tensor(max(inputs, 0.0), dtype=w.dtype)

@exercise.right
def loops_over_python_numbers(w, x, b, p_keep):
    outputs, inputs = 0.0, 0.0
    for mask in itertools.product([0, 1], repeat=len(w)):
        probability = math.prod(p_keep if m else 1 - p_keep for m in mask)
        a = float(b) + sum(m * float(v) * float(z) for m, v, z in zip(mask, w, x, strict=True))
        outputs += probability * max(a, 0.0)
        inputs += probability * a
    return outputs, max(inputs, 0.0)

@exercise.right
def all_masks_at_once_as_a_list(w, x, b, p_keep):
    masks = torch.cartesian_prod(*[torch.tensor([1.0, 0.0])] * len(w)).reshape(-1, len(w)).to(w)
    each = (p_keep * masks + (1 - p_keep) * (1 - masks)).prod(1)
    return [each @ torch.relu(masks @ (w * x) + b), torch.relu(p_keep * w @ x + b)]

@exercise.right
def doubled_input_by_input(w, x, b, p_keep):
    values, each = torch.full((1,), float(b)).to(w), torch.ones(1).to(w)
    for term in w * x:
        values, each = torch.cat([values, values + term]), torch.cat([each * (1 - p_keep), each * p_keep])
    mean = (values * each).sum()
    return (values.clamp(min=0) * each).sum(), torch.where(mean > 0, mean, torch.zeros_like(mean))

@exercise.wrong(loses=MEAN_OF_RELU)
def no_gap_assumed(w, x, b, p_keep):
    """Both numbers are the output at the scaled mean. The mean of the outputs over the masks is another number: the
    ReLU has to be applied to every mask's value before averaging."""
    both = torch.relu(p_keep * (w * x).sum() + b)
    return both, both

def mean_of_relu(w, x, b, p_keep):
    masks = masks_of(w)
    return chances(masks, p_keep) @ torch.relu(masks @ (w * x) + b)

@exercise.wrong(loses=(MEAN_OF_RELU, RELU_OF_MEAN))
def returned_in_other_order(w, x, b, p_keep):
    """The two numbers are right but stand in the other order: first the mean of the outputs, then the output at the
    mean."""
    return torch.relu(p_keep * w @ x + b), mean_of_relu(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU)
def masks_equally_likely(w, x, b, p_keep):
    """The outputs were averaged as if all masks were equally likely. Weight each by its probability."""
    masks = masks_of(w)
    return torch.relu(masks @ (w * x) + b).mean(), torch.relu(p_keep * w @ x + b)

@exercise.wrong(loses=(MEAN_OF_RELU, RELU_OF_MEAN))
def keep_and_drop_swapped(w, x, b, p_keep):
    """p_keep was used as the probability of dropping. It is the probability of keeping."""
    masks = masks_of(w)
    return chances(1 - masks, p_keep) @ torch.relu(masks @ (w * x) + b), torch.relu((1 - p_keep) * w @ x + b)

@exercise.wrong(loses=RELU_OF_MEAN)
def second_relu_missing(w, x, b, p_keep):
    """The second number is the mean pre-activation itself; the unit's output there is never negative."""
    return mean_of_relu(w, x, b, p_keep), p_keep * w @ x + b

@exercise.wrong(loses=RELU_OF_MEAN)
def mean_not_scaled(w, x, b, p_keep):
    """The second number uses the unit with all inputs at full strength. Its mean pre-activation over the masks is
    smaller."""
    return mean_of_relu(w, x, b, p_keep), torch.relu(w @ x + b)

@exercise.wrong(loses=RELU_OF_MEAN)
def bias_scaled_too(w, x, b, p_keep):
    """The bias was scaled together with the weights. No mask ever drops the bias, so it enters at full size."""
    return mean_of_relu(w, x, b, p_keep), torch.relu(p_keep * (w @ x + b))

@exercise.wrong(loses=(MEAN_OF_RELU, RELU_OF_MEAN))
def bias_forgotten(w, x, b, p_keep):
    """The bias is missing. It shifts every mask's value and decides how many of them the ReLU cuts off."""
    return mean_of_relu(w, x, 0.0, p_keep), torch.relu(p_keep * w @ x)

@exercise.wrong(loses=MEAN_OF_RELU)
def relu_on_each_term(w, x, b, p_keep):
    """The ReLU was applied to each product before adding. The unit first adds, then cuts off."""
    return p_keep * torch.relu(w * x).sum() + max(b, 0.0), torch.relu(p_keep * w @ x + b)
