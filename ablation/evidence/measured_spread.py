"""The spread within networks that a store has measured, from which the power of further seeds is predicted."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri

from ..design.architecture import Architecture
from ..design.recipe import Recipe
from ..design.trial import changed_fields
from .contrasts import spread
from .intervals import CONFIDENCE


def measured_spread(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the standard deviation within networks, pooled over all networks of a recipe and data set.

    As in a ladder, networks of one recipe are one pool also where they are trained at different learning rates; one network at
    two rates counts once.

    Args:
        rows: trials with their outcomes, from `Store.rows`; those without an accuracy are ignored.

    Returns:
        One row per data set and recipe of which a network has two seeds: data, recipe, epochs, networks (with an accuracy),
        departing (networks whose own variance departs; they are left out of the pool), std_points, std_low and std_high (its
        95 % interval, chi-squared), df.
    """
    groups: dict[tuple[str, str], dict[tuple[str, Any], dict[int, float]]] = {}
    names: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["status"] == "done" and row["accuracy"] is not None:
            trial = json.loads(row["trial"])
            rate = trial["recipe"].pop("lr", None)
            names.setdefault(recipe := _text(trial["recipe"], Recipe), trial["recipe"])
            network = f"{_text(trial['architecture'], Architecture)} {trial.get('init', '')}"
            trained = groups.setdefault((trial["data"], recipe), {}).setdefault((network, rate), {})
            trained[trial["seed"]] = row["accuracy"]
    found = [
        {"data": data, "recipe": names[recipe]["name"], "epochs": names[recipe]["epochs"], **pooled}
        for (data, recipe), networks in groups.items()
        if (pooled := _pooled(networks))
    ]
    columns = ("data", "recipe", "epochs", "networks", "departing", "std_points", "std_low", "std_high", "df")
    return pd.DataFrame(found, columns=list(columns))


def _text(description: dict[str, Any] | str, kind: type[Architecture | Recipe]) -> str:
    """Return what identifies a description: its fields without defaults, as a field that was added later is not in all rows."""
    return (
        description if isinstance(description, str) else json.dumps(changed_fields(description, kind), sort_keys=True)
    )


def _pooled(networks: Mapping[tuple[str, Any], Mapping[int, float]]) -> dict[str, float] | None:
    seeds = sorted({seed for by_seed in networks.values() for seed in by_seed})
    values = np.array(
        [[by_seed.get(seed, np.nan) for seed in seeds] for by_seed in networks.values()], dtype=np.float64
    )
    within = spread(values, [""] * len(networks))
    shared = np.flatnonzero(~within.departs & (within.df > 0))
    if not len(shared):
        return None
    variance, df = float(within.variance[shared[0]]), float(within.df[shared[0]])
    tail = (1 - CONFIDENCE) / 2
    low, high = (math.sqrt(variance * df / float(chdtri(df, share))) for share in (tail, 1 - tail))
    return {
        "networks": len({network for network, _ in networks}),
        "departing": int(within.departs.sum()),
        "std_points": math.sqrt(variance),
        "std_low": low,
        "std_high": high,
        "df": int(df),
    }
