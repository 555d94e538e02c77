"""The exercises of 03_augmentation, in the order of the notebook."""

from autograder.exercises.augmentation import (
    colour,
    colour_basis,
    colour_light,
    crops,
    flips,
    holes,
    labels,
    mixing,
    pixel_noise,
    policy_space,
    resizing,
    scale_jitter,
    soft_loss,
    subpolicy,
    turning,
    voting,
    warping,
)
from autograder.exercises.model import Exercise

__all__ = ["EXERCISES"]

EXERCISES: tuple[Exercise, ...] = (
    flips.HORIZONTAL_FLIP,
    resizing.RESIZE,
    scale_jitter.SCALE_CROP,
    crops.TEN_CROP,
    voting.MULTI_SCALE,
    colour.COLOUR_JITTER,
    colour_basis.PCA_BASIS,
    colour_light.PCA_LIGHTING,
    turning.ROTATE,
    warping.SMOOTH_WARP,
    pixel_noise.PIXEL_NOISE,
    holes.CUTOUT,
    mixing.MIXUP,
    soft_loss.SOFT_CROSS_ENTROPY,
    policy_space.POLICY_SPACE,
    subpolicy.APPLY_SUBPOLICY,
    labels.LABEL_PRESERVING,
)
