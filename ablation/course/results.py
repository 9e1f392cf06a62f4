"""Small experiments for the course: trials run now at the current scale, and stored results with more seeds."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..design.trial import Outcome, Trial
from ..errors import AblationError, unknown
from ..evidence.contrasts import ALPHA, LEAST_SEEDS, contrasts
from ..evidence.intervals import Interval, mean_interval
from ..files import write_atomically
from ..study.engines import Engine, Event
from ..study.study import Study
from .scale import VARIABLE, scale

STORED, RUNS = Path("stored"), Path("runs-course")  # in the folder of the notebook


def experiment(
    name: str, trials: Mapping[tuple[Any, ...], Trial], columns: Sequence[str], engine: str | Engine = "local"
) -> pd.DataFrame:
    """Run trials, one single-threaded process per core, and return their outcomes. Finished trials are not repeated.

    At scale "full" the table is also written to `stored/NAME.csv`, where `stored` finds it.

    Args:
        name: name of the experiment and of its file.
        trials: the trials, each under a tuple that identifies it, such as (norm, batch, run).
        columns: a column name for each element of these tuples, such as "norm", "batch" and "run". The seed is added in
            a column of its own.
        engine: as for `Study`. Layers registered in a notebook exist only in the notebook's process, so they require an
            engine that runs trials in that process.

    Returns:
        A row for each trial: columns, seed, status, accuracy (%), losses, epochs, parameters, seconds and environment.

    Raises:
        AblationError: if a trial failed, with its reason; the results of finished trials are kept.
    """
    study = Study(list(trials.values()), RUNS, engine)
    progress = _Progress(len(study.missing()))
    outcomes = study.run(on_event=progress)
    progress.close()
    for trial, outcome in study.failed().items():
        raise AblationError(f"the trial with seed {trial.seed} of {name} failed: {outcome.reason}")
    table = pd.DataFrame([_row(dict(zip(columns, key, strict=True)), t, outcomes[t]) for key, t in trials.items()])
    if scale() == "full":
        write_atomically(STORED / f"{name}.csv", table.to_csv(index=False))
    return table


def stored(name: str) -> pd.DataFrame:
    """Return a result that was measured in advance and ships with the notebooks; print the environment it was measured in.

    Args:
        name: name of the experiment.

    Raises:
        AblationError: if there is no stored result with that name.
    """
    file = STORED / f"{name}.csv"
    if not file.exists():
        raise unknown("stored result", name, sorted(path.stem for path in STORED.glob("*.csv")))
    table = pd.read_csv(file)
    first = table.iloc[0]
    parts = [f"{len(table)} rows"]
    if "seed" in table:
        parts.append(f"seeds {', '.join(map(str, sorted(table['seed'].unique())))}")
    parts += [f"{first['machine']}, {first['device']}, torch {first['torch']}, commit {first['commit']}"]
    print(f"Stored, not run now: {'; '.join(parts)}. {VARIABLE}=full runs it anew.")
    return table


def summarise(table: pd.DataFrame, by: Sequence[str], value: str = "accuracy") -> pd.DataFrame:
    """Compute the mean over seeds and the half width of its 95 % interval for each setting, in the order of the table.

    Args:
        table: a table from `experiment` or `stored`.
        by: the columns that define a setting.
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


def compare(table: pd.DataFrame, column: str, a: Any, b: Any, value: str = "accuracy", one_recipe: bool = True) -> str:
    """Return the difference of means, `b` minus `a`, as text with a verdict: larger, smaller or undecided.

    The difference is a contrast: all settings in the column share one standard deviation, except those whose own departs from
    it. The text gives the half width of the 95 % interval, the number of seeds, and the smallest difference that so many find
    with 80 % power. There is no verdict with fewer than three seeds, or where one diverged. The verdict holds for one comparison
    that was chosen beforehand: nothing is corrected for the others.

    Args:
        table: a table from `experiment` or `stored`; filter it first if other columns vary as well.
        column: the column that holds the settings.
        a, b: the two settings that are compared.
        value: the column to compare.
        one_recipe: False if the settings are trained with different recipes. Then Welch's test is used.

    Raises:
        AblationError: if a setting is not in the column, or a seed occurs twice with one setting.
    """
    measured: dict[str, dict[int, float]] = {}
    diverged: dict[str, int] = {}
    for setting, rows in table.groupby(column, sort=False):
        name = str(setting)
        if rows["seed"].duplicated().any():
            raise AblationError(
                f"a seed occurs twice with {setting!r} in column {column!r}: filter the table first, or choose another column"
            )
        found = rows.dropna(subset=[value])
        measured[name] = {int(seed): float(x) for seed, x in zip(found["seed"], found[value], strict=True)}
        diverged[name] = int((rows["status"] == "diverged").sum()) if "status" in rows else 0
    for setting in (a, b):
        if not measured.get(str(setting)):
            raise unknown(f"setting of {column!r}", str(setting), [name for name in measured if measured[name]])
    recipes = dict.fromkeys(measured, "") if one_recipe else {name: name for name in measured}
    (step,) = contrasts(measured, recipes, [(str(b), str(a))], diverged)
    text = f"{b} minus {a}: {step.difference:+.2f}"
    if math.isnan(step.half):
        return f"{text} with one seed: no interval, so no verdict"
    text = f"{text} ± {step.half:.2f} (95 % interval, {step.n} seeds; 80 % power from {step.smallest_effect:.1f} on)"
    if step.diverged:
        return f"{text}: no verdict, since {step.diverged} diverged"
    if step.n < LEAST_SEEDS:
        return f"{text}: no verdict from fewer than {LEAST_SEEDS} seeds"
    return f"{text}: {'undecided' if step.p >= ALPHA else 'larger' if step.difference > 0 else 'smaller'}"


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
    """A line with the number of finished trials. In a notebook it replaces the output of the cell, and is cleared at the end."""

    def __init__(self, trials: int) -> None:
        shell = sys.modules.get("IPython")  # not imported here: if it is not loaded, this is not a notebook
        self._total, self._done = trials, 0
        self._in_notebook = shell is not None and shell.get_ipython() is not None
        self._show()

    def __call__(self, event: Event) -> None:
        if event.kind == "ended":
            self._done += 1
            self._show()

    def close(self) -> None:
        self._clear()

    def _show(self) -> None:
        if self._total:
            self._clear()
            print(f"{self._done} of {self._total} trials", end="" if self._in_notebook else "\n", flush=True)

    def _clear(self) -> None:
        if self._in_notebook and self._total:
            from IPython.display import clear_output

            clear_output(wait=True)
