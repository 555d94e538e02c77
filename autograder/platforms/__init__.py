"""Learning platforms: what Moodle and Canvas hand out and take back."""
