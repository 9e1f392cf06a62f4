"""Figures as PNG images with alt text, for notebooks and web pages."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure


def png(figure: Figure) -> bytes:
    """Return a figure as PNG bytes; the same figure always gives the same bytes."""
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
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
    from IPython.display import Image

    return Image(data=png(figure), alt=alt, width=width_px)
