"""The notebooks run from clean kernels, hold no error or warning, and stay small."""

from pathlib import Path

import nbformat
import pytest

from tests.notebooks import execute

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
MOST_CELLS, MOST_WORDS, MOST_BYTES = 40, 3000, 1_000_000


def texts(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(str(output) for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)


def test_there_are_notebooks():
    assert [file.name for file in NOTEBOOKS] == ["01_roadmap.ipynb"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_it_runs_from_a_clean_kernel_to_what_was_saved(file):
    executed, saved = execute(file), nbformat.read(file, as_version=4)
    assert "Warning" not in texts(executed)
    for ours, theirs in zip(executed.cells, saved.cells, strict=True):
        if ours.cell_type == "code":
            plain, stored = (
                [o.get("text", o.get("data", {}).get("text/plain")) for o in c.outputs] for c in (ours, theirs)
            )
            assert plain == stored, "the saved output is what the cell gives; `make notebooks` saves it anew"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_it_is_saved_with_outputs_and_small(file):
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code) and any(cell.outputs for cell in code)
    assert "Warning" not in texts(notebook) and "Traceback" not in texts(notebook)
    assert len(notebook.cells) <= MOST_CELLS and file.stat().st_size < MOST_BYTES
    assert sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown") <= MOST_WORDS
