"""From a description to a network of PyTorch modules, and how it is initialised.

Initialisation is one rule for every rung: convolutions and linear layers from a truncated normal of standard
deviation 0.02, biases 0, norms 1 and 0, layer scale at its value, no last norm of a branch zeroed. It is that of
ConvNeXt's published code (Liu et al. 2022), which truncates at -2 and 2: a hundred standard deviations, so that
nothing is cut in practice. The paper trained its first row from torchvision's initialisation (He et al. 2015), a
difference this suite does not reproduce.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..design.architecture import NUM_STAGES, Architecture
from ..design.cost import check_counts
from ..errors import AblationError
from .blocks import Head, Stage, make_stem

INIT_STD = 0.02


class ConvNet(nn.Module):
    """A four-stage convnet made from its description: (N, in_chans, H, W) -> (N, num_classes).

    Args:
        architecture: what to build.
        num_classes: outputs of the classifier; 0 for none: the network then puts out pooled features (N, C).
        in_chans: channels of the image.
        drop_path: stochastic depth (Huang et al. 2016, arXiv 1603.09382): rate of the last block, from 0 at the first
            rising linearly. It acts in training only.

    Attributes:
        stem, stages, head: the parts, in order; `stages` has four.
        architecture, num_classes, num_features: what it was made from, and channels before the classifier.
        feature_info: channels, reduction and module of each stage, as timm's feature extraction wants them.
        pretrained_cfg: "mean", "std" and "input_size" of the images that the weights were trained on, under timm's names; empty
            for new weights.
    """

    def __init__(
        self, architecture: Architecture, num_classes: int = 1000, in_chans: int = 3, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        check_counts(num_classes, in_chans)
        if not 0.0 <= drop_path < 1.0:
            raise AblationError(f"drop_path {drop_path!r} must be a rate from 0 to below 1")
        a = self.architecture = architecture
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.num_features = self.head_hidden_size = a.out_channels[-1]
        rates = torch.linspace(0, drop_path, sum(a.depths)).split(list(a.depths))
        self.stem = make_stem(a, in_chans)
        self.stages = nn.Sequential(*(Stage(a, i, rates[i].tolist()) for i in range(NUM_STAGES)))
        self.head = Head(a, num_classes)
        self.feature_info = [
            {"num_chs": chs, "reduction": reduction, "module": f"stages.{i}"}
            for i, (chs, reduction) in enumerate(zip(a.out_channels, a.reductions, strict=True))
        ]
        self.pretrained_cfg: dict[str, Any] = {}
        self.apply(_init)

    def forward_features(self, x: Tensor) -> Tensor:
        """The last stage's map: (N, in_chans, H, W) -> (N, C, H / reduction, W / reduction)."""
        if min(x.shape[-2:]) < self.architecture.min_size:
            self.architecture.sizes(int(min(x.shape[-2:])))  # raises, and says the smallest size that works
        return self.stages(self.stem(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pool, norm where the description has a last one, classify: (N, C, h, w) -> (N, num_classes).

        With `pre_logits` the pooled features, (N, C).
        """
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    @property
    def cam_layer(self) -> nn.Module:
        """The layer on which a class activation map belongs: the last block, whose output is the last map before pooling."""
        return self.get_submodule(f"stages.{NUM_STAGES - 1}.blocks.{self.architecture.depths[-1] - 1}")

    def get_classifier(self) -> nn.Module:
        """The last linear layer."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put in a new, freshly initialised classifier for that many classes; 0 takes it away. As timm's models do."""
        check_counts(num_classes, self.in_chans)
        if global_pool not in (None, "avg"):
            raise AblationError(
                f"global_pool {global_pool!r} is not possible: the head pools by the average. Possible: 'avg'"
            )
        old = next(self.stages.parameters())
        self.num_classes = num_classes
        self.head.fc = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.head.fc.to(device=old.device, dtype=old.dtype).apply(_init)


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=INIT_STD, a=-2.0, b=2.0)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def build(architecture: Architecture, num_classes: int = 1000, in_chans: int = 3, drop_path: float = 0.0) -> ConvNet:
    """Build the network that a description describes.

    Memory format, device and dtype are the caller's: `build(...).to(memory_format=torch.channels_last)`.

    Args:
        architecture: what to build.
        num_classes: outputs of the classifier; 0 for none.
        in_chans: channels of the image.
        drop_path: stochastic depth rate of the last block, rising linearly from 0 at the first.

    Returns:
        A `ConvNet`, initialised, in training mode as any new module.

    Raises:
        AblationError: if a number is not possible.

    >>> build(Architecture(width=8), num_classes=10)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 10])
    """
    return ConvNet(architecture, num_classes, in_chans, drop_path)
