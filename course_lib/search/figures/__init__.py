"""The figures: numbers of the experiments in, a picture with its description out."""
