"""The exercises of 06_hyperparameter_search, in the order of the notebook: each is the file of its name."""

ASSIGNMENT = "06_hyperparameter_search"
EXERCISES = (
    "log-uniform",
    "exploded",
    "refine-range",
    "designs",
    "hit-probability",
    "k-fold",
    "gp-posterior",
    "expected-improvement",
    "successive-halving",
    "learning-rate-schedules",
)
