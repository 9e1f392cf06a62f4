"""What runs when a module is called: torch functions, the kernels inside each, and layers.

Three views of one call, because counters look at different ones. A *layer* is a module, as hooks see it. A *call* is the
outermost torch function, such as `conv2d`, `layer_norm` or `einsum`. A *kernel* is an operator that torch dispatches,
such as `aten.addmm`; one call may run several kernels. Operators that only view a tensor are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import signature
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.module import register_module_forward_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.module_tracker import ModuleTracker

from .counting_rules import attention_macs, conv_macs

Shape = torch.Size

FUSED_ATTENTION = "_scaled_dot_product_"
_MATRIX_FACTOR = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "vdot": 0, "addmm": 1, "baddbmm": 1, "addmv": 1}
_CONVOLUTIONS = ("convolution", "_convolution", "cudnn_convolution", "convolution_overrideable", "_slow_conv2d_forward")
_LINEAR = ("linear", "addmm")
_ATTENTION = ("multi_head_attention_forward", "scaled_dot_product_attention")
# Functions in which a product of two tensors without a sum is an outer product or a contraction, not an element-wise one.
_CONTRACTIONS = ("einsum", "outer", "ger")


@dataclass(frozen=True)
class Kernel:
    """One operator that torch dispatched, with tensors replaced by their shapes.

    Args:
        name: name without overload, such as "addmm"; operators outside aten keep their namespace, such as
            "mylib::product".
        arguments: positional arguments.
        output: shape of the first output.
    """

    name: str
    arguments: tuple[Any, ...]
    output: Shape

    @property
    def is_convolution(self) -> bool:
        return self.name in _CONVOLUTIONS

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a convolution, matrix product or fused attention; 0 for all other kernels."""
        name = self.name.removesuffix("_")  # of operators that write to their first argument
        if self.is_convolution:
            x, weight, transposed = self.arguments[0], self.arguments[1], bool(self.arguments[6])
            return conv_macs(x, weight, self.output, transposed)
        if name in _MATRIX_FACTOR:
            return prod(self.output) * self.arguments[_MATRIX_FACTOR[name]][-1]
        if name == "addbmm":
            return prod(self.arguments[1]) * self.arguments[2][-1]
        if name == "addr":
            return prod(self.arguments[1]) * prod(self.arguments[2])
        if self.name.startswith(FUSED_ATTENTION):
            return attention_macs(self.arguments[0], self.arguments[1], self.output)
        return 0


@dataclass
class Call:
    """One call of a torch function, or one kernel that ran outside any.

    Args:
        name: name of the function without underscores at both ends, such as "matmul" for `__matmul__`.
        arguments: positional arguments, tensors replaced by their shapes.
        options: keyword arguments, likewise.
        modules: names of the modules it ran in, as torch's counter gives them; "Global" is one of them.
        is_function: whether it is a function; False for a kernel outside any, as in scripted code.
        kernels: what it ran.
    """

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    modules: frozenset[str]
    is_function: bool = True
    kernels: list[Kernel] = field(default_factory=list)

    def is_layer(self, kernel: Kernel) -> bool:
        """Whether one of its kernels is a convolution or a linear layer."""
        if self.name in _ATTENTION:
            return kernel.name in ("addmm", "mm")
        return kernel.is_convolution or self.name in _LINEAR

    def argument(self, position: int, name: str) -> Any:
        """Return an argument given by position or by name; None if it was not given."""
        return self.arguments[position] if position < len(self.arguments) else self.options.get(name)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all its kernels."""
        return sum(self.macs_of(kernel) for kernel in self.kernels)

    def macs_of(self, kernel: Kernel) -> int:
        """Return the MACs of one of its kernels, products without a sum included where the call is a contraction."""
        if self.name in _CONTRACTIONS and kernel.name == "mul":
            return prod(kernel.output)
        return kernel.macs


@dataclass(frozen=True)
class Layer:
    """One call of a module that outputs a tensor, or several of which the first is one.

    Args:
        module: the module.
        inputs: its positional inputs, tensors replaced by their shapes.
        output: shape of its first output.
    """

    module: Any
    inputs: tuple[Any, ...]
    output: Shape


class Recorder:
    """Context manager that lists the calls and layers that run in it, in order.

    Attributes:
        calls: torch functions that ran kernels, and kernels outside any.
        layers: calls of modules.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.layers: list[Layer] = []
        self.current: Call | None = None
        self.tracker = ModuleTracker()
        self._modes = (_Functions(self), _Kernels(self))

    def __enter__(self) -> Recorder:
        self.tracker.__enter__()
        self._hook = register_module_forward_hook(self._add_layer)
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)
        self._hook.remove()
        self.tracker.__exit__(*error)

    def new_call(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Call:
        return Call(name, _shapes(args), _shapes(options), frozenset(self.tracker.parents))

    def add(self, kernel: Kernel) -> None:
        call = self.current
        if call is None:
            call = self.new_call(kernel.name, kernel.arguments, {})
            call.is_function = False
        if not call.kernels:
            self.calls.append(call)
        call.kernels.append(kernel)

    def _add_layer(self, module: nn.Module, args: Any, output: Any) -> None:
        first = output[0] if isinstance(output, (tuple, list)) and output else output
        if isinstance(first, Tensor):
            self.layers.append(Layer(module, _shapes(tuple(args)), first.shape))


class _Functions(TorchFunctionMode):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if isinstance(func, torch._ops.OpOverload):  # a kernel of a scripted function, which the other mode passes on
            return func(*args, **kwargs)
        before = self.recorder.current
        self.recorder.current = self.recorder.new_call(_name(func, args, kwargs), args, kwargs)
        try:
            return func(*args, **kwargs)
        finally:
            self.recorder.current = before


class _Kernels(TorchDispatchMode):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        first = output[0] if isinstance(output, (tuple, list)) and output else output
        if isinstance(first, Tensor) and not func.is_view and func._schema.name != "aten::_unsafe_view":
            self.recorder.add(Kernel(func._schema.name.removeprefix("aten::"), _shapes(args), first.shape))
        return output


def _name(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the name of a torch function.

    Attention that does not return its weights is computed with scaled_dot_product_attention, whatever called it.
    """
    if func is F.multi_head_attention_forward:
        given = signature(func).bind(*args, **kwargs).arguments
        return "multi_head_attention_forward" if given.get("need_weights", True) else "scaled_dot_product_attention"
    return str(getattr(func, "__name__", func)).strip("_")


def _shapes(values: Any) -> Any:
    return tree_map(lambda value: value.shape if isinstance(value, Tensor) else value, values)
