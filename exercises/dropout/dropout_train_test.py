"""Plain dropout: masks while training, weights scaled at test time."""

import torch

from autograder.exercise import Case, Exercise
from exercises.dropout.shared import (
    LIBRARY_DROPOUT,
    SMALL,
    STRIDED,
    add_mask_slips,
    add_with,
    keep_and_drop_swapped,
    kept_at_equality,
    layer_inputs,
    one_decision_for_each_example,
    one_mask_for_the_batch,
)

exercise = Exercise(
    "dropout-train-test",
    "dropout_train(x, p_keep, u)",
    "dropout_test(x, p_keep)",
    returns="y",
    forbidden=LIBRARY_DROPOUT,
)
DROPS = exercise.criterion("drops where u is not below p_keep", 1.25, cases="training*", outputs="dropped")
# With p_keep = 0 whoever divides by it gets no number: that says nothing about the mask.
KEPT = exercise.criterion(
    "leaves the kept units as they are", 1, cases=("training*", "everything dropped in training"), outputs="y"
)
TESTING = exercise.criterion("scales by p_keep at test time", 1.25, cases="testing*")

@exercise.cases
def cases(g):
    def train(x, u, p_keep, driver="dropout/dropped-units"):
        return Case({"x": x, "p_keep": p_keep, "u": u}, "dropout_train", driver, ("y", "dropped"))

    def test(x, p_keep):
        return Case({"x": x, "p_keep": p_keep}, "dropout_test")

    yield "training, by hand", train(*SMALL)
    yield "testing, by hand", test(torch.tensor([[4.0, -8.0, 12.0]]).double(), 0.75)
    yield "training, p = 0.2", train(*layer_inputs(g, 0.2, 6, 5), 0.2)
    yield "training, float32, strided", train(*layer_inputs(g, 0.7, 5, 5, torch.float32), 0.7, STRIDED)
    yield "training, nothing dropped", train(*layer_inputs(g, 1.0, 3, 4), 1.0)
    yield "everything dropped in training", train(*layer_inputs(g, 0.0, 4, 5), 0.0)
    yield "testing", test(layer_inputs(g, 0.2, 5, 4)[0], 0.2)
    yield "testing, float32, one example", test(layer_inputs(g, 0.7, 1, 6, torch.float32)[0], 0.7)

@exercise.reference
class Reference:
    def dropout_train(x, p_keep, u):
        flat = [a if r < p_keep else 0.0 for a, r in zip(x.flatten().tolist(), u.flatten().tolist(), strict=True)]
        return torch.tensor(flat, dtype=x.dtype).reshape(x.shape)

    def dropout_test(x, p_keep):
        return torch.mul(x, p_keep)

@exercise.right
def boolean_mask(x, p_keep, u):
    return x * (u < p_keep)

@exercise.right
class TorchWhere:
    def dropout_train(x, p_keep, u):
        return torch.where(u >= p_keep, torch.zeros_like(x), x)

    def dropout_test(x, p_keep):
        return x / (1 / p_keep)

@exercise.right
class FilledWithZerosOnACopy:
    def dropout_train(x, p_keep, u):
        y = x.clone()
        y[~(u < p_keep)] = 0
        return y

    def dropout_test(x, p_keep):
        return x - (1 - p_keep) * x

@exercise.right
def einsum_with_a_float_mask(x, p_keep, u):
    return torch.einsum("nd,nd->nd", x, u.lt(p_keep).to(x.dtype))

@exercise.right
def sign_of_a_relu(x, p_keep, u):
    return x.mul(torch.sign(torch.relu(p_keep - u)))

# --- training

def masked(mask):
    return lambda x, p_keep, u: x * mask(u, p_keep)

def scaled(mask):
    return lambda x, p_keep, u: x * mask(u, p_keep) / p_keep

add_mask_slips(exercise, masked, DROPS, rows=(one_mask_for_the_batch, one_decision_for_each_example))

@exercise.wrong(loses=DROPS, costs=1)
def fixed_number_of_units(x, p_keep, u):
    """Every row keeps the same number of units. Each unit is kept or dropped on its own, so the number varies from row
    to row."""
    return x * (u.argsort(dim=1).argsort(dim=1) < int(p_keep * x.shape[1]))

@exercise.also(fixed_number_of_units)
def rounded_number_of_units(x, p_keep, u):
    return x * (u.argsort(dim=1).argsort(dim=1) < round(p_keep * x.shape[1]))

@exercise.wrong(loses=KEPT)
def scales_while_training(x, p_keep, u):
    """The kept units are made larger during training. That is inverted dropout, the next exercise; plain dropout
    scales at test time instead, and doing both scales twice."""
    return x * (u < p_keep) / p_keep

