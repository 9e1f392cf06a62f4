"""Parameters and multiply-accumulates of any module, measured with fvcore as the paper counts them.

MACs here are those of convolutions, linear layers and attention products, which is what the ConvNeXt paper prints as
"FLOPs". fvcore's own total adds norms and pooling, so its rules are taken one by one. Element-wise operators are left
out and listed; an operator that looks like a product and has no rule here is an error, never a silent zero.

fvcore: Facebook Research, https://github.com/facebookresearch/fvcore, `fvcore.nn.jit_analysis` and `jit_handles`.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn

from ..errors import AblationError
from .modes import device_and_dtype, evaluating

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
        by_operator: operator -> MACs, such as {"conv": ..., "linear": ...}.
        by_module: name of module -> MACs within it; "" is the whole.
        uncounted: operator -> how often it was met and left out (element-wise operators, norms, pooling).
    """

    params: int
    macs: int
    by_operator: dict[str, int]
    by_module: dict[str, int]
    uncounted: dict[str, int]


def count(module: nn.Module, size: int = 224, in_chans: int = 3) -> Count:
    """Count parameters and MACs of any module by running one image through it.

    Args:
        module: takes (1, in_chans, size, size). Its modes, device and gradients are as before afterwards.
        size: side of the square image in pixels.
        in_chans: channels of the image.

    Returns:
        Whole numbers for one image, in all, by operator and by module.

    Raises:
        AblationError: if the module cannot be run on such an image, or an operator that multiplies and accumulates has
            no rule here, so that the count would be wrong.

    >>> count(nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False), size=10).macs
    21600
    """
    device, dtype = device_and_dtype(module)
    image = torch.zeros(1, in_chans, size, size, device=device, dtype=dtype)
    analysis = JitModelAnalysis(module, image).set_op_handle(**_RULES)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    try:
        with evaluating(module), torch.no_grad():
            by_operator = {name: int(macs) for name, macs in analysis.by_operator().items()}
            by_module = {name: int(macs) for name, macs in analysis.by_module().items()}
            uncounted = dict(analysis.unsupported_ops())
    except Exception as error:  # whatever the module itself raises
        raise AblationError(
            f"{type(module).__name__} could not be run on an image of {in_chans} x {size} x {size}: "
            f"{(str(error).splitlines() or [type(error).__name__])[0]}"
        ) from error
    missed = sorted(name for name in uncounted if _PRODUCT.search(name))
    if missed:
        raise AblationError(
            f"no rule to count {', '.join(missed)} in {type(module).__name__}, so its MACs would be too low. "
            "Write the layer with torch's convolutions, linear layers or scaled_dot_product_attention"
        )
    return Count(
        params=sum(parameter.numel() for parameter in module.parameters()),
        macs=sum(by_operator.values()),
        by_operator=by_operator,
        by_module=by_module,
        uncounted=uncounted,
    )


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


_RULES = {
    "aten::_convolution": conv_flop_jit,
    "aten::linear": linear_flop_jit,
    "aten::addmm": addmm_flop_jit,
    "aten::mm": _matmul_macs,
    "aten::bmm": _matmul_macs,
    "aten::mv": _matmul_macs,
    "aten::matmul": _matmul_macs,
    "aten::einsum": einsum_flop_jit,
    "aten::scaled_dot_product_attention": _attention_macs,
}
