"""Answers to the exercises of notebook 04."""

RIGHT: dict = {}
WRONG: dict = {}
