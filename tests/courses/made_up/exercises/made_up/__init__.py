"""A made-up assignment: tests of the tools must not depend on the course's own exercises."""

ASSIGNMENT = "00_made_up"
EXERCISES = ("column-scale", "pair")
