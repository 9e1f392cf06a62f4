"""Tables of attributions: their scores per image, in the terminal, and curves of insertion and deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from ..measure.faithfulness import Curves
from ..measure.images import Picture
from ..measure.methods import METHODS
from ..show.fitting import FittedTable


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


def score_table(table: pd.DataFrame, title: str) -> FittedTable:
    """Return the means over images of the rows of `score_rows`, one line per method, for the terminal."""
    groups = table.groupby("method", sort=False)
    gaps = [100 * rows["completeness_gap"].astype(float).median() for _, rows in groups]
    shown = FittedTable(title)
    shown.add("method", [METHODS[str(method)].title for method, _ in groups], "left")
    for name, better in (("insertion", "higher"), ("deletion", "lower")):
        shown.add(f"{name}, {better} is better", [f"{rows[f'{name}_area'].mean():.3f}" for _, rows in groups])
    shown.add("completeness gap %", ["" if gap != gap else f"{gap:.3g}" for gap in gaps])
    shown.wrap_headings()
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
