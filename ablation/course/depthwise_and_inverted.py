"""Checkers of notebook 03."""
