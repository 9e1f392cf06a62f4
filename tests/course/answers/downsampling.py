"""Answers to the exercises of notebook 06."""

RIGHT: dict = {}
WRONG: dict = {}
