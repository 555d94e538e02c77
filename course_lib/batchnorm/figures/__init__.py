"""The figures of 01_batchnorm: drawings that explain, and what the experiments measured."""

from course_lib.batchnorm.figures.drawn import draw_graph, draw_shared_means
from course_lib.batchnorm.figures.measured import (
    draw_activations,
    draw_batch_sizes,
    draw_company,
    draw_contrast,
    draw_fusion,
    draw_gradients,
    draw_histograms,
    draw_modes,
    draw_own_training,
    draw_regularizing,
    draw_sweep,
)

__all__ = [
    "draw_activations",
    "draw_batch_sizes",
    "draw_company",
    "draw_contrast",
    "draw_fusion",
    "draw_gradients",
    "draw_graph",
    "draw_histograms",
    "draw_modes",
    "draw_own_training",
    "draw_regularizing",
    "draw_shared_means",
    "draw_sweep",
]
