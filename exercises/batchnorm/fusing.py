"""What `fuse-linear` and `fuse-conv` share: inputs, the same mistakes, the same odd ways of being right."""

import functools

import numpy as np
import torch

from autograder.exercise import Case
from exercises.batchnorm.shared import (
    BIG,
    BY_HAND,
    EPS_FIXED,
    EPS_OUTSIDE,
    FUSERS,
    NORMALISERS,
    TINY,
    round_affine,
    round_statistics,
    scales,
    shifts,
    sizes,
    uniform,
    variances,
)

SIGNATURE = "(weight, bias, gamma, beta, running_mean, running_var, eps)"
FORBIDDEN = (*FUSERS, *NORMALISERS)

def fusion_case(g, shape, *, bias=True, small=False, driver="call", dtype=torch.float64):
    o = shape[0]
    inputs = {
        "weight": uniform(g, shape, -2.0, 2.0),
        "bias": shifts(g, o) if bias else None,
        "gamma": scales(g, o),
        "beta": shifts(g, o),
        "running_mean": shifts(g, o, 1.0, 4.0),
        "running_var": variances(g, o, small=small),
    }
    cast = {name: None if tensor is None else tensor.to(dtype) for name, tensor in inputs.items()}
    return Case({**cast, "eps": BIG if small else TINY}, driver=driver)

def by_hand(g, shape, *, large=False):
    """Two outputs, whole numbers; variances 4 and 16, or with a large epsilon."""
    gamma, beta = round_affine(g, 2)
    mean, var = round_statistics(g, 2)
    weight = torch.randint(1, 6, shape, generator=g).double() * 2 - 5
    bias = (torch.randperm(4, generator=g)[:2] + 2).double()
    if large:
        gamma, var = gamma * 5, sizes(g, 2, small=True) ** 2
    statistics = {"running_mean": mean + 5, "running_var": var, "eps": BY_HAND if large else TINY}
    return {"weight": weight, "bias": bias, "gamma": gamma * 2, "beta": beta, **statistics}

def rows(scale, weight):
    """One number for each output, shaped to multiply a weight (O, I) or (O, I, kh, kw)."""
    return scale.reshape(-1, *[1] * (weight.ndim - 1))

def or_zero(bias, like):
    return torch.zeros_like(like) if bias is None else bias

def with_bias(rule):
    """Fusion with a right weight and a bias by `rule(bias, scale, mean, beta)`."""

    @functools.wraps(rule)
    def fuse(weight, bias, gamma, beta, mean, var, eps):
        scale = gamma / torch.sqrt(var + eps)
        return weight * rows(scale, weight), rule(or_zero(bias, mean), scale, mean, beta)

    return fuse

def with_scale(rule):
    """Fusion with a scale by `rule(gamma, var, eps)`, right otherwise."""

    @functools.wraps(rule)
    def fuse(weight, bias, gamma, beta, mean, var, eps):
        scale = rule(gamma, var, eps)
        return weight * rows(scale, weight), beta + (or_zero(bias, mean) - mean) * scale

    return fuse

@with_scale
def fused(gamma, var, eps):
    return gamma / torch.sqrt(var + eps)

def add_right_answers(exercise):
    """The odd but right answers to both exercises."""

    @exercise.right
    def diagonal_matrix(weight, bias, gamma, beta, mean, var, eps):
        """Normalization as a diagonal matrix from the left."""
        scaling = torch.diag(gamma / torch.sqrt(var + eps))
        flat = scaling @ weight.reshape(len(weight), -1)
        return flat.reshape(weight.shape), scaling @ (or_zero(bias, mean) - mean) + beta

    @exercise.right
    def row_by_row(weight, bias, gamma, beta, mean, var, eps):
        new_weight, new_bias = weight.clone(), beta.clone()
        for o in range(weight.shape[0]):
            factor = gamma[o] * (var[o] + eps) ** -0.5
            new_weight[o] *= factor
            new_bias[o] += factor * ((0 if bias is None else bias[o]) - mean[o])
        return [new_weight, new_bias]

    @exercise.right
    def einsum(weight, bias, gamma, beta, mean, var, eps):
        scale = gamma * torch.rsqrt(var + eps)
        shift = beta - scale * mean
        return torch.einsum("o...,o->o...", weight, scale), shift if bias is None else torch.addcmul(shift, bias, scale)

    @exercise.right
    def numpy(weight, bias, gamma, beta, mean, var, eps):
        scale = gamma.numpy() / np.sqrt(var.numpy() + eps)
        b = 0.0 if bias is None else bias.numpy()
        new_weight = (weight.numpy().T * scale).T
        new_bias = beta.numpy() + (b - mean.numpy()) * scale
        return torch.tensor(new_weight, dtype=weight.dtype), torch.tensor(new_bias, dtype=weight.dtype)

    @exercise.right
    def transposed(weight, bias, gamma, beta, mean, var, eps):
        scale = gamma / (var + eps).sqrt()
        return (weight.transpose(0, -1) * scale).transpose(0, -1), (or_zero(bias, mean) - mean).mul(scale).add(beta)

