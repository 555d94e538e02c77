"""K-fold cross-validation: every example validates once and trains the other times."""

import itertools

import numpy as np
import torch

from autograder.exercise import Case, Exercise, one_of

exercise = Exercise(
    "k-fold",
    "kfold_indices(n, k, permutation)",
    returns="folds",
    forbidden=("sklearn",),
    dtype="indices are whole numbers",
    inputs="a permutation is read, and nothing is computed in its place",
)
SIZES = exercise.criterion("k validation parts whose sizes differ by at most one", 1, outputs="sizes")
ONCE = exercise.criterion("every example validates exactly once", 1, outputs="validated")
REST = exercise.criterion("trains on all that it does not validate", 1, outputs="used")
ORDER = exercise.criterion("consecutive or strided parts of the permutation", 1, outputs="order")

@exercise.cases
def cases(g):
    def case(n, k, permutation=None):
        permutation = torch.randperm(n, generator=g) if permutation is None else torch.tensor(permutation)
        # A sorted beginning would hide that the permutation is not used.
        if n > 5 and torch.equal(permutation[: n // k], permutation[: n // k].sort().values):
            permutation = permutation.flip(0)
        inputs = {"n": n, "k": k, "permutation": permutation}
        return Case(inputs, driver="search/folds", outputs=("sizes", "validated", "used", "order"))

    yield "by hand", case(5, 2, [3, 0, 4, 1, 2])
    # One more than a multiple, one less: where rounding up gives too few parts, or a last one that is too small.
    n, k = one_of(g, (11, 4), (14, 5), (18, 5))
    yield "sizes that differ", case(n, k)
    n, k = one_of(g, (9, 4), (11, 5), (16, 5))
    yield "fewer parts by rounding up", case(n, k)
    n, k = one_of(g, (12, 4), (15, 3), (10, 5))
    yield "equal sizes", case(n, k)
    n = one_of(g, 6, 7, 8)
    yield "one example at a time", case(n, n)

@exercise.reference
def consecutive(n, k, permutation):
    folds, start = [], 0
    for fold in range(k):
        size = n // k + (fold < n % k)
        validation = permutation[start : start + size]
        folds.append((torch.cat([permutation[:start], permutation[start + size :]]), validation))
        start += size
    return folds

@exercise.right
def strided(n, k, permutation):
    parts = [permutation[fold::k] for fold in range(k)]
    return [(torch.cat([p for j, p in enumerate(parts) if j != i]), parts[i]) for i in range(k)]

@exercise.right
def numpy_array_split(n, k, permutation):
    parts = np.array_split(permutation.numpy(), k)
    return [(torch.from_numpy(np.setdiff1d(np.arange(n), part)), torch.from_numpy(part)) for part in parts]

@exercise.right
def bounds_by_multiplication_and_masks(n, k, permutation):
    """Larger parts lie among the smaller ones; training indices in ascending order, tuples of tuples."""
    folds = []
    for fold in range(k):
        held = torch.zeros(n, dtype=torch.bool)
        held[permutation[fold * n // k : (fold + 1) * n // k]] = True
        folds.append(((~held).nonzero().flatten(), held.nonzero().flatten()))
    return tuple(folds)

@exercise.right
def lists_from_the_last_part_on(n, k, permutation):
    order = permutation.tolist()
    parts = [order[fold * n // k : (fold + 1) * n // k] for fold in range(k)]
    return [[[i for i in order if i not in part], part] for part in reversed(parts)]

def with_rest(n, parts):
    """Folds of which each trains on what it does not validate."""
    return [(torch.tensor([i for i in range(n) if i not in set(part.tolist())]), part) for part in parts]

@exercise.wrong(loses=SIZES, costs=0.5)
def remainder_in_the_last_part(n, k, permutation):
    """What does not divide evenly all went into the last part, which can become nearly twice as large as the others.
    Give one example more to each of the first parts instead."""
    size = n // k
    parts = [permutation[i * size : (i + 1) * size if i < k - 1 else n] for i in range(k)]
    return with_rest(n, parts)

@exercise.wrong(loses=(SIZES, ONCE), costs=1)
def remainder_lost(n, k, permutation):
    """What does not divide evenly is in no validation part. Every example should validate once."""
    size = n // k
    return with_rest(n, [permutation[i * size : (i + 1) * size] for i in range(k)])

@exercise.wrong(loses=SIZES, costs=0.75)
def size_rounded_up(n, k, permutation):
    """The size of a part was rounded up, so that the last part is small or there are fewer than k of them, as with
    PyTorch's function that cuts into chunks. Round down, and give the rest away one by one."""
    return with_rest(n, torch.chunk(permutation, k))

@exercise.also(size_rounded_up)
def size_rounded_up_with_empty_parts(n, k, permutation):
    size = -(-n // k)
    return with_rest(n, [permutation[i * size : (i + 1) * size] for i in range(k)])

@exercise.wrong(loses=REST, costs=1)
def trains_on_everything(n, k, permutation):
    """Every fold trains on all examples, those that it validates included. Then validation measures what was learned by
    heart."""
    return [(permutation, validation) for _, validation in consecutive(n, k, permutation)]

@exercise.wrong(loses=(SIZES, ONCE), costs=0.5)
def parts_exchanged(n, k, permutation):
    """Training and validation part are exchanged. A fold trains on most of the examples and validates on one part: the
    training indices come first."""
    return [(validation, train) for train, validation in consecutive(n, k, permutation)]

@exercise.wrong(loses=ORDER, costs=0.5)
def permutation_ignored(n, k, permutation):
    """The examples were cut in the order in which they lie, and the permutation is not used. Data are often sorted by
    class, and then a fold would validate a class that it has never seen."""
    return consecutive(n, k, torch.arange(n))

@exercise.wrong(loses=ORDER, costs=0.25)
def permutation_inverted(n, k, permutation):
    """The permutation was applied the other way around. Its entries are the examples, in the order in which to cut
    them."""
    return consecutive(n, k, permutation.argsort())

@exercise.wrong(loses=(SIZES, ONCE), costs=1.5)
def one_fold_only(n, k, permutation):
    """There is one split only. Every part takes its turn at validating: k folds."""
    return consecutive(n, k, permutation)[:1]

@exercise.wrong(loses=(SIZES, ONCE), costs=0.5)
def last_fold_missing(n, k, permutation):
    """The last fold is missing. There are k of them, so that every part takes its turn."""
    return consecutive(n, k, permutation)[:-1]

@exercise.wrong(loses=ONCE, costs=1)
def the_same_part_every_time(n, k, permutation):
    """Every fold validates the same part. Each example should validate once."""
    return consecutive(n, k, permutation)[:1] * k

@exercise.wrong(loses=ONCE, costs=1)
def shuffled_anew_for_each_fold(n, k, permutation):
    """The examples were put into a new order for each fold, so that some validate several times and others never. One
    order for all folds, cut into parts that do not overlap."""
    parts, turned = [], permutation
    for fold in range(k):
        parts.append(consecutive(n, k, turned)[fold][1])
        turned = permutation[turned].roll(fold + 1)
    return with_rest(n, parts)

@exercise.wrong(loses=REST, costs=0.75)
def trains_on_the_next_part_only(n, k, permutation):
    """Each fold trains on one other part. It should train on all others together."""
    parts = [validation for _, validation in consecutive(n, k, permutation)]
    return [(parts[(i + 1) % k], parts[i]) for i in range(k)]

@exercise.wrong(loses=REST, costs=0.75)
def trains_on_the_parts_before(n, k, permutation):
    """Each fold trains on the parts before it only. The parts after it belong to the training part as well."""
    folds, start = [], 0
    for _, validation in consecutive(n, k, permutation):
        folds.append((permutation[:start], validation))
        start += len(validation)
    return folds

@exercise.wrong(loses=REST, costs=0.75)
def trains_on_the_parts_after(n, k, permutation):
    """Each fold trains on the parts after it only. The parts before it belong to the training part as well."""
    folds, end = [], 0
    for _, validation in consecutive(n, k, permutation):
        end += len(validation)
        folds.append((permutation[end:], validation))
    return folds

@exercise.wrong(loses=ONCE, costs=0.5)
def parts_overlap(n, k, permutation):
    """Neighboring parts share an example. A part ends before the next one begins."""
    ends = list(itertools.accumulate(len(v) for _, v in consecutive(n, k, permutation)))
    return with_rest(n, [permutation[max(0, a - (a > 0)) : b] for a, b in itertools.pairwise([0, *ends])])

@exercise.wrong(loses=(SIZES, ONCE, REST, ORDER), costs=1)
def validation_parts_alone(n, k, permutation):
    """The validation parts alone come back. The exercise asks for pairs: what to train on, and what to validate on."""
    return [validation for _, validation in consecutive(n, k, permutation)]

@exercise.wrong(loses=(SIZES, ONCE, REST, ORDER), costs=0.75)
def masks_instead_of_indices(n, k, permutation):
    """True and False come back for every example. Indices are asked for."""
    masks = [torch.zeros(n, dtype=torch.bool).scatter(0, v, True) for _, v in consecutive(n, k, permutation)]
    return [(~mask, mask) for mask in masks]
