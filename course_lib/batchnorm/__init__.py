"""What the notebook on batch normalization imports."""
