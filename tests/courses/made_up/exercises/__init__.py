"""The references of a made-up course."""
