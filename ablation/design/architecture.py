"""Description of a four-stage convnet as a frozen value. All defaults are defined here.

The default is ResNet-50 (He et al. 2016, arXiv 1512.03385) as torchvision builds it, with the stride of a stage in the
3x3 convolution. Each field is one design choice that "A ConvNet for the 2020s" (Liu et al. 2022, arXiv 2201.03545)
changes on the way to ConvNeXt.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError, check_number, shown, unknown
from . import registry

NUM_STAGES = 4

_CHOICES: dict[str, tuple[Any, ...]] = {
    "stem": ("conv", "patchify"),
    "stem_stride": (1, 2, 4),
    "depthwise": (False, True),
    "block": ("bottleneck", "inverted"),
    "spatial_first": (False, True),
    "activations": ("every", "single"),
    "norms": ("every", "single"),
    "downsampling": ("block", "separate", "pool"),
}

# A thousand times what is usual. A description beyond it is a mistake or a damaged file, and could not be built.
MAX_DEPTH = 10_000
MAX_SIZE = 1_000_000  # px; a single image of this side takes 12 TB
_LARGEST = {"width": 1_000_000, "expansion": 1_000, "kernel_size": 10_001}
_MAX_FLOAT32 = 3.4028234663852886e38


@dataclass(frozen=True, repr=False)
class Architecture:
    """Description of a four-stage convnet. Every combination of valid values is a buildable network.

    Instances are frozen, hashable and validated on creation. `repr` shows only the fields that differ from ResNet-50.

    Args:
        depths: number of blocks in each of the four stages.
        width: channels w of the first stage; w doubles at every later stage. A bottleneck stage outputs `expansion * w`
            channels, an inverted stage outputs `w`.
        stem: "conv" (7x7 stride 2, norm, activation, 3x3 max pooling) or "patchify" (one convolution whose stride equals
            its kernel size).
        stem_stride: total stride of the stem: 4 for 224 px; 2 or 1 for small images.
        depthwise: whether the spatial convolution of a block is depthwise (one filter per channel).
        block: "bottleneck" (narrow in the middle) or "inverted" (wide in the middle).
        spatial_first: whether the spatial convolution precedes both 1x1 convolutions, at the input width of the block.
        kernel_size: side of the spatial convolution in positions; odd.
        activation: name of the activation; see `register_activation`.
        activations: "every" (after each of the first two convolutions and after the addition) or "single" (before the
            last 1x1 convolution).
        norm: name of the norm; see `register_norm`.
        norms: "every" (after each convolution of a block) or "single" (after the spatial convolution).
        downsampling: "block" (stride in the first block of a stage), "separate" (a norm and a 2x2 stride-2 convolution
            between stages, a norm after a patchify stem, a final norm after pooling) or "pool" (like "separate", but with
            2x2 average pooling and a 1x1 convolution; not in the paper, added for comparison).
        expansion: ratio of the wide to the narrow width of a block.
        layer_scale: initial value of a learnt per-channel factor at the end of the residual branch, or None to omit it.

    Raises:
        AblationError: if a value is invalid; the message states the given value and the valid ones.

    >>> Architecture(kernel_size=7, depths=(3, 3, 9, 3))
    Architecture(depths=(3, 3, 9, 3), kernel_size=7)
    """

    depths: tuple[int, int, int, int] = (3, 4, 6, 3)
    width: int = 64
    stem: str = "conv"
    stem_stride: int = 4
    depthwise: bool = False
    block: str = "bottleneck"
    spatial_first: bool = False
    kernel_size: int = 3
    activation: str = "relu"
    activations: str = "every"
    norm: str = "batch"
    norms: str = "every"
    downsampling: str = "block"
    expansion: int = 4
    layer_scale: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "depths", _checked_depths(self.depths))
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        for name, most in _LARGEST.items():
            _check_positive(name, getattr(self, name), most)
        if self.kernel_size % 2 == 0:
            k = self.kernel_size
            raise AblationError(f"kernel_size {k} is even; it must be odd, so that it has a centre: {k - 1} or {k + 1}")
        registry.activation(self.activation)
        registry.norm(self.norm)
        if self.layer_scale is not None:
            if not _fits_float32(self.layer_scale):
                raise AblationError(
                    f"layer_scale {shown(self.layer_scale)} must be None or a finite number of at most {_MAX_FLOAT32:g}, "
                    "such as 1e-6"
                )
            object.__setattr__(self, "layer_scale", float(self.layer_scale))

    def __repr__(self) -> str:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}
        return f"Architecture({', '.join(f'{name}={value!r}' for name, value in values.items())})"

    def replace(self, **changes: Any) -> Architecture:
        """Return a copy with some fields changed.

        >>> RESNET50.replace(width=96).width
        96
        """
        for name in changes:
            if name not in _FIELDS:
                raise unknown("field of Architecture", name, _FIELDS)
        return dataclasses.replace(self, **changes)

    def apply(self, *steps: Callable[[Architecture], Architecture]) -> Architecture:
        """Return the description after applying these steps from left to right."""
        architecture = self
        for step in steps:
            architecture = step(architecture)
        return architecture

    def diff(self, other: Architecture) -> dict[str, tuple[Any, Any]]:
        """Return the fields in which this description and another differ.

        Returns:
            field -> (value in `self`, value in `other`), only for the fields that differ.

        >>> RESNET50.diff(RESNET50.replace(activation="gelu"))
        {'activation': ('relu', 'gelu')}
        """
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in _FIELDS}
        return {name: (first, second) for name, (first, second) in pairs.items() if first != second}

    def to_dict(self) -> dict[str, Any]:
        """Return every field as plain data that JSON can represent; `from_dict` is the inverse."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name: list(value) if isinstance(value := getattr(self, name), tuple) else value for name in names}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Architecture:
        """Return the description that `to_dict` serialised. Missing fields take their defaults."""
        if not isinstance(data, Mapping):
            raise AblationError(f"an architecture must be a dictionary of fields, not {shown(data)}")
        return cls().replace(**data)

    def to_json(self) -> str:
        """Return the description as one line of JSON; `from_json` is the inverse."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Return the description that `to_json` serialised."""
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError, TypeError) as error:
            if isinstance(error, AblationError):
                raise
            raise AblationError(f"invalid JSON for an architecture: {error}") from None

    @property
    def widths(self) -> tuple[int, ...]:
        """Width w of each stage."""
        return tuple(self.width * 2**i for i in range(NUM_STAGES))

    @property
    def out_channels(self) -> tuple[int, ...]:
        """Output channels of each stage: `expansion * w` for bottleneck blocks, `w` for inverted blocks."""
        return tuple(w * (self.expansion if self.block == "bottleneck" else 1) for w in self.widths)

    @property
    def in_channels(self) -> tuple[int, ...]:
        """Input channels of the first block of each stage; the first entry is also the number of output channels of the stem."""
        if self.has_downsampling_layers:
            return (self.width, *self.out_channels[1:])
        return (self.width, *self.out_channels[:-1])

    @property
    def has_downsampling_layers(self) -> bool:
        """Whether separate layers between the stages downsample, rather than strided blocks."""
        return self.downsampling != "block"

    @property
    def has_bias(self) -> bool:
        """Whether the convolutions of a block have a bias. Batch normalisation would cancel it, so there it is omitted."""
        return self.norm != "batch"

    @property
    def reductions(self) -> tuple[int, ...]:
        """Distance in image pixels between adjacent positions of each stage (its total stride)."""
        return tuple(self.stem_stride * 2**i for i in range(NUM_STAGES))

    @property
    def min_size(self) -> int:
        """Smallest image side, in pixels, that leaves at least one position in the last stage.

        A strided convolution with padding always outputs at least one position. A patchify stem and the 2x2 layers between
        stages have no padding and output nothing for a map smaller than their kernel.
        """
        between = 2 ** (NUM_STAGES - 1) if self.has_downsampling_layers else 1
        return next(size for size in range(1, 8 * between + 1) if self.stem_size(size) >= between)

    def stem_size(self, size: int) -> int:
        """Return the side of the stem's output in positions, for an image of that side in pixels; 0 if it is empty."""
        if self.stem == "patchify":
            return size // self.stem_stride
        return -(-size // self.stem_stride)

    def sizes(self, size: int) -> tuple[int, ...]:
        """Return the side of each stage's feature map in positions.

        Args:
            size: side of the image in pixels.

        Raises:
            AblationError: if the image is too small for the strides; the message states the smallest size that works.

        >>> RESNET50.sizes(224)
        (56, 28, 14, 7)
        """
        if isinstance(size, bool) or not isinstance(size, int) or size < self.min_size:
            raise AblationError(
                f"an image of {shown(size)} px is too small for the strides of {self!r}: the smallest that works is "
                f"{self.min_size} px (for smaller images, use a stem_stride of 2 or 1)"
            )
        check_number("size", size, 1, MAX_SIZE, whole=True, reason=": it is the side of the image in pixels")
        sides = [self.stem_size(size)]
        for _ in range(NUM_STAGES - 1):
            sides.append(sides[-1] // 2 if self.has_downsampling_layers else -(-sides[-1] // 2))
        return tuple(sides)


_FIELDS = tuple(field.name for field in dataclasses.fields(Architecture))


def _fits_float32(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MAX_FLOAT32
    )  # False for NaN


def _check_positive(name: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise AblationError(f"{name} {shown(value)} must be a positive whole number")
    check_number(name, value, 1, most, whole=True)


def _check_choice(name: str, value: object, choices: tuple[Any, ...]) -> None:
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return
    if isinstance(choices[0], str):
        raise unknown(name, value, choices)
    raise AblationError(f"{name} {shown(value)} is not supported. Possible: {', '.join(map(str, choices))}")


def _checked_depths(value: Any) -> tuple[int, int, int, int]:
    depths = tuple(value) if isinstance(value, list | tuple) else (value,)
    if len(depths) != NUM_STAGES:
        raise AblationError(
            f"depths {shown(value)} must have {NUM_STAGES} entries, one per stage, such as (3, 3, 9, 3)"
        )
    for depth in depths:
        _check_positive("each of depths", depth, MAX_DEPTH)
    return depths


RESNET50 = Architecture()
RESNET200 = Architecture(depths=(3, 24, 36, 3))
