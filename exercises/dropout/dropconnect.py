"""DropConnect: noise in training and its average at test time, as in dropout, but on single weights.

Wan et al. 2013, "Regularization of Neural Networks using DropConnect".
"""

import torch

from autograder.exercise import Case, Exercise
from exercises.dropout.shared import LIBRARY_DROPOUT, magnitudes, noise

exercise = Exercise(
    "dropconnect",
    "dropconnect_train(x, W, b, p_keep, u)",
    "dropconnect_test(x, W, b, p_keep)",
    returns="y",
    forbidden=LIBRARY_DROPOUT,
)
WEIGHTS = exercise.criterion("drops the weights of each example by its own mask", 1.5, cases="training without bias*")
BIASES = exercise.criterion("keeps the biases", 0.5, cases=("training", "training, float32"))
TESTING = exercise.criterion("scales the weights at test time", 1, cases="testing*")
DTYPE = exercise.criterion("keeps the dtype", 0.5, cases=("training without bias", "training, float32"), aspect="dtype")
INPUTS = exercise.criterion("leaves its inputs unchanged", 0.5, cases="training*", aspect="inputs")

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

    yield "training without bias", train(3, 2, 4, 0.7, bias=False)
    yield "training without bias, square", train(4, 4, 4, 0.2, bias=False)
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

@exercise.wrong(loses=(WEIGHTS, BIASES))
def one_mask_for_the_batch(x, W, b, p_keep, u):
    """All examples share the first example's weight mask. Each example has its own, u[n]."""
    return x @ (W * (u[0] < p_keep)).T + b

@exercise.wrong(loses=(WEIGHTS, BIASES))
def inputs_dropped_instead_of_weights(x, W, b, p_keep, u):
    """Whole inputs are dropped: that is dropout. DropConnect decides for every single weight, so an input may reach one
    output and not another."""
    return (x * (u[:, 0, :] < p_keep)) @ W.T + b

@exercise.wrong(loses=(WEIGHTS, BIASES))
def outputs_dropped_instead_of_weights(x, W, b, p_keep, u):
    """Whole outputs are dropped: that is dropout after the layer. DropConnect drops single weights."""
    return (x @ W.T + b) * (u[:, :, 0] < p_keep)

@exercise.wrong(loses=(WEIGHTS, BIASES))
def keep_and_drop_swapped(x, W, b, p_keep, u):
    """Weights are dropped where they should be kept: a weight stays where u < p_keep."""
    return torch.einsum("nkd,nd->nk", W * (u >= p_keep), x) + b

@exercise.wrong(loses=(WEIGHTS, BIASES))
def scales_while_training(x, W, b, p_keep, u):
    """The kept weights are divided by p_keep during training. Here the scaling happens at test time; doing both scales
    twice."""
    return torch.einsum("nkd,nd->nk", W * (u < p_keep) / p_keep, x) + b

@exercise.wrong(loses=BIASES)
def bias_forgotten(x, W, b, p_keep, u):
    """The bias is missing in training. Only weights are dropped."""
    return torch.einsum("nkd,nd->nk", W * (u < p_keep), x)

@exercise.wrong(loses=BIASES)
def bias_dropped_too(x, W, b, p_keep, u):
    """Biases are dropped as well. Here only weights are."""
    return torch.einsum("nkd,nd->nk", W * (u < p_keep), x) + b * (u[:, :, 1] < p_keep)

@exercise.wrong(loses=DTYPE)
def always_float32(x, W, b, p_keep, u):
    """The result is float32 whatever came in. It should have the dtype of the input."""
    return torch.einsum("nkd,kd,nd->nk", (u < p_keep).float(), W.float(), x.float()) + b.float()

@exercise.wrong(loses=INPUTS)
def changes_its_input(x, W, b, p_keep, u):
    """An input tensor was changed. Whoever passed it may still need it: compute a new tensor."""
    u.lt_(p_keep)
    return torch.einsum("nkd,nd->nk", u * W, x) + b

@exercise.wrong(of="dropconnect_test", loses=TESTING)
def no_scaling_at_test_time(x, W, b, p_keep):
    """Nothing is scaled at test time. All weights are there at once now, so the sums are larger than they were on
    average during training."""
    return x @ W.T + b

@exercise.wrong(of="dropconnect_test", loses=TESTING)
def multiplied_by_the_drop_probability(x, W, b, p_keep):
    """The weights are multiplied by the probability of dropping. During training a weight was there with probability
    p_keep."""
    return x @ ((1 - p_keep) * W).T + b

@exercise.wrong(of="dropconnect_test", loses=TESTING)
def bias_scaled_too(x, W, b, p_keep):
    """The bias is scaled at test time. It was never dropped, so it enters at full size."""
    return p_keep * (x @ W.T + b)

@exercise.wrong(of="dropconnect_test", loses=TESTING)
def bias_forgotten_at_test_time(x, W, b, p_keep):
    """The bias is missing at test time. It was there in training, at full size, and stays."""
    return x @ (p_keep * W).T
