"""`python -m autograder`: the same as the program `autograder`."""

from autograder.cli import program

program()
