"""Parameters, multiply-accumulates, activations and receptive field of a description, in closed form.

MACs are counted as in the paper (which calls them FLOPs): the multiply-accumulates of convolutions and linear layers.
Norms, pooling and element-wise operators do not count. Activations are the output elements of convolutions and linear
layers (Radosavovic et al. 2020, arXiv 2003.13678). The receptive field of a position is the side, in pixels, of the
square of the image that can influence it, along the longest path: it grows by (k - 1) * jump at each k x k layer (Araujo
et al. 2019, https://doi.org/10.23915/distill.00021).

No network is built. All blocks of a stage after the first are identical, so the computation takes the same few sums at
any depth. `ablation.count` measures the same numbers on the built network; the tests check that both agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import AblationError, check_number, shown
from . import registry
from .architecture import Architecture

MAX_COUNT = 10_000_000  # classes or channels of images


@dataclass(frozen=True)
class StageCost:
    """One part of a network: the stem, a stage (with the layers that lead into it) or the head.

    Args:
        name: "stem", "stages.0" to "stages.3", "head".
        channels: output channels.
        size: side of the output map in positions.
        params: learnt parameters.
        macs: multiply-accumulates per image.
        activations: output elements of convolutions and linear layers per image.
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
    """Cost of a network per image, as integers.

    Args:
        params: learnt parameters.
        macs: multiply-accumulates of convolutions and linear layers.
        activations: output elements of convolutions and linear layers.
        receptive_field: side in pixels after the last stage; None if a layer sees the whole image.
        stages: the same numbers for each part, in order: stem, four stages, head.
    """

    params: int
    macs: int
    activations: int
    receptive_field: int | None
    stages: tuple[StageCost, ...]


class _Tally:
    """Running totals for one part of the network."""

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
    """Return the cost of a description without building the network.

    Args:
        architecture: the description.
        size: side of the square image in pixels.
        num_classes: outputs of the classifier; 0 for no classifier.
        in_chans: channels of the image.

    Returns:
        The cost per image, in total and by stage.

    Raises:
        AblationError: if the image is too small for the strides, or a count is invalid.

    >>> c = cost(Architecture())
    >>> c.params, c.macs, c.receptive_field
    (25557032, 4089184256, 427)
    """
    check_counts(num_classes, in_chans)
    a = architecture
    sizes = a.sizes(size)
    norm, act = registry.norm(a.norm), registry.activation(a.activation)
    parts: list[StageCost] = []
    field, jump, is_global = 1, 1, False

    def add_part(name: str, tally: _Tally, channels: int, side: int) -> None:
        receptive_field = None if is_global else field
        parts.append(StageCost(name, channels, side, tally.params, tally.macs, tally.activations, receptive_field))

    def add_dependence(*layers: registry.Layer) -> None:
        nonlocal is_global
        is_global = is_global or any(layer.depends_on == "image" for layer in layers)

    # stem
    tally = _Tally()
    if a.stem == "patchify":
        tally.conv(in_chans, a.width, a.stem_stride, sizes[0], bias=True)
        field, jump = a.stem_stride, a.stem_stride
    else:
        k, side = (3, size) if a.stem_stride == 1 else (7, -(-size // 2))
        tally.conv(in_chans, a.width, k, side)
        tally.params += norm.params(a.width) + act.params(a.width)
        add_dependence(norm, act)
        field, jump = k, min(a.stem_stride, 2)
        if a.stem_stride == 4:
            field, jump = field + 2 * jump, 4
    if a.has_downsampling_layers and a.stem == "patchify":
        tally.params += norm.params(a.width)
        add_dependence(norm)
    add_part("stem", tally, a.width, sizes[0])

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
            add_dependence(norm)
            field, jump = field + jump, jump * 2
        elif i > 0:
            stride = 2
        first_side = sizes[i - 1] if stride == 2 else side  # input side of the first block
        tally.add(_block(a, cin, w, cout, first_side, side), 1)
        tally.add(_block(a, cout, w, cout, side, side), depth - 1)
        field, jump = field + (a.kernel_size - 1) * jump, jump * stride
        field += (a.kernel_size - 1) * jump * (depth - 1)
        add_dependence(norm, act)
        before = cout
        add_part(f"stages.{i}", tally, cout, side)

    # head
    tally = _Tally()
    if a.has_downsampling_layers:
        tally.params += norm.params(before)
    if num_classes:
        tally.conv(before, num_classes, 1, 1, bias=True)
    add_part("head", tally, num_classes or before, 1)

    return Cost(
        params=sum(part.params for part in parts),
        macs=sum(part.macs for part in parts),
        activations=sum(part.activations for part in parts),
        receptive_field=parts[-2].receptive_field,
        stages=tuple(parts),
    )


def _block(a: Architecture, cin: int, w: int, cout: int, side_in: int, side: int) -> _Tally:
    """Return the cost of one residual block with an input map of side `side_in` and an output map of side `side`."""
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
    if cin != cout:  # a strided block always changes the number of channels too
        tally.conv(cin, cout, 1, side)
        tally.params += norm.params(cout)
    return tally


def check_counts(num_classes: int, in_chans: int) -> None:
    """Raise an `AblationError` unless `num_classes` is an integer >= 0 and `in_chans` an integer >= 1."""
    for name, value, minimum in (("num_classes", num_classes, 0), ("in_chans", in_chans, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise AblationError(f"{name} {shown(value)} must be a whole number, {minimum} or more")
        check_number(name, value, minimum, MAX_COUNT, whole=True)
