"""Run a network with every path open: rectifiers become the identity, and maxima become sums of the same inputs.

The pixels that can influence a position are then those with a nonzero gradient for a single draw of weights. A network
may also gate values by comparisons, as in `x * (x > 0)`. Those stay as they are, because a mask can also cut a path for
all weights, and are reported, so that several draws can be combined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

# Element-wise functions whose slope is zero somewhere; with a trailing underscore where they work in place.
_RECTIFIERS = {
    "relu",
    "relu6",
    "hardtanh",
    "leaky_relu",
    "rrelu",
    "hardswish",
    "hardsigmoid",
    "threshold",
    "clamp",
    "clamp_min",
    "clamp_max",
    "clip",
    "hardshrink",
    "softshrink",
}
_EXTREMES = {"amax": "mean", "amin": "mean", "maximum": "add", "minimum": "add", "fmax": "add", "fmin": "add"}
_GATES = {"gt", "ge", "lt", "le", "greater", "less", "where", "sign", "heaviside", "topk", "sort", "median", "kthvalue"}


class OpenPaths(TorchFunctionMode):
    """A context in which rectifiers and maxima close no path.

    Attributes:
        gated: whether the network compared or selected values, which may still close a path for some weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gated = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        if name in _RECTIFIERS:
            return _sum_of_tensors(args, kwargs)
        if name in _EXTREMES:
            return _mean_over(*args, **kwargs) if _EXTREMES[name] == "mean" else args[0] + _other(args, kwargs)
        if name in ("max", "min"):
            return self._max_or_min(func, args, kwargs)
        if name in ("max_pool2d", "max_pool2d_with_indices"):
            return _mean_pool(func, *args, **kwargs)
        if name in ("adaptive_max_pool2d", "adaptive_max_pool2d_with_indices"):
            result = func(*args, **kwargs)
            mean = F.adaptive_avg_pool2d(args[0], args[1] if len(args) > 1 else kwargs["output_size"])
            return (mean, result[1]) if isinstance(result, tuple) else mean
        if name == "max_unpool2d":
            return _spread(func, *args, **kwargs)
        self.gated = self.gated or name in _GATES
        return func(*args, **kwargs)

    def _max_or_min(self, func: Any, args: Any, kwargs: Any) -> Any:
        second = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("other"))
        if isinstance(second, Tensor):
            return args[0] + second
        if second is None:
            return args[0].mean() if args[0].is_floating_point() else func(*args, **kwargs)
        if not args[0].is_floating_point():
            return func(*args, **kwargs)
        result = func(*args, **kwargs)  # (values, indices)
        keepdim = args[2] if len(args) > 2 else kwargs.get("keepdim", False)
        return type(result)((args[0].mean(second, keepdim=keepdim), result.indices))


def _sum_of_tensors(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Return the input of a rectifier, plus its bounds where these are tensors too."""
    tensors = [x for x in [*args, *kwargs.values()] if isinstance(x, Tensor)]
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


def _other(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[1] if len(args) > 1 else kwargs["other"]


def _mean_over(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    axes = dim if isinstance(dim, int) else (tuple(dim) or tuple(range(input.ndim)))
    return input.mean(axes, keepdim=keepdim)


def _mean_pool(
    func: Callable[..., Any],
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the mean of each window of a max-pool, with the indices of its maxima if the pool returns them."""
    if dilation in (1, (1, 1), [1, 1]) and not return_indices and not func.__name__.endswith("indices"):
        return F.avg_pool2d(input, kernel_size, stride, padding, ceil_mode)
    result = func(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    shape = (result[0] if isinstance(result, tuple) else result).shape
    window, step = pair(kernel_size), pair(stride or kernel_size)
    batch = input if input.ndim == 4 else input[None]
    ones = torch.ones(batch.shape[1], 1, *window, dtype=input.dtype, device=input.device)
    longer = F.pad(batch, (0, step[1], 0, step[0]))  # zeros for windows that `ceil_mode` lets leave the input
    pooled = F.conv2d(longer, ones, None, step, padding, dilation, batch.shape[1])[..., : shape[-2], : shape[-1]]
    mean = (pooled / ones[0].numel()).reshape(shape)
    return (mean, result[1]) if isinstance(result, tuple) else mean


def _spread(
    func: Callable[..., Any],
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Return an unpooling that puts each value at every position of its window: the maximum may have been at any."""
    shape = func(input, indices, kernel_size, stride, padding, output_size).shape
    batch = input if input.ndim == 4 else input[None]
    ones = torch.ones(batch.shape[1], 1, *pair(kernel_size), dtype=input.dtype, device=input.device)
    step = pair(stride or kernel_size)
    spread = F.conv_transpose2d(batch, ones, None, step, padding, 0, batch.shape[1])
    rows, columns = (max(0, wanted - had) for wanted, had in zip(shape[-2:], spread.shape[-2:], strict=True))
    return F.pad(spread, (0, columns, 0, rows))[..., : shape[-2], : shape[-1]].reshape(shape)


def pair(value: Any) -> tuple[int, int]:
    """Return the rows and columns of an option that torch takes as one number or two."""
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
