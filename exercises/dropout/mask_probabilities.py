"""The probability of each mask: one factor for every unit, kept or dropped."""

import math

import torch

from autograder.exercise import Exercise, one_of
from exercises.draws import uniform
from exercises.dropout.shared import all_masks, chances

exercise = Exercise("mask-probabilities", "mask_probabilities(masks, p_keep)", returns="probabilities")
ANY_P = exercise.criterion(
    "any probability of keeping", 1, cases=("two units, by hand", "three units in another order", "float32")
)
HALF = exercise.criterion(
    "the lecture's four masks at p = 1/2", 0.25, cases=("two units, p = 1/2, by hand", "more units, p = 1/2")
)
SOME = exercise.criterion(
    "a mask's probability does not depend on which others are given",
    0.5,
    cases=("three of eight masks, by hand", "five units, one mask", "some of the masks"),
)
CERTAIN = exercise.criterion("nothing dropped, or everything", 0.25, cases=("nothing dropped", "everything dropped"))

@exercise.cases
def cases(g):
    def shuffled(n):
        return all_masks(n)[torch.randperm(2**n, generator=g)]

    three = torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 0]]).double()
    one = torch.randint(0, 2, (1, 5), generator=g).double()
    # Not all masks, and never two masks of equal probability only: one, two, three and four units kept, and none.
    few = all_masks(4)[torch.tensor([0, 1, 3, 7, 15, 8])]
    yield "two units, by hand", {"masks": all_masks(2), "p_keep": 0.8}
    yield "two units, p = 1/2, by hand", {"masks": all_masks(2), "p_keep": 0.5}
    yield "three of eight masks, by hand", {"masks": three, "p_keep": 0.8}
    yield "more units, p = 1/2", {"masks": all_masks(one_of(g, 3, 4, 5, 6, 7)), "p_keep": 0.5}
    yield "three units in another order", {"masks": shuffled(3), "p_keep": 0.2}
    yield "five units, one mask", {"masks": one, "p_keep": 0.7}
    yield "some of the masks", {"masks": few, "p_keep": float(uniform(g, 0.6, 0.8, 1))}
    yield "float32", {"masks": shuffled(4).float(), "p_keep": 0.7}
    yield "nothing dropped", {"masks": shuffled(3), "p_keep": 1.0}
    yield "everything dropped", {"masks": shuffled(3), "p_keep": 0.0}

@exercise.reference
def factor_by_factor(masks, p_keep):
    rows = [[p_keep if kept else 1 - p_keep for kept in row] for row in masks.tolist()]
    return torch.tensor([math.prod(row) for row in rows], dtype=masks.dtype)

def factors_of(masks, p_keep):
    """One factor for each unit of each mask."""
    return masks * p_keep + (1 - masks) * (1 - p_keep)

@exercise.right
def torch_where(masks, p_keep):
    one = torch.ones_like(masks)
    return torch.where(masks == 1, one * p_keep, one * (1 - p_keep)).prod(dim=1)

@exercise.right
def powers_of_the_counts(masks, p_keep):
    kept = masks.sum(dim=1)
    return p_keep**kept * (1 - p_keep) ** (masks.shape[1] - kept)

@exercise.right
def two_loops(masks, p_keep):
    result = []
    for mask in masks.bool():
        probability = 1.0
        for kept in mask:
            probability = probability * (p_keep if kept else 1.0 - p_keep)
        result.append(probability)
    return torch.tensor(result, dtype=masks.dtype, device=masks.device)

@exercise.right
def exponential_of_summed_logarithms(masks, p_keep):
    return factors_of(masks, p_keep).log().sum(-1).exp()

@exercise.wrong(loses=ANY_P, costs=0.75)
def p_is_always_half(masks, p_keep):
    """Each unit brings a factor of 1/2, whatever p_keep is. Masks are equally likely only at p_keep = 1/2, as in the
    lecture's example."""
    return torch.full_like(masks[:, 0], 0.5 ** masks.shape[1])

@exercise.wrong(loses=ANY_P, costs=0.75)
def masks_equally_likely(masks, p_keep):
    """Every mask gets 1 / (number of masks). A mask's probability follows from p_keep and from how many units it keeps
    and drops."""
    return torch.full_like(masks[:, 0], 1 / len(masks))

@exercise.wrong(loses=ANY_P, costs=0.75)
def keep_and_drop_swapped(masks, p_keep):
    """p_keep is the probability of keeping a unit (a 1 in the mask); here it was used for dropping. PyTorch's p is the
    other one."""
    return chances(1 - masks, p_keep)

@exercise.wrong(loses=(ANY_P, HALF), costs=1)
def dropped_units_left_out(masks, p_keep):
    """Only the kept units are counted. A dropped unit is an event as well and brings its own factor."""
    return p_keep ** masks.sum(dim=1)

@exercise.wrong(loses=(ANY_P, HALF), costs=1)
def kept_units_left_out(masks, p_keep):
    """Only the dropped units are counted. A kept unit is an event as well and brings its own factor."""
    return (1 - p_keep) ** (1 - masks).sum(dim=1)

