"""The widgets of hyperparameter search: each name is a function that shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.widgets import lazily

if TYPE_CHECKING:
    from course_lib.search.widgets.machine import beat_the_machine
    from course_lib.search.widgets.ranges import coarse_to_fine

__all__ = ["beat_the_machine", "coarse_to_fine"]

__getattr__ = lazily(__name__, {"beat_the_machine": "machine", "coarse_to_fine": "ranges"})
