"""Checkers of notebook 04, large kernels."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checking import exercise, require, require_number

if TYPE_CHECKING:
    from torch import Tensor, nn

_RANDOM_STACKS = 40  # stacks of layers to test


@exercise(
    accepts="a function that returns the exact side for stacks with kernels, strides and dilations, and for an empty stack",
    hints=(
        "a dilated kernel of k positions spans (k - 1) * dilation + 1 positions of its input",
        "multiply what a layer adds by the number of pixels between two positions of its input, that is, before its "
        "own stride",
    ),
)
def field_of_layers(answer: Callable[[Sequence[tuple[int, int, int]]], Any]) -> None:
    """Check the reader's recurrence on fixed and random stacks of (kernel, stride, dilation)."""
    require(callable(answer), "it must be a function")
    draw = random.Random(0)
    stacks: list[list[tuple[int, int, int]]] = [
        [],
        [(1, 2, 1)],
        [(3, 2, 1)],
        [(7, 2, 1), (3, 2, 1), (3, 1, 1)],
        [(3, 1, 4)],
        [(4, 4, 1), (7, 1, 2), (2, 2, 1)],
    ]
    stacks += [
        [(draw.randint(1, 7), draw.randint(1, 3), draw.randint(1, 3)) for _ in range(draw.randint(1, 6))]
        for _ in range(_RANDOM_STACKS)
    ]
    for layers in stacks:
        require_number(answer(list(layers)), _field(layers), what=f"the side for the layers {layers}")


def _field(layers: Sequence[tuple[int, int, int]]) -> int:
    """Compute the side of the receptive field of a stack of (kernel, stride, dilation)."""
    side = jump = 1
    for kernel, stride, dilation in layers:
        side += (kernel - 1) * dilation * jump
        jump *= stride
    return side


@exercise(
    accepts="a function that returns the exact, odd side for maps of several sizes and several shares",
    hints=(
        "all squares are centred on the pixel at height // 2 and width // 2",
        "grow the square ring by ring, clip it at the edges of the map, and stop at the first that contains the share",
    ),
)
def side_of_share(answer: Callable[[NDArray[np.float64], float], Any]) -> None:
    """Check the reader's side of the smallest centred square that contains a share against `ERF.side`."""
    from ..measure.receptive_field import ERF

    require(callable(answer), "it must be a function")
    draw = np.random.default_rng(0)
    point, ring = np.zeros((9, 9)), np.zeros((11, 11))
    point[4, 4] = ring[0, 5] = ring[5, 5] = 1.0
    maps = [point, ring, np.ones((7, 7)), np.ones((8, 8))]
    for size in (9, 16, 33):
        rows = np.arange(size) - size // 2
        maps.append(np.exp(-(rows[:, None] ** 2 + rows[None] ** 2) / size) * draw.uniform(0.5, 1.5, (size, size)))
    for values in maps:
        for share in (0.2, 0.45, 0.7, 0.95):
            expected = ERF(values, 1, "", (1, 1), False).side(share)
            what = f"the side for {share:.0%} of a map of {len(values)} x {len(values)}"
            require_number(answer(values.copy(), share), expected, what=what)


@exercise(
    accepts="the smallest distance at which the scores of a random network are a sum of one contribution per mark",
    hints=(
        "with kernel size 3 the receptive field is 19 px; a mark is 3 px wide; the distance is from left edge to left "
        "edge",
        "which columns are in the last window that touches the left mark? At which distance does it miss the right "
        "mark?",
    ),
)
def breaks_at(answer: Any) -> None:
    """Check that the scores of the four pairs are additive at the predicted distance, but not one pixel closer."""
    from ..data.longrange import MARK, SIZE

    require(
        isinstance(answer, int) and not isinstance(answer, bool),
        f"the answer must be a whole number of pixels, not {answer!r}",
    )
    distance = int(answer)
    largest = SIZE - MARK
    require(MARK < distance <= largest, f"the distance must be between {MARK + 1} and {largest} px to fit in the image")
    require(
        _interaction(distance) < 1e-9 < _interaction(distance - 1),
        f"it is not true that the score of a pair is a sum over its marks at {distance} px, and not one pixel closer",
    )


def _interaction(distance: int) -> float:
    """Return the deviation from additivity of the scores of a random network of kernel size 3, relative to their spread."""
    import torch
    from torch import nn

    from ..data.longrange import network, quadruples
    from ..network import build

    images = torch.from_numpy(quadruples(distance)[0][:64]).double().flatten(0, 1)[:, None] / 255
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        net = build(network(3), num_classes=2, in_chans=1).double().eval()
        for parameter in net.parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter)
        scores = net(images).diff(dim=1).view(-1, 4)
    deviation = scores[:, 0] + scores[:, 3] - scores[:, 1] - scores[:, 2]
    return float(deviation.abs().max() / scores.std())


@exercise(
    accepts="two whole numbers, the smallest shifts of the input that shift the output by the same amount",
    hints=(
        "a kernel is the same at every position; window borders do not move with the image",
        "shift the map in your mind until the borders of the windows coincide again with those of the unshifted map",
    ),
)
def smallest_shifts(answer: Any) -> None:
    """Check the predicted shifts for a 7 x 7 convolution and 7 x 7 window attention on circularly shifted maps."""
    require(
        isinstance(answer, tuple | list) and len(answer) == 2,
        "the answer must be a pair: for the convolution, for attention",
    )
    for name, given, expected in zip(("the convolution", "window attention"), answer, _shifts(), strict=True):
        require_number(given, expected, what=f"the shift for {name}")


