"""The notebooks run from clean kernels, hold no error or warning, and stay small."""

from pathlib import Path

import nbformat
import pytest

from tests.notebooks import FOLDER, VARIES, execute

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
EXERCISES = sorted(FOLDER.glob("exercises/source/*/*.ipynb"))
MOST_CELLS, MOST_WORDS, MOST_BYTES = 40, 3000, 1_000_000
MOST_LETTERS = 120  # of a line of code: what a page shows without scrolling


def texts(notebook):
    """Everything a notebook's outputs say, as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(output.get("text", "")) + str(output.get("data", "")) for output in outputs)


def said(cell):
    """What a cell puts out, as plain text; only of what kind, where the numbers are the machine's."""
    if VARIES in cell.metadata.get("tags", []):
        return [sorted(output.get("data", [output.get("name")])) for output in cell.outputs]
    return [output.get("text", output.get("data", {}).get("text/plain")) for output in cell.outputs]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_it_runs_from_a_clean_kernel_to_what_was_saved(file):
    executed, saved = execute(file), nbformat.read(file, as_version=4)
    assert "Warning" not in texts(executed)
    for ours, theirs in zip(executed.cells, saved.cells, strict=True):
        if ours.cell_type == "code":
            assert said(ours) == said(theirs), "the saved output differs; `make notebooks` saves it anew"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_it_is_saved_with_outputs_and_small(file):
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code) and any(cell.outputs for cell in code)
    assert "Warning" not in texts(notebook) and "Traceback" not in texts(notebook)
    assert len(notebook.cells) <= MOST_CELLS and file.stat().st_size < MOST_BYTES
    assert sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown") <= MOST_WORDS
    assert not any(word in cell.source for cell in code for word in ("filterwarnings", "simplefilter", "2>"))


@pytest.mark.parametrize("file", [*NOTEBOOKS, *EXERCISES], ids=lambda file: file.name)
def test_its_code_can_be_read_without_scrolling(file):
    code = [cell.source for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert [line for source in code for line in source.splitlines() if len(line) > MOST_LETTERS] == []


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_every_picture_has_words_for_those_who_do_not_see_it(file):
    for cell in nbformat.read(file, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.metadata.get("image/png", {}).get("alt", "")) >= 20 or "alt=" in cell.source, cell.id


def test_the_course_is_complete():
    assert [file.name[:2] for file in NOTEBOOKS if file.name[0].isdigit()] == [f"{n:02}" for n in range(11)]
    assert Path(FOLDER / "explorer.ipynb").exists()
