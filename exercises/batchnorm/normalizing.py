"""What the five forward passes share: the slips around mean, variance, scale and shift, whatever is averaged over."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from exercises.batchnorm.shared import EPS_FIXED, EPS_OMITTED, EPS_OUTSIDE, UNBIASED


class Parts:
    """A forward pass, cut open.

    Args:
        average: a tensor like x -> its means, to be matched with x.
        count: how many numbers go into a mean.
        gamma, beta: to be matched with x."""

    def __init__(
        self, x: Tensor, average: Callable[[Tensor], Tensor], count: float, gamma: Tensor, beta: Tensor, eps: float
    ) -> None:
        self.x, self.average, self.count, self.gamma, self.beta, self.eps = x, average, count, gamma, beta, eps

    @property
    def centered(self) -> Tensor:
        """What is left of x without its mean."""
        return self.x - self.average(self.x)

    @property
    def var(self) -> Tensor:
        """The biased variance."""
        return self.average(self.centered**2)

    @property
    def root(self) -> Tensor:
        """What is divided by."""
        return torch.sqrt(self.var + self.eps)

    @property
    def unbiased_root(self) -> Tensor:
        """The same with the unbiased variance."""
        return torch.sqrt(self.var * self.count / (self.count - 1) + self.eps)

    def affine(self, normal: Tensor) -> Tensor:
        """Scaled and shifted."""
        return self.gamma * normal + self.beta

def parts_over(x: Tensor, axes: tuple[int, ...], gamma: Tensor, beta: Tensor, eps: float) -> Parts:
    """The parts of a normalization by mean and variance over some axes; gamma and beta as they match x."""
    return Parts(x, lambda t: t.mean(axes, keepdim=True), x.numel() / x.mean(axes).numel(), gamma, beta, eps)

class Slips(NamedTuple):
    """The mistakes that are made together with others, such as the wrong axes."""

    unbiased_variance: Any
    epsilon_outside_root: Any
    epsilon_omitted: Any
    affine_forgotten: Any
    beta_forgotten: Any

def add_together(exercise, mistake: Any, cut_open: Callable[..., Parts], slips: Slips) -> None:
    """Add that another mistake is made together with each of these slips.

    Args:
        cut_open: the exercise's inputs -> `Parts`, with the other mistake in them."""
    rules = Slips(
        unbiased_variance=lambda p: p.affine(p.centered / p.unbiased_root),
        epsilon_outside_root=lambda p: p.affine(p.centered / (p.var.sqrt() + p.eps)),
        epsilon_omitted=lambda p: p.affine(p.centered / p.var.sqrt()),
        affine_forgotten=lambda p: p.centered / p.root,
        beta_forgotten=lambda p: p.gamma * p.centered / p.root,
    )
    for slip, rule in zip(slips, rules, strict=True):
        exercise.both(mistake, slip)(lambda *inputs, rule=rule: rule(cut_open(*inputs)))

