"""Parameters, multiply-accumulates, activations and receptive field of a description, in closed form.

What is counted is what the paper counts ("FLOPs" there): the multiply-accumulates of convolutions and linear layers.
Norms, pooling and element-wise operators are not MACs. Activations are the elements that convolutions and linear
layers put out (Radosavovic et al. 2020, arXiv 2003.13678). The receptive field of a position is the side, in pixels,
of the square of the image that can reach it, along the longest path: it grows by (k - 1) * jump at each k x k layer
(Araujo et al. 2019, https://doi.org/10.23915/distill.00021).

Nothing is built: the blocks of a stage after its first are alike, so a network costs the same few sums whatever its
depth. `ablation.count` measures the same numbers on the built network, and the tests hold the two equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import AblationError
from . import registry
from .architecture import Architecture


@dataclass(frozen=True)
class StageCost:
    """One part of a network: the stem, a stage (with the layers that lead into it) or the head.

    Args:
        name: "stem", "stages.0" to "stages.3", "head".
        channels: channels put out.
        size: side of the map put out, in positions.
        params: learnt parameters.
        macs: multiply-accumulates for one image.
        activations: elements put out by convolutions and linear layers for one image.
        receptive_field: side in pixels after this part, or None if a layer sees the whole image.
    """

    name: str
    channels: int
    size: int
    params: int
    macs: int
    activations: int
    receptive_field: int | None


@dataclass(frozen=True)
class Cost:
    """What a network costs: whole numbers, for one image.

    Args:
        params: learnt parameters.
        macs: multiply-accumulates of convolutions and linear layers.
        activations: elements put out by convolutions and linear layers.
        receptive_field: of the last stage, side in pixels; None if a layer sees the whole image.
        stages: the same by part, in order: stem, four stages, head.
    """

    params: int
    macs: int
    activations: int
    receptive_field: int | None
    stages: tuple[StageCost, ...]


class _Tally:
    """Running sums over one part of the network."""

    def __init__(self) -> None:
        self.params = self.macs = self.activations = 0

    def conv(self, cin: int, cout: int, k: int, size: int, groups: int = 1, bias: bool = False) -> None:
        weights = cin // groups * cout * k * k
        self.params += weights + (cout if bias else 0)
        self.macs += weights * size * size
        self.activations += cout * size * size

    def add(self, other: _Tally, times: int) -> None:
        self.params += other.params * times
        self.macs += other.macs * times
        self.activations += other.activations * times


def cost(architecture: Architecture, size: int = 224, num_classes: int = 1000, in_chans: int = 3) -> Cost:
    """What a description costs, without building it.

    Args:
        architecture: the description.
        size: side of the square image in pixels.
        num_classes: outputs of the classifier; 0 for none.
        in_chans: channels of the image.

    Returns:
        Whole numbers for one image, in all and by stage.

    Raises:
        AblationError: if the image is too small for the strides, or a number is not positive.

    >>> c = cost(Architecture())
    >>> c.params, c.macs, c.receptive_field
    (25557032, 4089184256, 427)
    """
    check_counts(num_classes, in_chans)
    a = architecture
    sizes = a.sizes(size)
    norm, act = registry.norm(a.norm), registry.activation(a.activation)
    parts: list[StageCost] = []
    field, jump, sees_all = 1, 1, False

    def close(name: str, tally: _Tally, channels: int, side: int) -> None:
        reach = None if sees_all else field
        parts.append(StageCost(name, channels, side, tally.params, tally.macs, tally.activations, reach))

    def see(*layers: registry.Layer) -> None:
        nonlocal sees_all
        sees_all = sees_all or any(layer.depends_on == "image" for layer in layers)

    # stem
    tally = _Tally()
    if a.stem == "patchify":
        tally.conv(in_chans, a.width, a.stem_stride, sizes[0], bias=True)
        field, jump = a.stem_stride, a.stem_stride
    else:
        k, side = (3, size) if a.stem_stride == 1 else (7, -(-size // 2))
        tally.conv(in_chans, a.width, k, side)
        tally.params += norm.params(a.width) + act.params(a.width)
        see(norm, act)
        field, jump = k, min(a.stem_stride, 2)
        if a.stem_stride == 4:
            field, jump = field + 2 * jump, 4
    if a.has_downsampling_layers and a.stem == "patchify":
        tally.params += norm.params(a.width)
        see(norm)
    close("stem", tally, a.width, sizes[0])

    # stages
    before = a.width
    for i, (side, w, cin, cout, depth) in enumerate(
        zip(sizes, a.widths, a.in_channels, a.out_channels, a.depths, strict=True)
    ):
        tally = _Tally()
        stride = 1
        if i > 0 and a.has_downsampling_layers:
            tally.params += norm.params(before)
            tally.conv(before, cin, 2 if a.downsampling == "separate" else 1, side, bias=True)
            see(norm)
            field, jump = field + jump, jump * 2
        elif i > 0:
            stride = 2
        first_side = sizes[i - 1] if stride == 2 else side  # the side that the first block takes in
        tally.add(_block(a, cin, w, cout, first_side, side), 1)
        tally.add(_block(a, cout, w, cout, side, side), depth - 1)
        field, jump = field + (a.kernel_size - 1) * jump, jump * stride
        field += (a.kernel_size - 1) * jump * (depth - 1)
        see(norm, act)
        before = cout
        close(f"stages.{i}", tally, cout, side)

    # head
    tally = _Tally()
    if a.has_downsampling_layers:
        tally.params += norm.params(before)
    if num_classes:
        tally.conv(before, num_classes, 1, 1, bias=True)
    close("head", tally, num_classes or before, 1)

    return Cost(
        params=sum(part.params for part in parts),
        macs=sum(part.macs for part in parts),
        activations=sum(part.activations for part in parts),
        receptive_field=parts[-2].receptive_field,
        stages=tuple(parts),
    )


def _block(a: Architecture, cin: int, w: int, cout: int, side_in: int, side: int) -> _Tally:
    """One residual block that takes in `side_in` positions a side and puts out `side`."""
    norm, act = registry.norm(a.norm), registry.activation(a.activation)
    tally = _Tally()
    wide = a.expansion * w
    middle = wide if a.block == "inverted" else w
    k, bias = a.kernel_size, a.has_bias
    spatial = cin if a.spatial_first else middle
    groups = spatial if a.depthwise else 1
    if a.spatial_first:
        tally.conv(cin, cin, k, side, groups, bias)
        tally.conv(cin, middle, 1, side, bias=bias)
        after = (cin, middle)
    else:
        tally.conv(cin, middle, 1, side_in, bias=bias)
        tally.conv(middle, middle, k, side, groups, bias)
        after = (middle, middle)
    tally.conv(middle, cout, 1, side, bias=bias)
    norms = (*after, cout) if a.norms == "every" else (spatial,)
    acts = (*after, cout) if a.activations == "every" else (middle,)
    tally.params += sum(map(norm.params, norms)) + sum(map(act.params, acts))
    if a.layer_scale is not None:
        tally.params += cout
    if cin != cout:  # a strided block always changes its channels too
        tally.conv(cin, cout, 1, side)
        tally.params += norm.params(cout)
    return tally


def check_counts(num_classes: int, in_chans: int) -> None:
    """Raise an `AblationError` unless both are whole numbers a network can have."""
    for name, value, least in (("num_classes", num_classes, 0), ("in_chans", in_chans, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise AblationError(f"{name} {value!r} must be a whole number, {least} or more")
