"""The judge: runs a student's function on cases, compares, and says what holds and what does not.

Importing the package does no work; `from course_lib import check` is the way in.
"""
