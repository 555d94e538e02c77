"""DropConnect: noise in training and its average at test time, as in dropout, but on single weights.

Wan et al. 2013, "Regularization of Neural Networks using DropConnect".
"""

import torch

from autograder.exercise import Case, Exercise
from exercises.dropout.shared import (
    LIBRARY_DROPOUT,
    MASK_SLIPS,
    add_mask_slips,
    keep_and_drop_swapped,
    kept_at_equality,
    magnitudes,
    noise,
    one_mask_for_the_batch,
)

exercise = Exercise(
    "dropconnect",
    "dropconnect_train(x, W, b, p_keep, u)",
    "dropconnect_test(x, W, b, p_keep)",
    returns="y",
    forbidden=LIBRARY_DROPOUT,
)
WEIGHTS = exercise.criterion("drops the weights of each example by its own mask", 2, cases="training without bias*")
BIASES = exercise.criterion("keeps the biases", 0.5, cases=("training, by hand", "training", "training, float32"))
TESTING = exercise.criterion("scales the weights at test time", 1, cases="testing*")

@exercise.cases
def cases(g):
    def layer(n, k, d, dtype, *, bias=True):
        b = magnitudes(g, k) if bias else torch.zeros(k, dtype=torch.float64)
        parts = {"x": magnitudes(g, n, d), "W": magnitudes(g, k, d), "b": b}
        return {name: part.to(dtype) for name, part in parts.items()}

    def train(n, k, d, p, dtype=torch.float64, *, bias=True):
        given = layer(n, k, d, dtype, bias=bias)
        return Case({**given, "p_keep": p, "u": noise(g, p, n, k, d).to(dtype)}, "dropconnect_train")

    def test(n, k, d, p, dtype=torch.float64):
        return Case({**layer(n, k, d, dtype), "p_keep": p}, "dropconnect_test")

    def by_hand(*b):
        x, W = torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[2.0, -4.0], [1.0, 3.0], [-2.0, 1.0]])
        return {"x": x.double(), "W": W.double(), "b": torch.tensor(b).double(), "p_keep": 0.75}

    u = [[[0.1, 0.9], [0.75, 0.3], [0.5, 0.2]], [[0.8, 0.85], [0.35, 0.6], [0.95, 0.05]]]
    small = {"u": torch.tensor(u, dtype=torch.float64)}
    yield "training without bias, by hand", Case({**by_hand(0.0, 0.0, 0.0), **small}, "dropconnect_train")
    yield "training, by hand", Case({**by_hand(1.0, -2.0, 4.0), **small}, "dropconnect_train")
    yield "testing, by hand", Case(by_hand(1.0, -2.0, 4.0), "dropconnect_test")
    yield "training without bias", train(3, 2, 4, 0.7, bias=False)
    yield "training without bias, square", train(4, 4, 4, 0.2, bias=False)
    yield "training without bias, one example", train(1, 3, 5, 0.7, bias=False)
    yield "training", train(5, 3, 4, 0.2)
    yield "training, float32", train(4, 5, 3, 0.7, torch.float32)
    yield "testing", test(3, 2, 4, 0.2)
    yield "testing, float32", test(1, 3, 4, 0.7, torch.float32)

@exercise.reference
class Reference:
    def dropconnect_train(x, W, b, p_keep, u):
        rows = []
        for n in range(len(x)):
            masked = torch.where(u[n] < p_keep, W, torch.zeros_like(W))
            rows.append(torch.mv(masked, x[n]) + b)
        return torch.stack(rows)

    def dropconnect_test(x, W, b, p_keep):
        return torch.nn.functional.linear(x, p_keep * W, b)

@exercise.right
def einsum_of_three(x, W, b, p_keep, u):
    return torch.einsum("nkd,kd,nd->nk", (u < p_keep).to(W.dtype), W, x) + b

