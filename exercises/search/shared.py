"""Inputs that several exercises of hyperparameter search share."""

import torch

from exercises.draws import uniform


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)

def among(g, low, high):
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (1,), generator=g))

def number(g, low, high):
    """A number between low and high."""
    return float(uniform(g, low, high, 1))

def ranges(g, d):
    """Bounds (d, 2) of d axes, each one to two decades wide, and none like another.

    They are of about the same size: next to 100 nobody would see an error in 0.0001.
    """
    low = 10 ** number(g, -4.0, 0.0) * uniform(g, 1.0, 4.0, d)
    return torch.stack([low, low * 10 ** uniform(g, 1.2, 1.8, d)], dim=1)
