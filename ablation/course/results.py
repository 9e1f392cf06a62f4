"""Small experiments of the course: trials run now at the scale of the session, and stored results of more seeds."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..design.trial import Outcome, Trial
from ..errors import AblationError, unknown
from ..evidence.intervals import Interval, mean_interval, paired_difference
from ..files import write_atomically
from ..study.engines import Engine, Event
from ..study.study import Study
from .scale import VARIABLE, scale

STORED, RUNS = Path("stored"), Path("runs-course")  # beside the notebook


def experiment(
    name: str, trials: Mapping[tuple[Any, ...], Trial], columns: Sequence[str], engine: str | Engine = "local"
) -> pd.DataFrame:
    """Run trials, a process of one thread for each core, and return what came of them. What was run before is not repeated.

    At scale "full" the table is also written to `stored/NAME.csv`, from where `stored` reads it.

    Args:
        name: of the experiment, and of its file.
        trials: by what distinguishes them apart from the seed, which each trial has, such as ("batch", 8, 0).
        columns: what the parts of such a key are called.
        engine: as `Study` takes it. Layers that a notebook registers exist in its own process only, and need one that runs there.

    Returns:
        A row for each trial: columns, seed, status, accuracy (%), losses, epochs, parameters, seconds and environment.

    Raises:
        AblationError: if a trial failed, with its reason; what was run is kept.
    """
    study = Study(list(trials.values()), RUNS, engine)
    progress = _Progress(len(study.missing()))
    outcomes = study.run(on_event=progress)
    progress.close()
    for trial, outcome in study.failed().items():
        raise AblationError(f"the trial with seed {trial.seed} of {name} failed: {outcome.reason}")
    table = pd.DataFrame([_row(dict(zip(columns, key, strict=True)), t, outcomes[t]) for key, t in trials.items()])
    if scale() == "full":
        write_atomically(STORED / f"{name}.csv", table.to_csv(index=False).encode())
    return table


def stored(name: str) -> pd.DataFrame:
    """A result that was measured beforehand and ships with the notebooks; prints what it was measured on.

    Args:
        name: of the experiment.

    Raises:
        AblationError: if there is none of that name.
    """
    file = STORED / f"{name}.csv"
    if not file.exists():
        raise unknown("stored result", name, sorted(path.stem for path in STORED.glob("*.csv")))
    table = pd.read_csv(file)
    one = table.iloc[0]
    parts = [f"{len(table)} rows"]
    if "seed" in table:
        parts.append(f"seeds {', '.join(map(str, sorted(table['seed'].unique())))}")
    parts += [f"{one['machine']}, {one['device']}, torch {one['torch']}, commit {one['commit']}"]
    print(f"Stored, not run now: {'; '.join(parts)}. {VARIABLE}=full runs it anew.")
    return table


def summarise(table: pd.DataFrame, by: Sequence[str], value: str = "accuracy") -> pd.DataFrame:
    """Mean over seeds with the half width of its 95 % interval, for each setting, in the order of the table.

    Args:
        table: from `experiment` or `stored`.
        by: the columns that make a setting.
        value: the column to average.

    Returns:
        `mean`, `half` (NaN for one seed) and `n`, indexed by the setting.
    """
    rows = []
    for key, group in table.groupby(list(by), sort=False):
        values = [float(v) for v in group[value].dropna()]
        found = mean_interval(values) if values else Interval(math.nan, None)
        rows.append({**dict(zip(by, key, strict=True)), "mean": found.mean, "half": found.half, "n": len(values)})
    return pd.DataFrame(rows).astype({"half": float}).set_index(list(by))


def compare(table: pd.DataFrame, column: str, a: Any, b: Any, value: str = "accuracy") -> str:
    """The difference of setting `b` to setting `a`, paired by seed, in words: larger, smaller or within noise.

    Args:
        table: from `experiment` or `stored`; narrow it first where other columns vary too.
        column: that holds the two settings.
        a, b: the settings.
        value: the column to compare.
    """
    ours, theirs = ({int(r["seed"]): float(r[value]) for _, r in table[table[column] == s].iterrows()} for s in (b, a))
    found = paired_difference(ours, theirs)
    if found is None:
        raise AblationError(f"no seed was run with both {a!r} and {b!r} in column {column!r}")
    said = f"{b} minus {a}: {found.mean:+.2f}"
    if found.half is None:
        return f"{said} with one seed: no interval, so no verdict"
    sign = "within noise" if abs(found.mean) <= found.half else "larger" if found.mean > 0 else "smaller"
    return f"{said} ± {found.half:.2f} (95 % interval, {len(set(ours) & set(theirs))} seeds): {sign}"


def _row(key: dict[str, Any], trial: Trial, outcome: Outcome) -> dict[str, Any]:
    return {
        **key,
        "seed": trial.seed,
        "status": outcome.status,
        "accuracy": outcome.accuracy,
        "test_loss": outcome.test_loss,
        "train_loss": outcome.train_losses[-1] if outcome.train_losses else None,
        "epochs": trial.recipe.epochs,
        "params": outcome.params,
        "seconds": round(outcome.seconds, 2),
        **outcome.environment,
    }


class _Progress:
    """A line that says how far an experiment is, and is gone when it is done; in a notebook, with all its cell printed."""

    def __init__(self, trials: int) -> None:
        shell = sys.modules.get("IPython")  # not imported for its own sake: where there is none, this is no notebook
        self._all, self._done = trials, 0
        self._in_notebook = shell is not None and shell.get_ipython() is not None
        self._say()

    def __call__(self, event: Event) -> None:
        if event.kind == "ended":
            self._done += 1
            self._say()

    def close(self) -> None:
        self._clear()

    def _say(self) -> None:
        if self._all:
            self._clear()
            print(f"{self._done} of {self._all} trials", end="" if self._in_notebook else "\n", flush=True)

    def _clear(self) -> None:
        if self._in_notebook and self._all:
            from IPython.display import clear_output

            clear_output(wait=True)
