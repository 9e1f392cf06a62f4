"""What the notebooks of the course share: exercises that check themselves, runs at three scales, stored results.

>>> from ablation.course import check
>>> check("last_rung", 28_582_504)
passed: last_rung. Accepted: the exact number.
"""

from .checking import AnswerError, check, exercises
from .results import compare, experiment, stored, summarise
from .scale import scale, scaled

__all__ = ["AnswerError", "check", "compare", "exercises", "experiment", "scale", "scaled", "stored", "summarise"]
