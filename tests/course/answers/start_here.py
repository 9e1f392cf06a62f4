"""Answers to the exercises of notebook 00."""

RIGHT: dict = {}
WRONG: dict = {}