add_with(exercise, scales_while_training, scaled, keep_and_drop_swapped, kept_at_equality, one_mask_for_the_batch)

@exercise.both(keep_and_drop_swapped, scales_while_training)
def of_pytorch(x, p_keep, u):
    return x * (u > p_keep) / (1 - p_keep)

@exercise.also(scales_while_training)
def scales_by_the_drop_probability(x, p_keep, u):
    return x * (u < p_keep) / (1 - p_keep)

@exercise.wrong(loses=KEPT)
def scales_down_while_training(x, p_keep, u):
    """The kept units are multiplied by p_keep during training. The masks already make the mean smaller by that factor;
    the scaling belongs to test time, where there are no masks."""
    return x * (u < p_keep) * p_keep

@exercise.wrong(loses=KEPT)
def scaled_by_the_share_kept(x, p_keep, u):
    """The kept units are divided by the share of units that the mask happened to keep. Plain dropout leaves them as
    they are."""
    return x * (u < p_keep) / (u < p_keep).to(x).mean()

@exercise.wrong(loses=KEPT)
def kept_units_times_the_noise(x, p_keep, u):
    """The kept units are multiplied by the noise as well. The noise only decides which units are kept; what is kept
    stays as it is."""
    return x * u * (u < p_keep)

@exercise.wrong(loses=KEPT)
def returns_the_mask(x, p_keep, u):
    """This is the mask alone. The result is the input where the mask keeps it."""
    return (u < p_keep).to(x.dtype)

@exercise.wrong(loses=(DROPS, KEPT), costs=0.5)
def returns_the_mask_too(x, p_keep, u):
    """Two values come back, the result and the mask. The exercise asks for the result alone; whoever has u can make the
    mask again."""
    return x * (u < p_keep), u < p_keep

@exercise.also(returns_the_mask_too)
def returns_the_mask_first(x, p_keep, u):
    return u < p_keep, x * (u < p_keep)

@exercise.both(scales_while_training, returns_the_mask_too)
def scales_and_returns_the_mask_too(x, p_keep, u):
    return scales_while_training(x, p_keep, u), u < p_keep

@exercise.both(keep_and_drop_swapped, returns_the_mask_too)
def swapped_and_returns_the_mask_too(x, p_keep, u):
    return x * (u >= p_keep), u >= p_keep

@exercise.wrong(loses=(DROPS, KEPT), costs=2)
def mean_while_training(x, p_keep, u):
    """In training every unit is multiplied by p_keep and none is dropped. That is the mean over the masks, which test
    time uses; in training the mask itself decides, unit by unit."""
    return x * p_keep

@exercise.wrong(loses=(DROPS, KEPT), costs=1)
def only_the_kept_units(x, p_keep, u):
    """Only the kept units come back, in one row. A dropped unit stays in its place as a zero, so that the result has
    the shape of the input."""
    return x[u < p_keep]

# --- test time

@exercise.wrong(of="dropout_test", loses=TESTING, costs=1)
def multiplied_by_the_drop_probability(x, p_keep):
    """At test time the output is multiplied by the probability of dropping. During training a unit was there with
    probability p_keep; its mean is what the next layer has learned to expect."""
    return x * (1 - p_keep)

@exercise.wrong(of="dropout_test", loses=TESTING)
def no_scaling_at_test_time(x, p_keep):
    """Nothing is scaled at test time. All units are there at once now, so the next layer receives more than it did on
    average during training."""
    return x.clone()

@exercise.wrong(of="dropout_test", loses=TESTING, costs=1)
def divided_at_test_time(x, p_keep):
    """The output is divided by p_keep at test time and so becomes larger still. With all units present it has to become
    smaller to match the mean during training."""
    return x / p_keep

@exercise.wrong(of="dropout_test", loses=TESTING)
def divided_by_the_drop_probability(x, p_keep):
    """The output is divided by the probability of dropping at test time and so becomes larger. With all units present
    it has to become smaller: during training a unit was there with probability p_keep."""
    return x / (1 - p_keep)

@exercise.wrong(of="dropout_test", loses=TESTING, costs=0.75)
def always_half(x, p_keep):
    """The factor at test time is 1/2 whatever p_keep is."""
    return x * 0.5

@exercise.wrong(of="dropout_test", loses=TESTING, costs=0.75)
def scaled_twice(x, p_keep):
    """The factor p_keep enters twice at test time. Once makes up for the masks of training."""
    return x * p_keep**2
