"""The gradient of inverted dropout: the mask and the scale of the forward pass, once more."""

import torch

from autograder.exercise import Case, Exercise
from exercises.dropout.shared import (
    HINT_IN_PLACE,
    HINT_ONE_ROW,
    LIBRARY_DROPOUT,
    OUTPUTS,
    SMALL,
    STRIDED,
    layer_inputs,
)

exercise = Exercise(
    "inverted-dropout-backward",
    "inverted_dropout_backward(dy, p_keep, u)",
    returns="dx",
    forbidden=(*LIBRARY_DROPOUT, "torch.autograd", "torch.func", ".backward", ".requires_grad_"),
)
THROUGH = exercise.criterion("passes the gradient through the kept units only", 1, outputs="dropped")
SCALES = exercise.criterion("scales the gradient as the forward pass scales the unit", 1, outputs="y")
INPUTS = exercise.criterion("leaves its inputs unchanged", 0.5, cases=("by hand", "p = 0.2"), aspect="inputs")

@exercise.cases
def cases(g):
    def case(dy, u, p_keep, driver="dropout/dropped-units"):
        return Case({"dy": dy, "p_keep": p_keep, "u": u}, driver=driver, outputs=OUTPUTS)

    yield "by hand", case(*SMALL, 0.8)
    yield "p = 0.2", case(*layer_inputs(g, 0.2, 6, 5), 0.2)
    yield "p = 0.7, float32, strided", case(*layer_inputs(g, 0.7, 5, 5, torch.float32), 0.7, STRIDED)

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

@exercise.wrong(loses=SCALES)
def scale_forgotten(dy, p_keep, u):
    """The gradient passes the mask but not the scale. The forward pass multiplied the unit by both."""
    return dy * (u < p_keep)

@exercise.wrong(loses=SCALES)
def scaled_down(dy, p_keep, u):
    """The gradient is made smaller where the forward pass made the unit larger. A constant factor stays the same in the
    derivative; it is not inverted."""
    return dy * (u < p_keep) * p_keep

@exercise.wrong(loses=SCALES)
def scaled_by_drop_probability(dy, p_keep, u):
    """The gradient is divided by the probability of dropping; the forward pass used the probability of keeping."""
    return dy * (u < p_keep) / (1 - p_keep)

@exercise.wrong(loses=(THROUGH, SCALES))
def mask_forgotten(dy, p_keep, u):
    """Dropped units receive a gradient. Their output was 0 whatever their input was, so it cannot depend on it."""
    return dy / p_keep

@exercise.wrong(loses=(THROUGH, SCALES))
def mask_inverted(dy, p_keep, u):
    """The gradient goes to the dropped units. Use the mask of the forward pass: kept where u < p_keep."""
    return dy * (u >= p_keep) / p_keep

@exercise.wrong(loses=SCALES)
def scaled_twice(dy, p_keep, u):
    """The scale is applied twice. dy already is the gradient at the layer's output; the layer adds one factor."""
    return dy * (u < p_keep) / p_keep**2

@exercise.wrong(loses=SCALES)
def averaged_over_the_batch(dy, p_keep, u):
    """The gradient is divided by the batch size. If the loss is a mean, dy contains that factor already."""
    return dy * (u < p_keep) / p_keep / len(dy)

@exercise.wrong(loses=(THROUGH, SCALES), hint=HINT_ONE_ROW)
def one_mask_for_the_batch(dy, p_keep, u):
    return dy * (u[0] < p_keep) / p_keep

@exercise.wrong(loses=INPUTS, hint=HINT_IN_PLACE)
def changes_its_input(dy, p_keep, u):
    dy[u >= p_keep] = 0
    return dy / p_keep
