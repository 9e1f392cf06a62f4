"""Answers to the exercises of notebook 09."""

RIGHT: dict = {}
WRONG: dict = {}
