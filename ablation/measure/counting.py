"""Parameters and multiply-accumulates of any module, measured with fvcore as the paper counts them.

MACs here are those of convolutions, linear layers and attention products, which is what the ConvNeXt paper prints as
"FLOPs". fvcore's own total adds norms and pooling, so its rules are taken one by one. Element-wise operators are left
out and listed; an operator that looks like a product and has no rule here is an error, never a silent zero. Torch's own
counter runs beside it: where that saw products which the trace did not, the count is an error too.

fvcore: Facebook Research, https://github.com/facebookresearch/fvcore, `fvcore.nn.jit_analysis` and `jit_handles`.
Torch's counter: `torch.utils.flop_counter`, which prints two FLOPs a multiply-accumulate.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..errors import AblationError
from .features import run
from .modes import device_and_dtype, evaluating, refuse_inference_mode

with warnings.catch_warnings():
    # On import fvcore compiles a loss that nobody here uses, with a function that torch has since deprecated.
    warnings.filterwarnings("ignore", message=".*torch.jit.script")
    from fvcore.nn.jit_analysis import JitModelAnalysis
    from fvcore.nn.jit_handles import (
        addmm_flop_jit,
        conv_flop_jit,
        einsum_flop_jit,
        linear_flop_jit,
    )

# Names of operators that multiply and accumulate, or that hide what they do: without a rule, the count would be wrong.
_PRODUCT = re.compile(
    r"^(?!aten::|prim::)|^prim::PythonOp|conv|mm|matmul|mv|einsum|attention|attn|transformer|lstm|gru|rnn|dot|cdist|fft|"
    r"^aten::_?(bi)?linear"
)


@dataclass(frozen=True)
class Count:
    """What was counted on a built module, for one image. Whole numbers.

    Args:
        params: learnt parameters.
        macs: multiply-accumulates of convolutions, linear layers and attention products.
        activations: elements put out by convolutions and linear layers.
        by_operator: operator -> MACs, such as {"conv": ..., "linear": ...}.
        by_module: name of module -> MACs within it; "" is the whole.
        uncounted: operator -> how often it was met and left out (element-wise operators, norms, pooling).
        torch_by_operator: the same MACs as torch's own counter has them, under its names of operators.
    """

    params: int
    macs: int
    activations: int
    by_operator: dict[str, int]
    by_module: dict[str, int]
    uncounted: dict[str, int]
    torch_by_operator: dict[str, int]

    @property
    def flops(self) -> int:
        """Floating-point operations, two for each MAC: a product and a sum. What the paper calls FLOPs are MACs."""
        return 2 * self.macs

    @property
    def gmacs(self) -> float:
        """Thousand millions of MACs, the paper's GFLOPs."""
        return self.macs / 1e9

    @property
    def gflops(self) -> float:
        """Thousand millions of floating-point operations: twice the paper's GFLOPs."""
        return self.flops / 1e9

    def cross_check(self) -> tuple[Comparison, ...]:
        """Both counters side by side, for each family of operators, with the reason where they differ."""
        rows = []
        for family, (ours, theirs) in _FAMILIES.items():
            mine = sum(self.by_operator.get(name, 0) for name in ours)
            other = sum(macs for name, macs in self.torch_by_operator.items() if name in theirs)
            if mine or other:
                rows.append(Comparison(family, mine, other, "" if mine == other else _REASONS[mine > other]))
        return tuple(rows)


@dataclass(frozen=True)
class Comparison:
    """One family of operators in both counters.

    Args:
        operators: "convolutions" or "matrix products": linear layers and attention.
        fvcore, torch: MACs by each.
        reason: why they differ; empty where they agree.
    """

    operators: str
    fvcore: int
    torch: int
    reason: str


def count(module: nn.Module, size: int = 224, in_chans: int = 3) -> Count:
    """Count parameters and MACs of any module by running one image through it, once traced and once as it is.

    Args:
        module: takes (1, in_chans, size, size). Its modes, device and gradients are as before afterwards.
        size: side of the square image in pixels.
        in_chans: channels of the image.

    Returns:
        Whole numbers for one image, in all, by operator and by module.

    Raises:
        AblationError: if the module cannot be run on such an image; if it is compiled, or torch.inference_mode is on, both of
            which hide operators; if an operator that multiplies and accumulates has no rule here, or the trace missed one, so
            that the count would be too low; if nothing was counted at all.

    >>> count(nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False), size=10).macs
    21600
    """
    refuse_inference_mode("counting runs each operator by itself")
    _refuse_compiled(module)
    device, dtype = device_and_dtype(module)
    image = torch.zeros(1, in_chans, size, size, device=device, dtype=dtype)
    name = type(module).__name__
    tally = _Tally()
    with evaluating(module), torch.no_grad():
        seen = _torch_macs(module, image)
        analysis = JitModelAnalysis(module, image).set_op_handle(**tally.rules)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        try:
            by_operator = {operator: int(macs) for operator, macs in analysis.by_operator().items()}
            by_module = {part: int(macs) for part, macs in analysis.by_module().items()}
            uncounted = dict(analysis.unsupported_ops() + tally.silent)
        except Exception as error:  # whatever the tracer says
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise AblationError(f"{name} runs but could not be traced: {said}") from error
    missed = sorted(operator for operator in uncounted if _PRODUCT.search(operator))
    if missed:
        raise AblationError(
            f"no rule to count {', '.join(missed)} in {name}, so its MACs would be too low. "
            "Write the layer with torch's convolutions, linear layers or scaled_dot_product_attention"
        )
    counted = Count(
        params=sum(parameter.numel() for parameter in module.parameters()),
        macs=sum(by_operator.values()),
        activations=tally.activations,
        by_operator=by_operator,
        by_module=by_module,
        uncounted=uncounted,
        torch_by_operator=seen,
    )
    for row in counted.cross_check():
        if row.torch > row.fvcore:
            raise AblationError(
                f"the trace of {name} missed {row.torch - row.fvcore:,} of {row.torch:,} MACs in {row.operators} that torch's "
                "own counter saw, so the count would be too low: a scripted or traced part may hide them. Count the module "
                "that it was made from"
            )
    if not counted.macs:
        raise AblationError(
            f"no convolution, linear layer or attention product was met in {name}: there is nothing to count. "
            f"Operators met: {', '.join(sorted(uncounted)) or 'none'}"
        )
    return counted


