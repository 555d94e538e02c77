"""Expected improvement: how much better than the best so far is a point expected to be? (Jones et al. 1998, eq. 15)"""

import math

import numpy as np
import torch
from scipy import stats

from autograder.exercise import Exercise
from exercises.draws import uniform
from exercises.search.shared import number, tensor

exercise = Exercise("expected-improvement", "expected_improvement(mean, std, best)", returns="improvement")
DOUBT = exercise.criterion("where there is doubt", 2, cases=("by hand", "doubt*"))
CERTAIN = exercise.criterion("where there is none", 1, cases="certain*")

@exercise.cases
def cases(g):
    def case(n, best, spread, dtype=torch.float64):
        std = uniform(g, 0.5, 1.5, n) * spread
        # From one and a half deviations below the best to one and a half above it.
        z = torch.linspace(-1.5, 1.5, n).double()[torch.randperm(n, generator=g)] + uniform(g, -0.15, 0.15, n)
        return {"mean": (best + z * std).to(dtype), "std": std.to(dtype), "best": best}

    yield "by hand", {"mean": tensor(3.0, 5.0), "std": tensor(2.0, 2.0), "best": 3.0}
    yield "doubt", case(5, number(g, 0.6, 0.9), 0.2)
    yield "doubt, larger", case(4, number(g, -1.5, -0.5), 3.0)
    yield "doubt, float32", case(6, number(g, 0.4, 0.6), 0.4, torch.float32)
    best = number(g, 0.3, 0.6)
    gains = torch.cat([uniform(g, 0.2, 0.4, 2), -uniform(g, 0.2, 0.4, 2), tensor(0.0)])[torch.randperm(5, generator=g)]
    yield "certain", {"mean": best + gains, "std": torch.zeros(5, dtype=torch.float64), "best": best}
    mixed = case(6, best, 0.3)
    known = torch.arange(6) % 2 == 0
    mean = torch.where(known, best + torch.cat([gains, gains[:1]]), mixed["mean"])
    yield "certain and doubtful", {"mean": mean, "std": mixed["std"] * ~known, "best": best}

@exercise.reference
def by_scipy(mean, std, best):
    result = []
    for m, s in zip(mean.tolist(), std.tolist(), strict=True):
        z = (m - best) / s if s > 0 else 0.0
        result.append((m - best) * stats.norm.cdf(z) + s * stats.norm.pdf(z) if s > 0 else max(m - best, 0.0))
    return torch.tensor(result, dtype=mean.dtype)

@exercise.right
def normal_of_torch(mean, std, best):
    normal = torch.distributions.Normal(torch.zeros((), dtype=mean.dtype), torch.ones((), dtype=mean.dtype))
    z = (mean - best) / torch.where(std > 0, std, torch.ones_like(std))
    doubtful = (mean - best) * normal.cdf(z) + std * normal.log_prob(z).exp()
    return torch.where(std > 0, doubtful, (mean - best).clamp(min=0))

@exercise.right
def std_clamped(mean, std, best):
    s = std.clamp(min=1e-12)
    z = (mean - best) / s
    return s * (z * torch.special.ndtr(z) + torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))

@exercise.right
def numpy_erf(mean, std, best):
    m, s = mean.double().numpy() - best, std.double().numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        z = m / s
        value = m * stats.norm.cdf(z) + s * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return torch.from_numpy(np.where(s > 0, value, np.maximum(m, 0))).to(mean.dtype)

@exercise.right
def integral_of_the_survival_function(mean, std, best):
    """The integral of P(f > t) over t from the best upwards, by the trapezoidal rule."""
    gain = (mean - best).double()
    t = torch.linspace(0, 1, 4001, dtype=torch.float64)
    reach = gain.clamp(min=0) + 9 * std.double()
    points = reach[:, None] * t
    spread = std.double().clamp(min=1e-300)[:, None]
    above = 0.5 * torch.erfc((points - gain[:, None]) / spread / 2**0.5)
    value = torch.trapezoid(above, points, dim=1)
    return torch.where(std > 0, value, gain.clamp(min=0)).to(mean.dtype)

def parts(mean, std, best):
    """z, its normal probability and its density; where there is no doubt they are those of a tiny doubt."""
    s = std.clamp(min=1e-12)
    z = (mean - best) / s
    return s, z, torch.special.ndtr(z), torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

def sure(mean, std, best, value):
    return torch.where(std > 0, value, (mean - best).clamp(min=0))

@exercise.wrong(loses=(DOUBT, CERTAIN), costs=0.75)
def improvement_downwards(mean, std, best):
    """This is the expected improvement for something that is to be small, such as a loss. Here larger is better, and an
    improvement lies above the best."""
    return std_clamped(2 * best - mean, std, best)

@exercise.wrong(loses=DOUBT, costs=0.75)
def density_not_scaled(mean, std, best):
    """The density was added without its factor. It has to be multiplied by the standard deviation, or the result has
    no unit that makes sense."""
    _, _, below, density = parts(mean, std, best)
    return sure(mean, std, best, (mean - best) * below + density)

