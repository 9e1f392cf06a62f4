"""Answers to the exercises of notebook 07."""

RIGHT: dict = {}
WRONG: dict = {}
