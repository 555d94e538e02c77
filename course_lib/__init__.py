"""What a student imports: checks, data, models, training, plots.

Importing the package does no work; `check` is looked up when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.checking.check import check

__all__ = ["check"]


def __getattr__(name: str) -> Any:
    if name == "check":
        from course_lib.lab.environment import tell_if_untested

        tell_if_untested()  # before what an old PyTorch may lack is imported
        from course_lib.checking.check import check
        from course_lib.checking.gpu_trace import warm_up_in_background

        warm_up_in_background()  # `check` needs it, and it takes a second
        globals()["check"] = check
        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
