"""Checkers of notebook 02."""