@exercise.wrong(loses=(ANY_P, HALF), costs=0.75)
def not_all_dropped_ones_kept(masks, p_keep):
    """The factor of the dropped units is the probability that not all of them are kept. Every single one has to be
    dropped: each brings its own factor, the probability of dropping."""
    kept = masks.sum(dim=1)
    return p_keep**kept * (1 - p_keep ** (masks.shape[1] - kept))

@exercise.wrong(loses=(ANY_P, HALF), costs=1)
def dropped_units_give_zero(masks, p_keep):
    """Every mask that drops a unit gets the probability 0. A dropped unit is an event as well, whose factor is the
    probability of dropping."""
    return (masks * p_keep).prod(dim=1)

@exercise.wrong(loses=(ANY_P, HALF), costs=1)
def number_of_kept_units(masks, p_keep):
    """This is the probability of keeping that many units, whichever they are. The question is about one particular
    mask."""
    n = masks.shape[1]
    ways = torch.tensor([math.comb(n, int(k)) for k in masks.sum(dim=1)], dtype=masks.dtype)
    return ways * chances(masks, p_keep)

@exercise.wrong(loses=(ANY_P, HALF), costs=1.25)
def summed_over_units(masks, p_keep):
    """The units' probabilities were added. The units are independent and all have to happen together."""
    return factors_of(masks, p_keep).sum(dim=1)

@exercise.wrong(loses=(ANY_P, HALF), costs=1.25)
def averaged_over_units(masks, p_keep):
    """The units' probabilities were averaged. The units are independent and all have to happen together: each further
    unit makes a mask less likely."""
    return factors_of(masks, p_keep).mean(dim=1)

@exercise.wrong(loses=SOME)
def normalized_over_given_masks(masks, p_keep):
    """The probabilities were divided by their sum. That is harmless when all masks are given and wrong when only some
    are."""
    return chances(masks, p_keep) / chances(masks, p_keep).sum()

@exercise.wrong(loses=(ANY_P, HALF), costs=1)
def units_not_combined(masks, p_keep):
    """This holds one probability for every unit of every mask. A mask has one probability: all its units together."""
    return factors_of(masks, p_keep)

@exercise.wrong(loses=(ANY_P, HALF), costs=0.75)
def combined_over_the_masks(masks, p_keep):
    """The factors were multiplied down the columns, over the masks. A mask is a row: its factors stand side by side."""
    return factors_of(masks, p_keep).prod(dim=0)

@exercise.wrong(loses=(ANY_P, HALF), costs=0.75)
def all_factors_multiplied(masks, p_keep):
    """The factors of all masks were multiplied into one number. Each mask has a probability: multiply along the rows
    only."""
    return factors_of(masks, p_keep).prod()

@exercise.wrong(loses=(ANY_P, HALF), costs=0.5)
def list_of_numbers(masks, p_keep):
    """The probabilities come as a list. Everything here is a torch tensor: the next functions multiply tensors by
    it."""
    return chances(masks, p_keep).tolist()

@exercise.wrong(loses=(ANY_P, HALF), costs=0.25)
def one_column(masks, p_keep):
    """The probabilities stand in a column of shape (M, 1). The exercise asks for one axis, (M,): beside a vector of M
    numbers a column makes a table of M times M."""
    return factors_of(masks, p_keep).prod(dim=1, keepdim=True)

@exercise.wrong(loses=(ANY_P, HALF), costs=0.75)
def number_of_units_from_the_rows(masks, p_keep):
    """The number of dropped units is computed from the number of masks, M, in place of the number of units, n."""
    kept = masks.sum(dim=1)
    return p_keep**kept * (1 - p_keep) ** (len(masks) - kept)

@exercise.both(number_of_units_from_the_rows, one_column)
def number_of_units_from_the_rows_in_a_column(masks, p_keep):
    return number_of_units_from_the_rows(masks, p_keep)[:, None]

@exercise.both(keep_and_drop_swapped, one_column)
def swapped_in_a_column(masks, p_keep):
    return keep_and_drop_swapped(masks, p_keep)[:, None]

@exercise.both(dropped_units_left_out, one_column)
def dropped_units_left_out_in_a_column(masks, p_keep):
    return dropped_units_left_out(masks, p_keep)[:, None]

@exercise.wrong(loses=(ANY_P, HALF), costs=0.75)
def logarithms_left(masks, p_keep):
    """These are the logarithms of the probabilities. Their exponential is asked for."""
    return chances(masks, p_keep).log()

@exercise.wrong(loses=CERTAIN)
def logarithm_of_zero(masks, p_keep):
    """At p_keep = 1 and at p_keep = 0 the result is not a number. If you sum logarithms: that of a factor 0 is minus
    infinity, and infinity times the 0 of the mask has no value. A product of the factors has no such trouble."""
    p = torch.tensor(p_keep).to(masks)
    return (masks * p.log() + (1 - masks) * (1 - p).log()).sum(dim=1).exp()

@exercise.also(logarithm_of_zero)
def logarithm_of_zero_raises(masks, p_keep):
    return (masks * math.log(p_keep) + (1 - masks) * math.log(1 - p_keep)).sum(dim=1).exp()
