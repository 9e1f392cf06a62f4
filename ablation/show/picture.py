"""A figure as a picture with a description in words, for notebooks and pages."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure


def png(figure: Figure) -> bytes:
    """A figure as PNG, the same bytes for the same figure."""
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()


def picture(figure: Figure, alt: str, width_px: int = 760) -> Any:
    """A figure for the end of a notebook cell, with alt text for those who do not see it.

    Args:
        figure: any figure.
        alt: what it shows, in a sentence or two.
        width_px: as wide as it is displayed, in pixels.

    Returns:
        An `IPython.display.Image`.
    """
    from IPython.display import Image

    return Image(data=png(figure), alt=alt, width=width_px)
