"""Augmentation of whole batches, on the CPU or a GPU, for training.

Every transformation is two functions: `draw_...` makes one random parameter for each example from a generator, the
other applies given parameters to the whole batch in a few tensor operations, without a loop over examples.
Images are (N, C, H, W), float in [0, 1]; inputs are never modified; pixels are centered at half-integers, as PyTorch
calls `align_corners=False`.
"""

from __future__ import annotations

from course_lib.augmentation.augment.colour import colour_jitter, draw_alphas, draw_factors, pca_lighting
from course_lib.augmentation.augment.flips import crop, draw_corners, draw_flips, horizontal_flip
from course_lib.augmentation.augment.mixing import draw_mix, mixup
from course_lib.augmentation.augment.occlusion import cutout, draw_centres, draw_pixels, pixel_noise
from course_lib.augmentation.augment.warps import (
    draw_angles,
    draw_displacements,
    draw_scale_crops,
    rotate,
    scale_crop,
    smooth_warp,
)

__all__ = [
    "colour_jitter",
    "crop",
    "cutout",
    "draw_alphas",
    "draw_angles",
    "draw_centres",
    "draw_corners",
    "draw_displacements",
    "draw_factors",
    "draw_flips",
    "draw_mix",
    "draw_pixels",
    "draw_scale_crops",
    "horizontal_flip",
    "mixup",
    "pca_lighting",
    "pixel_noise",
    "rotate",
    "scale_crop",
    "smooth_warp",
]
