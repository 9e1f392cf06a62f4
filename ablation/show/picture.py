"""Figures as PNG images with alt text, for notebooks and web pages."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

_COLOURS = 256  # of the palette that halves the size of a file
_MANY_COLOURS = 4096  # of photographs and fine shades, which a palette would spoil


def png(figure: Figure) -> bytes:
    """Return a figure as PNG bytes, with a palette unless it has many colours; the same figure always gives the same bytes."""
    drawn, data = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        dpi = picture.info.get("dpi", (figure.dpi, figure.dpi))
        flat = picture.convert("RGB")
        if flat.getcolors(_MANY_COLOURS):
            flat = flat.quantize(_COLOURS, dither=Image.Dither.NONE)
    flat.save(data, format="png", optimize=True, dpi=dpi)
    return data.getvalue()


def picture(figure: Figure, alt: str, width_px: int = 760) -> Any:
    """Return a figure as an image with alt text, to display at the end of a notebook cell.

    Args:
        figure: any figure.
        alt: alt text, one or two sentences.
        width_px: display width in pixels.

    Returns:
        An `IPython.display.Image`.
    """
    from IPython.display import Image as Shown

    return Shown(data=png(figure), alt=alt, width=width_px)
