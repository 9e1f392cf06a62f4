"""Checkers of notebook 04."""
