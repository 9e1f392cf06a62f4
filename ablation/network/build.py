"""Building the PyTorch network of a description, and its initialisation.

All rungs are initialised in the same way. The weights of convolutions and linear layers are drawn from a truncated normal
distribution with standard deviation 0.02. Biases are 0. The scale of a norm is 1 and its shift 0; the last norm of a
branch is no exception. Layer scale starts at its given value. This is the initialisation of ConvNeXt's published code
(Liu et al. 2022), which truncates at -2 and 2: a hundred standard deviations, so that in practice nothing is truncated.

With the same deviation, a network of less width passes on less of its signal: the gain of a layer grows with the square root
of the number of its inputs. `init_gain` multiplies the weights of all layers that sum over the channels of the network: by 2 at
a quarter of the width, each has the gain that it has at full width.

The paper trained its first row from torchvision's initialisation (He et al. 2015); this library does not reproduce that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..design.architecture import NUM_STAGES, Architecture
from ..design.cost import check_counts
from ..design.recipe_limits import MAX_INIT_GAIN
from ..errors import AblationError, check_number
from .blocks import Head, Stage, make_stem

INIT_STD = 0.02


class ConvNet(nn.Module):
    """Four-stage convnet built from a description: (N, in_chans, H, W) -> (N, num_classes).

    Args:
        architecture: description of the network.
        num_classes: outputs of the classifier; 0 for no classifier, so that the network outputs pooled features (N, C).
        in_chans: channels of the image.
        drop_path: stochastic depth (Huang et al. 2016, arXiv 1603.09382): rate of the last block; the rate rises linearly
            from 0 at the first block. Active in training mode only.
        init_gain: factor of the initial weights that sum over channels; their standard deviation is 0.02 at 1.

    Attributes:
        stem, stages, head: the parts, in order; `stages` has four entries.
        architecture, num_classes: the arguments.
        num_features: channels before the classifier.
        feature_info: channels, reduction and module of each stage, in the format of timm's feature extraction.
        pretrained_cfg: "mean", "std" and "input_size" of the images that the weights were trained on, under timm's names;
            empty for new weights.
    """

    def __init__(
        self,
        architecture: Architecture,
        num_classes: int = 1000,
        in_chans: int = 3,
        drop_path: float = 0.0,
        init_gain: float = 1.0,
    ) -> None:
        super().__init__()
        check_counts(num_classes, in_chans)
        if not 0.0 <= drop_path < 1.0:
            raise AblationError(f"drop_path {drop_path!r} must be at least 0 and less than 1")
        check_number("init_gain", init_gain, 0, MAX_INIT_GAIN)
        a = self.architecture = architecture
        self._init_gain = init_gain
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.num_features = self.head_hidden_size = a.out_channels[-1]
        rates = torch.linspace(0, drop_path, sum(a.depths), device="cpu").split(list(a.depths))
        self.stem = make_stem(a, in_chans)
        self.stages = nn.Sequential(*(Stage(a, i, rates[i].tolist()) for i in range(NUM_STAGES)))
        self.head = Head(a, num_classes)
        self.feature_info = [
            {"num_chs": chs, "reduction": reduction, "module": f"stages.{i}"}
            for i, (chs, reduction) in enumerate(zip(a.out_channels, a.reductions, strict=True))
        ]
        self.pretrained_cfg: dict[str, Any] = {}
        self.apply(self._init)

    def _init(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            # The number of inputs grows with the width, but not that of a depthwise kernel or of the image.
            grows = isinstance(module, nn.Linear) or (
                module.groups == 1 and module is not self.stem.get_submodule("conv")
            )
            std = INIT_STD * self._init_gain if grows else INIT_STD
            nn.init.trunc_normal_(module.weight, std=std, a=-2.0, b=2.0)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the feature map of the last stage: (N, in_chans, H, W) -> (N, C, H / reduction, W / reduction)."""
        if min(x.shape[-2:]) < self.architecture.min_size:
            self.architecture.sizes(int(min(x.shape[-2:])))  # raises an error that states the smallest size that works
        return self.stages(self.stem(x))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Apply pooling, the final norm if there is one, and the classifier: (N, C, h, w) -> (N, num_classes).

        With `pre_logits`, return the pooled features instead: (N, C).
        """
        return self.head(x, pre_logits=pre_logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    @property
    def cam_layer(self) -> nn.Module:
        """Layer for class activation maps: the last block, whose output is the last feature map before pooling."""
        return self.get_submodule(f"stages.{NUM_STAGES - 1}.blocks.{self.architecture.depths[-1] - 1}")

    def get_classifier(self) -> nn.Module:
        """Return the final linear layer."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a newly initialised one for that many classes, or remove it for 0, as in timm's models."""
        check_counts(num_classes, self.in_chans)
        if global_pool not in (None, "avg"):
            raise AblationError(
                f"global_pool {global_pool!r} is not supported: the head uses average pooling. Possible: 'avg'"
            )
        old = next(self.stages.parameters())
        self.num_classes = num_classes
        self.head.fc = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.head.fc.to(device=old.device, dtype=old.dtype).apply(self._init)


def build(
    architecture: Architecture,
    num_classes: int = 1000,
    in_chans: int = 3,
    drop_path: float = 0.0,
    init_gain: float = 1.0,
) -> ConvNet:
    """Build the network of a description.

    Set memory format, device and dtype on the result: `build(...).to(memory_format=torch.channels_last)`.

    Args:
        architecture: description of the network.
        num_classes: outputs of the classifier; 0 for no classifier.
        in_chans: channels of the image.
        drop_path: stochastic depth rate of the last block; the rate rises linearly from 0 at the first block.
        init_gain: factor of the initial weights that sum over channels; their standard deviation is 0.02 at 1, as in the paper.

    Returns:
        An initialised `ConvNet`, in training mode like any new module.

    Raises:
        AblationError: if a number is invalid.

    >>> build(Architecture(width=8), num_classes=10)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 10])
    """
    return ConvNet(architecture, num_classes, in_chans, drop_path, init_gain)
