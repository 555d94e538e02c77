"""What the notebook on hyperparameter search imports."""
