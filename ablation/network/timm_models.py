"""Every rung of both ladders as a timm model: `timm.create_model("ablation_resnet50_depthwise", num_classes=10)`.

Importing this module registers the models. No weights are published for them; with `pretrained=True`, timm raises its
own error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

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
    """`ConvNet` whose options have timm's names."""

    def __init__(
        self,
        architecture: Architecture,
        num_classes: int = 1000,
        in_chans: int = 3,
        drop_path_rate: float = 0.0,
        global_pool: str = "avg",
    ) -> None:
        if global_pool != "avg":
            raise AblationError(
                f"global_pool {global_pool!r} is not supported: the head uses average pooling. Possible: 'avg'"
            )
        super().__init__(architecture, num_classes, in_chans, drop_path_rate)


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
