"""Answers to the exercises of notebook 03."""

RIGHT: dict = {}
WRONG: dict = {}
