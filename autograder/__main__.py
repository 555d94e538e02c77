"""`python -m autograder`: the same as the program `autograder`."""

import os
import sys

# Python looks for modules in the working directory first, which may be a student's: `difflib.py` there would be run.
_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) == _HOME or os.path.abspath(path) != os.getcwd()]

from autograder.cli import program  # noqa: E402

program()
