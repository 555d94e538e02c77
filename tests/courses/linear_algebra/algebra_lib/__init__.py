"""What the notebooks of a course on linear algebra import."""
