"""The lecture's neuron a = w1*x + w2*y under dropout, as expressions.

An identity is decided by random evaluation: the expressions are evaluated where the student's code runs, at numbers
that the grader chose, and only the numbers come back.  Every equivalent form passes.  The reference and the mistakes
are plain functions of (w1, w2, x, y, p), which the driver takes as well as SymPy expressions; each is written as one
function that gives all eight values.
"""

import functools
import itertools

import torch

from autograder.exercise import Case, Exercise
from exercises.draws import uniform
from exercises.dropout.shared import factors

KEYS = ("both", "only_x", "only_y", "neither", "expectation", "variance", "test_factor", "inverted_scale")
MASKS = KEYS[:4]
GENERAL = ("by hand", "three points")

exercise = Exercise(
    "expectation-derivation",
    "derivation()",
    returns=KEYS,
    dtype="the answer is made of expressions, which have no dtype",
    inputs="derivation() has no inputs",
)
# `neither` alone would be earned by a plain 0.
BOTH_NEITHER = exercise.criterion("the contributions of `both` and `neither`", 1, outputs=("both", "neither"))
ONLY_X = exercise.criterion("the contribution of `only_x`", 0.5, outputs="only_x")
ONLY_Y = exercise.criterion("the contribution of `only_y`", 0.5, outputs="only_y")
MEAN = exercise.criterion("the expectation", 1, cases=GENERAL, outputs="expectation")
VAR = exercise.criterion("the variance", 2, outputs="variance")
TEST = exercise.criterion("what the weights are multiplied by at test time", 0.5, cases=GENERAL, outputs="test_factor")
SCALE = exercise.criterion("the scale of inverted dropout", 0.5, cases=GENERAL, outputs="inverted_scale")

@exercise.cases
def cases(g):
    def case(numbers):
        return Case(numbers, driver="dropout/expressions", outputs=KEYS)

    names = ("w1", "w2", "x", "y", "p")
    points = []
    for p in (0.5, 0.2, 0.7, float(uniform(g, 0.8, 0.95, 1))):
        w, x = factors(g, 2)
        points.append([round(number, 4) for number in (*w.tolist(), *x.tolist(), p)])
    columns = torch.tensor(points[1:], dtype=torch.float64).T
    yield "by hand", case({"w1": 2.0, "w2": -4.0, "x": 3.0, "y": 1.0, "p": 0.75})
    yield "p = 1/2", case(dict(zip(names, points[0], strict=True)))
    yield "three points", case(dict(zip(names, columns, strict=True)))

def right_values(w1, w2, x, y, p):
    return {
        "both": p * p * (w1 * x + w2 * y),
        "only_x": p * (1 - p) * w1 * x,
        "only_y": (1 - p) * p * w2 * y,
        "neither": 0.0,
        "expectation": p * (w1 * x + w2 * y),
        "variance": p * (1 - p) * ((w1 * x) ** 2 + (w2 * y) ** 2),
        "test_factor": p,
        "inverted_scale": 1 / p,
    }

def derivation_by(values):
    """A `derivation()` with a function for every key; `values(w1, w2, x, y, p)` may leave out what is right."""

    @functools.wraps(values)
    def derivation():
        return {key: functools.partial(value, key) for key in KEYS}

    def value(key, *numbers):
        return {**right_values(*numbers), **values(*numbers)}[key]

    return derivation

@exercise.reference
@derivation_by
def by_the_four_masks(w1, w2, x, y, p):
    masks, keep = list(itertools.product([0, 1], repeat=2)), {1: p, 0: 1 - p}
    chances = {(m, n): keep[m] * keep[n] for m, n in masks}
    values = {(m, n): w1 * x * m + w2 * y * n for m, n in masks}
    mean = sum(chances[mask] * values[mask] for mask in masks)
    return {
        "both": chances[1, 1] * values[1, 1],
        "only_x": chances[1, 0] * values[1, 0],
        "only_y": chances[0, 1] * values[0, 1],
        "neither": chances[0, 0] * values[0, 0],
        "expectation": mean,
        "variance": sum(chances[mask] * (values[mask] - mean) ** 2 for mask in masks),
        "test_factor": p,
        "inverted_scale": 1 / p,
    }

