"""The figures of the experiments, under the same names."""
