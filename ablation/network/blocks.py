"""The parts of the network: stem, residual block, downsampling between stages, head.

Each part implements the fields of its description exactly (see `Architecture`). ResNet's bottleneck and ConvNeXt's block
differ in the order of the three convolutions, their widths, and the number of norms and activations between them.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from timm.layers import DropPath, LayerScale2d
from timm.models import checkpoint_seq
from torch import Tensor, nn

from ..design.architecture import Architecture
from .depthwise import DepthwiseConv2d
from .inplace import InplaceSequential, activate, can_overwrite
from .layers import activation, norm
from .pointwise import PointwiseConv2d


def make_stem(a: Architecture, in_chans: int) -> nn.Sequential:
    """Return the stem: (N, in_chans, H, W) -> (N, w, H / stem_stride, W / stem_stride)."""
    stem: OrderedDict[str, nn.Module] = OrderedDict()
    s, w = a.stem_stride, a.width
    if a.stem == "patchify":
        stem["conv"] = nn.Conv2d(in_chans, w, kernel_size=s, stride=s)
        if a.has_downsampling_layers:
            stem["norm"] = norm(a.norm, w)
        return nn.Sequential(stem)
    k = 3 if s == 1 else 7
    stem["conv"] = nn.Conv2d(in_chans, w, kernel_size=k, stride=min(s, 2), padding=k // 2, bias=False)
    stem["norm"] = norm(a.norm, w)
    stem["act"] = activation(a.activation, w)
    if s == 4:
        stem["pool"] = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    return InplaceSequential(stem)


def make_downsample(a: Architecture, in_chs: int, out_chs: int) -> nn.Sequential:
    """Return the downsampling layers between two stages: (N, in_chs, H, W) -> (N, out_chs, H / 2, W / 2)."""
    if a.downsampling == "pool":
        layers = OrderedDict(pool=nn.AvgPool2d(2), conv=PointwiseConv2d(in_chs, out_chs))
    else:
        layers = OrderedDict(conv=nn.Conv2d(in_chs, out_chs, kernel_size=2, stride=2))
    return nn.Sequential(OrderedDict(norm=norm(a.norm, in_chs), **layers))


class Block(nn.Module):
    """Residual block: (N, in_chs, H, W) -> (N, out_chs, H / stride, W / stride).

    The branch has three convolutions, conv1 to conv3: 1x1, kxk, 1x1, or kxk, 1x1, 1x1 if the spatial convolution comes
    first. Norm i and activation i follow convolution i, where the description includes them.
    """

    def __init__(
        self, a: Architecture, in_chs: int, width: int, out_chs: int, stride: int = 1, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        middle = a.expansion * width if a.block == "inverted" else width
        k = a.kernel_size

        def pointwise(cin: int, cout: int) -> nn.Conv2d:
            return PointwiseConv2d(cin, cout, bias=a.has_bias)

        def spatial(chs: int) -> nn.Conv2d:
            if a.depthwise:
                return DepthwiseConv2d(chs, k, stride, bias=a.has_bias)
            return nn.Conv2d(chs, chs, k, stride, padding=k // 2, bias=a.has_bias)

        if a.spatial_first:
            convs = [spatial(in_chs), pointwise(in_chs, middle), pointwise(middle, out_chs)]
        else:
            convs = [pointwise(in_chs, middle), spatial(middle), pointwise(middle, out_chs)]
        spatial_index = 1 if a.spatial_first else 2

        branch: OrderedDict[str, nn.Module] = OrderedDict()
        for i, conv in enumerate(convs, start=1):
            branch[f"conv{i}"] = conv
            if a.norms == "every" or i == spatial_index:
                branch[f"norm{i}"] = norm(a.norm, conv.out_channels)
            if i == 2 or (i == 1 and a.activations == "every"):
                branch[f"act{i}"] = activation(a.activation, conv.out_channels)
        if a.layer_scale is not None:
            branch["scale"] = LayerScale2d(out_chs, a.layer_scale)
        self.branch = InplaceSequential(branch)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if in_chs != out_chs:
            conv1x1 = PointwiseConv2d(in_chs, out_chs, stride, bias=False)
            self.shortcut = nn.Sequential(OrderedDict(conv=conv1x1, norm=norm(a.norm, out_chs)))
        self.act = activation(a.activation, out_chs) if a.activations == "every" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        branch, shortcut = self.drop_path(self.branch(x)), self.shortcut(x)
        last = self.branch[-1]
        is_unused = isinstance(last, nn.BatchNorm2d) and branch.dtype == shortcut.dtype  # after the addition
        if is_unused and can_overwrite(branch, last, self.branch, self.drop_path):
            return activate(self.act, branch.add_(shortcut))
        if type(last) is LayerScale2d and type(shortcut) is Tensor and branch.dtype == shortcut.dtype:
            # Where it is part of a product, the branch has autocast's precision, but the sum keeps that of layer scale.
            shortcut = shortcut.to(torch.promote_types(shortcut.dtype, last.gamma.dtype))
        return activate(self.act, branch + shortcut)


class Stage(nn.Sequential):
    """Stage of the network: its downsampling layers, if it has any, and its blocks.

    With `grad_checkpointing`, training keeps the input of each block only and computes the rest again in the backward pass.
    """

    grad_checkpointing = False

    def __init__(self, a: Architecture, index: int, drop_path: list[float]) -> None:
        stage: OrderedDict[str, nn.Module] = OrderedDict()
        width, in_chs, out_chs = a.widths[index], a.in_channels[index], a.out_channels[index]
        stride = 2 if index > 0 and not a.has_downsampling_layers else 1
        if index > 0 and a.has_downsampling_layers:
            stage["downsample"] = make_downsample(a, a.out_channels[index - 1], in_chs)
        blocks = [Block(a, in_chs, width, out_chs, stride, drop_path[0])]
        blocks += [Block(a, out_chs, width, out_chs, 1, rate) for rate in drop_path[1:]]
        stage["blocks"] = nn.Sequential(*blocks)
        super().__init__(stage)

    def forward(self, x: Tensor) -> Tensor:
        if not self.grad_checkpointing or not torch.is_grad_enabled() or torch.jit.is_scripting():
            return super().forward(x)
        for name, part in self.named_children():
            x = checkpoint_seq(part, x) if name == "blocks" else part(x)
        return x


class Head(nn.Module):
    """Head of the network, from the last feature map to the logits: (N, C, H, W) -> (N, num_classes)."""

    def __init__(self, a: Architecture, num_classes: int) -> None:
        super().__init__()
        self.num_features = a.out_channels[-1]
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.norm = norm(a.norm, self.num_features) if a.has_downsampling_layers else nn.Identity()
        self.flatten = nn.Flatten(1)
        self.fc = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        x = self.flatten(self.norm(self.global_pool(x)))  # (N, C)
        return x if pre_logits else self.fc(x)
