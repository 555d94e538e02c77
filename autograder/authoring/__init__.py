"""Beginnings of courses, assignments and exercises: small, and complete enough to be released and graded at once."""
