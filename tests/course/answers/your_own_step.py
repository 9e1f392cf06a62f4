"""Answers to the exercises of notebook 10."""

RIGHT: dict = {}
WRONG: dict = {}