@exercise.right
def expanded():
    import sympy as sp

    w1, w2, x, y, p = sp.symbols("w1 w2 x y p")
    return {
        "both": sp.expand(p**2 * (w1 * x + w2 * y)),
        "only_x": sp.expand(p * (1 - p) * w1 * x),
        "only_y": sp.expand((1 - p) * p * w2 * y),
        "neither": 0,
        "expectation": p * w1 * x + p * w2 * y,
        "variance": sp.expand(p * (1 - p) * ((w1 * x) ** 2 + (w2 * y) ** 2)),
        "test_factor": p,
        "inverted_scale": p**-1,
    }

@exercise.right
def built_from_the_four_masks():
    import sympy as sp

    w1, w2, x, y, p = sp.symbols("w1 w2 x y p", positive=True)
    q = 1 - p
    values = {(1, 1): w1 * x + w2 * y, (1, 0): w1 * x, (0, 1): w2 * y, (0, 0): sp.Integer(0)}
    chances = {(1, 1): p * p, (1, 0): p * q, (0, 1): q * p, (0, 0): q * q}
    mean = sum(chances[mask] * values[mask] for mask in values)
    return {
        "both": chances[1, 1] * values[1, 1],
        "only_x": chances[1, 0] * values[1, 0],
        "only_y": chances[0, 1] * values[0, 1],
        "neither": chances[0, 0] * values[0, 0],
        "expectation": mean,
        "variance": sum(chances[mask] * (values[mask] - mean) ** 2 for mask in values),
        "test_factor": sp.cancel(mean / (w1 * x + w2 * y)),
        "inverted_scale": (w1 * x + w2 * y) / mean,
    }

@exercise.right
def second_moment_minus_squared_mean():
    import sympy as sp

    w1, w2, x, y, p = sp.symbols("w1 w2 x y p", real=True)
    a, b = w1 * x, w2 * y
    second = p**2 * (a + b) ** 2 + p * (1 - p) * (a**2 + b**2)
    return {
        "both": sp.factor(p**2 * a + p**2 * b),
        "only_x": a * (p - p**2),
        "only_y": b * (p - p**2),
        "neither": sp.Float(0),
        "expectation": sp.factor(p * a + p * b),
        "variance": second - (p * (a + b)) ** 2,
        "test_factor": 1 - (1 - p),
        "inverted_scale": 1 / p,
    }

@exercise.right
def sums_over_mask_entries():
    import sympy as sp

    w1, w2, x, y, p = sp.symbols("w1 w2 x y p")
    masks = [(i, j) for i in (0, 1) for j in (0, 1)]
    terms = {(i, j): p ** (i + j) * (1 - p) ** (2 - i - j) * (i * w1 * x + j * w2 * y) for i, j in masks}
    squares = [terms[i, j] * (i * w1 * x + j * w2 * y) for i, j in masks]
    mean = sp.Add(*terms.values())
    return {
        "both": terms[1, 1],
        "only_x": terms[1, 0],
        "only_y": terms[0, 1],
        "neither": 0.0,
        "expectation": mean,
        "variance": sum(squares) - mean**2,
        "test_factor": mean.subs({x: 0}) / (w2 * y),
        "inverted_scale": sp.Pow(p, -1),
    }

@exercise.right
def plain_functions():
    return derivation_by(right_values)()

# --- the four masks

def with_its_sum(mistake):
    """Also with an expectation that is the sum of the four, as it was found."""

    @exercise.also(mistake)
    @derivation_by
    def and_its_sum(*numbers):
        found = {key: value(*numbers) for key, value in mistake().items()}
        return {**found, "expectation": sum(found[mask] for mask in MASKS)}

    return mistake

@with_its_sum
@exercise.wrong(loses=(BOTH_NEITHER, ONLY_X, ONLY_Y), costs=1)
@derivation_by
def probabilities_without_values(w1, w2, x, y, p):
    """The four entries hold only the probability of each mask. The exercise asks for the probability times the neuron's
    value under that mask."""
    return {"both": p**2, "only_x": p * (1 - p), "only_y": p * (1 - p), "neither": (1 - p) ** 2}

@with_its_sum
@exercise.wrong(loses=BOTH_NEITHER, costs=0.5)
@derivation_by
def neither_without_its_value(w1, w2, x, y, p):
    """`neither` holds the probability of its mask. The exercise asks for the probability times the neuron's value, and
    without any input that value is 0."""
    return {"neither": (1 - p) ** 2}

