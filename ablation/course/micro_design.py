"""Checkers of notebook 05."""
