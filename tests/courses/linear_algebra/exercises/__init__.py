"""The references of a course on another subject."""