@exercise.wrong(loses=DOUBT, costs=0.75)
def probability_and_density_exchanged(mean, std, best):
    """The normal probability and the normal density are exchanged: the gain is weighted by the probability, the
    standard deviation by the density."""
    s, _, below, density = parts(mean, std, best)
    return sure(mean, std, best, (mean - best) * density + s * below)

@exercise.wrong(loses=DOUBT, costs=0.75)
def divided_by_the_variance(mean, std, best):
    """The distance to the best was divided by the variance. It is measured in standard deviations."""
    return sure(mean, std, best, _with_z(mean, std, best, (mean - best) / std.clamp(min=1e-12) ** 2))

@exercise.also(divided_by_the_variance)
def variance_for_the_deviation(mean, std, best):
    return sure(mean, std, best, std_clamped(mean, std**2, best))

@exercise.wrong(loses=DOUBT, costs=0.5)
def root_of_the_deviation(mean, std, best):
    """A root was taken of std, as if it were a variance. It is the standard deviation."""
    return sure(mean, std, best, std_clamped(mean, std.sqrt(), best))

def _with_z(mean, std, best, z):
    return (mean - best) * torch.special.ndtr(z) + std * torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

@exercise.wrong(loses=DOUBT, costs=0.5)
def not_measured_in_deviations(mean, std, best):
    """The distance to the best went into probability and density as it is. It has to be measured in standard
    deviations first."""
    return sure(mean, std, best, _with_z(mean, std, best, mean - best))

@exercise.wrong(loses=(DOUBT, CERTAIN), costs=1.5)
def probability_of_improvement(mean, std, best):
    """This is the probability of an improvement. The exercise asks how large it is on average, and a tiny improvement
    that is nearly certain is worth little."""
    return parts(mean, std, best)[2]

@exercise.also(probability_of_improvement)
def probability_of_improvement_undivided(mean, std, best):
    return torch.special.ndtr((mean - best) / std)

@exercise.also(probability_of_improvement)
def probability_of_improvement_or_certainty(mean, std, best):
    return torch.where(std > 0, parts(mean, std, best)[2], (mean > best).to(mean))

@exercise.wrong(loses=DOUBT, costs=1.5)
def probability_where_there_is_doubt(mean, std, best):
    """Where there is doubt this is the probability of an improvement. The exercise asks how large it is on average, and
    a tiny improvement that is nearly certain is worth little."""
    return sure(mean, std, best, parts(mean, std, best)[2])

@exercise.wrong(loses=(DOUBT, CERTAIN), costs=0.5)
def a_margin_subtracted(mean, std, best):
    """A small margin was added to the best first, as some programs do in order to explore more. The improvement over
    the best itself was asked for."""
    return std_clamped(mean, std, best + 0.01)

@exercise.wrong(loses=DOUBT, costs=1.75)
def gain_of_the_mean(mean, std, best):
    """The doubt does not enter: only the mean is compared with the best. A point with a mean below the best can still
    be an improvement, and that chance is what expected improvement counts."""
    return (mean - best).clamp(min=0)

@exercise.wrong(loses=DOUBT, costs=1)
def first_term_only(mean, std, best):
    """The gain is weighted by its probability, but the chance of more than that is missing: the term with the
    density."""
    below = parts(mean, std, best)[2]
    return sure(mean, std, best, (mean - best) * below)

@exercise.wrong(loses=DOUBT, costs=1)
def second_term_only(mean, std, best):
    """The term with the density is there, the gain weighted by its probability is missing."""
    s, _, _, density = parts(mean, std, best)
    return sure(mean, std, best, s * density)

@exercise.wrong(loses=DOUBT, costs=0.5)
def terms_subtracted(mean, std, best):
    """The term with the density was subtracted. Doubt makes an improvement larger on average, not smaller."""
    s, _, below, density = parts(mean, std, best)
    return sure(mean, std, best, (mean - best) * below - s * density)

@exercise.wrong(loses=CERTAIN, costs=0.5)
def no_doubt_no_improvement(mean, std, best):
    """Where there is no doubt, no improvement is expected, even where the mean lies above the best. There the
    improvement is certain."""
    return torch.where(std > 0, std_clamped(mean, std, best), torch.zeros_like(mean))

@exercise.wrong(loses=CERTAIN, costs=0.5)
def divided_by_zero(mean, std, best):
    """Where std is 0 and the mean is the best, zero was divided by zero, and the result is not a number. Without doubt
    the improvement is what the mean says."""
    z = (mean - best) / std
    return (mean - best) * torch.special.ndtr(z) + std * torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

@exercise.wrong(loses=CERTAIN, costs=0.5)
def negative_improvement(mean, std, best):
    """Where there is no doubt and the mean lies below the best, a negative improvement comes out. One keeps the best
    then: the improvement is 0."""
    return torch.where(std > 0, std_clamped(mean, std, best), mean - best)

