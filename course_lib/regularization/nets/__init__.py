"""The networks of the regularization assignment: tiny ones to be sorted into groups, and many trained at once."""
