"""What a student looks at: results drawn from numbers, and drawings that explain an operation."""
