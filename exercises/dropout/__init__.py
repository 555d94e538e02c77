"""The exercises of 02_dropout, in the order of the notebook: each is the file of its name."""

ASSIGNMENT = "02_dropout"
EXERCISES = (
    "dropout-masks",
    "mask-probabilities",
    "expected-preactivation",
    "expectation-derivation",
    "relu-gap",
    "dropout-train-test",
    "inverted-dropout",
    "inverted-dropout-backward",
    "ensemble-mean",
    "ensemble-geometric",
    "monte-carlo-mean",
    "dropconnect",
    "fractional-pooling",
)
