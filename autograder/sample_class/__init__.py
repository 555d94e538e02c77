"""A class of submissions as a course sees them: right, odd, wrong in every known way, broken and hostile.

`classroom.make_class` works for every assignment: it takes the solutions from the source notebook and the mistakes from
the exercises' definitions.  Each member comes with what grading must find, so that a class is a test of the grader.
"""
