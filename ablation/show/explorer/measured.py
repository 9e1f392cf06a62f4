"""What this project measured on the road: the accuracies of its own small ladder, as data that travels with the package.

`measured.csv` holds some columns of `figures/roadmap-cifar10-10k.csv`, so that an installed package and a page in a browser
have them. After a new measurement: `python -m ablation.show.explorer.measured figures/roadmap-cifar10-10k.csv`.
"""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("measured.csv")
COLUMNS = ("rung", "n", "accuracy", "difference", "difference_half", "verdict", "data")


@dataclass(frozen=True)
class Measured:
    """One row of our ladder.

    Args:
        accuracy: mean top-1 accuracy in percent.
        n: number of seeds.
        difference, half: mean difference to the previous kept rung and half of its 95 % interval, in points; None for the
            first row.
        verdict: "agrees", "reverses", "differs", "equivalent", "undecided", or "" for none.
        data: name of the images.
    """

    accuracy: float
    n: int
    difference: float | None
    half: float | None
    verdict: str
    data: str


@cache
def measured() -> dict[str, Measured]:
    """Return our rows by the name of the rung."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {row["rung"]: _read(row) for row in csv.DictReader(file)}


def _read(row: dict[str, str]) -> Measured:
    difference, half = (float(row[name]) if row[name] else None for name in ("difference", "difference_half"))
    return Measured(float(row["accuracy"]), int(row["n"]), difference, half, row["verdict"], row["data"])


def select(table: str) -> str:
    """Return the text of `measured.csv` from that of the full table."""
    rows = list(csv.DictReader(table.splitlines()))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    FILE.write_text(select(Path(sys.argv[1]).read_text(encoding="utf-8")), encoding="utf-8")
