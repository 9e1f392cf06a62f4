"""`ablation power`: what difference a number of seeds finds, and how many seeds a difference needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..design.trial import MAX_SEEDS
from ..errors import AblationError, check_number
from ..evidence.power import effect_of_seeds, seeds_for_effect
from ..show.fitting import FittedTable
from ..study.store import FILE, Store
from .console import make_console, say

_SEEDS, _EFFECTS = (3, 5, 10), (0.5, 1.0, 2.0)
_MAX_STEPS = 1_000


def predict_power(store: Path, seeds: int | None, effect: float | None, steps: int | None) -> None:
    """Print the power of further seeds, from the spread within the networks of a store.

    Args:
        store: folder of the store.
        seeds: seeds per network whose smallest difference is asked for, or None.
        effect: difference in points whose number of seeds is asked for, or None; a few of both if both are None.
        steps: differences that will be tested, or None for as many as there are networks.

    Raises:
        AblationError: if a number is out of its bounds, or no network of the store has two seeds.
    """
    if seeds is not None:
        check_number("seeds", seeds, 3, MAX_SEEDS, whole=True, reason=": with fewer than three, a step has no verdict")
    if effect is not None:
        check_number("effect", effect, 0.01, 100, reason=": it is a difference in percentage points")
    if steps is not None:
        check_number("steps", steps, 1, _MAX_STEPS, whole=True, reason=": it is the number of differences tested")
    with Store(store / FILE, readonly=True) as opened:
        rows = opened.rows()
    from ..evidence.measured_spread import measured_spread

    groups = measured_spread(rows)
    if groups.empty:
        done = sum(row["status"] == "done" for row in rows)
        raise AblationError(
            f"{store} has no network with two seeds among its {done:,} finished trials: power follows from the spread between "
            "seeds, so train with --seeds 2 or more first"
        )
    asked_seeds = (seeds,) if seeds else () if effect else _SEEDS
    asked_effects = (effect,) if effect else () if seeds else _EFFECTS
    title = "smallest difference found, and seeds needed to find one, with 80 % power"
    table = FittedTable(title, upright=True)
    shown = [_column(group, asked_seeds, asked_effects, steps) for group in groups.to_dict("records")]
    for name in shown[0]:
        table.add(name, [column[name] for column in shown])
    console = make_console()
    console.print(table)
    say(
        console,
        "std: standard deviation within a network between seeds, pooled over the networks of a recipe, with its 95 % interval. "
        "Networks counted as own spread otherwise (Brown-Forsythe, p < 0.01) and are left out. Two-sided tests at 5 %, "
        "divided by the steps as Holm's correction does for the first; where other steps have effects, less is enough.",
    )


def _column(
    group: dict[Any, Any], seeds: tuple[int, ...], effects: tuple[float, ...], steps: int | None
) -> dict[str, str]:
    """Return what is shown of one recipe and data set, by the name of its row."""
    std, networks = group["std_points"], group["networks"]
    tested = steps or min(networks, _MAX_STEPS)
    own = f" ({group['departing']} own)" if group["departing"] else ""
    shown = {
        "data": group["data"],
        "recipe": f"{group['recipe']}, {group['epochs']} epochs",
        "networks": f"{networks}{own}",
        "std": f"{std:.2f} points ({group['std_low']:.2f} to {group['std_high']:.2f})",
        "degrees of freedom": str(group["df"]),
        "steps": str(tested),
    }
    for number in seeds:
        shown[f"{number} seeds find"] = f"{effect_of_seeds(number, std, networks, tested):.2f} points"
    for points in effects:
        needed = seeds_for_effect(points, std, networks, tested)
        text = f"over {MAX_SEEDS:,} seeds" if needed is None else f"{needed} seeds"
        shown["1 point needs" if points == 1 else f"{points:g} points need"] = text
    return shown
