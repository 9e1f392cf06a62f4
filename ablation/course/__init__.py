"""Code shared by the notebooks: predictions, figures with sliders, self-checking exercises, experiments, and stored results.

May import every package except `ablation.commands`.

>>> from ablation.course import check
>>> check("last_rung", 28_582_504)
passed: last_rung. Accepted: the exact number.
"""

from .checking import AnswerError, check, exercises
from .interact import interact
from .predicting import all_predictions, predictions
from .results import compare, experiment, stored, summarise
from .scale import scale, scaled

__all__ = [
    "AnswerError",
    "all_predictions",
    "check",
    "compare",
    "exercises",
    "experiment",
    "interact",
    "predictions",
    "scale",
    "scaled",
    "stored",
    "summarise",
]
