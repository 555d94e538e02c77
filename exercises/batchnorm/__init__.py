"""The exercises of 01_batchnorm, in the order of the notebook: each is the file of its name."""

ASSIGNMENT = "01_batchnorm"
EXERCISES = (
    "batchnorm-forward",
    "batchnorm-identity",
    "batchnorm-backward",
    "running-statistics",
    "batchnorm-inference",
    "batchnorm-as-affine",
    "fuse-linear",
    "fuse-conv",
    "batchnorm2d-forward",
    "layer-norm",
    "instance-norm",
    "group-norm",
    "batchnorm2d-module",
)
