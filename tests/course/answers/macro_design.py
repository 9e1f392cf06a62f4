"""Answers to the exercises of notebook 02."""

RIGHT: dict = {}
WRONG: dict = {}
