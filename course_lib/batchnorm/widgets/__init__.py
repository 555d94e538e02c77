"""The widgets of batch normalization: each name is a function that shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.widgets import lazily

if TYPE_CHECKING:
    from course_lib.batchnorm.widgets.averages import running_statistics
    from course_lib.batchnorm.widgets.fusion import fuse_it
    from course_lib.batchnorm.widgets.means import shared_means
    from course_lib.batchnorm.widgets.pipeline import batchnorm_pipeline

__all__ = ["batchnorm_pipeline", "fuse_it", "running_statistics", "shared_means"]

__getattr__ = lazily(
    __name__,
    {"batchnorm_pipeline": "pipeline", "fuse_it": "fusion", "running_statistics": "averages", "shared_means": "means"},
)
