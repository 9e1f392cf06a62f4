"""Heat map of learning rates compared for each row of a ladder: how far each rate is below the row's best one."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .style import BLUE, PAGE_INCHES, SMALL, colour_bar, headline, new_figure, quiet

_ROW_INCHES = 0.25
_COLOURS = sns.light_palette(BLUE, as_cmap=True)
_MOST_LABELLED = 12  # rates, beyond which the cells are too narrow for numbers
_WORST = 10.0  # points below the row's best, beyond which a cell is no darker


def plot_row_rates(table: pd.DataFrame, data_label: str, figure: Figure | None = None) -> Figure:
    """Plot the held-out accuracy of each row at each learning rate, one panel per recipe; the shade is the distance to its best.

    Args:
        table: from `ablation.evidence.row_rate_table.row_rate_table`.
        data_label: name of the data, for the title.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure. The rate of a row is framed, and what lies within one standard error of it is underlined.
    """
    cells = table.drop_duplicates(["rung", "lr"])
    members = list(dict.fromkeys(cells["member"]))
    counts = [cells.loc[cells["member"] == member, "rung"].nunique() for member in members]
    figure = figure or new_figure(PAGE_INCHES, _ROW_INCHES * sum(counts) + 0.75 * len(members) + 0.9)
    panels = figure.subplots(len(members), 1, squeeze=False, gridspec_kw={"height_ratios": counts}).ravel()
    for axes, member in zip(panels, members, strict=True):
        _plot_panel(axes, cells[cells["member"] == member])
    scale = ScalarMappable(Normalize(0, _WORST), _COLOURS)
    bar = colour_bar(
        figure, scale, list(panels), "points below the row's best", fraction=0.025, pad=0.01, aspect=40, extend="max"
    )
    bar.invert_yaxis()
    note = f"{data_label}{_edges(cells)}\nheld-out top-1 (%); framed: the row's rate; underlined: within one standard error of it"
    return headline(figure, _finding(cells), note)


def _plot_panel(axes: Axes, cells: pd.DataFrame) -> None:
    rates, rows = sorted(set(cells["lr"])), list(dict.fromkeys(cells["rung"]))
    wide = cells.pivot(index="rung", columns="lr", values="mean_accuracy").loc[rows, rates].to_numpy()
    best = cells.groupby("rung", sort=False)["mean_accuracy"].max()[rows].to_numpy()
    below = best[:, None] - wide
    axes.pcolormesh(below, cmap=_COLOURS, vmin=0, vmax=_WORST, edgecolor="white")
    for cell in cells.to_dict("records"):
        x, y = rates.index(cell["lr"]), rows.index(cell["rung"])
        value = cell["mean_accuracy"]
        dark = below[y, x] > 0.75 * _WORST
        text = "diverged" if value != value else f"{value:.1f}"
        if len(rates) <= _MOST_LABELLED:
            axes.text(
                x + 0.5, y + 0.5, text, fontsize=SMALL, ha="center", va="center", color="white" if dark else "black"
            )
        if cell["near_best"]:
            axes.plot([x + 0.42, x + 0.58], [y + 0.86, y + 0.86], color="black", linewidth=0.8)
        if cell["best"]:
            axes.add_patch(Rectangle((x + 0.02, y + 0.05), 0.96, 0.9, fill=False, edgecolor="black", linewidth=1.2))
            edge = f", {cell['at_edge']} tried" if cell["at_edge"] else ""
            axes.text(
                1.01,
                y + 0.5,
                f"{cell['lr']:g}{edge}",
                transform=axes.get_yaxis_transform(),
                fontsize=SMALL,
                va="center",
            )
    axes.invert_yaxis()
    titles = cells.drop_duplicates("rung")["title"]
    quiet(axes, f"learning rate, {cells['recipe'].iloc[0]} (recipe: {cells['recipe_lr'].iloc[0]:g})")
    axes.set_yticks([i + 0.5 for i in range(len(rows))], titles, fontsize=SMALL)
    axes.set_xticks([i + 0.5 for i in range(len(rates))], [f"{rate:g}" for rate in rates], fontsize=SMALL)
    axes.tick_params(axis="x", rotation=0 if len(rates) <= _MOST_LABELLED else 90)
    axes.tick_params(length=0)
    sns.despine(ax=axes, left=True, bottom=True)


def _finding(cells: pd.DataFrame) -> str:
    """Return what the rate of the recipe costs the rows, for the head of the figure."""
    rows, best = cells["rung"].nunique(), cells[cells["best"]].set_index("rung")
    at_recipe = cells[cells["lr"] == cells["recipe_lr"]].set_index("rung")
    behind = at_recipe.index[~at_recipe["near_best"]]
    lost = (best["mean_accuracy"] - at_recipe["mean_accuracy"]).reindex(behind).dropna().sort_values()
    if best.empty:
        return f"All rates of all {rows} rows diverged"
    if at_recipe.empty:
        return f"{rows} rows do best at rates from {best['lr'].min():g} to {best['lr'].max():g}"
    if behind.empty:
        return f"At the rate of the recipe, none of {rows} rows loses over one standard error"
    verb = "loses" if len(behind) == 1 else "lose"
    found = f"At the rate of the recipe, {len(behind)} of {rows} rows {verb} over one standard error"
    if lost.empty:  # all of them diverged at it
        return found
    return f"{found}, up to {lost.iloc[-1]:.1f} points ({best['title'][lost.index[-1]]})"


def _edges(cells: pd.DataFrame) -> str:
    """Return how many rows may need rates beyond those tried, or ""."""
    edge = int((cells.loc[cells["best"], "at_edge"] != "").sum())
    return f"; {edge} {'row is' if edge == 1 else 'rows are'} best at an edge of the rates tried" if edge else ""
