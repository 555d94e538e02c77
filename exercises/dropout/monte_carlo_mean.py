"""The mean over sampled masks: Monte Carlo dropout, Srivastava et al. 2014, section 7.5.

The network is that of `ensemble-mean`, softmax(W (m*h) + b); each row of u gives one mask m.
"""

import torch

from autograder.exercise import Exercise
from exercises.dropout.shared import (
    HINT_BIAS,
    HINT_BIAS_SCALED,
    HINT_SIGMOID,
    add_mask_slips,
    add_with,
    chances,
    keep_and_drop_swapped,
    kept_at_equality,
    logits_of_all,
    masks_of,
    noise,
    right_mask,
    softmax,
    softmax_layer,
)

exercise = Exercise("monte-carlo-mean", "monte_carlo_mean(W, b, h, p_keep, u)", returns="probabilities")
SEVERAL = exercise.criterion(
    "the mean over sampled masks",
    1.5,
    cases=("four samples, by hand", "six samples, p = 0.2", "square, p = 0.7", "seven samples, float32"),
)
ONE = exercise.criterion("one sampled mask", 0.5, cases="one sample")

def telling(g, k, d, s, p_keep):
    """W, b, h and noise with which the slips that differ by the sample's accidents are far from the right mean."""
    while True:
        W, b, h = softmax_layer(g, k, d)
        u = noise(g, p_keep, s, d)
        right = all_samples_at_once(W, b, h, p_keep, u)
        slips = (softmax_of_the_mean, only_the_first_sample, weighted_twice)
        if s == 1 or all((slip(W, b, h, p_keep, u) - right).abs().max() > 0.02 for slip in slips):
            return W, b, h, u

@exercise.cases
def cases(g):
    def case(k, d, s, p_keep, dtype=torch.float64):
        W, b, h, u = (tensor.to(dtype) for tensor in telling(g, k, d, s, p_keep))
        return {"W": W, "b": b, "h": h, "p_keep": p_keep, "u": u}

    def by_hand(values):
        return torch.tensor(values, dtype=torch.float64)

    W, b, h = by_hand([[1.0, -2, -0.5], [-0.5, 2, 0.5]]), by_hand([1.0, -0.5]), by_hand([2.0, 1, -1])
    # A mask comes twice, and one number of u equals p_keep.
    u = by_hand([[0.1, 0.8, 0.3], [0.75, 0.2, 0.9], [0.6, 0.95, 0.15], [0.4, 0.5, 0.85]])
    yield "four samples, by hand", {"W": W, "b": b, "h": h, "p_keep": 0.75, "u": u}
    yield "one sample", case(4, 5, 1, 0.8)
    yield "six samples, p = 0.2", case(3, 4, 6, 0.2)
    yield "square, p = 0.7", case(4, 4, 4, 0.7)
    yield "seven samples, float32", case(3, 5, 7, 0.7, torch.float32)

@exercise.reference
def sample_by_sample(W, b, h, p_keep, u):
    weights, biases, units = W.tolist(), b.tolist(), h.tolist()
    outputs = []
    for row in u.tolist():
        kept = [d for d, noise_d in enumerate(row) if noise_d < p_keep]
        outputs.append(softmax([sum(w[d] * units[d] for d in kept) + c for w, c in zip(weights, biases, strict=True)]))
    return torch.tensor(outputs, dtype=W.dtype).mean(dim=0)

def logits(W, b, h, p_keep, u, mask=right_mask):
    """The logits of the sampled sub-networks, (S, K)."""
    return (h * mask(u, p_keep)) @ W.T + b

def outputs(W, b, h, p_keep, u, mask=right_mask):
    return torch.softmax(logits(W, b, h, p_keep, u, mask), dim=1)

@exercise.right
def all_samples_at_once(W, b, h, p_keep, u):
    return torch.softmax((h * (u < p_keep)) @ W.T + b, dim=1).mean(dim=0)

@exercise.right
def loop_over_the_kept_columns(W, b, h, p_keep, u):
    total = 0 * b
    for sample in u:
        total = total + torch.softmax(W[:, sample < p_keep] @ h[sample < p_keep] + b, dim=-1) / len(u)
    return total

