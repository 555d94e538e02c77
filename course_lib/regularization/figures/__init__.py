"""The figures of 04_weight_regularization: numbers of `experiments` in, a picture with its description out.

The title of a figure is what it shows, and is made from its numbers.
"""
