"""Draw figures again from the numbers beside them, after a change of how they look: `python -m tests.redraw [NAME ...]`.

Only figures whose CSV file holds all that they show; the others need their networks (`make figures`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ablation.commands.see_signal import DIVISOR
from ablation.design.roadmap import roadmap
from ablation.measure.norms import NormStatistics
from ablation.show.attributions import plot_gaps
from ablation.show.inside import plot_norms
from ablation.show.picture import png
from ablation.show.plots import plot_roadmap
from ablation.show.rate_plots import plot_rates
from ablation.show.signal_plot import plot_signals
from ablation.show.speed import plot_operators, plot_speed

FIGURES = Path(__file__).parents[1] / "figures"


def _roadmap(table: pd.DataFrame) -> Figure:
    return plot_roadmap(table.fillna({"verdict": "", "test": ""}), table["data"].iloc[0])


def _rates(table: pd.DataFrame) -> Figure:
    names = {rung.name: rung.title.partition(" (")[0] for rung in roadmap()}
    panels = {(row.member, row.rung): f"{names[row.rung]}, {row.recipe}" for row in table.itertuples()}
    return plot_rates(table, dict(sorted(panels.items(), key=lambda panel: panel[0][0] != "original")))


def _norms(table: pd.DataFrame) -> Figure:
    columns = ["name", "kind", "spread_in", "spread_out", "largest_in", "drift"]
    networks = table.groupby("title", sort=False)
    return plot_norms({str(title): [NormStatistics(*row) for row in rows[columns].values] for title, rows in networks})


def _signal(table: pd.DataFrame) -> Figure:
    gains = {
        str(title): {str(kind): list(part["gain"]) for kind, part in rows.groupby("kind", sort=False)}
        for title, rows in table.groupby("title", sort=False)
    }
    return plot_signals(gains, DIVISOR, table["init_gain"].max())


DRAW: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "roadmap-cifar10-10k": _roadmap,
    "roadmap-digits": _roadmap,
    "rates-cifar10-10k-5k": _rates,
    "speed-resnet50": plot_speed,
    "operators-resnet50": plot_operators,
    "norms-resnet50": _norms,
    "signal-resnet50": _signal,
    "completeness-digits": plot_gaps,
}


def redraw(name: str) -> Figure:
    """Return the figure of a name in `DRAW`, drawn from its CSV file."""
    return DRAW[name](pd.read_csv(FIGURES / f"{name}.csv"))


if __name__ == "__main__":
    for chosen in sys.argv[1:] or DRAW:
        (FIGURES / f"{chosen}.png").write_bytes(png(redraw(chosen)))
        print(f"wrote {FIGURES / f'{chosen}.png'}")