@exercise.right
class BroadcastAndSum:
    def dropconnect_train(x, W, b, p_keep, u):
        return (W * (u < p_keep) * x[:, None, :]).sum(dim=2) + b

    def dropconnect_test(x, W, b, p_keep):
        return (p_keep * x) @ W.t() + b

@exercise.right
class BatchedMatrixProduct:
    def dropconnect_train(x, W, b, p_keep, u):
        masked = W.expand_as(u).masked_fill(u >= p_keep, 0)
        return torch.baddbmm(b[None, :, None], masked, x.unsqueeze(2)).squeeze(2)

    def dropconnect_test(x, W, b, p_keep):
        return torch.einsum("kd,nd->nk", W, x) * p_keep + b

# --- training: the weights

def layer(x, weights, bias):
    """One matrix of weights for each example: (N, K, D)."""
    return torch.einsum("nkd,nd->nk", weights, x) + bias

def masked(mask):
    return lambda x, W, b, p_keep, u: layer(x, W * mask(u, p_keep), b)

add_mask_slips(exercise, masked, WEIGHTS, rows=(one_mask_for_the_batch,))

@exercise.wrong(loses=WEIGHTS, costs=1.25)
def inputs_dropped_instead_of_weights(x, W, b, p_keep, u):
    """Whole inputs are dropped: that is dropout. DropConnect decides for every single weight, so an input may reach one
    output and not another."""
    return (x * (u[:, 0, :] < p_keep)) @ W.T + b

@exercise.wrong(loses=WEIGHTS, costs=1.25)
def outputs_dropped_instead_of_weights(x, W, b, p_keep, u):
    """Whole outputs are dropped: that is dropout after the layer. DropConnect drops single weights."""
    return (x @ W.T + b) * (u[:, :, 0] < p_keep)

@exercise.also(outputs_dropped_instead_of_weights)
def products_dropped(x, W, b, p_keep, u):
    return x @ W.T * (u[:, :, 0] < p_keep) + b

@exercise.wrong(loses=WEIGHTS, costs=1.25)
def masks_averaged(x, W, b, p_keep, u):
    """The masks were averaged over the examples, so that all of them share one matrix. Each example has a mask of its
    own, and in a mask a weight is there or not."""
    return x @ (W * (u < p_keep).to(W).mean(dim=0)).T + b

@exercise.wrong(loses=WEIGHTS, costs=0.75)
def scales_while_training(x, W, b, p_keep, u):
    """The kept weights are divided by p_keep during training. Here the scaling happens at test time; doing both scales
    twice."""
    return layer(x, W * (u < p_keep) / p_keep, b)

@exercise.wrong(loses=WEIGHTS, costs=0.75)
def scales_down_while_training(x, W, b, p_keep, u):
    """The kept weights are multiplied by p_keep during training. The masks already make the mean smaller by that
    factor; the scaling belongs to test time, where there are no masks."""
    return layer(x, W * (u < p_keep) * p_keep, b)

@exercise.wrong(loses=WEIGHTS, costs=0.75)
def averaged_over_the_inputs(x, W, b, p_keep, u):
    """The products were averaged over the inputs. An output is their sum."""
    return (W * (u < p_keep) * x[:, None]).mean(dim=2) + b

@exercise.wrong(loses=WEIGHTS, costs=1)
def products_not_summed(x, W, b, p_keep, u):
    """This holds every product of a weight and its input, (N, K, D). An output is their sum over the inputs."""
    return W * (u < p_keep) * x[:, None] + b[:, None]

# --- training: the biases

@exercise.wrong(loses=BIASES)
def bias_forgotten(x, W, b, p_keep, u):
    """The bias is missing in training. Only weights are dropped."""
    return layer(x, W * (u < p_keep), 0)

@exercise.wrong(loses=BIASES)
def bias_dropped_too(x, W, b, p_keep, u):
    """The biases are masked as well. Here only weights are dropped; a bias always enters at full size."""
    return layer(x, W * (u < p_keep), b * (u[:, :, 0] < p_keep))

