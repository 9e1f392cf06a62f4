"""Predictions of a notebook: `predict` takes a guess and locks it, `reveal` compares it with the result, `summary` counts.

A notebook also runs from top to bottom without any guess; then `reveal` prints the results alone. A guess made after the
result was computed is compared, but not counted.

>>> predict, reveal, summary = predictions("05")
>>> predict("slope of GELU at -1", ["positive", "zero", "negative"])
Predict slope of GELU at -1: positive, zero or negative
>>> reveal("slope of GELU at -1", "negative")
slope of GELU at -1: negative (your guess: none)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import AblationError, unknown
from .guess_row import GuessRow
from .kept_guesses import FILE, Entry, keep_entry, read_guesses
from .question import Answer, Question, question

_LOCKED = "Locked. The cell that computes the result compares it."
_TO_GUESS = "Run the notebook in JupyterLab and guess before each result; this cell then compares."


class Predictions:
    """The predictions of one notebook, with the guesses that are kept in a folder.

    Args:
        notebook: number of the notebook, such as "05".
        folder: folder of the file with the guesses; by default the current one, which is the notebook's.

    Raises:
        AblationError: if that file exists and holds something else.
    """

    def __init__(self, notebook: str, folder: str | Path = ".") -> None:
        self._notebook, self._folder = notebook, Path(folder)
        self._entries: dict[str, Entry] = dict(read_guesses(self._folder).get(notebook, {}))
        self._questions: dict[str, Question] = {}
        self._rows: dict[str, GuessRow] = {}

    def predict(
        self,
        name: str,
        choices: Sequence[Any] | None = None,
        *,
        several: bool = False,
        numbers: tuple[float, float] | None = None,
        within: float = 0,
        unit: str = "",
    ) -> None:
        """Display a row that takes one guess: a button for each choice, or a slider for a number.

        The guess is kept and cannot be changed. A guess from an earlier session is shown as locked, unless the question
        no longer allows it.

        Args:
            name: name of the prediction, which is also its label; for `reveal`.
            choices: the possible answers.
            several: whether any number of the choices may be chosen.
            numbers: instead of choices, the least and the greatest number of a slider.
            within: how far a guessed number may be from the result and still be right.
            unit: unit of the number.

        Raises:
            AblationError: if there is nothing to choose from.
        """
        from IPython.display import display

        asked = question(name, choices, several=several, numbers=numbers, within=within, unit=unit)
        self._questions[name] = asked
        row = self._rows[name] = GuessRow(asked, lambda guess: self.guess(name, guess))
        guess = self._kept(name, "guess")
        if guess is None:
            self._entries.setdefault(name, {})["guess"] = None
        else:
            row.lock(guess)
            row.say(_LOCKED)
        display(row)

    def guess(self, name: str, guess: Any) -> str:
        """Take, lock and keep a guess; return the text that the row shows.

        Raises:
            AblationError: if the guess is not possible, was made before, or cannot be kept; nothing is changed then.
        """
        asked = self._question(name)
        if self._kept(name, "guess") is not None:
            raise AblationError(f"the guess for {name!r} is locked: {asked.text(self._entries[name]['guess'])}")
        result = self._kept(name, "result")
        entry = {"guess": asked.answer(guess), "result": result, "late": result is not None}
        entry = self._scored(asked, entry)
        keep_entry(self._folder, self._notebook, name, entry)
        self._entries[name] = entry
        return _LOCKED if result is None else self._line(name)

    def reveal(self, name: str, result: Any) -> None:
        """Compare the guess with the computed result, and print both.

        Args:
            name: name given to `predict`.
            result: the result: a choice, True or False for "yes" and "no", a number, or a list of choices.

        Raises:
            AblationError: if there is no such prediction, if the result is not one of its choices, or if it cannot be kept.
        """
        asked = self._question(name)
        entry = self._scored(asked, {"late": False, **self._entries[name], "result": asked.answer(result)})
        self._entries[name] = entry
        if entry["guess"] is not None:  # a run without guesses leaves no file
            keep_entry(self._folder, self._notebook, name, entry)
        line = self._line(name)
        self._rows[name].say(line)
        print(line)

    def summary(self) -> pd.DataFrame | None:
        """Print how many guesses were right, and return a table of guesses and results; no table without a guess."""
        entries = {name: self._entries[name] for name in self._questions}
        guessed = {name: entry for name, entry in entries.items() if entry["guess"] is not None}
        if not guessed:
            print(f"Notebook {self._notebook}: {_number(len(entries))}, none guessed. {_TO_GUESS}")
            return None
        counted = [entry for entry in guessed.values() if _counts(entry)]
        right = sum(entry["right"] for entry in counted)
        print(f"Notebook {self._notebook}: {right} of {len(counted)} guesses right; {_number(len(entries))} in all.")
        rows = [
            {
                "prediction": name,
                "your guess": self._text(name, "guess"),
                "result": self._text(name, "result"),
                "score": _verdict(entry),
            }
            for name, entry in entries.items()
        ]
        return pd.DataFrame(rows).set_index("prediction")

    def _question(self, name: str) -> Question:
        if name in self._questions:
            return self._questions[name]
        if not self._questions:
            raise AblationError(f"there is no prediction {name!r} yet: first run the cell with predict({name!r}, ...)")
        raise unknown("prediction", name, self._questions)

    def _kept(self, name: str, part: str) -> Answer | None:
        """A kept guess or result, or None if there is none that the question allows."""
        value = self._entries.get(name, {}).get(part)
        if value is None:
            return None
        try:
            return self._questions[name].answer(value)
        except AblationError:  # the question has changed since
            self._entries[name][part] = None
            return None

    def _scored(self, asked: Question, entry: Entry) -> Entry:
        both = entry["guess"] is not None and entry["result"] is not None
        return entry | {"right": asked.is_right(entry["guess"], entry["result"]) if both else None}

    def _text(self, name: str, part: str) -> str:
        value = self._entries[name].get(part)
        return "" if value is None else self._questions[name].text(value)

    def _line(self, name: str) -> str:
        entry = self._entries[name]
        verdict = f"{self._text(name, 'guess')}, {_verdict(entry)}" if entry["guess"] is not None else "none"
        return f"{name}: {self._text(name, 'result')} (your guess: {verdict})"


def predictions(
    notebook: str, folder: str | Path = "."
) -> tuple[Callable[..., None], Callable[[str, Any], None], Callable[[], pd.DataFrame | None]]:
    """Return `predict`, `reveal` and `summary` for a notebook; see `Predictions`.

    Args:
        notebook: number of the notebook, such as "05".
        folder: folder in which the guesses are kept.
    """
    own = Predictions(notebook, folder)
    return own.predict, own.reveal, own.summary


def all_predictions(folder: str | Path = ".") -> pd.DataFrame | None:
    """Print how many guesses were right in all notebooks, and return a table with a row for each; no table without a guess.

    Args:
        folder: folder in which the guesses are kept.

    Raises:
        AblationError: if the file with the guesses holds something else.
    """
    rows = []
    for notebook, entries in sorted(read_guesses(Path(folder)).items()):
        counted = [entry for entry in entries.values() if _counts(entry)]
        if any(entry["guess"] is not None for entry in entries.values()):
            right = sum(entry["right"] for entry in counted)
            rows.append({"notebook": notebook, "guesses counted": len(counted), "right": right})
    if not rows:
        print(f"All notebooks: no guesses are kept in {FILE} yet.")
        return None
    table = pd.DataFrame(rows).set_index("notebook")
    print(f"All notebooks: {table['right'].sum()} of {table['guesses counted'].sum()} guesses right.")
    return table


def _counts(entry: Entry) -> bool:
    return entry.get("right") is not None and not entry.get("late")


def _number(predictions: int) -> str:
    return f"{predictions} prediction{'' if predictions == 1 else 's'}"


def _verdict(entry: Entry) -> str:
    if entry.get("right") is None:
        return "" if entry["guess"] is None else "no result yet"
    word = "right" if entry["right"] else "wrong"
    return f"{word}, but made after the result: not counted" if entry.get("late") else word
