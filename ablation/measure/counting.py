"""Parameters and multiply-accumulates (MACs) of any module, counted with fvcore as the ConvNeXt paper counts them.

The MACs are those of convolutions, linear layers and attention products, which the ConvNeXt paper reports as "FLOPs".
fvcore's own total includes norms and pooling, so only selected fvcore rules are used. Element-wise operators are
excluded and listed. An operator that looks like a product and has no rule here is an error, never silently zero. The
count is compared with torch's own counter: if that counter finds products that the trace missed, this is an error too.

fvcore: Facebook Research, https://github.com/facebookresearch/fvcore, `fvcore.nn.jit_analysis` and `jit_handles`.
Torch's counter: `torch.utils.flop_counter`, which reports two FLOPs per multiply-accumulate.
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
    # On import, fvcore compiles a loss (unused here) with torch.jit.script, which torch has since deprecated.
    warnings.filterwarnings("ignore", message=".*torch.jit.script")
    from fvcore.nn.jit_analysis import JitModelAnalysis
    from fvcore.nn.jit_handles import (
        addmm_flop_jit,
        conv_flop_jit,
        einsum_flop_jit,
        linear_flop_jit,
    )

# Names of operators that multiply and accumulate, or that are opaque. Without a rule for them the count would be wrong.
_PRODUCT = re.compile(
    r"^(?!aten::|prim::)|^prim::PythonOp|conv|mm|matmul|mv|einsum|attention|attn|transformer|lstm|gru|rnn|dot|cdist|fft|"
    r"^aten::_?(bi)?linear"
)


@dataclass(frozen=True)
class Count:
    """Counts of a module for one image, as integers.

    Args:
        params: learnt parameters.
        macs: multiply-accumulates of convolutions, linear layers and attention products.
        activations: output elements of convolutions and linear layers.
        by_operator: operator -> MACs, such as {"conv": ..., "linear": ...}.
        by_module: module name -> MACs within it; "" is the whole module.
        uncounted: operator -> number of calls excluded from the count (element-wise operators, norms, pooling).
        torch_by_operator: the same MACs according to torch's own counter, under its operator names.
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
        """Floating-point operations, two per MAC: a product and a sum. The paper uses "FLOPs" for MACs."""
        return 2 * self.macs

    @property
    def gmacs(self) -> float:
        """MACs in billions (1e9), the paper's GFLOPs."""
        return self.macs / 1e9

    @property
    def gflops(self) -> float:
        """Floating-point operations in billions (1e9): twice the paper's GFLOPs."""
        return self.flops / 1e9

    def cross_check(self) -> tuple[Comparison, ...]:
        """Return the MACs of both counters per family of operators, with the reason if they differ."""
        rows = []
        for family, (fvcore_names, torch_names) in _FAMILIES.items():
            ours = sum(self.by_operator.get(name, 0) for name in fvcore_names)
            theirs = sum(macs for name, macs in self.torch_by_operator.items() if name in torch_names)
            if ours or theirs:
                rows.append(Comparison(family, ours, theirs, "" if ours == theirs else _REASONS[ours > theirs]))
        return tuple(rows)


@dataclass(frozen=True)
class Comparison:
    """MACs of one family of operators according to both counters.

    Args:
        operators: "convolutions" or "matrix products"; the latter are linear layers and attention.
        fvcore, torch: MACs according to each counter.
        reason: why they differ; empty if they agree.
    """

    operators: str
    fvcore: int
    torch: int
    reason: str


