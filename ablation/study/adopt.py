"""Outcomes of a folder of images that an earlier version kept by the names and sizes of its files.

In version 0.2 and earlier the checksum of a folder did not cover contents, so whether an outcome belongs to these images can no
longer be proved. Where names and sizes agree, its owner can say so.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import data as datasets
from ..data.selection import FOLDERS, split_name
from ..design.trial import Trial
from ..errors import AblationError
from ..train.trial_files import weights_file
from .store import Store

_PREFIX = "imagefolder:"


def adopt(rows: Iterable[Mapping[str, Any]], folder: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return rows under the keys of a folder's contents, where they were kept by the same names and sizes.

    Args:
        rows: rows of an export, as `read_export` returns them.
        folder: a folder of images with `train/` and `test/` or `val/`.

    Returns:
        All rows, and the old key -> new key of those that were adopted.

    Raises:
        AblationError: if no row is of a folder with these names and sizes.
    """
    found, keys, names, current = [], {}, set(), False
    for row in rows:
        trial = Trial.from_dict(json.loads(row["trial"]))
        if trial.data.startswith(FOLDERS):
            names.add(trial.data)
            data = datasets.load(f"{_PREFIX}{folder}{_selection(trial.data)}")
            current = current or row["data_checksum"] == data.checksum
            if row["data_checksum"] == data.names_checksum:
                keys[row["key"]] = trial.key(data.checksum)
                row = {**row, "key": keys[row["key"]], "data_checksum": data.checksum}
        found.append(dict(row))
    if not keys and not current:
        what = f"trials of {', '.join(sorted(names))}" if names else "no trials of folders"
        raise AblationError(f"the export holds {what}: none of images with the names and sizes of those in {folder}")
    return found, keys


def copy_weights(folder: Path, keys: Mapping[str, str]) -> int:
    """Copy the weights that a store has under old keys to the new ones, and return how many."""
    copied = 0
    for old, new in keys.items():
        if weights_file(folder, old).is_file() and not weights_file(folder, new).exists():
            shutil.copy2(weights_file(folder, old), weights_file(folder, new))
            copied += 1
    return copied


def refuse_if_kept_by_names(missing: Iterable[Trial], store: Store, folder: Path) -> None:
    """Refuse to train again what the store holds for images of the same names and sizes.

    Raises:
        AblationError: if there is such an outcome; the message says how to use it, and how to train again.
    """
    stored, kept = None, {}
    for trial in missing:
        checksum = datasets.load(trial.data).names_checksum
        if checksum is not None:
            stored = store.outcomes() if stored is None else stored
            outcome = stored.get(trial.key(checksum))
            if outcome is not None and outcome.status != "failed":
                kept[trial] = outcome
    if kept:
        path = split_name(next(iter(kept)).data)[0].partition(":")[2]
        raise AblationError(
            f"{folder} holds {len(kept)} of these trials from an earlier version, which knew the images of {path} only by the "
            f"names and sizes of their files. If they are the same images: `ablation export old.csv --store {folder}`, then "
            f"`ablation import old.csv --store {folder} --same-images {path}`. To train again, give another --store"
        )


def _selection(name: str) -> str:
    """Return the selection at the end of a name, such as "#10000+5000", or ""."""
    base, selection = split_name(name)
    return name[len(base) :] if selection.train is not None else ""
