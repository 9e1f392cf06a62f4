"""Say which typical mistake a wrong tensor comes from, and keep an answer from calling what it has to write itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from .checking import AnswerError, require_close


def require_right(given: Any, expected: Tensor, mistakes: Mapping[str, Callable[[], Tensor]], what: str) -> None:
    """Raise `AnswerError` unless a tensor is right; if it is the result of a typical mistake, the message describes it.

    Args:
        given: the reader's tensor.
        expected: the right one.
        mistakes: description of each mistake -> a function that makes it, which is called only if the tensor is wrong.
        what: what the tensor is, at the beginning of the message.
    """
    try:
        require_close(given, expected, what)
    except AnswerError:
        for description, make in mistakes.items():
            if _are_close(given, make()):
                raise AnswerError(f"{what} is wrong: {description}") from None
        raise


def _are_close(given: Any, other: Tensor) -> bool:
    try:
        require_close(given, other)
    except AnswerError:
        return False
    return True


class Without(TorchFunctionMode):
    """Context in which a function of torch whose name contains a word raises `AnswerError`.

    >>> import torch
    >>> with Without("conv"):
    ...     _ = torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))
    Traceback (most recent call last):
    ablation.course.checking.AnswerError: it calls torch's conv2d, which it has to do without
    """

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if self.word in name:
            raise AnswerError(f"it calls torch's {name}, which it has to do without")
        return func(*args, **(kwargs or {}))