def count(module: nn.Module, size: int = 224, in_chans: int = 3) -> Count:
    """Count the parameters and MACs of any module by running it on one image, once traced and once untraced.

    Args:
        module: takes (1, in_chans, size, size). Its modes, device and gradients are left unchanged.
        size: side of the square image in pixels.
        in_chans: channels of the image.

    Returns:
        Counts for one image: in total, by operator and by module.

    Raises:
        AblationError: if the module cannot be run on such an image; if it is compiled or torch.inference_mode is on,
            both of which hide operators; if an operator that multiplies and accumulates has no rule here or the trace
            missed one, so that the count would be too low; or if nothing was counted.

    >>> count(nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False), size=10).macs
    21600
    """
    refuse_inference_mode("counting runs each operator separately")
    _refuse_compiled(module)
    device, dtype = device_and_dtype(module)
    image = torch.zeros(1, in_chans, size, size, device=device, dtype=dtype)
    name = type(module).__name__
    tally = _Tally()
    with evaluating(module), torch.no_grad():
        torch_by_operator = _torch_macs(module, image)
        analysis = JitModelAnalysis(module, image).set_op_handle(**tally.rules)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
        try:
            by_operator = {operator: int(macs) for operator, macs in analysis.by_operator().items()}
            by_module = {part: int(macs) for part, macs in analysis.by_module().items()}
            uncounted = dict(analysis.unsupported_ops() + tally.unlisted)
        except Exception as error:  # the tracer may raise anything
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise AblationError(f"{name} runs but could not be traced: {reason}") from error
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
        torch_by_operator=torch_by_operator,
    )
    for row in counted.cross_check():
        if row.torch > row.fvcore:
            raise AblationError(
                f"the trace of {name} missed {row.torch - row.fvcore:,} of {row.torch:,} MACs in {row.operators} that "
                "torch's own counter found, so the count would be too low: a scripted or traced part may hide them. Count "
                "the module that it was made from"
            )
    if not counted.macs:
        raise AblationError(
            f"no convolution, linear layer or attention product was found in {name}: there is nothing to count. "
            f"Operators found: {', '.join(sorted(uncounted)) or 'none'}"
        )
    return counted


def _refuse_compiled(module: nn.Module) -> None:
    """Refuse compiled and scripted parts, which run as a single operator whose content cannot be counted."""
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
    """Return MACs by operator according to torch's own counter."""
    with FlopCounterMode(display=False) as counter:
        run(module, image)
    table = counter.get_flop_counts().get("Global", {})
    return {str(operator).removeprefix("aten."): flops // 2 for operator, flops in table.items()}


# Families of operators in which the two counters can be compared: fvcore's names, and torch's.
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
# Whether fvcore counted more than torch -> why.
_REASONS = {
    True: "torch's counter has no rule for an operator that ran: a matrix times a vector, an einsum over single elements, "
    "or this attention kernel",
    False: "the trace missed an operator that ran",
}


class _Tally:
    """Counting rules for fvcore, and a running count of the output elements of convolutions and linear layers."""

    def __init__(self) -> None:
        self.activations = 0
        self.unlisted: Counter[str] = Counter()
        layers = {
            "aten::_convolution": conv_flop_jit,
            "aten::linear": linear_flop_jit,
            "aten::addmm": addmm_flop_jit,
        }
        self.rules = {
            **{operator: self._with_outputs(rule) for operator, rule in layers.items()},
            **{operator: self._recorded(operator) for operator in _UNLISTED},
            **_PRODUCTS,
        }

    def _with_outputs(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        def counted(inputs: list[Any], outputs: list[Any]) -> Any:
            self.activations += prod(outputs[0].type().sizes())
            return rule(inputs, outputs)

        return counted

    def _recorded(self, operator: str) -> Callable[..., Counter[str]]:
        def recorded(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
            self.unlisted[operator] += 1
            return Counter()

        return recorded


def _attention_macs(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Return the MACs of query times key and of weights times value: (..., L, E), (..., S, E), (..., S, V)."""
    query, key, value = (tensor.type().sizes() for tensor in inputs[:3])
    *batch, length, width = query
    macs = prod(batch) * length * key[-2] * (width + value[-1])
    return Counter({"attention": macs})


def _matmul_macs(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Return the MACs of a product of matrices, stacks of matrices or vectors.

    Each output element is a sum over the last dimension of the first factor.
    """
    macs = prod(outputs[0].type().sizes()) * inputs[0].type().sizes()[-1]
    return Counter({"matmul": macs})


# Element-wise operators that fvcore excludes without listing them.
_UNLISTED = ("aten::relu", "aten::relu_", "aten::clamp", "aten::clamp_", "aten::max")

_PRODUCTS = {
    "aten::mm": _matmul_macs,
    "aten::bmm": _matmul_macs,
    "aten::mv": _matmul_macs,
    "aten::matmul": _matmul_macs,
    "aten::einsum": einsum_flop_jit,
    "aten::scaled_dot_product_attention": _attention_macs,
}