@exercise.right
def einsum_classes_first(W, b, h, p_keep, u):
    of_classes = torch.einsum("kd,sd,d->ks", W, torch.where(u < p_keep, 1.0, 0.0).to(W), h) + b[:, None]
    return torch.softmax(of_classes, dim=0).mean(dim=1)

# --- the masks

def sampled(mask):
    return lambda W, b, h, p_keep, u: outputs(W, b, h, p_keep, u, mask).mean(dim=0)

add_mask_slips(exercise, sampled, SEVERAL)

@exercise.wrong(loses=SEVERAL, costs=1)
def only_the_first_sample(W, b, h, p_keep, u):
    """Only the first row of u is used. Every row is one mask, and all of them are averaged."""
    return outputs(W, b, h, p_keep, u)[0]

@exercise.wrong(loses=SEVERAL, costs=1)
def only_the_last_sample(W, b, h, p_keep, u):
    """Only the last row of u is used. Every row is one mask, and all of them are averaged."""
    return outputs(W, b, h, p_keep, u)[-1]

@exercise.wrong(loses=SEVERAL, costs=0.75)
def one_decision_for_each_sample(W, b, h, p_keep, u):
    """Every sample keeps or drops all units together, by the first number of its row of u. Each unit has a number of
    its own."""
    return sampled(lambda u, p: (u[:, :1] < p).expand_as(u))(W, b, h, p_keep, u)

@exercise.wrong(loses=(SEVERAL, ONE))
def scaled_weights_instead(W, b, h, p_keep, u):
    """This is one pass with scaled weights: it does not depend on u. The mean over the sampled masks is asked for; the
    notebook measures how far apart the two are."""
    return torch.softmax(p_keep * W @ h + b, dim=0)

@exercise.wrong(loses=(SEVERAL, ONE), costs=1.5)
def all_masks_instead(W, b, h, p_keep, u):
    """This is the exact mean over all masks: it does not depend on u. The mean over the sampled masks is asked for,
    which comes near to that with many samples."""
    return chances(masks_of(h), p_keep) @ torch.softmax(logits_of_all(W, b, h), dim=1)

@exercise.wrong(loses=SEVERAL, costs=0.5)
def each_mask_once(W, b, h, p_keep, u):
    """A mask that was drawn several times counts once. Likely masks are drawn more often, and that is how their
    probability enters the mean: every draw counts."""
    masks = torch.unique(u < p_keep, dim=0)
    return torch.softmax((h * masks) @ W.T + b, dim=1).mean(dim=0)

@exercise.wrong(loses=SEVERAL, costs=0.75)
def weighted_twice(W, b, h, p_keep, u):
    """The samples are weighted by their masks' probabilities. Likely masks are drawn more often already; in a sample
    every draw counts the same."""
    weights = chances((u < p_keep).to(W), p_keep)
    return (weights / weights.sum()) @ outputs(W, b, h, p_keep, u)

@exercise.wrong(loses=SEVERAL, costs=1)
def weighted_by_probabilities(W, b, h, p_keep, u):
    """The outputs are multiplied by their masks' probabilities and added, as over all masks. A sample holds likely
    masks more often already: every draw has the weight 1/S, and these weights do not sum to 1."""
    return chances((u < p_keep).to(W), p_keep) @ outputs(W, b, h, p_keep, u)

# --- the mean

@exercise.wrong(loses=SEVERAL, costs=1)
def softmax_of_the_mean(W, b, h, p_keep, u):
    """This is one softmax of the averaged logits, which is also what an averaged mask gives. Each mask makes a network
    of its own: average the probabilities of these networks."""
    return torch.softmax(logits(W, b, h, p_keep, u).mean(dim=0), dim=0)

@exercise.wrong(loses=SEVERAL, costs=0.5)
def summed_not_averaged(W, b, h, p_keep, u):
    """The outputs were added but not divided by the number of samples, so the result does not sum to 1."""
    return outputs(W, b, h, p_keep, u).sum(dim=0)

