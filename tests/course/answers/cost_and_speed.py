"""Answers to the exercises of notebook 08."""

RIGHT: dict = {}
WRONG: dict = {}
