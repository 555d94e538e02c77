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
    def case(n, p_keep, shift, dtype=torch.float64, sign=1):
        """The mean pre-activation is `shift` times its own spread, so that masks fall on both sides of zero."""
        w, x = factors(g, n)
        w = sign * w
        spread = float((w * x).square().sum().sqrt()) * (p_keep * (1 - p_keep)) ** 0.5
        b = shift * spread - p_keep * float(w @ x)
        return {"w": w.to(dtype), "x": x.to(dtype), "b": round(b, 6), "p_keep": p_keep}

    w, x = torch.tensor([1.0, -2.0]).double(), torch.tensor([2.0, 1.5]).double()
    yield "by hand", {"w": w, "x": x, "b": 1.0, "p_keep": 0.8}
    yield "three inputs", case(3, 0.7, 0.4)
    yield "mean below zero", case(4, 0.2, -0.5)
    yield "weights and mean below zero", case(3, 0.7, -0.4, sign=-1)
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

def values_of_all(w, x, b):
    """The pre-activation under every mask."""
    return masks_of(w) @ (w * x) + b

def mean_of_relu(w, x, b, p_keep):
    return chances(masks_of(w), p_keep) @ torch.relu(values_of_all(w, x, b))

def relu_of_mean(w, x, b, p_keep):
    return torch.relu(p_keep * w @ x + b)

# --- the first number

@exercise.wrong(loses=MEAN_OF_RELU)
def no_gap_assumed(w, x, b, p_keep):
    """This is the output at the mean, once more. The mean of the outputs over the masks is another number: the ReLU has
    to be applied to every mask's value before averaging."""
    return relu_of_mean(w, x, b, p_keep), relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.75)
def first_relu_missing(w, x, b, p_keep):
    """This is the mean of the pre-activations. The mean of the unit's outputs is asked for, and no output is
    negative."""
    return p_keep * w @ x + b, relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.5)
def masks_equally_likely(w, x, b, p_keep):
    """The outputs were averaged as if all masks were equally likely. Weight each by its probability."""
    return torch.relu(values_of_all(w, x, b)).mean(), relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.5)
def masks_weighted_by_drop_probability(w, x, b, p_keep):
    """In the mean of the outputs p_keep was used as the probability of dropping. It is the probability of keeping."""
    return mean_of_relu(w, x, b, 1 - p_keep), relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.5)
def outputs_added_without_probabilities(w, x, b, p_keep):
    """The outputs of all masks were added without their probabilities, so the result grows with the number of masks."""
    return torch.relu(values_of_all(w, x, b)).sum(), relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.75)
def relu_on_each_term(w, x, b, p_keep):
    """The ReLU was applied to each product before adding. The unit first adds, then cuts off."""
    return p_keep * torch.relu(w * x).sum() + max(b, 0.0), relu_of_mean(w, x, b, p_keep)

@exercise.also(relu_on_each_term)
def relu_on_each_product_only(w, x, b, p_keep):
    return p_keep * torch.relu(w * x).sum() + b, relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.5)
def bias_added_to_the_outputs(w, x, b, p_keep):
    """In the mean of the outputs the bias was added after the ReLU. It is a part of the pre-activation and decides
    which masks the ReLU cuts off."""
    return mean_of_relu(w, x, 0.0, p_keep) + b, relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.5)
def bias_missing_in_the_outputs(w, x, b, p_keep):
    """In the mean of the outputs the bias is missing. It shifts every mask's value before the ReLU."""
    return mean_of_relu(w, x, 0.0, p_keep), relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.5)
def bias_dropped_in_the_outputs(w, x, b, p_keep):
    """In the mean of the outputs the bias is dropped like one more input. No mask ever drops the bias: there are as
    many entries in a mask as inputs, and the bias enters at full size under each of them."""
    dropped = (1 - p_keep) * mean_of_relu(w, x, 0.0, p_keep)
    return dropped + p_keep * mean_of_relu(w, x, b, p_keep), relu_of_mean(w, x, b, p_keep)

