"""The exercises of 02_dropout, in the order of the notebook."""

from autograder.exercises.dropout import (
    connect,
    derivation,
    ensembles,
    fractional,
    inverted,
    masks,
    neuron,
    sampling,
    vanilla,
)
from autograder.exercises.model import Exercise

__all__ = ["EXERCISES"]

EXERCISES: tuple[Exercise, ...] = (
    masks.MASKS,
    masks.PROBABILITIES,
    neuron.EXPECTED,
    derivation.DERIVATION,
    neuron.RELU_GAP,
    vanilla.TRAIN_TEST,
    inverted.INVERTED,
    inverted.BACKWARD,
    ensembles.MEAN,
    ensembles.GEOMETRIC,
    sampling.MONTE_CARLO,
    connect.CONNECT,
    fractional.FRACTIONAL,
)
