"""Checkers of notebook 04, large kernels."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checking import exercise, need, need_number

_MANY = 40  # random stacks of layers


@exercise(
    accepts="the exact side for stacks of layers with kernels, strides and dilations, also for none at all",
    hint="a dilated kernel of k positions spans (k - 1) * dilation + 1; what counts is how many pixels lie between two "
    "positions before the layer's own stride",
)
def field_of_layers(answer: Callable[[Sequence[tuple[int, int, int]]], Any]) -> None:
    """The reader's recurrence on fixed and on random stacks of (kernel, stride, dilation)."""
    need(callable(answer), "a function is expected")
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
        for _ in range(_MANY)
    ]
    for layers in stacks:
        need_number(answer(list(layers)), _field(layers), what=f"the side for the layers {layers}")


def _field(layers: Sequence[tuple[int, int, int]]) -> int:
    reach = jump = 1
    for kernel, stride, dilation in layers:
        reach += (kernel - 1) * dilation * jump
        jump *= stride
    return reach


@exercise(
    accepts="the exact odd side for maps of several sizes and shares",
    hint="the squares share one middle pixel, at height // 2 and width // 2; grow the square ring by ring and stop at the first "
    "that holds the share",
)
def side_of_share(answer: Callable[[NDArray[np.float64], float], Any]) -> None:
    """The reader's side of the smallest centred square that holds a share, against `ERF.side`."""
    from ..measure.receptive_field import ERF

    need(callable(answer), "a function is expected")
    draw = np.random.default_rng(0)
    point, ring = np.zeros((9, 9)), np.zeros((11, 11))
    point[4, 4] = ring[0, 5] = ring[5, 5] = 1.0
    maps = [point, ring, np.ones((7, 7)), np.ones((8, 8))]
    for size in (9, 16, 33):
        rows = np.arange(size) - size // 2
        maps.append(np.exp(-(rows[:, None] ** 2 + rows[None] ** 2) / size) * draw.uniform(0.5, 1.5, (size, size)))
    for values in maps:
        for share in (0.2, 0.45, 0.7, 0.95):
            wanted = ERF(values, 1, "", (1, 1), False).side(share)
            what = f"the side for {share:.0%} of a map of {len(values)} x {len(values)}"
            need_number(answer(values.copy(), share), wanted, what=what)


@exercise(
    accepts="the smallest distance at which, tried on random networks, the scores are a sum of what each mark says alone",
    hint="the field of kernels of 3 is 19 px, a mark is 3 px wide, and the distance is from left edge to left edge; at which "
    "distance does the last window that touches the left mark miss the right one?",
)
def breaks_at(answer: Any) -> None:
    """The predicted distance, tried: there the four pairs' scores are additive, one pixel nearer they are not."""
    from ..data.longrange import MARK, SIZE

    need(
        isinstance(answer, int) and not isinstance(answer, bool),
        f"a whole number of pixels is expected, not {answer!r}",
    )
    distance = int(answer)
    most = SIZE - MARK
    need(MARK < distance <= most, f"the marks fit into the image at distances of {MARK + 1} to {most} px here")
    need(
        _interaction(distance) < 1e-9,
        f"tried {distance} px apart: the score of a pair is not the sum of what its marks say, so kernels of 3 still see both",
    )
    need(
        _interaction(distance - 1) > 1e-9,
        f"tried {distance} px apart: they fail, but they fail one pixel nearer too, so it is not the smallest distance",
    )


def _interaction(distance: int) -> float:
    """How far the scores of a random network with kernels of 3 are from additive, relative to their spread."""
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
    apart = scores[:, 0] + scores[:, 3] - scores[:, 1] - scores[:, 2]
    return float(apart.abs().max() / scores.std())


@exercise(
    accepts="a pair of whole numbers, the smallest shifts that were tried and found to shift the output along",
    hint="a kernel is the same at every position; the borders of the windows stay where they are when the image moves",
)
def smallest_shifts(answer: Any) -> None:
    """The predicted shift for a 7 x 7 convolution and for 7 x 7 window attention, each tried on a torus."""
    need(
        isinstance(answer, tuple | list) and len(answer) == 2, "a pair is expected: for the convolution, for attention"
    )
    for name, said, wanted in zip(("the convolution", "window attention"), answer, _shifts(), strict=True):
        need_number(said, wanted, what=f"the shift for {name}")


def _shifts() -> tuple[int, int]:
    """The smallest shift above 0 after which each layer puts out what it put out before, shifted."""
    import torch
    from torch import nn

    from ..measure.images import photographs
    from ..measure.mixers import WINDOW, mixers

    pair = mixers(photographs(56)[:1])
    maps = pair.maps.double()  # two windows a side
    conv = pair.convolution.double()
    around = nn.CircularPad2d(WINDOW // 2)

    def convolve(x: torch.Tensor) -> torch.Tensor:
        weight, bias = conv.get_parameter("weight"), conv.get_parameter("bias")
        out = nn.functional.conv2d(around(x.permute(0, 3, 1, 2)), weight, bias, groups=x.shape[3])
        return out.permute(0, 2, 3, 1)

    found = []
    with torch.no_grad():
        for layer in (convolve, pair.attention.double().eval()):
            before = layer(maps)
            shifts = range(1, 2 * WINDOW + 1)
            same = [torch.allclose(layer(maps.roll(s, 2)), before.roll(s, 2), atol=1e-9) for s in shifts]
            found.append(shifts[same.index(True)])
    return found[0], found[1]
