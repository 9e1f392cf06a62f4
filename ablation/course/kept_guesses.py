"""The file in which guesses and results are kept, `predictions.json` in the folder of the notebooks.

Several notebooks may be open, each with a kernel of its own, so a change reads the file again under a lock. Deleting the file
forgets all guesses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import AblationError, first_line
from ..files import write_atomically

FILE = "predictions.json"
_LOCK = ".predictions.lock"
_LOCK_SECONDS = 10.0

Entry = dict[
    str, Any
]  # "guess" and "result", "right" or None if either is missing, "late" if the result was there first


def read_guesses(folder: Path) -> dict[str, dict[str, Entry]]:
    """Return the kept entries by notebook and name of the prediction; none if there is no file yet.

    Raises:
        AblationError: if the file cannot be read, or holds something else.
    """
    file = folder / FILE
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AblationError(f"cannot read the predictions in {file}: {first_line(error)}; {_REMEDY}") from None
    if not _is_valid(found):
        raise AblationError(f"{file} does not hold predictions; {_REMEDY}")
    return found


def keep_entry(folder: Path, notebook: str, name: str, entry: Mapping[str, Any]) -> None:
    """Write one entry to the file, in place of an earlier one with its name.

    Raises:
        AblationError: if the file cannot be read or written.
    """
    try:
        with FileLock(folder / _LOCK, timeout=_LOCK_SECONDS):
            entries = read_guesses(folder)
            entries.setdefault(notebook, {})[name] = dict(entry)
            write_atomically(folder / FILE, json.dumps(entries, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    except OSError as error:  # the lock's Timeout is one, too
        raise AblationError(f"cannot write {folder / FILE}: {getattr(error, 'strerror', None) or error}") from None


_REMEDY = "rename or delete it to start again"


def _is_valid(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(entries, dict) and all(isinstance(entry, dict) and "guess" in entry for entry in entries.values())
        for entries in found.values()
    )