def _refuse_compiled(module: nn.Module) -> None:
    """Compiled and scripted parts run as one operator, in which nothing can be counted."""
    for name, part in module.named_modules():
        where = f"its part {name!r}" if name else type(module).__name__
        if hasattr(part, "_orig_mod") or getattr(part, "_compiled_call_impl", None) is not None:
            raise AblationError(
                f"{where} is compiled, which hides its operators: count the module before torch.compile, or the one "
                "inside, module._orig_mod"
            )
        if isinstance(part, torch.jit.ScriptModule):
            raise AblationError(f"{where} is scripted, which hides its operators: count the module it was made from")


def _torch_macs(module: nn.Module, image: Tensor) -> dict[str, int]:
    """MACs by operator as torch's own counter has them."""
    with FlopCounterMode(display=False) as counter:
        run(module, image)
    table = counter.get_flop_counts().get("Global", {})
    return {str(operator).removeprefix("aten."): flops // 2 for operator, flops in table.items()}


# Families in which the two counters can be compared: our names, and torch's.
_FAMILIES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "convolutions": (
        frozenset({"conv"}),
        frozenset(
            {"convolution", "_convolution", "cudnn_convolution", "_slow_conv2d_forward", "convolution_overrideable"}
        ),
    ),
    "matrix products": (
        frozenset({"linear", "addmm", "matmul", "einsum", "attention"}),
        frozenset(
            {
                "mm",
                "addmm",
                "bmm",
                "baddbmm",
                "_scaled_dot_product_efficient_attention",
                "_scaled_dot_product_flash_attention",
                "_scaled_dot_product_flash_attention_for_cpu",
                "_scaled_dot_product_cudnn_attention",
                "_efficient_attention_forward",
                "_flash_attention_forward",
            }
        ),
    ),
}
_REASONS = {
    True: "torch's counter has no rule for what ran here: a matrix times a vector, an einsum over single elements, or this "
    "attention kernel",
    False: "the trace did not meet an operator that ran",
}


class _Tally:
    """The rules to count by, and the elements that convolutions and linear layers put out meanwhile."""

    def __init__(self) -> None:
        self.activations = 0
        self.silent: Counter[str] = Counter()
        layers = {
            "aten::_convolution": conv_flop_jit,
            "aten::linear": linear_flop_jit,
            "aten::addmm": addmm_flop_jit,
        }
        self.rules = {
            **{operator: self._with_outputs(rule) for operator, rule in layers.items()},
            **{operator: self._noted(operator) for operator in _SILENT},
            **_PRODUCTS,
        }

    def _with_outputs(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        def counted(inputs: list[Any], outputs: list[Any]) -> Any:
            self.activations += prod(outputs[0].type().sizes())
            return rule(inputs, outputs)

        return counted

    def _noted(self, operator: str) -> Callable[..., Counter[str]]:
        def noted(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
            self.silent[operator] += 1
            return Counter()

        return noted


def _attention_macs(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Query times key, and weights times value: (..., L, E), (..., S, E), (..., S, V)."""
    query, key, value = (tensor.type().sizes() for tensor in inputs[:3])
    *batch, length, width = query
    macs = prod(batch) * length * key[-2] * (width + value[-1])
    return Counter({"attention": macs})


def _matmul_macs(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Matrices, stacks of them or vectors: each element put out is a sum over the last dimension of the first factor."""
    macs = prod(outputs[0].type().sizes()) * inputs[0].type().sizes()[-1]
    return Counter({"matmul": macs})


# Element-wise operators that fvcore leaves out without listing them.
_SILENT = ("aten::relu", "aten::relu_", "aten::clamp", "aten::clamp_", "aten::max")

_PRODUCTS = {
    "aten::mm": _matmul_macs,
    "aten::bmm": _matmul_macs,
    "aten::mv": _matmul_macs,
    "aten::matmul": _matmul_macs,
    "aten::einsum": einsum_flop_jit,
    "aten::scaled_dot_product_attention": _attention_macs,
}
