"""From what was earned to what counts: a course's rules about deadlines and faulty exercises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from autograder.course import Course
from autograder.gradebook.adjustments import Adjustments, read_adjustments
from autograder.gradebook.lateness import Deadlines, LatePolicy, time_zone

__all__ = ["Rules"]


@dataclass(frozen=True)
class Rules:
    """What a course's configuration says.

    Attributes:
        late: None where it says nothing: then penalties are those that nbgrader's plugin wrote into the gradebook.
        adjustments: assignment -> how its exercises count.
        zone: of times that name none.
    """

    late: LatePolicy | None = None
    deadlines: Deadlines = field(default_factory=Deadlines)
    adjustments: Mapping[str, Adjustments] = field(default_factory=dict)
    zone: dt.tzinfo = dt.UTC

    @classmethod
    def of(cls, course: Course) -> Rules:
        """Read them.

        Raises:
            CourseError: for a setting that cannot be understood.
        """
        zone = time_zone(course.setting("timezone"))
        folders = sorted(path.name for path in course.source.glob("*/") if not path.name.startswith("."))
        known = tuple(dict.fromkeys([*course.assignments, *folders]))  # also those that only people grade
        return cls(
            LatePolicy.of_setting(course.setting("late")),
            Deadlines.read(course.root, course.setting("due"), zone, known),
            read_adjustments(course.setting("adjust"), known),
            zone,
        )

    def of_exercises(self, assignment: str) -> Adjustments:
        """How an assignment's exercises count, of those that do not count as they are."""
        return self.adjustments.get(assignment, {})

    def late_s(self, timestamp: dt.datetime | None, due: dt.datetime | None) -> float:
        """Seconds that a submission was late.

        Args:
            due: with the student's extension.
        """
        if timestamp is None or due is None:
            return 0.0
        seconds = max(0.0, (timestamp - due).total_seconds())
        return seconds if self.late is None else self.late.late_s(seconds)

    def shown(self, when: dt.datetime) -> str:
        """A time (UTC, naive) as people of the course read it."""
        local = when.replace(tzinfo=dt.UTC).astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M} {getattr(self.zone, 'key', local.tzname())}"
