"""The presence table: which steps each network takes, and its accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ..design.roadmap import Rung
from .accuracies import Accuracies
from .intervals import mean_interval


def presence(networks: Mapping[str, Iterable[str]], accuracies: Accuracies) -> pd.DataFrame:
    """Return which steps each network takes, with its mean accuracy.

    Args:
        networks: name of each network -> the steps it takes: `{point.name: point.steps for point in design}`, or
            `steps_of_rungs` of a ladder.
        accuracies: name of the network -> seed -> top-1 in percent; a network without an entry has no accuracy.

    Returns:
        One row per network: network; one column per step, in order of first appearance, True where it is taken;
        accuracy_percent, half_points (half-width of its 95 % interval) and n. `show.table_files` writes it.

    >>> presence({"start": [], "end": ["gelu"]}, {"start": {0: 70.0}, "end": {0: 71.0, 1: 73.0}})
      network   gelu  accuracy_percent  half_points  n
    0   start  False              70.0          NaN  1
    1     end   True              72.0     12.706205  2
    """
    taken = {name: list(steps) for name, steps in networks.items()}
    columns = dict.fromkeys(step for steps in taken.values() for step in steps)
    rows = []
    for name, steps in taken.items():
        values = list(accuracies.get(name, {}).values())
        found = mean_interval(values) if values else None
        half = found.half if found else None
        rows.append(
            {
                "network": name,
                **{step: step in steps for step in columns},
                "accuracy_percent": found.mean if found else np.nan,
                "half_points": np.nan if half is None else half,
                "n": len(values),
            }
        )
    return pd.DataFrame(rows, columns=["network", *columns, "accuracy_percent", "half_points", "n"])


def steps_of_rungs(rungs: Iterable[Rung]) -> dict[str, tuple[str, ...]]:
    """Return the steps that each rung of a ladder takes, by the rung's name; the modern recipe counts as a step.

    >>> from ablation.design.roadmap import roadmap
    >>> steps_of_rungs(roadmap())["patchify_stem"]
    ('enhanced_recipe', 'stage_ratio', 'patchify_stem')
    """
    taken: dict[str, tuple[str, ...]] = {}
    for rung in rungs:
        taken[rung.name] = (*taken[rung.previous], rung.name) if rung.previous else ()
    return taken
