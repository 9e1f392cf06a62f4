"""ConvNeXt's layers as a GPU computes them fastest; on a CPU nothing here is used.

Three costs are avoided. cuDNN adds the bias of a convolution in another pass over the whole map. A 1x1 convolution on
channels-last memory is a matrix product, which adds the bias on the way, so one with a bias is computed as a product, as in
timm's ConvNeXt; one without a bias is left to cuDNN. Autocast computes layer normalisation in float32, so that a map in bf16 is
cast before and after. Here the map keeps its precision, with float32 statistics inside the kernel, as in timm's `fast_norm`.
Layer scale passes over the map once in the forward and three times in the backward pass. Multiplied into the weights of the
convolution before it, it passes over these instead, which are fewer.

A product is used where nothing observes the layer, and only at the precision that the convolution would have. A trace records
one convolution. `torch.compile` gets the products, since its result is run and not read.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from timm.layers import LayerScale2d
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from .pointwise import PointwiseConv2d, as_matrix, product
from .tracing import is_recorded

_REDUCED = (torch.bfloat16, torch.float16)


def on_accelerator(x: Tensor) -> bool:
    """Return whether x lies on a GPU. Not on MPS, where none of this has been measured."""
    return x.device.type == "cuda"


def is_product(module: nn.Module, x: Any) -> TypeGuard[nn.Conv2d]:
    """Return whether to compute a layer as a product: a biased 1x1 convolution, unobserved, on channels-last memory."""
    if type(module) not in (nn.Conv2d, PointwiseConv2d) or type(x) is not Tensor:  # a tracer passes another type
        return False
    if not on_accelerator(x):
        return False
    is_pointwise = module.kernel_size == module.stride == (1, 1) and module.padding == (0, 0) and module.groups == 1
    if not is_pointwise or module.bias is None or x.ndim != 4 or is_recorded() or _is_observed(module):
        return False
    # Not is_contiguous(memory_format=torch.channels_last), which vmap does not have.
    return x.permute(0, 2, 3, 1).is_contiguous() and _is_as_precise(x)


def can_fold(scale: nn.Module | None, conv: nn.Conv2d, x: Tensor) -> TypeGuard[LayerScale2d]:
    """Return whether to multiply layer scale into the weights before it: unobserved, and fewer numbers than the map has.

    Not in float16, in which a weight times an initial scale of 1e-6 is 0.
    """
    if type(scale) is not LayerScale2d or scale.inplace or _is_observed(scale):
        return False
    return x[:, 0].numel() >= conv.in_channels and _computed_in(x) != torch.float16


def multiply(conv: nn.Conv2d, x: Tensor, scale: LayerScale2d | None) -> Tensor:
    """Return the 1x1 convolution of x, times layer scale if it is given, as a product: (N, C, H, W) -> (N, out_chs, H, W)."""
    weight, bias = as_matrix(conv.weight), conv.bias
    if scale is not None and bias is not None:
        weight, bias = weight * scale.gamma[:, None], bias * scale.gamma
    return product(x, weight, bias)


def keeps_precision(x: Any) -> bool:
    """Return whether to normalise x in its own precision, where autocast would cast it to float32."""
    if type(x) is not Tensor or not on_accelerator(x) or x.dtype not in _REDUCED or is_recorded():
        return False
    return torch.is_autocast_enabled(x.device.type)


def _is_observed(module: nn.Module) -> bool:
    """Return whether anything but the module's own forward method may see or replace its input, output or weights."""
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    return bool(hooks) or "forward" in module.__dict__ or _has_any_global_hook()


def _computed_in(x: Tensor) -> torch.dtype:
    """Return the precision in which a convolution of x is computed."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def _is_as_precise(x: Tensor) -> bool:
    """Return whether products and convolutions of x are equally precise: in float32, both may or may not use TF32.

    By default convolutions use it and products do not: faster than a product in full float32.
    """
    return _computed_in(x) != torch.float32 or _same_tf32()


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]  # the compiler cannot read the settings
def _same_tf32() -> bool:
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    first, second = (backend.fp32_precision == "tf32" for backend in backends)  # `allow_tf32` can raise an error
    return bool(first == second)
