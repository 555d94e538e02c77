"""Pictures that move: predict, then explore, then read why.

Each name is a function that shows one widget; importing the package does no work.  Adding one takes a module with a
pure function from the controls' state to a `Scene` and a `Design` that declares the controls and the prediction, and
a line here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.widgets.averages import running_statistics
    from course_lib.widgets.fusion import fuse_it
    from course_lib.widgets.gallery import augmentation_gallery
    from course_lib.widgets.masks import all_masks
    from course_lib.widgets.means import shared_means
    from course_lib.widgets.pipeline import batchnorm_pipeline
    from course_lib.widgets.quadrants import transfer_quadrants
    from course_lib.widgets.subnetworks import ensemble

__all__ = [
    "all_masks",
    "augmentation_gallery",
    "batchnorm_pipeline",
    "ensemble",
    "fuse_it",
    "running_statistics",
    "shared_means",
    "transfer_quadrants",
]

_MODULES = {
    "all_masks": "masks",
    "augmentation_gallery": "gallery",
    "batchnorm_pipeline": "pipeline",
    "ensemble": "subnetworks",
    "fuse_it": "fusion",
    "running_statistics": "averages",
    "shared_means": "means",
    "transfer_quadrants": "quadrants",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"course_lib.widgets.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