@exercise.wrong(loses=DOUBT, costs=0.5)
def root_of_two_missing(mean, std, best):
    """The error function took the place of the normal probability without its factors. The normal probability is half
    of 1 plus the error function of z over the root of 2."""
    s, z, _, density = parts(mean, std, best)
    return sure(mean, std, best, (mean - best) * 0.5 * (1 + torch.erf(z)) + s * density)

@exercise.also(root_of_two_missing)
def error_function_for_the_probability(mean, std, best):
    s, z, _, density = parts(mean, std, best)
    return sure(mean, std, best, (mean - best) * torch.erf(z) + s * density)

@exercise.wrong(loses=DOUBT, costs=0.5)
def density_not_normalized(mean, std, best):
    """The density lacks its normalizing factor, so its area is not 1."""
    s, z, below, _ = parts(mean, std, best)
    return sure(mean, std, best, (mean - best) * below + s * torch.exp(-(z**2) / 2))

@exercise.wrong(loses=DOUBT, costs=0.5)
def root_missing_in_the_density(mean, std, best):
    """The density is too small, so its area is not 1: its normalizing factor lacks the root."""
    s, z, below, _ = parts(mean, std, best)
    return sure(mean, std, best, (mean - best) * below + s * torch.exp(-(z**2) / 2) / (2 * math.pi))

@exercise.wrong(loses=DOUBT, costs=0.5)
def half_missing_in_the_density(mean, std, best):
    """In the exponent of the density the factor 1/2 is missing."""
    s, z, below, _ = parts(mean, std, best)
    return sure(mean, std, best, (mean - best) * below + s * torch.exp(-(z**2)) / math.sqrt(2 * math.pi))

@exercise.wrong(loses=(DOUBT, CERTAIN), costs=1.5)
def upper_confidence_bound(mean, std, best):
    """This is the mean plus the standard deviation, another way to choose the next point. The expected improvement over
    the best was asked for."""
    return mean + std

@exercise.also(upper_confidence_bound)
def upper_confidence_bound_of_two_deviations(mean, std, best):
    return mean + 2 * std

# --- the formula as it stands, with nothing done about a doubt of zero

def plainly(formula):
    """From the gain, the deviation, z, the normal probability and the density of z; z may be infinite or no number."""
    def answer(mean, std, best):
        z = (mean - best) / std
        density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        return formula(mean - best, std, z, torch.special.ndtr(z), density)

    return answer

def with_another_z(distance):
    return lambda gain, s, *_: _plain(gain, s, distance(gain, s))

def _plain(gain, s, z):
    return gain * torch.special.ndtr(z) + s * torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

FORMULAS = {
    density_not_scaled: lambda gain, s, z, below, density: gain * below + density,
    probability_and_density_exchanged: lambda gain, s, z, below, density: gain * density + s * below,
    divided_by_the_variance: with_another_z(lambda gain, s: gain / s**2),
    root_of_the_deviation: lambda gain, s, *_: _plain(gain, s.sqrt(), gain / s.sqrt()),
    first_term_only: lambda gain, s, z, below, density: gain * below,
    second_term_only: lambda gain, s, z, below, density: s * density,
    terms_subtracted: lambda gain, s, z, below, density: gain * below - s * density,
    root_of_two_missing: lambda gain, s, z, below, density: gain * 0.5 * (1 + torch.erf(z)) + s * density,
    density_not_normalized: lambda gain, s, z, below, density: gain * below + s * torch.exp(-(z**2) / 2),
    root_missing_in_the_density: lambda gain, s, z, below, density: (
        gain * below + s * torch.exp(-(z**2) / 2) / (2 * math.pi)
    ),
    half_missing_in_the_density: lambda gain, s, z, below, density: (
        gain * below + s * torch.exp(-(z**2)) / math.sqrt(2 * math.pi)
    ),
}

for mistake, formula in FORMULAS.items():
    exercise.both(mistake, divided_by_zero)(plainly(formula))
exercise.both(divided_by_the_variance, divided_by_zero)(plainly(lambda gain, s, *_: _plain(gain, s**2, gain / s**2)))
exercise.both(root_of_two_missing, divided_by_zero)(
    plainly(lambda gain, s, z, below, density: gain * torch.erf(z) + s * density)
)
exercise.both(improvement_downwards, divided_by_zero)(plainly(lambda gain, s, z, *_: _plain(-gain, s, -z)))
exercise.also(not_measured_in_deviations)(plainly(with_another_z(lambda gain, s: gain)))

for mistake in (*FORMULAS, not_measured_in_deviations, a_margin_subtracted):
    exercise.both(mistake, no_doubt_no_improvement)(
        lambda mean, std, best, mistake=mistake: torch.where(std > 0, mistake(mean, std, best), torch.zeros_like(mean))
    )
