"""The mean over sampled masks: Monte Carlo dropout, Srivastava et al. 2014, section 7.5.

The network is that of `ensemble-mean`, softmax(W (m*h) + b); each row of u gives one mask m.
"""

import torch

from autograder.exercise import Exercise
from exercises.dropout.shared import HINT_BIAS, chances, noise, softmax, softmax_layer

exercise = Exercise("monte-carlo-mean", "monte_carlo_mean(W, b, h, p_keep, u)", returns="probabilities")
ONE = exercise.criterion("one sampled mask", 0.5, cases="one sample")
SEVERAL = exercise.criterion(
    "the mean over sampled masks", 1.5, cases=("six samples, p = 0.2", "square, p = 0.7", "seven samples, float32")
)
DTYPE = exercise.criterion(
    "keeps the dtype", 0.5, cases=("six samples, p = 0.2", "seven samples, float32"), aspect="dtype"
)

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

    yield "one sample", case(3, 2, 1, 0.8)
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
    logits = torch.einsum("kd,sd,d->ks", W, torch.where(u < p_keep, 1.0, 0.0).to(W), h) + b[:, None]
    return torch.softmax(logits, dim=0).mean(dim=1)

@exercise.wrong(loses=SEVERAL)
def softmax_of_the_mean(W, b, h, p_keep, u):
    """The sampled logits were averaged before the softmax. Average the probabilities of the sampled networks."""
    return torch.softmax(((h * (u < p_keep)) @ W.T + b).mean(dim=0), dim=0)

@exercise.wrong(loses=(ONE, SEVERAL))
def keep_and_drop_swapped(W, b, h, p_keep, u):
    """Units are dropped where they should be kept: a unit stays where u < p_keep."""
    return torch.softmax((h * (u >= p_keep)) @ W.T + b, dim=1).mean(dim=0)

@exercise.wrong(loses=(ONE, SEVERAL))
def scaled_and_sampled(W, b, h, p_keep, u):
    """The kept units are divided by p_keep as well. The sub-networks here are those of plain dropout: kept units enter
    as they are."""
    return torch.softmax((h * (u < p_keep) / p_keep) @ W.T + b, dim=1).mean(dim=0)

@exercise.wrong(loses=SEVERAL)
def summed_not_averaged(W, b, h, p_keep, u):
    """The outputs were added but not divided by the number of samples, so the result does not sum to 1."""
    return torch.softmax((h * (u < p_keep)) @ W.T + b, dim=1).sum(dim=0)

@exercise.wrong(loses=SEVERAL)
def only_the_first_sample(W, b, h, p_keep, u):
    """Only the first row of u is used. Every row is one mask, and all of them are averaged."""
    return torch.softmax(W @ (h * (u[0] < p_keep)) + b, dim=0)

@exercise.wrong(loses=SEVERAL)
def weighted_twice(W, b, h, p_keep, u):
    """The samples are weighted by their masks' probabilities. Likely masks are drawn more often already; in a sample
    every draw counts the same."""
    masks = (u < p_keep).to(W)
    weights = chances(masks, p_keep)
    return (weights / weights.sum()) @ torch.softmax((masks * h) @ W.T + b, dim=1)

@exercise.wrong(loses=(ONE, SEVERAL), hint=HINT_BIAS)
def bias_forgotten(W, b, h, p_keep, u):
    return torch.softmax((h * (u < p_keep)) @ W.T, dim=1).mean(dim=0)

@exercise.wrong(loses=(ONE, SEVERAL))
def noise_instead_of_masks(W, b, h, p_keep, u):
    """The hidden units were multiplied by u itself. u only decides: a unit is kept where u < p_keep
    and is 0 elsewhere."""
    return torch.softmax((h * u) @ W.T + b, dim=1).mean(dim=0)
