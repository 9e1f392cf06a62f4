"""Code shared by the notebooks: self-checking exercises, experiments at three scales, and stored results.

May import every package except `ablation.commands`.

>>> from ablation.course import check
>>> check("last_rung", 28_582_504)
passed: last_rung. Accepted: the exact number.
"""

from .checking import AnswerError, check, exercises
from .results import compare, experiment, stored, summarise
from .scale import scale, scaled

__all__ = ["AnswerError", "check", "compare", "exercises", "experiment", "scale", "scaled", "stored", "summarise"]
