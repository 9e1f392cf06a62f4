"""Checkers of notebook 00."""
