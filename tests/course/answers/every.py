"""The answers of all notebooks: accepted ones and typical mistakes, by exercise."""

from importlib import import_module
from typing import Any

from ablation.course.checking import NOTEBOOKS

RIGHT: dict[str, Any] = {}
WRONG: dict[str, list[Any]] = {}
for notebook in NOTEBOOKS:
    answers = import_module(f"tests.course.answers.{notebook}")
    RIGHT |= answers.RIGHT
    WRONG |= answers.WRONG
