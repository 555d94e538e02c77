"""Batch normalization in evaluation mode, folded into the convolution before it."""

import torch
from torch.nn.utils import fusion

from autograder.exercise import Exercise
from exercises.batchnorm.fusing import (
    FORBIDDEN,
    SIGNATURE,
    add_mistakes,
    add_right_answers,
    by_hand,
    fused,
    fusion_case,
)

exercise = Exercise(
    "fuse-conv", f"fuse_conv_batchnorm{SIGNATURE}", returns=("weight", "bias"), forbidden=FORBIDDEN, layout=0.25
)
WEIGHT = exercise.criterion("weight", 0.75, cases=("by hand", "wide", "square", "float32"), outputs="weight")
BIAS = exercise.criterion("bias", 0.5, cases=("by hand", "wide", "square", "float32"), outputs="bias")
NONE = exercise.criterion("works without a bias", 0.5, cases="no bias")
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

@exercise.cases
def cases(g):
    yield "by hand", by_hand(g, (2, 3, 1, 2))
    yield "by hand, large epsilon", by_hand(g, (2, 3, 1, 2), large=True)
    yield "wide", fusion_case(g, (3, 4, 2, 5))
    yield "square", fusion_case(g, (2, 2, 2, 2), driver="call-strided")
    yield "no bias", fusion_case(g, (4, 2, 1, 3), bias=False)
    yield "small variance", fusion_case(g, (3, 2, 3, 1), small=True)
    yield "float32", fusion_case(g, (4, 2, 3, 3), dtype=torch.float32)

@exercise.reference
def by_torch(weight, bias, gamma, beta, mean, var, eps):
    """PyTorch's own fusion, made for its quantization."""
    new_weight, new_bias = fusion.fuse_conv_bn_weights(weight, bias, mean, var, eps, gamma, beta)
    return new_weight.detach(), new_bias.detach()

add_right_answers(exercise)
add_mistakes(exercise, WEIGHT, BIAS, NONE, EPS)

@exercise.wrong(loses=WEIGHT)
def scale_along_kernel(weight, bias, gamma, beta, mean, var, eps):
    """The scale seems to run along the width of the kernel: a vector of shape (O,) is matched with the last axis. It
    belongs to the outputs, which are the first axis."""
    return weight * gamma / torch.sqrt(var + eps), fused(weight, bias, gamma, beta, mean, var, eps)[1]

@exercise.wrong(loses=WEIGHT, costs=0.5)
def divided_by_kernel_area(weight, bias, gamma, beta, mean, var, eps):
    """The weight is too small by the number of pixels of the kernel. Each output channel is scaled as a whole, so every
    weight that leads to it gets the same full factor."""
    new_weight, new_bias = fused(weight, bias, gamma, beta, mean, var, eps)
    return new_weight / weight[0, 0].numel(), new_bias

@exercise.wrong(loses=WEIGHT)
def scale_along_kernel_rows(weight, bias, gamma, beta, mean, var, eps):
    """The scale seems to run along the height of the kernel: with a single axis added behind, as for a linear layer, it
    is matched with the last two axes. A convolution's weight has three axes behind that of the outputs."""
    return weight * (gamma / torch.sqrt(var + eps))[:, None], fused(weight, bias, gamma, beta, mean, var, eps)[1]

@exercise.wrong(loses=BIAS, costs=0.25)
def bias_for_every_pixel_of_the_kernel(weight, bias, gamma, beta, mean, var, eps):
    """The old bias enters the new one as often as the kernel has pixels. It is added once to each output, after the sum
    over the kernel."""
    new_weight, new_bias = fused(weight, bias, gamma, beta, mean, var, eps)
    more = 0 if bias is None else (weight[0, 0].numel() - 1) * bias * gamma / torch.sqrt(var + eps)
    return new_weight, new_bias + more
