"""The layers of a block, in order: of a description, of ResNet-50 and of Swin-T."""

from __future__ import annotations

from dataclasses import dataclass

from ...design.architecture import RESNET50, Architecture

_NORMS = {"batch": "BN", "layer": "LN"}
_ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU"}


@dataclass(frozen=True)
class Layer:
    """A layer of a block's branch.

    Args:
        kind: "conv", "norm", "act", "scale", or "attention" for attention between the positions of a window.
        name: its name in the diagram.
        channels: number of output channels.
        before: number of input channels.
        kernel: side of a convolution or of a window in positions.
        depthwise: whether a convolution has one filter per channel.
    """

    kind: str
    name: str
    channels: int
    before: int = 0
    kernel: int = 0
    depthwise: bool = False

    @property
    def weights(self) -> int:
        """Weights of a convolution without its bias; 0 for every other layer."""
        if self.kind != "conv":
            return 0
        return self.kernel**2 * self.channels * (1 if self.depthwise else self.before)


@dataclass(frozen=True)
class Unit:
    """A residual branch and what follows its addition.

    Args:
        slots: the layers in order, with None where a block of the same family can have a norm or an activation and this
            one has none.
        after: layer after the addition, or None.
        can_follow: whether a block of the same family can have a layer there.
        before: channels of the input and of the output.
    """

    slots: tuple[Layer | None, ...]
    after: Layer | None
    can_follow: bool
    before: int

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the branch that exist."""
        return tuple(layer for layer in self.slots if layer is not None)


def short_name(name: str, known: dict[str, str]) -> str:
    return known.get(name, name[:8])


def activation_name(a: Architecture) -> str:
    """Return the name of the activation in a diagram."""
    return short_name(a.activation, _ACTIVATIONS)


def branch(a: Architecture, stage: int = 0) -> tuple[Layer, ...]:
    """Return the layers of the residual branch in order, for a block that is not the first of its stage.

    >>> [layer.name for layer in branch(Architecture())]
    ['1x1', 'BN', 'ReLU', '3x3', 'BN', 'ReLU', '1x1', 'BN']
    """
    return unit(a, stage).layers


def unit(a: Architecture, stage: int = 0) -> Unit:
    """Return the residual branch of a block that is not the first of its stage."""
    width, out = a.widths[stage], a.out_channels[stage]
    middle = a.expansion * width if a.block == "inverted" else width
    k, side = a.kernel_size, f"{a.kernel_size}x{a.kernel_size}"
    spatial = side + (" dw" if a.depthwise else "")
    if a.spatial_first:
        convs = [(spatial, out, out, k), ("1x1", out, middle, 1), ("1x1", middle, out, 1)]
    else:
        convs = [("1x1", out, middle, 1), (spatial, middle, middle, k), ("1x1", middle, out, 1)]
    spatial_at = 1 if a.spatial_first else 2
    slots: list[Layer | None] = []
    for i, (name, before, channels, kernel) in enumerate(convs, start=1):
        slots.append(Layer("conv", name, channels, before, kernel, a.depthwise and i == spatial_at))
        norm = Layer("norm", short_name(a.norm, _NORMS), channels)
        slots.append(norm if a.norms == "every" or i == spatial_at else None)
        if i < 3:
            act = Layer("act", activation_name(a), channels)
            slots.append(act if i == 2 or a.activations == "every" else None)
    if a.layer_scale is not None:
        slots.append(Layer("scale", "scale", out))
    after = Layer("act", activation_name(a), out) if a.activations == "every" else None
    return Unit(tuple(slots), after, True, out)


RESNET = (unit(RESNET50),)
_SWIN_WIDTH, _SWIN_WINDOW, _SWIN_RATIO = 96, 7, 4  # Swin-T, first stage: Liu et al. 2021, arXiv 2103.14030
_SWIN_MIDDLE = _SWIN_RATIO * _SWIN_WIDTH
SWIN = (
    Unit(
        (
            Layer("norm", "LN", _SWIN_WIDTH),
            Layer("conv", "1x1", 3 * _SWIN_WIDTH, _SWIN_WIDTH, 1),
            Layer("attention", "attention", _SWIN_WIDTH, 3 * _SWIN_WIDTH, _SWIN_WINDOW),
            Layer("conv", "1x1", _SWIN_WIDTH, _SWIN_WIDTH, 1),
        ),
        None,
        False,
        _SWIN_WIDTH,
    ),
    Unit(
        (
            Layer("norm", "LN", _SWIN_WIDTH),
            Layer("conv", "1x1", _SWIN_MIDDLE, _SWIN_WIDTH, 1),
            Layer("act", "GELU", _SWIN_MIDDLE),
            Layer("conv", "1x1", _SWIN_WIDTH, _SWIN_MIDDLE, 1),
        ),
        None,
        False,
        _SWIN_WIDTH,
    ),
)
