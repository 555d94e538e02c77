"""What the notebook on dropout and other stochastic regularizers imports."""
