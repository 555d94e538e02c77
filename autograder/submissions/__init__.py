"""What was handed in, read without trusting it."""
