"""A class of submissions as a course sees them: right, odd, wrong in every known way, broken and hostile.

`make_class` works for every assignment: it takes the solutions from the source notebook and the mistakes from the
exercises' definitions.  Each member comes with what grading must find, so that a class is a test of the grader.
"""

from autograder.sample_class.classroom import Member, make_class
from autograder.sample_class.expectation import Expectation

__all__ = ["Expectation", "Member", "make_class"]
