"""Tables of attributions: their scores per image, in the terminal, and curves of insertion and deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table
from torch import Tensor

from ..measure.faithfulness import Curves
from ..measure.images import Picture
from ..measure.methods import METHODS


def score_rows(
    method: str, pictures: Sequence[Picture], classes: Tensor, curves: Curves, gap: Tensor | None
) -> list[dict[str, Any]]:
    """Return one row per image with the scores of a method's attributions; the gap is for methods that promise none."""
    return [
        {
            "image": str(picture.file),
            "class": int(classes[i]),
            "method": method,
            "probability": curves.insertion[i, -1],
            "insertion_area": curves.insertion_area[i],
            "deletion_area": curves.deletion_area[i],
            "completeness_gap": None if gap is None else float(gap[i]),
        }
        for i, picture in enumerate(pictures)
    ]


def score_table(table: pd.DataFrame, title: str) -> Table:
    """Return the means over images of the rows of `score_rows`, one line per method, for the terminal."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("method", no_wrap=True)
    for heading in ("insertion, higher is better", "deletion, lower is better", "completeness gap %"):
        shown.add_column(heading, justify="right")
    for method, rows in table.groupby("method", sort=False):
        gap = rows["completeness_gap"].astype(float).median()
        shown.add_row(
            METHODS[str(method)].title,
            f"{rows['insertion_area'].mean():.3f}",
            f"{rows['deletion_area'].mean():.3f}",
            "" if gap != gap else f"{100 * gap:.3g}",
        )
    return shown


def curve_table(curves: dict[str, Curves]) -> pd.DataFrame:
    """Return the means over images of insertion and deletion curves, one row per network, curve and share of pixels."""
    return pd.DataFrame(
        [
            {"network": name, "curve": kind, "share": share, "probability": value, "images": len(entry.insertion)}
            for name, entry in curves.items()
            for kind in ("insertion", "deletion")
            for share, value in zip(entry.shares, getattr(entry, kind).mean(0), strict=True)
        ]
    )
