"""Measurements, each one command; figures and commands are in README.md beside this file."""
