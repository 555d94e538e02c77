"""nbgrader's own way to penalize late submissions, which holds where `c.Autograder.late` says nothing."""

from __future__ import annotations

from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from traitlets import TraitError

from autograder.course import Course
from autograder.errors import CourseError

__all__ = ["nbgrader_plugin"]


def nbgrader_plugin(course: Course) -> LateSubmissionPlugin | None:
    """The late-penalty plugin that the course's nbgrader configuration names, if any.

    Raises:
        CourseError: if there is no such plugin.
    """
    if "plugin_class" not in course.config.get("AssignLatePenalties", {}):
        return None
    try:
        preprocessor = AssignLatePenalties(config=course.config)
        preprocessor.init_plugin()
    except (TraitError, ImportError) as error:
        name = course.config.AssignLatePenalties.plugin_class
        raise CourseError(
            f"c.AssignLatePenalties.plugin_class: {name!r} is no late-submission plugin of nbgrader",
            "correct it in nbgrader_config.py, or write c.Autograder.late instead",
        ) from error
    return preprocessor.plugin_inst
