"""Every rung of both ladders as a timm model: `timm.create_model("ablation_resnet50_depthwise", num_classes=10)`.

Importing this module registers the models. No weights are published for them; with `pretrained=True`, timm raises its
own error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models._features import feature_take_indices
from torch import Tensor, nn
from torch.nn import functional as F

from ..design.architecture import Architecture
from ..design.roadmap import Rung, roadmap
from ..errors import AblationError
from .build import ConvNet

__all__: list[str] = []  # timm appends the name of each model here

LADDERS = ("resnet50", "resnet200")


def timm_model_name(ladder: str, rung: Rung) -> str:
    """Return the name of a rung in timm's registry, such as "ablation_resnet50_depthwise"."""
    return f"ablation_{ladder}_{rung.name}"


class TimmConvNet(ConvNet):
    """`ConvNet` whose options have timm's names, with the methods that timm's models have.

    Args:
        architecture, num_classes, in_chans: as for `ConvNet`.
        drop_path_rate: stochastic depth rate of the last block.
        global_pool: "avg", the only pooling of the head.
        drop_rate: dropout of the features before the classifier, in training mode.
    """

    def __init__(
        self,
        architecture: Architecture,
        num_classes: int = 1000,
        in_chans: int = 3,
        drop_path_rate: float = 0.0,
        global_pool: str = "avg",
        drop_rate: float = 0.0,
    ) -> None:
        if global_pool != "avg":
            raise AblationError(
                f"global_pool {global_pool!r} is not supported: the head uses average pooling. Possible: 'avg'"
            )
        if not 0.0 <= drop_rate < 1.0:
            raise AblationError(f"drop_rate {drop_rate!r} must be at least 0 and less than 1")
        super().__init__(architecture, num_classes, in_chans, drop_path_rate)
        self.drop_rate = drop_rate

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        x = F.dropout(self.head(x, pre_logits=True), self.drop_rate, self.training)
        return x if pre_logits else self.head.fc(x)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory in training: keep the input of each block only, and compute the rest again backwards."""
        for stage in self.stages:
            vars(stage)["grad_checkpointing"] = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return patterns of parameter names by depth, for layer-wise learning rates: by stage if coarse, else by block."""
        fine = [(r"^stages\.(\d+)\.downsample", (0,)), (r"^stages\.(\d+)\.blocks\.(\d+)", None)]
        return {"stem": r"^stem", "blocks": r"^stages\.(\d+)" if coarse else fine}

    def no_weight_decay(self) -> set[str]:
        """Return the parameters to exempt from weight decay besides norms and biases: none."""
        return set()

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return the feature maps of some stages and, unless `intermediates_only`, the last map before them.

        Args:
            x: images (N, in_chans, H, W).
            indices: stages to return: the last n for a number, these for a list, all for None.
            norm: without effect, since no norm follows the last stage.
            stop_early: do not compute the stages after the last that is returned.
            output_fmt: "NCHW".
            intermediates_only: return the list alone.

        Raises:
            AblationError: for another output_fmt.
        """
        if output_fmt != "NCHW":
            raise AblationError(f"output_fmt {output_fmt!r} is not supported. Possible: NCHW")
        chosen, last = feature_take_indices(len(self.stages), indices)
        x, maps = self.stem(x), []
        for i, stage in enumerate(self.stages[: last + 1] if stop_early else self.stages):
            x = stage(x)
            if i in chosen:
                maps.append(x)
        return maps if intermediates_only else (x, maps)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Remove the stages after the last of `indices` and, with `prune_head` or where stages were removed, the classifier.

        Returns:
            The stages that are kept of `indices`.
        """
        chosen, last = feature_take_indices(len(self.stages), indices)
        is_shorter = last < len(self.stages) - 1
        self.stages = self.stages[: last + 1]
        if is_shorter:
            self.num_features = self.head_hidden_size = int(self.feature_info[last]["num_chs"])  # type: ignore[call-overload]
            self.head.norm = nn.Identity()  # it has the channels of the last stage
        if prune_norm:
            self.head.norm = nn.Identity()
        if prune_head or is_shorter:
            self.reset_classifier(0)
        return list(chosen)


def _entrypoint(name: str, architecture: Architecture) -> Callable[..., Any]:
    def make(pretrained: bool = False, **kwargs: Any) -> Any:
        return build_model_with_cfg(
            TimmConvNet,
            name,
            pretrained,
            feature_cfg={"out_indices": (0, 1, 2, 3), "flatten_sequential": True},
            architecture=architecture,
            **kwargs,
        )

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"{architecture!r} as a timm model."
    return make


_RUNGS = {timm_model_name(ladder, rung): rung for ladder in LADDERS for rung in roadmap(ladder)}

default_cfgs = generate_default_cfgs(
    {
        name: {
            "url": "",
            "num_classes": 1000,
            "input_size": (3, 224, 224),
            "pool_size": (7, 7),
            "crop_pct": 0.875,
            "interpolation": "bicubic",
            "mean": IMAGENET_DEFAULT_MEAN,
            "std": IMAGENET_DEFAULT_STD,
            "first_conv": "stem.conv",
            "classifier": "head.fc",
        }
        for name in _RUNGS
    }
)
for _name, _rung in _RUNGS.items():
    register_model(_entrypoint(_name, _rung.architecture))
