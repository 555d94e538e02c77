"""The widgets of weight regularization: each name is a function that shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_lib.widgets import lazily

if TYPE_CHECKING:
    from course_lib.regularization.widgets.paths import two_ways_to_stay_small
    from course_lib.regularization.widgets.stopping import where_to_stop

__all__ = ["two_ways_to_stay_small", "where_to_stop"]

__getattr__ = lazily(__name__, {"two_ways_to_stay_small": "paths", "where_to_stop": "stopping"})
