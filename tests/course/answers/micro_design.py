"""Answers to the exercises of notebook 05."""

RIGHT: dict = {}
WRONG: dict = {}
