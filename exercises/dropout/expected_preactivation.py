"""One neuron behind dropout: the expectation of its pre-activation over all masks."""

import itertools

import torch

from autograder.exercise import Exercise
from exercises.draws import uniform
from exercises.dropout.shared import factors, weighted_masks

exercise = Exercise("expected-preactivation", "expected_preactivation(w, x, p_keep)", returns="expectation")
ANY = exercise.criterion(
    "any number of inputs and any probability of keeping",
    1.5,
    cases=("by hand", "two inputs", "four inputs", "five inputs, float32", "any p", "one input, nothing dropped"),
)
LECTURE = exercise.criterion(
    "the lecture's neuron at p = 1/2", 0.5, cases=("two inputs, p = 1/2, by hand", "two other inputs, p = 1/2")
)

@exercise.cases
def cases(g):
    def case(n, p_keep, dtype=torch.float64, sign=1):
        w, x = factors(g, n)
        return {"w": sign * w.to(dtype), "x": x.to(dtype), "p_keep": p_keep}

    def by_hand(w, x, p_keep):
        return {"w": torch.tensor(w).double(), "x": torch.tensor(x).double(), "p_keep": p_keep}

    yield "by hand", by_hand([2.0, -4.0, 1.0], [-3.0, 1.0, 2.0], 0.75)
    yield "two inputs, p = 1/2, by hand", by_hand([2.0, 4.0], [3.0, 1.0], 0.5)
    yield "two other inputs, p = 1/2", case(2, 0.5)
    yield "two inputs", case(2, 0.7)
    yield "four inputs", case(4, 0.2, sign=-1)
    yield "five inputs, float32", case(5, 0.6, torch.float32)
    yield "any p", case(3, float(uniform(g, 0.75, 0.9, 1)))
    yield "one input, nothing dropped", case(1, 1.0)

@exercise.reference
def by_all_masks(w, x, p_keep):
    products = (w * x).tolist()
    each = [p * sum(m * t for m, t in zip(mask, products, strict=True)) for p, mask in weighted_masks(len(w), p_keep)]
    return torch.tensor(sum(each), dtype=w.dtype)

@exercise.right
def by_linearity(w, x, p_keep):
    return p_keep * torch.dot(w, x)

@exercise.right
def one_input_after_the_other(w, x, p_keep):
    if len(w) == 0:
        return 0.0
    rest = one_input_after_the_other(w[1:], x[1:], p_keep)
    return p_keep * (w[0] * x[0] + rest) + (1 - p_keep) * rest

@exercise.right
def einsum_over_all_masks(w, x, p_keep):
    n = len(w)
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=n)), dtype=w.dtype, device=w.device)
    each = torch.where(masks > 0.5, p_keep, 1 - p_keep).to(w.dtype).prod(1)
    return torch.einsum("m,mn,n,n->", each, masks, w, x)

@exercise.right
def as_a_python_number(w, x, p_keep):
    return sum(p_keep * float(a) * float(b) for a, b in zip(w, x, strict=True))

@exercise.wrong(loses=(ANY, LECTURE), costs=1.5)
def nothing_dropped(w, x, p_keep):
    """This is the neuron with all inputs present. Some masks drop some of them, so the mean is smaller in size."""
    return (w * x).sum()

@exercise.wrong(loses=ANY, costs=1)
def scaled_by_drop_probability(w, x, p_keep):
    """The sum is scaled by the probability of dropping. An input counts in those masks that keep it."""
    return (1 - p_keep) * (w * x).sum()

@exercise.wrong(loses=ANY, costs=1)
def always_half(w, x, p_keep):
    """The factor is 1/2 whatever p_keep is: the mean over all masks without their probabilities. Masks are equally
    likely only at p_keep = 1/2."""
    return 0.5 * (w * x).sum()

@exercise.wrong(loses=(ANY, LECTURE), costs=1)
def divided_by_keep_probability(w, x, p_keep):
    """The sum is divided by p_keep: the factor by which inverted dropout compensates. Here nothing is
    compensated yet."""
    return (w * x).sum() / p_keep

@exercise.wrong(loses=(ANY, LECTURE), costs=0.75)
def scaled_twice(w, x, p_keep):
    """The factor p_keep enters twice, as if weights and inputs were dropped each on their own. One decision is made for
    the product of the two."""
    return p_keep**2 * (w * x).sum()

@exercise.wrong(loses=ANY, costs=1)
def only_the_full_mask(w, x, p_keep):
    """Only the mask that keeps everything is counted. The masks that keep a part contribute too."""
    return p_keep ** len(w) * (w * x).sum()

@exercise.wrong(loses=(ANY, LECTURE), costs=0.75)
def all_dropped_mask_left_out(w, x, p_keep):
    """This is the mean over the masks that keep at least one input. The mask that drops everything adds 0, but it has a
    probability too, and the mean is over all masks."""
    return p_keep * (w * x).sum() / (1 - (1 - p_keep) ** len(w))

@exercise.wrong(loses=(ANY, LECTURE), costs=0.75)
def mean_over_inputs(w, x, p_keep):
    """The products were averaged over the inputs. A neuron sums them."""
    return p_keep * (w * x).mean()

@exercise.wrong(loses=(ANY, LECTURE), costs=1)
def masks_not_weighted(w, x, p_keep):
    """The values of all masks were added without their probabilities, so the result grows with the number of masks."""
    return (w * x).sum() * 2.0 ** (len(w) - 1)

@exercise.wrong(loses=(ANY, LECTURE), costs=0.75)
def divided_by_the_number_of_masks(w, x, p_keep):
    """The values were weighted by their probabilities and divided by the number of masks as well. The probabilities sum
    to 1: nothing is left to divide by."""
    return p_keep * (w * x).sum() / 2.0 ** len(w)

@exercise.wrong(loses=(ANY, LECTURE), costs=0.5)
def terms_not_summed(w, x, p_keep):
    """This holds one number for each input. The neuron adds them up to one number."""
    return p_keep * w * x

@exercise.both(terms_not_summed, scaled_by_drop_probability)
def terms_of_dropping(w, x, p_keep):
    return (1 - p_keep) * w * x

@exercise.wrong(loses=(ANY, LECTURE), costs=0.5)
def one_number_in_a_vector(w, x, p_keep):
    """The number is right, but it comes as a tensor of one axis. The exercise asks for a scalar."""
    return (p_keep * (w * x).sum()).reshape(1)

@exercise.wrong(loses=(ANY, LECTURE), costs=1)
def sums_multiplied(w, x, p_keep):
    """The sum of the weights was multiplied by the sum of the inputs. Each weight belongs to one input: multiply first,
    then add."""
    return p_keep * w.sum() * x.sum()

@exercise.wrong(loses=(ANY, LECTURE), costs=1)
def weights_only(w, x, p_keep):
    """The inputs do not enter: this is the mean of the sum of the weights. Each weight is multiplied by its input."""
    return p_keep * w.sum()

@exercise.wrong(loses=ANY, costs=0.75)
def never_negative(w, x, p_keep):
    """The result is 0 where the expectation is negative. This is the pre-activation: no ReLU stands before it."""
    return torch.relu(p_keep * (w * x).sum())

@exercise.wrong(loses=(ANY, LECTURE), costs=1.5)
def variance(w, x, p_keep):
    """This is the variance of the pre-activation over the masks. Its expectation is asked for."""
    return p_keep * (1 - p_keep) * ((w * x) ** 2).sum()
