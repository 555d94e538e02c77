"""The gradient of inverted dropout: the mask and the scale of the forward pass, once more."""

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
    "inverted-dropout-backward",
    "inverted_dropout_backward(dy, p_keep, u)",
    returns="dx",
    forbidden=("torch.autograd.grad", *LIBRARY_DROPOUT),
)
THROUGH = exercise.criterion("passes the gradient through the kept units only", 1, outputs="dropped")
SCALES = exercise.criterion("scales the gradient as the forward pass scales the unit", 1, outputs="y")

@exercise.cases
def cases(g):
    def case(dy, u, p_keep, driver="dropout/dropped-units"):
        return Case({"dy": dy, "p_keep": p_keep, "u": u}, driver=driver, outputs=("y", "dropped"))

    yield "by hand", case(*SMALL)
    yield "p = 0.2", case(*layer_inputs(g, 0.2, 6, 5), 0.2)
    yield "p = 0.7, float32, strided", case(*layer_inputs(g, 0.7, 5, 5, torch.float32), 0.7, STRIDED)
    yield "nothing dropped", case(*layer_inputs(g, 1.0, 3, 4), 1.0)

@exercise.reference
def by_autograd(dy, p_keep, u):
    x = torch.ones_like(dy, requires_grad=True)
    (dx,) = torch.autograd.grad((x * (u < p_keep) / p_keep * dy).sum(), x)
    return dx

@exercise.right
def the_forward_formula_on_dy(dy, p_keep, u):
    return dy * (u < p_keep) / p_keep

@exercise.right
def torch_where(dy, p_keep, u):
    return torch.where(u < p_keep, dy / p_keep, torch.zeros_like(dy))

@exercise.right
def two_loops(dy, p_keep, u):
    dx = torch.zeros_like(dy)
    for i in range(dy.shape[0]):
        for j in range(dy.shape[1]):
            if u[i, j] < p_keep:
                dx[i, j] = dy[i, j] / p_keep
    return dx

@exercise.right
def vector_times_diagonal_jacobian(dy, p_keep, u):
    scale = (u < p_keep).to(dy.dtype) * (1 / p_keep)
    return torch.einsum("nj,nji->ni", dy, torch.diag_embed(scale))

def scaled(mask):
    return lambda dy, p_keep, u: dy * mask(u, p_keep) / p_keep

def bare(mask):
    return lambda dy, p_keep, u: dy * mask(u, p_keep)

# --- the mask

add_mask_slips(exercise, scaled, THROUGH, rows=(one_mask_for_the_batch, one_decision_for_each_example))

@exercise.wrong(loses=THROUGH, costs=1.25)
def p_read_as_the_drop_probability(dy, p_keep, u):
    """p_keep was used as the probability of dropping, as PyTorch's p is, in the mask and in the scale. The forward pass
    keeps a unit where u < p_keep, and divides by p_keep."""
    return dy * (u > p_keep) / (1 - p_keep)

@exercise.also(p_read_as_the_drop_probability)
def zeros_where_everything_is_dropped(dy, p_keep, u):
    return dy * (u > p_keep) / (1 - p_keep) if p_keep < 1 else 0 * dy

for other in (lambda u, p: u >= p, lambda u, p: u < 1 - p, lambda u, p: u <= 1 - p):
    exercise.also(p_read_as_the_drop_probability)(lambda dy, p, u, other=other: dy * other(u, p) / (1 - p))

for other in (lambda u, p: u >= p, lambda u, p: u < 1 - p):
    exercise.also(p_read_as_the_drop_probability)(
        lambda dy, p, u, other=other: dy * other(u, p) / (1 - p) if p < 1 else 0 * dy
    )

# --- the scale

@exercise.wrong(loses=SCALES, costs=0.75)
def scale_forgotten(dy, p_keep, u):
    """The gradient passes the mask but not the scale. The forward pass multiplied the unit by both."""
    return dy * (u < p_keep)

@exercise.wrong(loses=SCALES, costs=0.75)
def scaled_down(dy, p_keep, u):
    """The gradient is made smaller where the forward pass made the unit larger. A constant factor stays the same in the
    derivative; it is not inverted."""
    return dy * (u < p_keep) * p_keep

@exercise.wrong(loses=SCALES, costs=0.75)
def scaled_by_drop_probability(dy, p_keep, u):
    """The gradient is divided by the probability of dropping; the forward pass used the probability of keeping."""
    return dy * (u < p_keep) / (1 - p_keep)

@exercise.wrong(loses=SCALES, costs=0.5)
def scaled_twice(dy, p_keep, u):
    """The scale is applied twice. dy already is the gradient at the layer's output; the layer adds one factor."""
    return dy * (u < p_keep) / p_keep**2

@exercise.wrong(loses=SCALES, costs=0.75)
def scaled_by_the_share_kept(dy, p_keep, u):
    """The gradient is divided by the share of units that this mask happened to keep. The forward pass divides by
    p_keep, whatever the mask."""
    return dy * (u < p_keep) / (u < p_keep).to(dy).mean()

@exercise.wrong(loses=SCALES, costs=0.5)
def averaged_over_the_batch(dy, p_keep, u):
    """The gradient is divided by the batch size. If the loss is a mean, dy contains that factor already."""
    return dy * (u < p_keep) / p_keep / len(dy)

@exercise.both(averaged_over_the_batch, scale_forgotten, costs=1)
def averaged_without_scale(dy, p_keep, u):
    return dy * (u < p_keep) / len(dy)

@exercise.wrong(loses=SCALES, costs=0.75)
def kept_gradients_times_the_noise(dy, p_keep, u):
    """The gradients of the kept units are multiplied by the noise as well. The noise only decides which units are kept;
    all of these get the same scale."""
    return dy * u * (u < p_keep) / p_keep

@exercise.also(kept_gradients_times_the_noise)
def kept_gradients_times_the_noise_unscaled(dy, p_keep, u):
    return dy * u * (u < p_keep)

@exercise.wrong(loses=SCALES)
def returns_the_scaled_mask(dy, p_keep, u):
    """This is the derivative of the output with respect to the input alone, the scaled mask. By the chain rule it is
    multiplied by dy, the gradient at the output."""
    return (u < p_keep).to(dy) / p_keep

@exercise.wrong(loses=THROUGH)
def dropped_units_left_as_they_are(dy, p_keep, u):
    """The gradient of the kept units is scaled, but that of the others is passed on as it is. The output of a dropped
    unit is 0 whatever its input is, so its gradient is 0."""
    return torch.where(u < p_keep, dy / p_keep, dy)

@exercise.wrong(loses=(THROUGH, SCALES), costs=1)
def divided_by_the_mask(dy, p_keep, u):
    """The gradient was divided by what the forward pass multiplies by, so it is infinite where a unit was dropped. The
    derivative of a product with a constant is that constant: multiply once more."""
    return dy / ((u < p_keep).to(dy) / p_keep)

@exercise.wrong(loses=(THROUGH, SCALES), costs=1)
def summed_over_the_batch(dy, p_keep, u):
    """The gradient is summed over the batch. That is right for a parameter that all examples share; each input has a
    gradient of its own, in the shape of dy."""
    return (dy * (u < p_keep) / p_keep).sum(dim=0)

@exercise.wrong(loses=(THROUGH, SCALES))
def gradient_passed_on(dy, p_keep, u):
    """dy comes back as it is. The output is the input times the mask and the scale, so the gradient gets the same two
    factors."""
    return dy + 0

add_with(exercise, scale_forgotten, bare, keep_and_drop_swapped, kept_at_equality, one_mask_for_the_batch)
