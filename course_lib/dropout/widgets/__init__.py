"""The widgets of dropout: each name is a function that shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.widgets import lazily

if TYPE_CHECKING:
    from course_lib.dropout.widgets.masks import all_masks
    from course_lib.dropout.widgets.subnetworks import ensemble

__all__ = ["all_masks", "ensemble"]

__getattr__ = lazily(__name__, {"all_masks": "masks", "ensemble": "subnetworks"})
