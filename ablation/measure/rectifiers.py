"""Where a network applies a ReLU other than by an `nn.ReLU` module, where no hook can reach it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .features import run
from .modes import evaluating


def rectifiers_without_module(module: nn.Module, images: Tensor) -> list[str]:
    """Return the names of the parts that rectify in another way than by an `nn.ReLU`, in the order of their calls.

    Found are calls of relu, relu6, threshold, hardtanh and clamp with a lower bound of 0. A product with a mask, as in
    `x * (x > 0)`, is not recognised.
    """
    names = {part: name for name, part in module.named_modules()}
    running: list[nn.Module] = []
    found: dict[str, None] = {}

    def enter(part: nn.Module, inputs: Any) -> None:
        running.append(part)

    def leave(part: nn.Module, inputs: Any, output: Any) -> None:
        running.pop()

    def report() -> None:
        part = running[-1] if running else module
        if not isinstance(part, nn.ReLU):
            found[names[part] or type(part).__name__] = None

    handles = []
    for part in names:
        handles += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave, always_call=True)]
    try:
        with evaluating(module), torch.no_grad(), _Watch(report):
            run(module, images)
    finally:
        for handle in handles:
            handle.remove()
    return list(found)


class _Watch(TorchFunctionMode):
    """Report every call of a function that rectifies."""

    def __init__(self, report: Callable[[], None]) -> None:
        super().__init__()
        self._report = report

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        lower = args[1] if len(args) > 1 else kwargs.get("min", kwargs.get("min_val", kwargs.get("threshold")))
        if name in ("relu", "relu6") or (
            name in ("clamp", "clamp_min", "clip", "hardtanh", "threshold")
            and isinstance(lower, int | float)
            and lower == 0
        ):
            self._report()
        return func(*args, **kwargs)
