"""The exercises of 01_projection, in the order of the notebook."""

ASSIGNMENT = "01_projection"
EXERCISES = ("project-onto-line", "orthonormal-basis")
