"""What submissions have in common that others have not: for a person to look at, never a verdict."""