@with_its_sum
@exercise.wrong(loses=(BOTH_NEITHER, ONLY_X, ONLY_Y), costs=1)
@derivation_by
def values_without_probabilities(w1, w2, x, y, p):
    """The four entries hold only the neuron's value under each mask. Multiply each by the probability of its mask; then
    they add up to the expectation."""
    return {"both": w1 * x + w2 * y, "only_x": w1 * x, "only_y": w2 * y}

@with_its_sum
@exercise.wrong(loses=(ONLY_X, ONLY_Y), costs=0.75)
@derivation_by
def dropped_input_not_counted(w1, w2, x, y, p):
    """The masks that keep one input count only the input that is kept. That the other one is dropped
    is an event too."""
    return {"only_x": p * w1 * x, "only_y": p * w2 * y}

@with_its_sum
@exercise.wrong(loses=(ONLY_X, ONLY_Y), costs=0.75)
@derivation_by
def kept_input_not_counted(w1, w2, x, y, p):
    """The masks that keep one input count only the input that is dropped. That the other one is kept is an event
    too."""
    return {"only_x": (1 - p) * w1 * x, "only_y": (1 - p) * w2 * y}

@exercise.wrong(loses=BOTH_NEITHER, costs=0.25)
def neither_missing():
    """The entry `neither` is missing. Without any input the neuron's value is 0, and so is what the mask contributes;
    it is one of the four all the same."""
    return {key: value for key, value in plain_functions().items() if key != "neither"}

@with_its_sum
@exercise.wrong(loses=BOTH_NEITHER, costs=0.5)
@derivation_by
def one_factor_for_both(w1, w2, x, y, p):
    """The mask that keeps both inputs has one factor p. Two inputs are kept: two independent events, each with its
    probability."""
    return {"both": p * (w1 * x + w2 * y)}

@with_its_sum
@exercise.wrong(loses=(ONLY_X, ONLY_Y), costs=0.75)
@derivation_by
def only_x_and_only_y_exchanged(w1, w2, x, y, p):
    """`only_x` and `only_y` are exchanged. The mask is named after the input that is kept."""
    return {"only_x": p * (1 - p) * w2 * y, "only_y": p * (1 - p) * w1 * x}

@with_its_sum
@exercise.wrong(loses=(ONLY_X, ONLY_Y), costs=0.75)
@derivation_by
def weights_left_out(w1, w2, x, y, p):
    """The masks that keep one input lack its weight. The neuron's value is the weight times the input."""
    return {"only_x": p * (1 - p) * x, "only_y": p * (1 - p) * y}

@exercise.also(weights_left_out)
@derivation_by
def weights_left_out_everywhere(w1, w2, x, y, p):
    ones = right_values(1, 1, x, y, p)
    return {key: ones[key] for key in (*MASKS, "expectation", "variance")}

@with_its_sum
@exercise.wrong(loses=(BOTH_NEITHER, ONLY_X, ONLY_Y), costs=1)
@derivation_by
def four_masks_equally_likely(w1, w2, x, y, p):
    """Each mask has the probability 1/4, the lecture's number for p = 1/2. For any other p the four masks are not
    equally likely."""
    return {"both": (w1 * x + w2 * y) / 4, "only_x": w1 * x / 4, "only_y": w2 * y / 4}

# --- p

@exercise.wrong(loses=(BOTH_NEITHER, ONLY_X, ONLY_Y, MEAN, VAR, TEST, SCALE), costs=3)
@derivation_by
def p_is_always_half(w1, w2, x, y, p):
    """These are the lecture's numbers for p = 1/2. For any other p the four masks are not equally likely."""
    return {
        "both": (w1 * x + w2 * y) / 4,
        "only_x": w1 * x / 4,
        "only_y": w2 * y / 4,
        "neither": 0.0,
        "expectation": (w1 * x + w2 * y) / 2,
        "variance": ((w1 * x) ** 2 + (w2 * y) ** 2) / 4,
        "test_factor": 0.5,
        "inverted_scale": 2.0,
    }

@exercise.wrong(loses=(BOTH_NEITHER, MEAN, TEST, SCALE), costs=1.5)
@derivation_by
def drop_for_keep(w1, w2, x, y, p):
    """p stands where 1 - p belongs and the other way around. In the lecture p is the probability of keeping an input;
    PyTorch's p is the probability of dropping it."""
    return {
        "both": (1 - p) ** 2 * (w1 * x + w2 * y),
        "expectation": (1 - p) * (w1 * x + w2 * y),
        "test_factor": 1 - p,
        "inverted_scale": 1 / (1 - p),
    }

