"""The bench: data, models, training and plots for the experiments of every topic."""
