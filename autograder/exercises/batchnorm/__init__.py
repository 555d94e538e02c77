"""The thirteen automatically graded exercises of `01_batchnorm`, in the order of the notebook."""

from autograder.exercises.batchnorm.backward import BACKWARD
from autograder.exercises.batchnorm.forward import FORWARD, IDENTITY
from autograder.exercises.batchnorm.fusion import FUSE_CONV, FUSE_LINEAR
from autograder.exercises.batchnorm.group import GROUP_NORM
from autograder.exercises.batchnorm.inference import AFFINE, INFERENCE
from autograder.exercises.batchnorm.module import MODULE
from autograder.exercises.batchnorm.running import RUNNING_STATISTICS
from autograder.exercises.batchnorm.spatial import BATCHNORM2D
from autograder.exercises.batchnorm.variants import INSTANCE_NORM, LAYER_NORM
from autograder.exercises.model import Exercise

__all__ = ["EXERCISES"]

EXERCISES: tuple[Exercise, ...] = (
    FORWARD,
    IDENTITY,
    BACKWARD,
    RUNNING_STATISTICS,
    INFERENCE,
    AFFINE,
    FUSE_LINEAR,
    FUSE_CONV,
    BATCHNORM2D,
    LAYER_NORM,
    INSTANCE_NORM,
    GROUP_NORM,
    MODULE,
)
