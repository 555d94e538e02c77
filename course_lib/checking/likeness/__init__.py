"""What a wrong answer is like: the nearest general thing that is true of it, in a sentence or two.

A mistake that is known by name has a hint of its own.  For every other one the values alone tell something: all of it
is 1 / p_keep times too large, axes are transposed, only the last column is wrong, it is right for square inputs only.

A recognizer (`rearranged`, `calculated`) yields the claims that are true of one wrong output (`pairs`).  What is said
is true of all of them: the claims common to all wrong calls, the most specific first, if enough numbers speak for them
(`claims`).  Else `places` tells where it is wrong, and `conditions` when.
"""

from __future__ import annotations

from course_lib.checking.likeness.pairs import Look
from course_lib.checking.likeness.sentences import likeness

__all__ = ["Look", "likeness"]
