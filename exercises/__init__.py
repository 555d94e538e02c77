"""What never leaves the house: the references and the known mistakes of this course, one folder a topic."""
