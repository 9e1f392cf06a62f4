"""How test images that are read one by one are prepared: by the recipe, or as timm does for a pretrained model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Self

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, create_transform, resolve_data_config
from torch import Tensor

from ..design.recipe import Recipe


class Prepared:
    """Mean, deviation and crop of the images of a data set."""

    # The defaults of timm's transforms, which most pretrained weights use too.
    mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN
    std: tuple[float, ...] = IMAGENET_DEFAULT_STD
    _config: dict[str, Any] | None = None

    def normalised_by(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Self:
        """Return the same images normalised with another mean and deviation."""
        result = copy.copy(self)
        vars(result).pop("_in_memory", None)
        result.mean, result.std = mean, std
        return result

    def evaluated_as(self, config: Mapping[str, Any]) -> Self:
        """Return the same images with the test images prepared as timm does for a model with that `pretrained_cfg`."""
        resolved = resolve_data_config({}, pretrained_cfg=dict(config))
        result = self.normalised_by(tuple(resolved["mean"]), tuple(resolved["std"]))
        result._config = resolved
        return result

    def test_transform(self, recipe: Recipe) -> tuple[Callable[[Any], Tensor], tuple[int, ...]]:
        """Return the transform from an RGB image to uint8, and the shape of what it returns."""
        config: dict[str, Any] = self._config or {
            "input_size": (3, recipe.size, recipe.size),
            "interpolation": recipe.interpolation,
            "crop_pct": recipe.crop_pct,
        }
        transform = create_transform(**{**config, "mean": self.mean, "std": self.std, "use_prefetcher": True})
        return transform, tuple(config["input_size"])
