"""Inverted dropout: scaled while training, so that nothing is left to do at evaluation."""

import numpy as np
import torch

from autograder.exercise import Case, Exercise
from exercises.dropout.shared import (
    HINT_FLOAT32,
    HINT_IN_PLACE,
    HINT_ONE_ROW,
    HINT_SWAPPED,
    LIBRARY_DROPOUT,
    OUTPUTS,
    SMALL,
    STRIDED,
    layer_inputs,
)

exercise = Exercise(
    "inverted-dropout", "inverted_dropout(x, p_keep, u, training)", returns="y", forbidden=LIBRARY_DROPOUT
)
DROPS = exercise.criterion("drops where u is not below p_keep", 1, cases="training*", outputs="dropped")
SCALES = exercise.criterion("scales what is kept while training", 1, cases="training*", outputs="y")
# Also asks that training drops something: else returning x would earn it.
EVALUATION = exercise.criterion(
    "drops in training only and changes nothing at evaluation",
    1,
    cases=("evaluation*", "training, by hand"),
    outputs=("evaluation", "drops"),
)
DTYPE = exercise.criterion(
    "keeps the dtype", 0.5, cases=("training, p = 0.2", "training, float32, strided"), outputs="y", aspect="dtype"
)
INPUTS = exercise.criterion(
    "leaves its inputs unchanged", 0.5, cases=("training, by hand", "training, p = 0.2"), aspect="inputs"
)

@exercise.cases
def cases(g):
    def train(x, u, p_keep, driver="dropout/dropped-units"):
        return Case({"x": x, "p_keep": p_keep, "u": u, "training": True}, driver=driver, outputs=OUTPUTS)

    def evaluate(x, u, p_keep):
        return Case({"x": x, "p_keep": p_keep, "u": u, "training": False}, outputs=("evaluation",))

    yield "training, by hand", train(*SMALL, 0.8)
    yield "training, p = 0.2", train(*layer_inputs(g, 0.2, 6, 5), 0.2)
    yield "training, float32, strided", train(*layer_inputs(g, 0.7, 5, 5, torch.float32), 0.7, STRIDED)
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

@exercise.wrong(loses=SCALES)
def scale_forgotten(x, p_keep, u, training):
    """The kept units are not scaled. Then the mean during training is smaller than at evaluation, where nothing is done
    any more."""
    return x * (u < p_keep) if training else x

@exercise.wrong(loses=SCALES)
def scaled_by_drop_probability(x, p_keep, u, training):
    """The kept units are divided by the probability of dropping. Average over the masks: the factor has to undo the
    probability with which a unit is there."""
    return x * (u < p_keep) / (1 - p_keep) if training else x

@exercise.wrong(loses=SCALES)
def scaled_down(x, p_keep, u, training):
    """The kept units are made smaller. The masks already take part of the sum away, so what is kept has to become
    larger."""
    return x * (u < p_keep) * p_keep if training else x

@exercise.wrong(loses=(DROPS, SCALES))
def keep_and_drop_probability_swapped(x, p_keep, u, training):
    """p_keep was used as the probability of dropping, in the mask and in the scale. The mean still comes out right, but
    too many or too few units are dropped."""
    return x * (u < 1 - p_keep) / (1 - p_keep) if training else x

@exercise.wrong(loses=(DROPS, SCALES), hint=HINT_SWAPPED)
def mask_inverted(x, p_keep, u, training):
    return x * (u >= p_keep) / p_keep if training else x

@exercise.wrong(loses=EVALUATION)
def active_at_evaluation(x, p_keep, u, training):
    """Units are dropped at evaluation too, so two predictions for the same image differ. The argument training says
    which of the two is asked for."""
    return x * (u < p_keep) / p_keep

@exercise.wrong(loses=EVALUATION)
def scaled_twice(x, p_keep, u, training):
    """The scale is applied during training and again at evaluation. Inverted dropout exists so that evaluation needs no
    change."""
    return x * (u < p_keep) / p_keep if training else x * p_keep

@exercise.wrong(loses=(DROPS, SCALES, EVALUATION))
def training_flag_reversed(x, p_keep, u, training):
    """Training and evaluation are exchanged: units are dropped when training is False."""
    return x if training else x * (u < p_keep) / p_keep

@exercise.wrong(loses=(DROPS, SCALES), hint=HINT_ONE_ROW)
def one_mask_for_the_batch(x, p_keep, u, training):
    return x * (u[0] < p_keep) / p_keep if training else x

@exercise.wrong(loses=INPUTS, hint=HINT_IN_PLACE)
def changes_its_input(x, p_keep, u, training):
    return x.mul_(u < p_keep).div_(p_keep) if training else x

@exercise.wrong(loses=DTYPE, hint=HINT_FLOAT32)
def always_float32(x, p_keep, u, training):
    return x.float() * (u < p_keep).float() / p_keep if training else x