@exercise.wrong(loses=MEAN_OF_RELU, costs=0.5)
def bias_scaled_in_the_outputs(w, x, b, p_keep):
    """In the mean of the outputs the bias was multiplied by p_keep. No mask ever drops the bias, so it enters at full
    size under each of them."""
    return mean_of_relu(w, x, p_keep * b, p_keep), relu_of_mean(w, x, b, p_keep)

# --- the second number

@exercise.wrong(loses=RELU_OF_MEAN)
def mean_of_outputs_twice(w, x, b, p_keep):
    """This is the mean of the outputs, once more. The output at the mean is another number: first the mean of the
    pre-activations over the masks, then one ReLU."""
    return mean_of_relu(w, x, b, p_keep), mean_of_relu(w, x, b, p_keep)

@exercise.wrong(loses=RELU_OF_MEAN, costs=0.5)
def second_relu_missing(w, x, b, p_keep):
    """This is the mean pre-activation itself; the unit's output there is never negative."""
    return mean_of_relu(w, x, b, p_keep), p_keep * w @ x + b

@exercise.wrong(loses=RELU_OF_MEAN, costs=0.5)
def bias_added_to_the_output(w, x, b, p_keep):
    """In the output at the mean the bias was added after the ReLU. It is a part of the pre-activation: add first, then
    cut off."""
    return mean_of_relu(w, x, b, p_keep), torch.relu(p_keep * w @ x) + b

@exercise.wrong(loses=RELU_OF_MEAN, costs=0.75)
def mean_not_scaled(w, x, b, p_keep):
    """This is the unit's output with all inputs at full strength. Its mean pre-activation over the masks is
    another one: each input is there in a part of the masks only."""
    return mean_of_relu(w, x, b, p_keep), torch.relu(w @ x + b)

@exercise.wrong(loses=RELU_OF_MEAN, costs=0.5)
def mean_at_one_half(w, x, b, p_keep):
    """The inputs count one half in the mean, whatever p_keep is. They are there with probability p_keep."""
    return mean_of_relu(w, x, b, p_keep), torch.relu(0.5 * w @ x + b)

@exercise.wrong(loses=RELU_OF_MEAN, costs=0.5)
def mean_scaled_by_drop_probability(w, x, b, p_keep):
    """The mean was scaled by the probability of dropping. An input counts in those masks that keep it."""
    return mean_of_relu(w, x, b, p_keep), torch.relu((1 - p_keep) * w @ x + b)

@exercise.wrong(loses=RELU_OF_MEAN, costs=0.5)
def bias_scaled_too(w, x, b, p_keep):
    """In the output at the mean the bias was scaled together with the weights. No mask ever drops the bias, so it
    enters at full size."""
    return mean_of_relu(w, x, b, p_keep), torch.relu(p_keep * (w @ x + b))

@exercise.wrong(loses=RELU_OF_MEAN, costs=0.5)
def bias_missing_in_the_output(w, x, b, p_keep):
    """In the output at the mean the bias is missing. It is a part of the pre-activation."""
    return mean_of_relu(w, x, b, p_keep), torch.relu(p_keep * w @ x)

# --- both

@exercise.wrong(loses=(MEAN_OF_RELU, RELU_OF_MEAN), costs=0.5)
def returned_in_other_order(w, x, b, p_keep):
    """The two numbers are right but stand in the other order: first the mean of the outputs, then the output at the
    mean."""
    return relu_of_mean(w, x, b, p_keep), mean_of_relu(w, x, b, p_keep)

@exercise.wrong(loses=(MEAN_OF_RELU, RELU_OF_MEAN), costs=0.75)
def keep_and_drop_swapped(w, x, b, p_keep):
    """p_keep was used as the probability of dropping. It is the probability of keeping."""
    return mean_of_relu(w, x, b, 1 - p_keep), relu_of_mean(w, x, b, 1 - p_keep)

@exercise.wrong(loses=(MEAN_OF_RELU, RELU_OF_MEAN), costs=1)
def inverted_dropout_instead(w, x, b, p_keep):
    """The inputs are divided by p_keep, as in inverted dropout: then the mean is the one with all inputs at full
    strength. Here the masks are those of plain dropout, and kept inputs enter as they are."""
    return mean_of_relu(w / p_keep, x, b, p_keep), torch.relu(w @ x + b)
