"""The exercises of 03_augmentation, in the order of the notebook: each is the file of its name."""

ASSIGNMENT = "03_augmentation"
EXERCISES = (
    "horizontal-flip",
    "resize-short-side",
    "scale-crop",
    "ten-crop",
    "multi-scale-test",
    "colour-jitter",
    "pca-basis",
    "pca-lighting",
    "rotate",
    "smooth-warp",
    "pixel-noise",
    "cutout",
    "mixup",
    "soft-cross-entropy",
    "policy-space",
    "apply-subpolicy",
    "label-preserving",
)