@exercise.wrong(loses=(SEVERAL, ONE), costs=0.75)
def softmax_over_the_samples(W, b, h, p_keep, u):
    """The softmax runs over the samples instead of over the classes: for one sample the K outputs should sum to 1."""
    return torch.softmax(logits(W, b, h, p_keep, u), dim=0).mean(dim=0)

@exercise.wrong(loses=(SEVERAL, ONE), costs=0.75)
def mean_over_the_classes(W, b, h, p_keep, u):
    """The mean runs over the classes, so that a number for each sample is left. Average over the samples: a probability
    for each class is asked for."""
    return outputs(W, b, h, p_keep, u).mean(dim=1)

@exercise.wrong(loses=(SEVERAL, ONE), costs=0.5)
def samples_not_averaged(W, b, h, p_keep, u):
    """This holds the outputs of all sampled networks. Their mean over the samples is asked for."""
    return outputs(W, b, h, p_keep, u)

@exercise.wrong(loses=(SEVERAL, ONE), costs=1)
def logits_averaged(W, b, h, p_keep, u):
    """These are averaged logits: the softmax of each sampled network is missing."""
    return logits(W, b, h, p_keep, u).mean(dim=0)

@exercise.wrong(loses=(SEVERAL, ONE), costs=0.75, hint=HINT_SIGMOID)
def sigmoid_of_each_class(W, b, h, p_keep, u):
    return torch.sigmoid(logits(W, b, h, p_keep, u)).mean(dim=0)

# --- what a sub-network is

@exercise.wrong(loses=(SEVERAL, ONE), costs=1)
def scaled_and_sampled(W, b, h, p_keep, u):
    """The kept units are made larger as well, as in inverted dropout. The sub-networks here are those of plain dropout:
    kept units enter as they are."""
    return outputs(W, b, h / p_keep, p_keep, u).mean(dim=0)

@exercise.also(scaled_and_sampled)
def scaled_by_drop_probability_and_sampled(W, b, h, p_keep, u):
    return outputs(W, b, h / (1 - p_keep), p_keep, u).mean(dim=0)

@exercise.wrong(loses=(SEVERAL, ONE), costs=1)
def scaled_down_and_sampled(W, b, h, p_keep, u):
    """The kept units are multiplied by p_keep as well. That stands for averaging over the masks, which is done here by
    averaging: kept units enter as they are."""
    return outputs(W, b, h * p_keep, p_keep, u).mean(dim=0)

@exercise.wrong(loses=(SEVERAL, ONE), costs=0.5, hint=HINT_BIAS)
def bias_forgotten(W, b, h, p_keep, u):
    return outputs(W, 0 * b, h, p_keep, u).mean(dim=0)

@exercise.wrong(loses=(SEVERAL, ONE), costs=0.5, hint=HINT_BIAS_SCALED)
def bias_scaled_too(W, b, h, p_keep, u):
    return outputs(W, p_keep * b, h, p_keep, u).mean(dim=0)

add_with(
    exercise, bias_forgotten, lambda mask: lambda W, b, *rest: sampled(mask)(W, 0 * b, *rest), keep_and_drop_swapped
)
add_with(
    exercise,
    scaled_and_sampled,
    lambda mask: lambda W, b, h, p, u: sampled(mask)(W, b, h / p, p, u),
    keep_and_drop_swapped,
    kept_at_equality,
)

add_with(
    exercise,
    scaled_and_sampled,
    lambda mask: lambda W, b, h, p, u: sampled(mask)(W, b, h / (1 - p), p, u),
    keep_and_drop_swapped,
)

def without_bias(answer):
    return lambda W, b, h, p_keep, u: answer(W, 0 * b, h, p_keep, u)

for known in (each_mask_once, scaled_and_sampled, scaled_down_and_sampled, softmax_of_the_mean):
    exercise.both(known, bias_forgotten)(without_bias(known))
exercise.both(scaled_and_sampled, bias_forgotten)(without_bias(scaled_by_drop_probability_and_sampled))