def add_slips(exercise, cut_open, CENTER, AFFINE, EPS, *, slip: float, idea: float) -> Slips:
    """Add the mistakes to an exercise.

    Args:
        cut_open: the exercise's inputs -> `Parts`.
        CENTER, AFFINE, EPS: its criteria.
        slip: what a slip in the variance costs, such as a default.
        idea: what it costs to leave out half of the idea.

    Returns:
        The commonest, which are made together with many others."""

    def adding(decorate: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def add(rule: Callable[[Parts], Tensor]) -> Any:
            def answer(*inputs):
                return rule(cut_open(*inputs))

            answer.__name__, answer.__doc__ = rule.__name__, rule.__doc__
            return decorate(answer)

        return add

    def wrong(**settings: Any) -> Callable[[Any], Any]:
        return adding(exercise.wrong(**settings))

    def both(*mistakes: Any) -> Callable[[Any], Any]:
        return adding(exercise.both(*mistakes))

    def also(mistake: Any) -> Callable[[Any], Any]:
        return adding(exercise.also(mistake))

    @wrong(loses=CENTER, costs=slip, hint=UNBIASED)
    def unbiased_variance(p):
        return p.affine(p.centered / p.unbiased_root)

    @wrong(loses=EPS, hint=EPS_OUTSIDE)
    def epsilon_outside_root(p):
        return p.affine(p.centered / (p.var.sqrt() + p.eps))

    @wrong(loses=EPS, hint=EPS_OMITTED)
    def epsilon_omitted(p):
        return p.affine(p.centered / p.var.sqrt())

    @wrong(loses=EPS, hint=EPS_FIXED)
    def epsilon_fixed(p):
        return p.affine(p.centered / torch.sqrt(p.var + 1e-5))

    @wrong(loses=EPS)
    def epsilon_as_floor(p):
        """eps seems to be a floor: it is used where the spread is smaller, and has no effect elsewhere. It is added to
        the variance everywhere, so that the result depends smoothly on it."""
        return p.affine(p.centered / p.var.sqrt().clamp(min=p.eps))

    @also(epsilon_as_floor)
    def epsilon_as_floor_of_the_variance(p):
        return p.affine(p.centered / p.var.clamp(min=p.eps).sqrt())

    @wrong(loses=CENTER, costs=slip)
    def divides_by_variance(p):
        """It looks as if the division is by the variance. The result should have variance 1, so a spread of twice the
        size must shrink by two, not by four: a root is missing."""
        return p.affine(p.centered / (p.var + p.eps))

    @wrong(loses=CENTER, costs=slip)
    def squares_not_averaged(p):
        """The squared deviations seem to be summed and not averaged, so the result shrinks as more values come in.
        A variance is a mean."""
        return p.affine(p.centered / torch.sqrt(p.var * p.count + p.eps))

    @wrong(loses=CENTER, costs=slip)
    def variance_around_zero(p):
        """The mean is subtracted from x, but the variance seems to be the mean of the squares of x itself. Deviations
        are measured from the mean; without that, an offset of x passes for spread."""
        return p.affine(p.centered / torch.sqrt(p.average(p.x**2) + p.eps))

    @wrong(loses=CENTER, costs=idea)
    def root_mean_square(p):
        """x seems to be divided by its root mean square, with no mean subtracted anywhere. That is another
        normalization, RMSNorm: an offset of the input stays in the output."""
        return p.affine(p.x / torch.sqrt(p.average(p.x**2) + p.eps))

    @wrong(loses=CENTER, costs=idea)
    def mean_not_subtracted(p):
        """The spread is right, but the result is not centered: the mean seems not to be subtracted before the
        division."""
        return p.affine(p.x / p.root)

    @wrong(loses=CENTER, costs=idea)
    def spread_not_divided_out(p):
        """The mean is taken out, but the result is as spread out as the input: the division by the standard deviation
        seems to be missing."""
        return p.affine(p.centered)

    @wrong(loses=CENTER, costs=slip)
    def mean_absolute_deviation(p):
        """The division seems to be by the mean absolute deviation. The standard deviation is the root of the mean of
        the squares; the two differ as soon as the deviations are not all of one size."""
        return p.affine(p.centered / (p.average(p.centered.abs()) + p.eps))

    @wrong(loses=AFFINE)
    def affine_forgotten(p):
        """The output is normalized, but gamma and beta seem to be unused. Without them the layer can only ever produce
        mean 0 and variance 1."""
        return p.centered / p.root

    @wrong(loses=AFFINE, costs=AFFINE.points / 2)
    def gamma_forgotten(p):
        """beta is added, but gamma seems to be unused: the spread of every output is 1. gamma multiplies what was
        normalized."""
        return p.centered / p.root + p.beta

    @wrong(loses=AFFINE, costs=AFFINE.points / 2)
    def beta_forgotten(p):
        """gamma scales the result, but beta seems to be unused: every output still has mean 0."""
        return p.gamma * p.centered / p.root

    @wrong(loses=AFFINE, costs=AFFINE.points / 2)
    def shift_is_scaled_too(p):
        """beta seems to be added before the multiplication by gamma, so it is scaled as well. It comes last."""
        return p.gamma * (p.centered / p.root + p.beta)

    @wrong(loses=AFFINE)
    def gamma_and_beta_swapped(p):
        """gamma and beta seem to have changed places: gamma is the scale, beta what is added."""
        return p.beta * p.centered / p.root + p.gamma

    @both(unbiased_variance, epsilon_outside_root)
    def unbiased_and_epsilon_outside(p):
        return p.affine(p.centered / ((p.var * p.count / (p.count - 1)).sqrt() + p.eps))

    @both(unbiased_variance, epsilon_omitted)
    def unbiased_and_epsilon_omitted(p):
        return p.affine(p.centered / (p.var * p.count / (p.count - 1)).sqrt())

    @both(unbiased_variance, epsilon_fixed)
    def unbiased_and_epsilon_fixed(p):
        return p.affine(p.centered / torch.sqrt(p.var * p.count / (p.count - 1) + 1e-5))

    @both(unbiased_variance, divides_by_variance)
    def unbiased_and_not_rooted(p):
        return p.affine(p.centered / (p.var * p.count / (p.count - 1) + p.eps))

    divisors = {
        unbiased_variance: lambda p: p.unbiased_root,
        divides_by_variance: lambda p: p.var + p.eps,
        epsilon_outside_root: lambda p: p.var.sqrt() + p.eps,
    }
    scalings = {
        affine_forgotten: lambda p, normal: normal,
        gamma_forgotten: lambda p, normal: normal + p.beta,
        beta_forgotten: lambda p, normal: p.gamma * normal,
        shift_is_scaled_too: lambda p, normal: p.gamma * (normal + p.beta),
        gamma_and_beta_swapped: lambda p, normal: p.beta * normal + p.gamma,
    }

    def divided_and_scaled(divisor: Callable[[Parts], Tensor], scale: Callable[[Parts, Tensor], Tensor]) -> Any:
        def two_slips(p):
            return scale(p, p.centered / divisor(p))

        return two_slips

    for division, divisor in divisors.items():
        for scaling, scale in scalings.items():
            # With gamma 1 and beta 0 nothing is left of a division whose result is multiplied by beta.
            if (division, scaling) != (epsilon_outside_root, gamma_and_beta_swapped):
                both(division, scaling)(divided_and_scaled(divisor, scale))
    return Slips(unbiased_variance, epsilon_outside_root, epsilon_omitted, affine_forgotten, beta_forgotten)