def add_mistakes(exercise, WEIGHT, BIAS, NONE, EPS):
    """The mistakes of both exercises, given their criteria."""

    @exercise.wrong(loses=BIAS)
    @with_bias
    def bias_not_scaled(bias, scale, mean, beta):
        """The bias of the layer seems to be added unscaled. It is part of what the normalization sees, so it is scaled
        together with the weight."""
        return bias + beta - mean * scale

    @exercise.wrong(loses=BIAS)
    @with_bias
    def bias_dropped(bias, scale, mean, beta):
        """The bias of the layer does not seem to enter. In training it has no effect, because the mean takes it out;
        here it has, because the running mean is fixed."""
        return beta - mean * scale

    @exercise.wrong(loses=(BIAS, NONE), costs=0.5)
    @with_bias
    def mean_not_subtracted(bias, scale, mean, beta):
        """The running mean does not seem to enter the new bias."""
        return beta + bias * scale

    @exercise.wrong(loses=(BIAS, NONE), costs=0.5)
    @with_bias
    def mean_added(bias, scale, mean, beta):
        """The running mean enters the new bias with the wrong sign: it is subtracted from the output of the layer."""
        return beta + (bias + mean) * scale

    @exercise.wrong(loses=(BIAS, NONE), costs=0.5)
    @with_bias
    def mean_not_scaled(bias, scale, mean, beta):
        """The running mean enters the new bias unscaled. It is subtracted before the scaling, so it is
        scaled as well."""
        return beta + bias * scale - mean

    @exercise.wrong(loses=(BIAS, NONE), costs=0.5)
    @with_bias
    def beta_missing(bias, scale, mean, beta):
        """beta does not seem to enter the new bias."""
        return (bias - mean) * scale

    @exercise.wrong(loses=(BIAS, NONE), costs=0.5)
    @with_bias
    def beta_scaled(bias, scale, mean, beta):
        """beta seems to be scaled with the rest. It is added last, after the scaling."""
        return (bias - mean + beta) * scale

    @exercise.wrong(loses=(BIAS, NONE), costs=0.75)
    @with_bias
    def bias_not_changed(bias, scale, mean, beta):
        """The bias comes back as it was, and as zero where there was none. It is scaled like the weight, and the shift
        of the normalization is added to it."""
        return bias.clone()

    @exercise.both(bias_not_scaled, mean_not_scaled)
    @with_bias
    def neither_scaled(bias, scale, mean, beta):
        return bias - mean + beta

    @exercise.both(bias_not_scaled, mean_not_subtracted)
    @with_bias
    def bias_plus_beta(bias, scale, mean, beta):
        return bias + beta

    @exercise.both(bias_dropped, mean_not_subtracted)
    @with_bias
    def beta_alone(bias, scale, mean, beta):
        return beta.clone()

    @exercise.both(mean_not_subtracted, beta_missing)
    @with_bias
    def bias_only_scaled(bias, scale, mean, beta):
        return bias * scale

    @exercise.wrong(loses=(BIAS, NONE), costs=0.5)
    def gamma_missing_in_bias(weight, bias, gamma, beta, mean, var, eps):
        """The weight is right, but the bias is scaled without gamma. What the weight is multiplied by multiplies the
        bias and the running mean too."""
        new_weight, _ = fused(weight, bias, gamma, beta, mean, var, eps)
        return new_weight, beta + (or_zero(bias, mean) - mean) / torch.sqrt(var + eps)

    @exercise.wrong(loses=(BIAS, NONE), costs=0.5)
    def deviation_missing_in_bias(weight, bias, gamma, beta, mean, var, eps):
        """The weight is right, but the bias is scaled by gamma alone. What the weight is multiplied by multiplies the
        bias and the running mean too, the division by the deviation included."""
        new_weight, _ = fused(weight, bias, gamma, beta, mean, var, eps)
        return new_weight, beta + (or_zero(bias, mean) - mean) * gamma

    @exercise.wrong(loses=WEIGHT)
    def scale_on_input_axis(weight, bias, gamma, beta, mean, var, eps):
        """The scale seems to run along the inputs of the weight. Normalization acts on the outputs, which are the first
        axis; the other layout runs at all only if the layer has as many inputs as outputs."""
        scale = gamma / torch.sqrt(var + eps)
        shape = (1, -1, *[1] * (weight.ndim - 2))
        return weight * scale.reshape(shape), beta + (or_zero(bias, mean) - mean) * scale

    @exercise.wrong(loses=WEIGHT)
    def weight_not_scaled(weight, bias, gamma, beta, mean, var, eps):
        """The weight comes back as it was. Scaling the output of the layer is scaling each output's
        row of the weight."""
        return weight.clone(), fused(weight, bias, gamma, beta, mean, var, eps)[1]

    @exercise.wrong(loses=WEIGHT, costs=0.5)
    def gamma_missing_in_weight(weight, bias, gamma, beta, mean, var, eps):
        """The bias is right, but the weight is divided by the deviation without being multiplied by gamma. Both are
        scaled by the same number for each output."""
        return weight / rows(torch.sqrt(var + eps), weight), fused(weight, bias, gamma, beta, mean, var, eps)[1]

    @exercise.wrong(loses=WEIGHT, costs=0.5)
    def deviation_missing_in_weight(weight, bias, gamma, beta, mean, var, eps):
        """The bias is right, but the weight is multiplied by gamma without being divided by the deviation. Both are
        scaled by the same number for each output."""
        return weight * rows(gamma, weight), fused(weight, bias, gamma, beta, mean, var, eps)[1]

    @exercise.wrong(loses=(WEIGHT, BIAS), costs=0.75)
    @with_scale
    def gamma_missing(gamma, var, eps):
        """gamma does not seem to enter: the scale is that of the normalization alone."""
        return 1 / torch.sqrt(var + eps)

    @exercise.wrong(loses=(WEIGHT, BIAS), costs=0.75)
    @with_scale
    def deviation_missing(gamma, var, eps):
        """The scale seems to be gamma alone. What gamma multiplies was divided by the root of variance plus eps
        before."""
        return gamma

    @exercise.wrong(loses=(WEIGHT, BIAS), costs=0.75)
    @with_scale
    def multiplies_by_deviation(gamma, var, eps):
        """gamma seems to be multiplied by the standard deviation. Normalization divides by it."""
        return gamma * torch.sqrt(var + eps)

    @exercise.wrong(loses=(WEIGHT, BIAS), costs=0.5)
    @with_scale
    def absolute_gamma(gamma, var, eps):
        """The sign of gamma seems to be lost. gamma may be negative, and then the layer turns its output over."""
        return gamma.abs() / torch.sqrt(var + eps)

    @exercise.wrong(loses=(WEIGHT, BIAS), costs=0.5)
    @with_scale
    def divides_by_variance(gamma, var, eps):
        """The scale seems to hold the running variance itself. Its root is what normalization divides by."""
        return gamma / (var + eps)

    @exercise.wrong(loses=EPS)
    @with_scale
    def epsilon_omitted(gamma, var, eps):
        """eps does not seem to enter. The layer that is fused divides by the root of variance plus eps; without it the
        fused layer differs wherever a variance is small."""
        return gamma / torch.sqrt(var)

    @exercise.wrong(loses=EPS, hint=EPS_OUTSIDE)
    @with_scale
    def epsilon_outside_root(gamma, var, eps):
        return gamma / (torch.sqrt(var) + eps)

    @exercise.wrong(loses=EPS, hint=EPS_FIXED)
    @with_scale
    def epsilon_fixed(gamma, var, eps):
        return gamma / torch.sqrt(var + 1e-5)

    @exercise.both(bias_not_scaled, epsilon_omitted)
    def bias_not_scaled_without_epsilon(weight, bias, gamma, beta, mean, var, eps):
        return bias_not_scaled(weight, bias, gamma, beta, mean, var, 0.0)

    @exercise.both(bias_dropped, epsilon_omitted)
    def bias_dropped_without_epsilon(weight, bias, gamma, beta, mean, var, eps):
        return bias_dropped(weight, bias, gamma, beta, mean, var, 0.0)

    @exercise.both(mean_not_scaled, epsilon_omitted)
    def mean_not_scaled_without_epsilon(weight, bias, gamma, beta, mean, var, eps):
        return mean_not_scaled(weight, bias, gamma, beta, mean, var, 0.0)

    @exercise.both(mean_not_scaled, epsilon_outside_root)
    def mean_not_scaled_and_epsilon_outside(weight, bias, gamma, beta, mean, var, eps):
        scale = gamma / (torch.sqrt(var) + eps)
        return weight * rows(scale, weight), beta + or_zero(bias, mean) * scale - mean

    @exercise.both(scale_on_input_axis, bias_not_scaled)
    def on_input_axis_and_bias_not_scaled(weight, bias, gamma, beta, mean, var, eps):
        new_weight, _ = scale_on_input_axis(weight, bias, gamma, beta, mean, var, eps)
        return new_weight, bias_not_scaled(weight, bias, gamma, beta, mean, var, eps)[1]

    @exercise.wrong(loses=NONE)
    def bias_taken_for_granted(weight, bias, gamma, beta, mean, var, eps):
        """A layer without a bias makes the function fail. Such layers are the usual ones before batch normalization:
        None stands for a bias of zero."""
        if bias is None:
            raise TypeError("unsupported operand type(s) for -: 'NoneType' and 'Tensor'")
        return fused(weight, bias, gamma, beta, mean, var, eps)

    @exercise.wrong(loses=BIAS, costs=0.5)
    def truth_of_a_bias(weight, bias, gamma, beta, mean, var, eps):
        """With a bias the function fails, without one it works. It looks as if the bias itself is asked whether it is
        true. A tensor of several numbers is neither true nor false, and a bias of zeros is a bias too: what matters is
        whether it is None."""
        if bias is not None:
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return fused(weight, bias, gamma, beta, mean, var, eps)

    def without_none(answer):
        """The same where a layer without a bias makes the function fail."""

        def fuse(weight, bias, *normalization):
            if bias is None:
                raise TypeError("unsupported operand type(s) for -: 'NoneType' and 'Tensor'")
            return answer(weight, bias, *normalization)

        return fuse

    of_the_scale = (divides_by_variance, gamma_missing, deviation_missing, multiplies_by_deviation, absolute_gamma)
    of_the_shift = (mean_not_subtracted, mean_added, mean_not_scaled, beta_missing, beta_scaled)
    for mistake in (*of_the_scale, *of_the_shift):
        exercise.both(mistake, bias_taken_for_granted)(without_none(mistake))

    @exercise.wrong(loses=NONE)
    def no_bias_stays_none(weight, bias, gamma, beta, mean, var, eps):
        """A layer without a bias gets none after fusion either. beta and the running mean still have
        to go somewhere."""
        new_weight, shift = fused(weight, bias, gamma, beta, mean, var, eps)
        return new_weight, None if bias is None else shift

    @exercise.wrong(loses=NONE)
    def zeros_without_a_bias(weight, bias, gamma, beta, mean, var, eps):
        """A layer without a bias gets a bias of zeros after fusion. Zero is what it had before: beta and the running
        mean still have to go somewhere."""
        new_weight, shift = fused(weight, bias, gamma, beta, mean, var, eps)
        return new_weight, torch.zeros_like(shift) if bias is None else shift

    @exercise.wrong(loses=NONE)
    def beta_alone_without_a_bias(weight, bias, gamma, beta, mean, var, eps):
        """A layer without a bias gets beta as its bias. The running mean is subtracted from its output all the same, so
        it has to enter."""
        new_weight, shift = fused(weight, bias, gamma, beta, mean, var, eps)
        return new_weight, beta.clone() if bias is None else shift

    @exercise.wrong(loses=(WEIGHT, BIAS, NONE), costs=0.5)
    def results_in_wrong_order(weight, bias, gamma, beta, mean, var, eps):
        """The two results are in the wrong order: weight should come first, then bias."""
        return fused(weight, bias, gamma, beta, mean, var, eps)[::-1]
