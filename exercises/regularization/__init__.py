"""The exercises of 04_weight_regularization, in the order of the notebook: each is the file of its name."""

ASSIGNMENT = "04_weight_regularization"
EXERCISES = (
    "l2-penalty",
    "sgd-weight-decay",
    "adam-weight-decay",
    "decay-groups",
    "early-stopping",
    "smooth-curve",
    "shrinkage-factors",
    "bottleneck-parameters",
    "low-rank",
)
