"""Batch normalization in evaluation mode, folded into the linear layer before it."""

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

exercise = Exercise("fuse-linear", f"fuse_linear_batchnorm{SIGNATURE}", returns=("weight", "bias"), forbidden=FORBIDDEN)
WEIGHT = exercise.criterion("weight", 0.5, cases=("by hand", "wide", "square", "float32"), outputs="weight")
BIAS = exercise.criterion("bias", 0.5, cases=("by hand", "wide", "square", "float32"), outputs="bias")
NONE = exercise.criterion("works without a bias", 0.5, cases="no bias")
EPS = exercise.criterion("epsilon inside the root", 0.5, cases=("by hand, large epsilon", "small variance"))

@exercise.cases
def cases(g):
    yield "by hand", by_hand(g, (2, 3))
    yield "by hand, large epsilon", by_hand(g, (2, 3), large=True)
    yield "wide", fusion_case(g, (3, 5))
    yield "square", fusion_case(g, (4, 4), driver="call-strided")
    yield "no bias", fusion_case(g, (4, 3), bias=False)
    yield "small variance", fusion_case(g, (3, 4), small=True)
    yield "float32", fusion_case(g, (5, 2), dtype=torch.float32)

@exercise.reference
def by_torch(weight, bias, gamma, beta, mean, var, eps):
    """PyTorch's own fusion, made for its quantization."""
    new_weight, new_bias = fusion.fuse_linear_bn_weights(weight, bias, mean, var, eps, gamma, beta)
    return new_weight.detach(), new_bias.detach()

add_right_answers(exercise)
add_mistakes(exercise, WEIGHT, BIAS, NONE, EPS)

@exercise.wrong(loses=WEIGHT, costs=0.25)
def weight_turned(weight, bias, gamma, beta, mean, var, eps):
    """The new weight is transposed: it has a row for each input. PyTorch keeps one row for each output, and so should
    the fused layer."""
    new_weight, new_bias = fused(weight, bias, gamma, beta, mean, var, eps)
    return new_weight.T, new_bias
