"""Execute notebooks from clean kernels and save them with their outputs: `python -m tests.notebooks FILE...`.

A notebook runs in a clean copy of its folder, without files from earlier runs, and is not saved if a cell raises an error.
With ABLATION_SCALE=full, the updated stored results are copied back.
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
TIMEOUT_SECONDS = {"fast": 600, "normal": 3600, "full": None}  # per cell; long enough to stop only cells that hang
WIDGET = "application/vnd.jupyter.widget-view+json"
VARIES = "varies"  # tag of cells whose output depends on the machine: timings and results of training
PREDICTION = "prediction"  # tag of cells that take a guess
SLIDERS = "widget"  # tag of cells whose figure has sliders


def execute(file: Path) -> nbformat.NotebookNode:
    """Run a notebook in a clean copy of its folder and return it; raise an error if a cell does."""
    notebook = nbformat.read(file, as_version=4)
    scale = os.environ.get("ABLATION_SCALE") or "fast"
    with _clean_copy() as folder:
        resources = {"metadata": {"path": str(folder)}}
        client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS[scale], resources=resources, coalesce_streams=True)
        client.execute()
        if scale == "full":
            shutil.copytree(folder / "stored", FOLDER / "stored", dirs_exist_ok=True)
    return notebook


def save(notebook: nbformat.NotebookNode, file: Path) -> None:
    """Write a notebook without the metadata that changes with every run: timestamps and details of the kernel.

    A prediction is saved as its text and sliders as their figure: without a kernel they could not be used.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if {PREDICTION, SLIDERS} & set(cell.metadata.get("tags", [])):
            for output in cell.outputs:
                output.get("data", {}).pop(WIDGET, None)
    widgets = any(WIDGET in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        **({"widgets": notebook.metadata["widgets"]} if widgets else {}),
    }
    nbformat.write(notebook, file)


@contextmanager
def _clean_copy() -> Iterator[Path]:
    """Copy `notebooks` and `figures` to a temporary folder, without files that git ignores, and yield the copy of `notebooks`."""
    with tempfile.TemporaryDirectory() as top:
        ignored = shutil.ignore_patterns("runs*", ".*", "__pycache__", "predictions.json")
        shutil.copytree(FOLDER, Path(top) / "notebooks", ignore=ignored)
        shutil.copytree(ROOT / "figures", Path(top) / "figures")
        yield Path(top) / "notebooks"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        start = time.monotonic()
        save(execute(Path(name)), Path(name))
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
