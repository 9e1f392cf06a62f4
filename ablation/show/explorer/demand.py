"""Slow computations that run on demand: the effective receptive field and one forward pass."""

from __future__ import annotations

import base64
import io
import time
import warnings
from html import escape
from typing import TYPE_CHECKING, Any

from ...design.architecture import Architecture
from ...design.cost import cost
from .state import Design
from .svg import BLUE, INK, RED, rect, svg, text

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ...measure.receptive_field import ERF

ERF_SIZE, ERF_PHOTOGRAPHS = 160, 2  # 160 px: a side of five positions at stride 32, so that there is a middle position
SQUARES = ((0.5, BLUE, ""), (0.99, RED, "6 3"))  # share of the field, colour and dashes of each square
MAX_PARAMS, MAX_MACS = 150_000_000, 20_000_000_000  # above either limit, a confirmation is required
_BYTES_PER_VALUE = 4
_SIDE = 300.0


def size_warning(design: Design, action: str) -> str:
    """Return a warning that running a design is expensive, or "" for a small design.

    Args:
        design: the design to run.
        action: "field" for the effective receptive field, "forward" for a forward pass.
    """
    computed = cost(design.architecture, erf_size(design.architecture)) if action == "field" else design.cost
    # two forward passes and one backward pass per photograph cost about as much as four forward passes
    macs = computed.macs * (4 * ERF_PHOTOGRAPHS if action == "field" else 1)
    if computed.params <= MAX_PARAMS and macs <= MAX_MACS:
        return ""
    memory = computed.params * _BYTES_PER_VALUE + computed.activations * _BYTES_PER_VALUE * (
        ERF_PHOTOGRAPHS if action == "field" else 1
    )
    return (
        f"This is large: {computed.params / 1e6:,.0f} M parameters, {macs / 1e9:,.0f} G multiply-accumulates, up to "
        f"{memory / 1e9:,.1f} GB of memory. It may take long and stop the kernel. Press again to run it all the same."
    )


def erf_size(architecture: Architecture) -> int:
    """Return the side in pixels of the photographs on which the effective receptive field is measured."""
    return max(ERF_SIZE, architecture.min_size)


def forward_html(design: Design) -> str:
    """Build the network, run one image through it, and return the output shape and the times as HTML."""
    import torch

    from ...network import build  # noqa: F401  so that the import is not timed

    start = time.perf_counter()
    module = _build(design.architecture)
    built = time.perf_counter()
    with torch.no_grad():
        output = module(torch.zeros(1, 3, design.size, design.size))
    done = time.perf_counter()
    counted = sum(parameter.numel() for parameter in module.parameters())
    return (
        f'<p class="ax-result">In: (1, 3, {design.size}, {design.size}). Out: <b>{tuple(output.shape)}</b>, after '
        f"<b>{1000 * (done - built):,.0f} ms</b> on this processor ({torch.get_num_threads()} threads); building it took "
        f"{1000 * (built - start):,.0f} ms. The built module has {counted:,} parameters. Random weights, one image, one pass "
        "with nothing warmed up: for times to rely on, see 08_cost_and_speed.</p>"
    )


def effective_field(design: Design) -> ERF:
    """Compute the effective receptive field over two photographs, with random weights from seed 0 and opened branches."""
    import torch

    from ...measure.images import IMAGENET_MEAN, IMAGENET_STD, normalise, photograph
    from ...measure.norms import take_statistics
    from ...measure.receptive_field import FieldWarning, effective_receptive_field, open_branches

    size = erf_size(design.architecture)
    pixels = torch.stack([photograph(name).square(size) for name in ("cat", "coffee")[:ERF_PHOTOGRAPHS]])
    images: Tensor = normalise(pixels, IMAGENET_MEAN, IMAGENET_STD)
    module = take_statistics(open_branches(_build(design.architecture)), images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FieldWarning)  # the page states it
        return effective_receptive_field(module, images)


def effective_html(field: ERF) -> str:
    """Return the map of an effective receptive field as HTML, with the squares that hold 50 % and 99 % of it."""
    size = field.map.shape[0]
    scale, middle = _SIDE / size, _SIDE / 2
    shapes = [f'<image width="{_SIDE:g}" height="{_SIDE:g}" href="{_png(field.map)}"/>']
    sides = [(share, field.side(share), colour, dashes) for share, colour, dashes in SQUARES]
    for i, (share, side, colour, dashes) in enumerate(sides):
        half = min(side, size) * scale / 2
        stroke = f'stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes}"'
        shapes.append(rect(middle - half, middle - half, 2 * half, 2 * half, more=stroke))
        y = _SIDE + 22 + 20 * i
        shapes.append(f'<line x1="4" y1="{y - 4:.0f}" x2="52" y2="{y - 4:.0f}" {stroke}/>')
        shapes.append(text(62, y, f"{100 * share:.0f} % of it within {side} px", "start", 13))
    shapes.append(rect(0.5, 0.5, _SIDE - 1, _SIDE - 1, more=f'stroke="{INK}"'))
    widths = ", ".join(f"{100 * share:.0f} percent within {side} px" for share, side, *_ in sides)
    cut = " It reaches the edge of the image: what lies beyond is not seen." if field.cut else ""
    label = f"Effective receptive field on images of {size} px: {widths}. Darker pixels weigh more."
    return (
        f"{svg(''.join(shapes), _SIDE, _SIDE + 50, label)}"
        f'<p class="ax-note">Darker: the pixel weighs more in the middle of the last map (square root of the gradient). '
        f"Random weights from seed 0, branches opened, {field.images} photographs of {size} px: what the architecture "
        f"favours, not what training makes of it.{escape(cut)} See 04_large_kernels.</p>"
    )


def _build(architecture: Architecture) -> nn.Module:
    import torch

    from ...network import build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(architecture).eval()


def _png(values: Any) -> str:
    """Return a map as a PNG data URI, with colours from white to dark blue."""
    import numpy as np
    from PIL import Image

    share = np.sqrt(values / values.max())[..., None]
    white, dark = np.array([255.0, 255.0, 255.0]), np.array([0.0, 40.0, 90.0])
    data = io.BytesIO()
    Image.fromarray((white + (dark - white) * share).round().astype(np.uint8)).save(data, "PNG")
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
