"""Execute notebooks from clean kernels and save them with their outputs: `python -m tests.notebooks FILE...`.

A notebook runs in a copy of its folder, so nothing that an earlier run left there helps it, and a notebook that stops at an error
is not saved. At ABLATION_SCALE=full the stored results that it renewed are copied back.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
TIMEOUT_SECONDS = {"fast": 600, "normal": 3600, "full": None}  # for a cell; only what hangs on a busy machine is ended
VARIES = "varies"  # the tag of a cell whose output depends on the machine: times, and what was trained


def execute(file: Path) -> nbformat.NotebookNode:
    """Run a notebook in a clean copy of its folder; an error in a cell is an error here."""
    notebook = nbformat.read(file, as_version=4)
    scale = os.environ.get("ABLATION_SCALE") or "fast"
    with _clean_copy() as folder:
        where = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS[scale], resources=where, coalesce_streams=True)
        client.execute()
        if scale == "full":
            shutil.copytree(folder / "stored", FOLDER / "stored", dirs_exist_ok=True)
    return notebook


def save(notebook: nbformat.NotebookNode, file: Path) -> None:
    """Write a notebook without what changes at every run: times and the kernel's own details."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        **({"widgets": notebook.metadata["widgets"]} if "widgets" in notebook.metadata else {}),
    }
    nbformat.write(notebook, file)


@contextmanager
def _clean_copy() -> Iterator[Path]:
    """A folder like `notebooks`, beside one like `figures`, with what git would take along and nothing else."""
    with tempfile.TemporaryDirectory() as top:
        kept_out = shutil.ignore_patterns("runs*", ".*", "__pycache__")
        shutil.copytree(FOLDER, Path(top) / "notebooks", ignore=kept_out)
        shutil.copytree(ROOT / "figures", Path(top) / "figures")
        yield Path(top) / "notebooks"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        start = time.monotonic()
        save(execute(Path(name)), Path(name))
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
