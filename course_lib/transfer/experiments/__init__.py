"""The experiments: the table of transfer learning, its faults made and measured, features of pretrained networks."""
