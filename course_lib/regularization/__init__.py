"""What the notebook on weight regularization imports."""
