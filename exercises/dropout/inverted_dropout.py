"""Inverted dropout: scaled while training, so that nothing is left to do at evaluation."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.dropout.shared import (
    LIBRARY_DROPOUT,
    SMALL,
    STRIDED,
    add_mask_slips,
    add_with,
    keep_and_drop_swapped,
    kept_at_equality,
    kept_at_the_other_end,
    layer_inputs,
    one_decision_for_each_example,
    one_mask_for_the_batch,
)

exercise = Exercise(
    "inverted-dropout", "inverted_dropout(x, p_keep, u, training)", returns="y", forbidden=LIBRARY_DROPOUT
)
DROPS = exercise.criterion("drops where u is not below p_keep", 1, cases="training*", outputs="dropped")
SCALES = exercise.criterion("scales what is kept while training", 1.5, cases="training*", outputs="y")
# Also asks that training drops something: else returning x would earn it.
EVALUATION = exercise.criterion(
    "drops in training only and changes nothing at evaluation",
    1,
    cases=("evaluation*", "training, by hand"),
    outputs=("evaluation", "drops"),
)

@exercise.cases
def cases(g):
    def train(x, u, p_keep, driver="dropout/dropped-units", outputs=("y", "dropped")):
        return Case({"x": x, "p_keep": p_keep, "u": u, "training": True}, driver=driver, outputs=outputs)

    def evaluate(x, u, p_keep):
        return Case({"x": x, "p_keep": p_keep, "u": u, "training": False}, outputs=("evaluation",))

    yield "training, by hand", train(*SMALL, outputs=("y", "dropped", "drops"))
    x, u, p_keep = SMALL
    yield "evaluation, by hand", evaluate(x[:1], u[:1], p_keep)
    yield "training, p = 0.2", train(*layer_inputs(g, 0.2, 6, 5), 0.2)
    yield "training, float32, strided", train(*layer_inputs(g, 0.7, 5, 5, torch.float32), 0.7, STRIDED)
    yield "training, nothing dropped", train(*layer_inputs(g, 1.0, 3, 4), 1.0)
    yield "evaluation, p = 0.2", evaluate(*layer_inputs(g, 0.2, 5, 4), 0.2)
    yield "evaluation, float32, one example", evaluate(*layer_inputs(g, 0.7, 1, 6, torch.float32), 0.7)

@exercise.reference
def number_by_number(x, p_keep, u, training):
    if not training:
        return x
    flat = [a / p_keep if r < p_keep else 0.0 for a, r in zip(x.flatten().tolist(), u.flatten().tolist(), strict=True)]
    return torch.tensor(flat, dtype=x.dtype).reshape(x.shape)

@exercise.right
def scaled_mask(x, p_keep, u, training):
    return x * ((u < p_keep).to(x.dtype) / p_keep) if training else x.clone()

@exercise.right
def torch_where_for_both_modes(x, p_keep, u, training):
    return torch.where((u < p_keep) | (not training), x / (p_keep if training else 1), 0)

@exercise.right
def masked_fill(x, p_keep, u, training):
    return x.div(p_keep).masked_fill(~(u < p_keep), 0.0) if training else x

@exercise.right
def mask_made_with_numpy(x, p_keep, u, training):
    if not training:
        return x
    mask = np.less(u.cpu().numpy(), p_keep) / p_keep
    return x * torch.from_numpy(mask).to(x)

@exercise.right
def only_the_kept_entries_written(x, p_keep, u, training):
    if training:
        y = torch.zeros_like(x)
        y[u < p_keep] = x[u < p_keep] / p_keep
        return y
    return x + 0

def in_training(scale):
    """A mask -> the answer that uses it, and multiplies by `scale(p_keep)`, in training only."""

    def with_mask(mask):
        return lambda x, p_keep, u, training: x * mask(u, p_keep) * scale(p_keep) if training else x

    return with_mask

def of_dropping(p_keep):
    return 1 / (1 - p_keep) if p_keep < 1 else torch.inf

# --- the mask

add_mask_slips(
    exercise, in_training(lambda p: 1 / p), DROPS, rows=(one_mask_for_the_batch, one_decision_for_each_example)
)

@exercise.wrong(loses=DROPS, costs=1.5)
def p_read_as_the_drop_probability(x, p_keep, u, training):
    """p_keep was used as the probability of dropping, as PyTorch's p is, in the mask and in the scale. The mean still
    comes out right, but too many or too few units are dropped."""
    return x * (u > p_keep) / (1 - p_keep) if training else x

@exercise.also(p_read_as_the_drop_probability)
def zeros_where_everything_is_dropped(x, p_keep, u, training):
    return x if not training else x * (u > p_keep) / (1 - p_keep) if p_keep < 1 else 0 * x

for other in (lambda u, p: u >= p, lambda u, p: u < 1 - p, lambda u, p: u <= 1 - p):
    exercise.also(p_read_as_the_drop_probability)(in_training(of_dropping)(other))

for other in (lambda u, p: u >= p, lambda u, p: u < 1 - p):
    exercise.also(p_read_as_the_drop_probability)(
        lambda x, p, u, training, other=other: (
            x if not training else x * other(u, p) / (1 - p) if p < 1 else 0 * x
        )
    )

# --- the scale

@exercise.wrong(loses=SCALES, costs=1)
def scale_forgotten(x, p_keep, u, training):
    """The kept units are not scaled. Then the mean during training is smaller than at evaluation, where nothing is done
    anymore."""
    return x * (u < p_keep) if training else x

@exercise.wrong(loses=SCALES, costs=1)
def scaled_by_drop_probability(x, p_keep, u, training):
    """The kept units are divided by the probability of dropping. Average over the masks: the factor has to undo the
    probability with which a unit is there."""
    return x * (u < p_keep) / (1 - p_keep) if training else x

@exercise.wrong(loses=SCALES, costs=1)
def scaled_down(x, p_keep, u, training):
    """The kept units are made smaller. The masks already take part of the sum away, so what is kept has to become
    larger."""
    return x * (u < p_keep) * p_keep if training else x

@exercise.also(scaled_down)
def scaled_down_by_drop_probability(x, p_keep, u, training):
    return x * (u < p_keep) * (1 - p_keep) if training else x

@exercise.wrong(loses=SCALES, costs=0.75)
def scaled_by_the_square(x, p_keep, u, training):
    """The kept units are divided by p_keep twice. Once makes up for the share of masks that drop a unit."""
    return x * (u < p_keep) / p_keep**2 if training else x

@exercise.wrong(loses=SCALES, costs=0.75)
def scaled_by_the_root(x, p_keep, u, training):
    """The kept units are divided by the square root of p_keep. That keeps the mean of the squares; the scale has to
    keep the mean."""
    return x * (u < p_keep) / p_keep**0.5 if training else x

@exercise.wrong(loses=SCALES, costs=0.75)
def scaled_by_the_share_kept(x, p_keep, u, training):
    """The kept units are divided by the share of units that this mask happened to keep. The scale belongs to the mean
    over all masks, so that it is the same for each of them."""
    return x * (u < p_keep) / (u < p_keep).to(x).mean() if training else x

@exercise.also(scaled_by_the_share_kept)
def scaled_by_the_share_kept_in_the_row(x, p_keep, u, training):
    return x * (u < p_keep) / (u < p_keep).to(x).mean(1, keepdim=True) if training else x

@exercise.also(scaled_by_the_share_kept)
def scaled_by_the_share_kept_in_the_column(x, p_keep, u, training):
    return x * (u < p_keep) / (u < p_keep).to(x).mean(0) if training else x

@exercise.wrong(loses=SCALES, costs=0.75)
def kept_units_times_the_noise(x, p_keep, u, training):
    """The kept units are multiplied by the noise as well. The noise only decides which units are kept; all of these
    get the same scale."""
    return x * u * (u < p_keep) / p_keep if training else x

@exercise.also(kept_units_times_the_noise)
def kept_units_times_the_noise_unscaled(x, p_keep, u, training):
    return x * u * (u < p_keep) if training else x

@exercise.wrong(loses=SCALES)
def returns_the_mask(x, p_keep, u, training):
    """In training this is the scaled mask alone. The result is the input, times that."""
    return (u < p_keep).to(x) / p_keep if training else x

@exercise.wrong(loses=(DROPS, SCALES))
def only_the_kept_units(x, p_keep, u, training):
    """In training only the kept units come back, in one row. A dropped unit stays in its place as a zero, so that the
    result has the shape of the input."""
    return x[u < p_keep] / p_keep if training else x

@exercise.wrong(loses=(DROPS, SCALES), costs=0.5)
def returns_the_mask_too(x, p_keep, u, training):
    """In training two values come back, the result and the mask. The exercise asks for the result alone; whoever has u
    can make the mask again."""
    return (x * (u < p_keep) / p_keep, u < p_keep) if training else x

@exercise.also(returns_the_mask_too)
def returns_the_scaled_mask_too(x, p_keep, u, training):
    return (x * (u < p_keep) / p_keep, (u < p_keep).to(x) / p_keep) if training else x

@exercise.wrong(loses=DROPS)
def dropped_units_left_as_they_are(x, p_keep, u, training):
    """The kept units are scaled, but the others are left as they are. A dropped unit is 0."""
    return torch.where(u < p_keep, x / p_keep, x) if training else x

add_with(
    exercise,
    scale_forgotten,
    in_training(lambda p: 1),
    keep_and_drop_swapped,
    kept_at_equality,
    kept_at_the_other_end,
    one_mask_for_the_batch,
)
add_with(exercise, scaled_by_drop_probability, in_training(of_dropping), kept_at_equality)

# --- the two modes

@exercise.wrong(loses=EVALUATION)
def active_at_evaluation(x, p_keep, u, training):
    """Units are dropped at evaluation too, so two predictions for the same image differ. The argument training says
    which of the two is asked for."""
    return x * (u < p_keep) / p_keep

@exercise.both(active_at_evaluation, scale_forgotten)
def always_the_bare_mask(x, p_keep, u, training):
    return x * (u < p_keep)

@exercise.both(active_at_evaluation, scaled_by_drop_probability)
def always_scaled_by_drop_probability(x, p_keep, u, training):
    return x * (u < p_keep) / (1 - p_keep)

@exercise.both(active_at_evaluation, kept_at_equality)
def always_with_equality(x, p_keep, u, training):
    return x * (u <= p_keep) / p_keep

@exercise.both(active_at_evaluation, p_read_as_the_drop_probability)
def always_with_the_drop_probability(x, p_keep, u, training):
    return x * (u > p_keep) / (1 - p_keep)

@exercise.wrong(loses=EVALUATION)
def scaled_down_at_evaluation(x, p_keep, u, training):
    """At evaluation the units are multiplied by p_keep, as in plain dropout. Inverted dropout pays in training, so that
    evaluation needs no change."""
    return x * (u < p_keep) / p_keep if training else x * p_keep

@exercise.wrong(loses=EVALUATION)
def scaled_up_at_evaluation(x, p_keep, u, training):
    """At evaluation the units are divided by p_keep. Inverted dropout pays in training, so that evaluation needs no
    change."""
    return x * (u < p_keep) / p_keep if training else x / p_keep

@exercise.wrong(loses=EVALUATION, costs=0.5)
def nothing_returned_at_evaluation(x, p_keep, u, training):
    """At evaluation nothing comes back: a function that ends without returning a value gives None. There the result is
    the input as it is."""
    return x * (u < p_keep) / p_keep if training else None

@exercise.wrong(loses=EVALUATION)
def zeros_at_evaluation(x, p_keep, u, training):
    """At evaluation every unit is 0, as if all were dropped. There the result is the input as it is."""
    return x * (u < p_keep) / p_keep if training else torch.zeros_like(x)

@exercise.wrong(loses=(DROPS, SCALES, EVALUATION), costs=1.5)
def training_flag_reversed(x, p_keep, u, training):
    """Training and evaluation are exchanged: units are dropped when training is False."""
    return x if training else x * (u < p_keep) / p_keep

@exercise.both(training_flag_reversed, scale_forgotten)
def bare_mask_at_evaluation(x, p_keep, u, training):
    return x if training else x * (u < p_keep)

@exercise.wrong(loses=(DROPS, SCALES, EVALUATION))
def never_changes_anything(x, p_keep, u, training):
    """In training the input comes back as it is. There it is to be multiplied by the mask and scaled."""
    return x + 0
