"""nbgrader's gradebook: results in, marks out."""
