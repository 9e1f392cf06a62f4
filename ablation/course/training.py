"""Checkers of notebook 07."""