@exercise.wrong(loses=(BOTH_NEITHER, MEAN), costs=1)
@derivation_by
def wrong_sign(w1, w2, x, y, p):
    """The second term is subtracted. The neuron adds w1*x and w2*y."""
    return {"both": p * p * (w1 * x - w2 * y), "expectation": p * (w1 * x - w2 * y)}

# --- the expectation

@exercise.wrong(loses=MEAN)
@derivation_by
def expectation_of_the_full_neuron(w1, w2, x, y, p):
    """This is the neuron with both inputs present. The expectation is the sum of the four contributions."""
    return {"expectation": w1 * x + w2 * y}

@exercise.wrong(loses=MEAN, costs=0.75)
@derivation_by
def expectation_without_the_single_masks(w1, w2, x, y, p):
    """Only the mask that keeps both inputs is counted in the expectation. The masks that keep one contribute too."""
    return {"expectation": p**2 * (w1 * x + w2 * y)}

@exercise.wrong(loses=MEAN, costs=0.75)
@derivation_by
def expectation_with_the_drop_probability(w1, w2, x, y, p):
    """The expectation shrinks by the probability of dropping. Add the four contributions: what remains is the
    probability with which an input is there."""
    return {"expectation": (1 - p) * (w1 * x + w2 * y)}

# --- the two factors

@exercise.wrong(loses=TEST)
@derivation_by
def multiplied_by_the_dropout_probability(w1, w2, x, y, p):
    """The lecture's sentence 'multiply by the dropout probability' was taken literally. Compare with your expectation:
    the mean over the masks shrinks by the probability with which an input is there."""
    return {"test_factor": 1 - p}

@exercise.wrong(loses=TEST)
@derivation_by
def divided_at_test_time(w1, w2, x, y, p):
    """At test time the weights are divided by p and so become larger. With all inputs present they have to become
    smaller to give the mean over the masks."""
    return {"test_factor": 1 / p}

@exercise.wrong(loses=TEST)
@derivation_by
def squared_at_test_time(w1, w2, x, y, p):
    """The factor at test time is p squared. Each term of the neuron has one mask entry, whose mean is p."""
    return {"test_factor": p**2}

@exercise.wrong(loses=TEST)
@derivation_by
def one_half_at_test_time(w1, w2, x, y, p):
    """The factor at test time is 1/2, as in the lecture's example. Compare with your expectation for any other p."""
    return {"test_factor": 0.5}

@exercise.wrong(loses=SCALE)
@derivation_by
def inverted_by_drop_probability(w1, w2, x, y, p):
    """The scale during training is taken from the probability of dropping. It has to undo exactly the factor that the
    masks bring on average."""
    return {"inverted_scale": 1 / (1 - p)}

@exercise.wrong(loses=SCALE)
@derivation_by
def scale_not_inverted(w1, w2, x, y, p):
    """The kept inputs are made smaller during training. The masks take a part of the sum away already, so what is kept
    has to become larger."""
    return {"inverted_scale": p}

@exercise.also(scale_not_inverted)
@derivation_by
def scale_is_the_drop_probability(w1, w2, x, y, p):
    return {"inverted_scale": 1 - p}

@exercise.wrong(loses=SCALE)
@derivation_by
def scale_of_one_half(w1, w2, x, y, p):
    """The scale during training is 2, right for p = 1/2 only. It has to undo the factor of your expectation for any
    p."""
    return {"inverted_scale": 2.0}

@exercise.wrong(loses=(TEST, SCALE), costs=0.5)
@derivation_by
def test_and_training_factor_exchanged(w1, w2, x, y, p):
    """The two factors are exchanged. Plain dropout makes the weights smaller at test time; inverted dropout makes the
    kept inputs larger during training."""
    return {"test_factor": 1 / p, "inverted_scale": p}

# --- the variance

def variance(costs):
    """A mistake in the variance, written as a function of the two terms and of p."""

    def add(of_terms):
        @functools.wraps(of_terms)
        def values(w1, w2, x, y, p):
            return {"variance": of_terms(w1 * x, w2 * y, p)}

        return exercise.wrong(loses=VAR, costs=costs)(derivation_by(values))

    return add

