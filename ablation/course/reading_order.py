"""Which notebook of the course needs which, and how long each takes to read, as their first cells say."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..errors import AblationError
from ..show.course_map import Notebook

_FILES = ("[0-9][0-9]_*.ipynb", "explorer.ipynb")  # and not a reader's own notebooks
_NEEDS = re.compile(r"\*\*Prerequisites\*\* (.+?) \*\*")
_TIME = re.compile(r"\*\*Time\*\* (\d+) minutes")
_LINK = re.compile(r"\[[^\]]*\]\(([\w-]+)\.ipynb(?:#[^)]*)?\)")
_NUMBER = re.compile(r"\b\d\d\b")


def read_course(folder: str | Path = ".") -> list[Notebook]:
    """Return the notebooks of the course in a folder, in the order of their names.

    The first cell of a notebook has the words "**Prerequisites**", followed by links to the notebooks that it requires, if any,
    and "**Time** N minutes".

    Args:
        folder: the folder, by default that of the notebook that calls this.

    Returns:
        One entry per notebook.

    Raises:
        AblationError: if one of the two is missing, or a notebook that is required has no link or is not in the folder. The
            message names the notebook.
    """
    files = sorted(file for pattern in _FILES for file in Path(folder).glob(pattern))
    names = [file.stem for file in files]
    return [_read(file, names) for file in files]


def _read(file: Path, names: list[str]) -> Notebook:
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    first = "".join(cells[0]["source"]) if cells else ""
    text = " ".join(re.sub(r"^> ?", "", first, flags=re.M).split())
    needs, minutes = _NEEDS.search(text), _TIME.search(text)
    for found, line in ((needs, "**Prerequisites** ..."), (minutes, "**Time** N minutes")):
        if not found:
            raise AblationError(f"the first cell of {file.name} has no line {line!r}")
    assert needs and minutes
    linked = list(dict.fromkeys(_LINK.findall(needs[1])))
    missing = [name for name in linked if name not in names]
    if missing:
        raise AblationError(f"the prerequisites of {file.name} link to {missing[0]}.ipynb, which is not in its folder")
    for number in _NUMBER.findall(_LINK.sub("", needs[1])):
        if not any(name.startswith(number) for name in linked):
            raise AblationError(f"the prerequisites of {file.name} name notebook {number} without a link to it")
    return Notebook(file.stem, int(minutes[1]), tuple(linked))
