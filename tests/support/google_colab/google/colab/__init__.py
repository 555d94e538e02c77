"""Stands in for Google's package, which exists in Colab only."""