@variance(1)
def square_missing_in_variance(a, b, p):
    """The variance lacks a square: doubling both weights must make it four times as large."""
    return p * (1 - p) * (a + b)

@variance(1)
def one_mask_for_both_inputs(a, b, p):
    """This is the variance if both inputs were kept or dropped together. They are dropped independently: there is no
    term with w1*w2."""
    return p * (1 - p) * (a + b) ** 2

@variance(1)
def mean_not_subtracted(a, b, p):
    """This is the mean of the squares. The variance also subtracts the square of the mean."""
    return p * (1 - p) * (a**2 + b**2) + (p * (a + b)) ** 2

@variance(1)
def mean_not_squared(a, b, p):
    """From the mean of the squares the mean itself is subtracted. Its square is to be subtracted."""
    return p * (1 - p) * (a**2 + b**2) + (p * (a + b)) ** 2 - p * (a + b)

@variance(1.5)
def square_of_the_mean(a, b, p):
    """This is the square of the mean. The variance is the mean of the squares less that."""
    return (p * (a + b)) ** 2

@variance(0.75)
def negative_variance(a, b, p):
    """The variance has the wrong sign: a mean of squares can never be negative. Subtract the square of the mean from
    the mean of the squares, not the reverse."""
    return p * (p - 1) * (a**2 + b**2)

@variance(1)
def contributions_squared(a, b, p):
    """In the mean of the squares the contributions were squared whole, with their probabilities. Only the neuron's
    value is squared; each square counts with the probability of its mask, once."""
    return (p * p * (a + b)) ** 2 + (p * (1 - p)) ** 2 * (a**2 + b**2) - (p * (a + b)) ** 2

@exercise.also(contributions_squared)
@derivation_by
def contributions_squared_and_added(w1, w2, x, y, p):
    a, b = w1 * x, w2 * y
    return {"variance": (p * p * (a + b)) ** 2 + (p * (1 - p)) ** 2 * (a**2 + b**2)}

@variance(0.5)
def standard_deviation(a, b, p):
    """This is the standard deviation. Its square is asked for."""
    return (p * (1 - p) * (a**2 + b**2)) ** 0.5

@variance(1)
def variance_of_one_mask_entry(a, b, p):
    """The factor is p alone. A mask entry that is 1 with probability p is certain at p = 1, so there the variance must
    vanish."""
    return p * (a**2 + b**2)

@variance(1)
def factor_squared_too(a, b, p):
    """The factor p (1 - p) is squared. It is the variance of a mask entry already; only what stands before the entry
    is squared."""
    return (p * (1 - p)) ** 2 * (a**2 + b**2)

@variance(1)
def probability_squared(a, b, p):
    """The factor is p squared. The variance of a mask entry is wanted, the mean of its square less the square of its
    mean: it vanishes at p = 0 and at p = 1."""
    return p**2 * (a**2 + b**2)

@variance(0.75)
def of_inverted_dropout(a, b, p):
    """This is the variance under inverted dropout, whose kept inputs are divided by p. Here the inputs are kept as they
    are."""
    return (1 - p) / p * (a**2 + b**2)

@variance(1)
def mask_entry_forgotten(a, b, p):
    """The factor of the mask entries is missing: this does not depend on p. The variance of an entry that is 1 with
    probability p belongs before the squares."""
    return a**2 + b**2

@variance(0.75)
def variances_subtracted(a, b, p):
    """The second variance is subtracted from the first. Variances of independent terms add, whatever the signs of the
    terms."""
    return p * (1 - p) * (a**2 - b**2)

@exercise.wrong(loses=VAR, costs=0.75)
@derivation_by
def only_weights_squared(w1, w2, x, y, p):
    """Only the weights are squared in the variance. The factor of a random mask entry is the whole product, and all of
    it is squared."""
    return {"variance": p * (1 - p) * (w1**2 * x + w2**2 * y)}

@exercise.wrong(loses=VAR, costs=0.75)
@derivation_by
def only_inputs_squared(w1, w2, x, y, p):
    """Only the inputs are squared in the variance. The factor of a random mask entry is the whole product, and all of
    it is squared."""
    return {"variance": p * (1 - p) * (w1 * x**2 + w2 * y**2)}