def _shifts() -> tuple[int, int]:
    """Find the smallest shift above 0 for which each layer maps the shifted input to the shifted output."""
    import torch
    from torch import nn

    from ..measure.images import photographs
    from ..measure.mixers import WINDOW, mixers

    pair = mixers(photographs(56)[:1])
    maps = pair.maps.double()  # two windows per side
    conv = pair.convolution.double()
    pad = nn.CircularPad2d(WINDOW // 2)

    def convolve(x: torch.Tensor) -> torch.Tensor:
        weight, bias = conv.get_parameter("weight"), conv.get_parameter("bias")
        out = nn.functional.conv2d(pad(x.permute(0, 3, 1, 2)), weight, bias, groups=x.shape[3])
        return out.permute(0, 2, 3, 1)

    found = []
    with torch.no_grad():
        for layer in (convolve, pair.attention.double().eval()):
            before = layer(maps)
            shifts = range(1, 2 * WINDOW + 1)
            same = [torch.allclose(layer(maps.roll(s, 2)), before.roll(s, 2), atol=1e-9) for s in shifts]
            found.append(shifts[same.index(True)])
    return found[0], found[1]


@exercise(
    accepts="the output of attention within windows, up to rounding, for three maps, with one, two and three heads",
    hints=(
        "reshape the map to (N, H / window, window, W / window, window, C): which axes must be next to each other, so that the "
        "positions of one window form one axis?",
        "bring queries, keys and values to (windows, heads, positions, channels of a head); the scores are (windows, heads, "
        "queries, keys), and each row of keys becomes weights; undo every reshape and permutation at the end",
    ),
)
def window_attention(answer: Any) -> None:
    """Check a function (x, window, q, k, v, heads) that computes attention within windows on channels-last maps."""
    import torch

    from .mistakes import require_right
    from .window_attention import Projections, attend, mistaken

    require(callable(answer), "it must be a function")
    generator = torch.Generator().manual_seed(0)
    for shape, window, heads in (((2, 4, 8, 6), 2, 3), ((1, 9, 6, 4), 3, 1), ((2, 8, 8, 12), 4, 2)):
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        channels = shape[3]
        weights = (torch.randn(channels, channels, generator=generator, dtype=torch.float64) for _ in range(3))
        projections = Projections(*(weight * channels**-0.5 for weight in weights))
        given = answer(x.clone(), window, *(weight.clone() for weight in projections), heads)
        expected = attend(x, (window, window), projections, heads)
        what = f"the output for x {shape}, window = {window}, heads = {heads}"
        require_right(given, expected, mistaken(x, window, projections, heads), what)


@exercise(
    accepts="the map of ab.effective_receptive_field, up to rounding, for four layers of two small networks, which are left as "
    "they were",
    hints=(
        "a forward hook on network.get_submodule(layer) sees the output of the layer; remove the hook afterwards",
        "rectify twice: the central vector before you add up its channels, and the gradient before you add up the colours; "
        "torch.autograd.grad leaves the parameters without gradients; restore the mode of the network at the end",
    ),
)
def effective_map(answer: Any) -> None:
    """Check a function (network, images, layer) that computes the map of an effective receptive field."""
    import torch

    from .. import Architecture, build
    from ..measure.receptive_field import effective_receptive_field
    from .field_by_hand import mistaken
    from .mistakes import require_right

    require(callable(answer), "it must be a function")
    small = Architecture(depths=(1, 1, 1, 1), width=8)
    traces: list[str] = []  # what the function leaves behind, told only if all maps are right
    for seed, (architecture, layer, (height, width)) in enumerate(
        (
            (small.replace(stem="patchify", depthwise=True), "stem", (32, 64)),  # its output may be negative
            (small, "stages.1", (64, 64)),
            (small, "stages.2", (64, 96)),
            (small.replace(stem="patchify", depthwise=True), "stages.0", (64, 64)),
        )
    ):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(architecture, num_classes=3).double().train()
            images = torch.randn(2, 3, height, width, dtype=torch.float64)
        state, before = {name: value.clone() for name, value in network.state_dict().items()}, images.clone()
        given = answer(network, images, layer)
        traces += _traces(network, state, images, before)
        for part in network.modules():
            part._forward_hooks.clear()
        network.load_state_dict(state)
        network.eval()
        field = torch.from_numpy(effective_receptive_field(network, before, layer=layer).map)
        what = f"the map of layer {layer!r} for images of {height} x {width} px"
        require_right(given, field, mistaken(network, before, layer, "stages.3"), what)
    require(not traces, f"the map is right, but {next(iter(traces), '')}")


def _traces(network: nn.Module, state: dict[str, Tensor], images: Tensor, before: Tensor) -> list[str]:
    """Return what a function has changed of a network in training mode, with this state, and of images."""
    import torch

    changed = any(not torch.equal(value, state[name]) for name, value in network.state_dict().items())
    hooked = any(part._forward_hooks for part in network.modules())
    found = {
        "the running averages of the batch norms have changed": changed,
        "the network was in training mode before, and is not afterwards": not network.training,
        "a hook is left on a layer of the network": hooked,
        "the parameters of the network are left with gradients": any(p.grad is not None for p in network.parameters()),
        "the images are changed: they have other values, or require a gradient": not torch.equal(images, before)
        or images.requires_grad,
    }
    return [trace for trace, is_left in found.items() if is_left]
