"""Checkers of notebook 09."""
