"""The ladder of a store whose networks are explained: the one that is asked for, or the only one that is trained there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..design.recipe import Recipe
from ..design.recipe_changes import RecipeChanges
from ..design.recipes import Family, family
from ..design.roadmap import Rung
from ..design.trial import Trial
from ..errors import AblationError
from ..study.ladder import ladder_rungs, ladder_trials
from ..study.row_rates import read_rates
from ..study.store import FILE, Store
from ..train.trial_files import weights_file
from .options import StudyOptions

_CHANGED = ("epochs", "batch_size", "drop_path", "ema", "init_gain")
_Found = dict[str, dict[float, Trial]]  # name of a rung -> learning rate -> trial


@dataclass(frozen=True)
class TrainedLadder:
    """Trials of the adopted rungs, all of which have weights.

    Args:
        rungs: trial -> rung, in the order of the ladder.
        title: how it was trained where that is not as the recipe says, such as "init_gain 2.0, own rates".
        chosen: whether it was taken because the one of the recipe is not there.
    """

    rungs: Mapping[Trial, Rung]
    title: str = ""
    chosen: bool = False

    @property
    def suffix(self) -> str:
        """What tells its files from those of the recipe's own ladder."""
        return f"-{re.sub(r'[^A-Za-z0-9]+', '-', self.title.removesuffix('.0'))}" if self.title else ""


def find_ladder(options: StudyOptions, checksum: str) -> TrainedLadder:
    """Return the ladder with seed 0 that the options ask for, or the only other one of its recipe family in the store.

    Args:
        options: data, recipe, start and store; `rates` or `changes` ask for a ladder that was trained with them.
        checksum: that of the data.

    Raises:
        AblationError: if rungs are not trained, or several other ladders are.
    """
    pair, start, changed = options.recipes, options.start, bool(options.changes) or options.rates is not None
    rates = None if options.rates is None else read_rates(options.rates, pair, start)
    asked = {
        trial: rung for trial, rung in ladder_trials(pair, options.data, [0], start, rates).items() if rung.adopted
    }
    files = {trial: weights_file(options.store, trial.key(checksum)) for trial in asked}
    missing = [trial for trial, file in files.items() if not file.is_file()]
    if not missing:
        title = ", ".join(filter(None, (str(options.changes), "own rates" * (rates is not None))))
        return TrainedLadder(asked, title)
    others = [] if changed else _others(options, checksum)
    if len(others) == 1:
        return others[0]
    if others:
        raise AblationError(
            f"{options.store} has {len(others)} ladders of {options.data} and {options.recipe}, none of them as the recipe says: "
            f"{'; '.join(other.title for other in others)}. Say which: --rates FILE for own rates, --init-gain for other weights"
        )
    raise AblationError(_how_to_train(options, [asked[trial] for trial in missing], len(asked), files[missing[0]]))


def _others(options: StudyOptions, checksum: str) -> list[TrainedLadder]:
    """Return the complete ladders of a store that were trained with changes of the recipes, or at other rates."""
    pair, file = family(options.recipe), options.store / FILE
    if not file.is_file():
        return []
    rungs = [rung for rung in ladder_rungs(pair, options.start) if rung.adopted]
    found: dict[RecipeChanges, _Found] = {}
    with Store(file, readonly=True) as store:
        rows = store.rows()
    for row in rows:
        if (row["status"], row["data"], row["data_checksum"], row["seed"]) != ("done", options.data, checksum, 0):
            continue
        trial = Trial.from_dict(json.loads(row["trial"]))
        if trial.init or not weights_file(options.store, row["key"]).is_file():
            continue
        for rung in rungs:
            base = _base(pair, rung)
            if trial.architecture == rung.architecture and (changes := _changes(base, trial.recipe)) is not None:
                found.setdefault(changes, {}).setdefault(rung.name, {})[trial.recipe.lr] = trial
    return [ladder for changes, by_rung in found.items() for ladder in _ladders(changes, by_rung, rungs, pair)]


def _ladders(changes: RecipeChanges, found: _Found, rungs: Sequence[Rung], pair: Family) -> list[TrainedLadder]:
    """Return the complete ladders of one set of changes: at the rates of the recipes, and at each row's own."""
    if any(rung.name not in found for rung in rungs):
        return []
    usual = {rung.name: _base(pair, rung).lr for rung in rungs}
    own = {rung.name: [rate for rate in found[rung.name] if rate != usual[rung.name]] for rung in rungs}
    ladders = []
    if all(usual[rung.name] in found[rung.name] for rung in rungs):
        ladders.append((usual, str(changes)))
    if any(own.values()):
        for i in range(max(map(len, own.values()))):
            rates = {name: own[name][min(i, len(own[name]) - 1)] if own[name] else usual[name] for name in usual}
            ladders.append((rates, ", ".join(filter(None, (str(changes), "own rates")))))
    return [
        TrainedLadder({found[rung.name][rates[rung.name]]: rung for rung in rungs}, title, chosen=True)
        for rates, title in ladders
    ]


def _base(pair: Family, rung: Rung) -> Recipe:
    return pair.original if rung.recipe == "original" else pair.modern


def _changes(base: Recipe, recipe: Recipe) -> RecipeChanges | None:
    """Return the changes besides the rate that make one recipe of another, or None if it is another recipe."""
    differing = {name: getattr(recipe, name) for name in _CHANGED if getattr(recipe, name) != getattr(base, name)}
    changes = RecipeChanges(**{name: value or 0 for name, value in differing.items()})  # an ema of None is one of 0
    same = changes.apply(base).replace(lr=recipe.lr, lr_batch=recipe.lr_batch) == recipe
    return changes if same else None


def _how_to_train(options: StudyOptions, missing: Sequence[Rung], total: int, file: Path) -> str:
    """Return the message for rungs without weights: a roadmap trains no rung whose outcome its store has."""
    arguments = f"--data {options.data} --recipe {options.recipe} --start {options.start}"
    if options.changes.init_gain is not None:
        arguments += f" --init-gain {options.changes.init_gain:g}"
    if options.rates is not None:
        arguments += f" --rates {options.rates}"
    arguments += " --store"
    message = f"{len(missing)} of {total} rungs are not trained in {options.store}, such as {missing[0].title}: "
    status = _stored_status(options.store / FILE, file.stem)
    if status in ("", "failed"):
        return f"{message}run `ablation roadmap {arguments} {options.store}` first"
    if status == "diverged":
        return f"{message}its training diverged, so it has no weights. Choose another recipe or data set"
    new = options.store.with_name(f"{options.store.name}-weights")
    return (
        f"{message}its outcome is stored, for example after `ablation import`, but not its weights ({file}). Copy the folder "
        f"`weights` from the machine that trained them, or train them again in another store: run `ablation roadmap {arguments} "
        f"{new}`, then `ablation attribute {arguments} {new}`"
    )


def _stored_status(file: Path, key: str) -> str:
    """Return the status of a trial in a store, or "" if there is none."""
    if not file.is_file():
        return ""
    with Store(file, readonly=True) as store:
        outcome = store.outcomes().get(key)
    return outcome.status if outcome else ""
