"""Write copies of the notebooks for students, without outputs and answers: `python -m tests.students [FOLDER]`.

The copies run as they are: the folder also holds the exercises, and the figures and stored results that the notebooks read.
The discussion after an answer is folded, not removed, because students work through a notebook alone and need it once they
have their own result. Code that describes its figure in words (the alternative text) is folded as well.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from docs.answers import CLOSE, OPEN, close_discussions, is_closed

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
SUMMARY = "Discussion: open it after you have run the cell above"
_FOLDED = f"<details><summary><b>{SUMMARY}</b></summary>\n\n{{}}\n\n</details>"
_FOR_TEACHERS = re.compile(r"\[([^\]]+)\]\(TEACHING\.md[^)]*\)")

Notebook = dict[str, Any]


def students_copy(notebook: Notebook) -> Notebook:
    """Return a copy of a notebook without outputs, and with the discussion of each answer folded."""
    cells, inside = [], False
    for cell in close_discussions(notebook["cells"]):
        source = "".join(cell["source"])
        if source in (OPEN, CLOSE):
            inside = source == OPEN
            continue
        cells.append(_code(cell, source) if cell["cell_type"] == "code" else _text(cell, source, inside))
    metadata = {key: value for key, value in notebook["metadata"].items() if key != "widgets"}
    return {**notebook, "cells": cells, "metadata": metadata}


def _code(cell: Notebook, source: str) -> Notebook:
    metadata = dict(cell["metadata"])
    if "hide-input" in metadata.get("tags", []) or (is_closed(cell) and "alt=" in source):
        metadata["jupyter"] = {"source_hidden": True}
    return {**cell, "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


def _text(cell: Notebook, source: str, folded: bool) -> Notebook:
    text = _FOR_TEACHERS.sub(r"\1", source)
    return {**cell, "source": _FOLDED.format(text) if folded else text}


def write(folder: Path) -> list[Path]:
    """Write the copies of all notebooks, and what they need, to a folder; return the notebooks."""
    target = folder / "notebooks"
    for name in ("stored", "exercises/release"):
        shutil.copytree(NOTEBOOKS / name, target / name, dirs_exist_ok=True)
    shutil.copytree(ROOT / "figures", folder / "figures", dirs_exist_ok=True)
    written = []
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        copy = students_copy(json.loads(file.read_text(encoding="utf-8")))
        written.append(target / file.name)
        written[-1].write_text(json.dumps(copy, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return written


if __name__ == "__main__":
    for path in write(Path(*(sys.argv[1:] or ["students"]))):
        print(path)
