"""The experiments of 01_batchnorm: each returns numbers; `figures` draws them.

Every claim of the notebook about training is asserted on these functions by
`tests/course_lib/batchnorm/test_claims.py`.
"""

from course_lib.batchnorm.experiments.batches import (
    BatchSizes,
    Company,
    Regularizing,
    batch_sizes,
    company,
    regularizing,
)
from course_lib.batchnorm.experiments.depth import Activations, Gradients, activations, gradients
from course_lib.batchnorm.experiments.fusion import Fusion, fused, fusion, milliseconds
from course_lib.batchnorm.experiments.modes import Contrast, Modes, contrast, modes
from course_lib.batchnorm.experiments.own import OwnTraining, own_training
from course_lib.batchnorm.experiments.sweeps import CEILING, WITH, WITHOUT, Sweep, sweep

__all__ = [
    "CEILING",
    "WITH",
    "WITHOUT",
    "Activations",
    "BatchSizes",
    "Company",
    "Contrast",
    "Fusion",
    "Gradients",
    "Modes",
    "OwnTraining",
    "Regularizing",
    "Sweep",
    "activations",
    "batch_sizes",
    "company",
    "contrast",
    "fused",
    "fusion",
    "gradients",
    "milliseconds",
    "modes",
    "own_training",
    "regularizing",
    "sweep",
]
