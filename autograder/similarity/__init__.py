"""What submissions have in common: the same wrong answers, and what few others have; for people to look at."""
