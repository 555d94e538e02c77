"""The widgets of transfer learning: each name is a function that shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.widgets import lazily

if TYPE_CHECKING:
    from course_lib.transfer.widgets.quadrants import transfer_quadrants

__all__ = ["transfer_quadrants"]

__getattr__ = lazily(__name__, {"transfer_quadrants": "quadrants"})
