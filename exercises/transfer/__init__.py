"""The exercises of 05_transfer_learning, in the order of the notebook: each is the file of its name."""

ASSIGNMENT = "05_transfer_learning"
EXERCISES = (
    "trainable-parameters",
    "replace-head",
    "freeze-backbone",
    "extract-features",
    "linear-probe",
    "choose-strategy",
    "layer-learning-rates",
)
