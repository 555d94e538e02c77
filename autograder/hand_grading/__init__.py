"""Grading written answers by hand, one question over the whole class, in the same Jupyter server as the formgrader."""
