"""What takes a moment, so is done on demand: the network is built, looked through and run once."""

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

ERF_SIZE, ERF_PHOTOGRAPHS = 160, 2  # 160 px: five positions a side after a stride of 32, so that there is a middle one
SHARES = ((0.5, BLUE, ""), (0.99, RED, "6 3"))
MOST_PARAMS, MOST_MACS = 150_000_000, 20_000_000_000  # beyond either one is asked first
_BYTES_A_PARAM = 4
_SIDE = 300.0


def warning(design: Design, what: str) -> str:
    """Why to think twice before running a design, or "" where it is small.

    Args:
        design: what would be run.
        what: "field" for the effective receptive field, "forward" for a forward pass.
    """
    price = cost(design.architecture, erf_size(design.architecture)) if what == "field" else design.cost
    # looking twice forward and once back through each photograph costs about four passes
    macs = price.macs * (4 * ERF_PHOTOGRAPHS if what == "field" else 1)
    if price.params <= MOST_PARAMS and macs <= MOST_MACS:
        return ""
    memory = price.params * _BYTES_A_PARAM + price.activations * _BYTES_A_PARAM * (
        ERF_PHOTOGRAPHS if what == "field" else 1
    )
    return (
        f"This is large: {price.params / 1e6:,.0f} M parameters, {macs / 1e9:,.0f} G multiply-accumulates, up to "
        f"{memory / 1e9:,.1f} GB of memory. It may take long and stop the kernel. Press again to run it all the same."
    )


def erf_size(architecture: Architecture) -> int:
    """Side of the photographs that the effective receptive field is measured on."""
    return max(ERF_SIZE, architecture.min_size)


def forward_html(design: Design) -> str:
    """Build the network, run one image through it, and say what came out and how long that took."""
    import torch

    from ...network import build  # noqa: F401  so that loading it is not timed

    began = time.perf_counter()
    module = _build(design.architecture)
    built = time.perf_counter()
    with torch.no_grad():
        output = module(torch.zeros(1, 3, design.size, design.size))
    done = time.perf_counter()
    counted = sum(parameter.numel() for parameter in module.parameters())
    return (
        f'<p class="ax-result">In: (1, 3, {design.size}, {design.size}). Out: <b>{tuple(output.shape)}</b>, after '
        f"<b>{1000 * (done - built):,.0f} ms</b> on this processor ({torch.get_num_threads()} threads); building it took "
        f"{1000 * (built - began):,.0f} ms. The built module has {counted:,} parameters. Random weights, one image, one pass "
        "with nothing warmed up: for times to rely on, see 08_cost_and_speed.</p>"
    )


def effective_field(design: Design) -> ERF:
    """The effective receptive field with random weights from seed 0, branches opened, over two photographs."""
    import torch

    from ...measure.images import IMAGENET_MEAN, IMAGENET_STD, normalise, photograph
    from ...measure.norms import take_statistics
    from ...measure.receptive_field import FieldWarning, effective_receptive_field, open_branches

    size = erf_size(design.architecture)
    pixels = torch.stack([photograph(name).square(size) for name in ("cat", "coffee")[:ERF_PHOTOGRAPHS]])
    images: Tensor = normalise(pixels, IMAGENET_MEAN, IMAGENET_STD)
    module = take_statistics(open_branches(_build(design.architecture)), images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FieldWarning)  # said in the page
        return effective_receptive_field(module, images)


def effective_html(field: ERF) -> str:
    """The map of an effective receptive field, with the squares that hold half and nearly all of it."""
    size = field.map.shape[0]
    scale, middle = _SIDE / size, _SIDE / 2
    shapes = [f'<image width="{_SIDE:g}" height="{_SIDE:g}" href="{_png(field.map)}"/>']
    sides = [(share, field.side(share), colour, dashes) for share, colour, dashes in SHARES]
    for i, (share, side, colour, dashes) in enumerate(sides):
        half = min(side, size) * scale / 2
        dashed = f'stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes}"'
        shapes.append(rect(middle - half, middle - half, 2 * half, 2 * half, more=dashed))
        y = _SIDE + 22 + 20 * i
        shapes.append(f'<line x1="4" y1="{y - 4:.0f}" x2="52" y2="{y - 4:.0f}" {dashed}/>')
        shapes.append(text(62, y, f"{100 * share:.0f} % of it within {side} px", "start", 13))
    shapes.append(rect(0.5, 0.5, _SIDE - 1, _SIDE - 1, more=f'stroke="{INK}"'))
    said = ", ".join(f"{100 * share:.0f} percent within {side} px" for share, side, *_ in sides)
    cut = " It reaches the edge of the image: what lies beyond is not seen." if field.cut else ""
    label = f"Effective receptive field on images of {size} px: {said}. Darker pixels weigh more."
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
    """A map as a picture from white to dark blue, as a data URI."""
    import numpy as np
    from PIL import Image

    share = np.sqrt(values / values.max())[..., None]
    white, dark = np.array([255.0, 255.0, 255.0]), np.array([0.0, 40.0, 90.0])
    data = io.BytesIO()
    Image.fromarray((white + (dark - white) * share).round().astype(np.uint8)).save(data, "PNG")
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
