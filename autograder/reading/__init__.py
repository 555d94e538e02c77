"""Reading code without running it: forbidden operations, and what cannot be followed."""
