"""Full feature maps that a training step of a ConvNeXt block reads and writes on a GPU, beside timm's block.

Element-wise operators, norms and casts are bound by memory there. They are counted on a CPU, with the casts of a GPU's autocast.
"""

from typing import Any

import pytest
import torch
from timm.models.convnext import ConvNeXtBlock
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ablation import convnext
from ablation.network import accelerator
from ablation.network.blocks import Block

C, SIDE, BATCH = 16, 8, 4
MAP = BATCH * C * SIDE * SIDE
PRODUCTS = ("convolution", "convolution_backward", "mm", "addmm")


class GpuAutocast(TorchFunctionMode):
    """Layer normalisation in float32, unless autocast is off, as autocast does on a GPU but not on a CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.layer_norm and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return F.layer_norm(args[0].float(), *args[1:], **(kwargs or {}))
        return func(*args, **(kwargs or {}))


class Traffic(TorchDispatchMode):
    """Adds up the maps and bytes that operators other than products read and write, in maps of C channels."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = self.bytes = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        if not func.is_view and name not in (*PRODUCTS, "_unsafe_view", "detach"):
            for leaf in tree_leaves((args, kwargs, output)):
                if isinstance(leaf, Tensor) and leaf.numel() >= MAP:
                    self.maps += leaf.numel() / MAP
                    self.bytes += leaf.numel() * leaf.element_size() / MAP
        return output


def traffic(block: nn.Module, dtype: torch.dtype, bf16: bool) -> tuple[float, float]:
    block = block.train().to(memory_format=torch.channels_last)
    x = torch.randn(BATCH, C, SIDE, SIDE, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
    counted = Traffic()
    with counted, GpuAutocast(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        output = block(x)
    upstream = torch.randn_like(output)
    with counted:
        output.backward(upstream)
    return counted.maps, counted.bytes


@pytest.mark.parametrize(
    ("layer_scale", "dtype", "bf16", "maps", "bytes_each"),
    [  # of timm's block: 58 maps with 164 bytes, 56 with 150, 44 with 176, 44 with 106, 36 with 144 (timm 1.0.31)
        (1e-6, torch.float32, True, 42, 100),
        (1e-6, torch.bfloat16, True, 42, 94),
        (1e-6, torch.float32, False, 36, 144),
        (None, torch.bfloat16, True, 36, 72),
        (None, torch.float32, False, 36, 144),
    ],
)
def test_a_block_passes_over_no_more_maps_than_timms(monkeypatch, layer_scale, dtype, bf16, maps, bytes_each):
    monkeypatch.setattr(accelerator, "on_accelerator", lambda x: True)
    monkeypatch.setattr(accelerator, "_same_tf32", lambda: True)
    block = Block(convnext("tiny").replace(layer_scale=layer_scale), C, C, C)
    assert traffic(block, dtype, bf16) == (maps, bytes_each)
    theirs = traffic(ConvNeXtBlock(C, ls_init_value=layer_scale), dtype, bf16)
    assert maps <= theirs[0] and bytes_each <= theirs[1]
