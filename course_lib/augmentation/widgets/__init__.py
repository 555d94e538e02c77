"""The widgets of data augmentation: each name is a function that shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.widgets import lazily

if TYPE_CHECKING:
    from course_lib.augmentation.widgets.gallery import augmentation_gallery

__all__ = ["augmentation_gallery"]

__getattr__ = lazily(__name__, {"augmentation_gallery": "gallery"})
