"""Execute notebooks from clean kernels and save them with their outputs: `python -m tests.notebooks FILE...`."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TIMEOUT_SECONDS = 120


def execute(file: Path) -> nbformat.NotebookNode:
    """Run a notebook in its own folder; an error in a cell is an error here."""
    notebook = nbformat.read(file, as_version=4)
    where = {"metadata": {"path": str(file.parent)}}
    client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS, resources=where, coalesce_streams=True)
    client.execute()
    return notebook


def save(notebook: nbformat.NotebookNode, file: Path) -> None:
    """Write a notebook without what changes at every run: times and the kernel's own details."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, file)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, flush=True)
        save(execute(Path(name)), Path(name))