def other_masks(u, p_keep):
    """What a bias may be multiplied by where it is masked by mistake."""
    kept = u < p_keep
    return kept[:, :, 1], kept[:, :, -1], kept.any(2), kept.all(2), kept.to(u).mean(2)

for which in range(5):
    exercise.also(bias_dropped_too)(
        lambda x, W, b, p, u, which=which: layer(x, W * (u < p), b * other_masks(u, p)[which])
    )

@exercise.wrong(loses=BIASES)
def bias_scaled_in_training(x, W, b, p_keep, u):
    """The bias is scaled in training. It is never dropped, and enters at full size in training and at test time."""
    return layer(x, W * (u < p_keep), b * p_keep)

@exercise.also(bias_scaled_in_training)
def bias_divided_in_training(x, W, b, p_keep, u):
    return layer(x, W * (u < p_keep), b / p_keep)

def add_without_bias(slip, answer):
    exercise.both(slip, bias_forgotten)(lambda x, W, b, p, u: answer(x, W, 0 * b, p, u))

for mask in (keep_and_drop_swapped, kept_at_equality, one_mask_for_the_batch):
    for way in (mask, *MASK_SLIPS.get(mask, (0, ()))[1]):
        add_without_bias(mask, masked(way))
for slip in (inputs_dropped_instead_of_weights, outputs_dropped_instead_of_weights, scales_while_training):
    add_without_bias(slip, slip)

@exercise.both(keep_and_drop_swapped, bias_dropped_too)
def swapped_mean_of_the_mask_on_the_bias(x, W, b, p_keep, u):
    dropped = u >= p_keep
    return layer(x, W * dropped, b * dropped.to(W).mean(dim=2))

@exercise.both(scales_while_training, bias_scaled_in_training)
def everything_divided(x, W, b, p_keep, u):
    return layer(x, W * (u < p_keep), b) / p_keep

# --- test time

def testing(**settings):
    return exercise.wrong(of="dropconnect_test", loses=TESTING, **settings)

@testing()
def no_scaling_at_test_time(x, W, b, p_keep):
    """Nothing is scaled at test time. All weights are there at once now, so the sums are larger than they were on
    average during training."""
    return x @ W.T + b

@testing(costs=0.75)
def multiplied_by_the_drop_probability(x, W, b, p_keep):
    """The weights are multiplied by the probability of dropping. During training a weight was there with probability
    p_keep."""
    return x @ ((1 - p_keep) * W).T + b

@testing(costs=0.75)
def divided_at_test_time(x, W, b, p_keep):
    """The weights are divided by p_keep at test time. All of them are there at once now, so they have to become
    smaller to match the mean during training."""
    return x @ (W / p_keep).T + b

@testing(costs=0.5)
def always_half(x, W, b, p_keep):
    """The factor at test time is 1/2 whatever p_keep is."""
    return x @ (0.5 * W).T + b

@testing(costs=0.5)
def bias_scaled_too(x, W, b, p_keep):
    """The bias is scaled at test time. It was never dropped, so it enters at full size."""
    return p_keep * (x @ W.T + b)

@testing(costs=0.5)
def bias_forgotten_at_test_time(x, W, b, p_keep):
    """The bias is missing at test time. It was there in training, at full size, and stays."""
    return x @ (p_keep * W).T

@testing(costs=0.5)
def scaled_twice(x, W, b, p_keep):
    """The factor p_keep enters twice at test time. Once makes up for the masks of training."""
    return p_keep**2 * x @ W.T + b

@exercise.both(no_scaling_at_test_time, bias_forgotten_at_test_time, of="dropconnect_test", costs=1)
def nothing_but_the_product(x, W, b, p_keep):
    return x @ W.T

@exercise.both(multiplied_by_the_drop_probability, bias_scaled_too, of="dropconnect_test", costs=1)
def everything_by_the_drop_probability(x, W, b, p_keep):
    return (1 - p_keep) * (x @ W.T + b)
