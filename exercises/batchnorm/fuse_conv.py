"""Batch normalization in evaluation mode, folded into the convolution before it."""

import torch
from torch.nn.utils import fusion

from autograder.exercise import Exercise
from exercises.batchnorm.fusing import (
    FORBIDDEN,
    SIGNATURE,
    add_mistakes,
    add_right_answers,
    fused,
    fusion_case,
    rows,
    tiny_case,
)

exercise = Exercise("fuse-conv", f"fuse_conv_batchnorm{SIGNATURE}", returns=("weight", "bias"), forbidden=FORBIDDEN)
WEIGHT = exercise.criterion("weight", 1, cases=("tiny", "wide", "square"), outputs="weight")
BIAS = exercise.criterion("bias", 0.5, cases=("tiny", "wide", "square"), outputs="bias")
NONE = exercise.criterion("works without a bias", 0.5, cases="no bias")
EPS = exercise.criterion("epsilon inside the root", 0.5, cases="small variance")
KEEPS = exercise.criterion(
    "leaves the layers unchanged and keeps the dtype", 0.5, cases=("wide", "float32"), aspect=("inputs", "dtype")
)

@exercise.cases
def cases(g):
    yield "tiny", tiny_case(g, (2, 3, 1, 1))
    yield "wide", fusion_case(g, (3, 4, 2, 5))
    yield "square", fusion_case(g, (3, 3, 3, 3), driver="call-strided")
    yield "no bias", fusion_case(g, (4, 2, 1, 3), bias=False)
    yield "small variance", fusion_case(g, (3, 2, 3, 1), small=True)
    yield "float32", fusion_case(g, (4, 3, 2, 2), dtype=torch.float32)

@exercise.reference
def by_torch(weight, bias, gamma, beta, mean, var, eps):
    """PyTorch's own fusion, made for its quantization."""
    new_weight, new_bias = fusion.fuse_conv_bn_weights(weight, bias, mean, var, eps, gamma, beta)
    return new_weight.detach(), new_bias.detach()

add_right_answers(exercise)
add_mistakes(exercise, WEIGHT, BIAS, NONE, EPS)

@exercise.wrong(loses=KEEPS)
def layer_overwritten(weight, bias, gamma, beta, mean, var, eps):
    """The values are right, but the weight of the original layer was changed on the way, so the unfused network is
    broken now. Make new tensors and leave the old ones alone."""
    _, shift = fused(weight, bias, gamma, beta, mean, var, eps)
    weight *= rows(gamma / torch.sqrt(var + eps), weight)
    return weight, shift
