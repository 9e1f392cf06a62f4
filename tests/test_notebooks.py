"""The notebooks run from clean kernels without errors or warnings, and stay within limits of size."""

from pathlib import Path

import nbformat
import pytest

from tests.notebooks import FOLDER, VARIES, WIDGET, execute

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
EXERCISES = sorted(FOLDER.glob("exercises/source/*/*.ipynb"))
MAX_CELLS, MAX_WORDS, MAX_BYTES = 70, 3000, 1_000_000  # cells are short, so there are many
MAX_LINES = 25  # of code in a cell: what can be read without scrolling
MAX_LINE_LENGTH = 120  # of code; longer lines have to be scrolled on the site


def all_outputs(notebook):
    """Return all outputs of a notebook as one string."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(output.get("text", "")) + str(output.get("data", "")) for output in found)


def outputs(cell):
    """Return the outputs of a cell as plain text, or only their types, without widgets, if the numbers depend on the machine."""
    if VARIES in cell.metadata.get("tags", []):
        return [sorted(set(output.get("data", [output.get("name")])) - {WIDGET}) for output in cell.outputs]
    return [output.get("text", output.get("data", {}).get("text/plain")) for output in cell.outputs]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_running_it_reproduces_the_saved_outputs(file):
    executed, saved = execute(file), nbformat.read(file, as_version=4)
    assert "Warning" not in all_outputs(executed)
    for new, old in zip(executed.cells, saved.cells, strict=True):
        if new.cell_type == "code":
            assert outputs(new) == outputs(old), "the saved output is different; update it with `make notebooks`"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_it_is_saved_with_outputs_and_within_limits(file):
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code) and any(cell.outputs for cell in code)
    assert "Warning" not in all_outputs(notebook) and "Traceback" not in all_outputs(notebook)
    assert len(notebook.cells) <= MAX_CELLS and file.stat().st_size < MAX_BYTES
    assert sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown") <= MAX_WORDS
    assert not any(word in cell.source for cell in code for word in ("filterwarnings", "simplefilter", "2>"))


@pytest.mark.parametrize("file", [*NOTEBOOKS, *EXERCISES], ids=lambda file: file.name)
def test_lines_of_code_fit_on_the_page(file):
    code = [cell.source for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert [line for source in code for line in source.splitlines() if len(line) > MAX_LINE_LENGTH] == []


@pytest.mark.parametrize("file", [*NOTEBOOKS, *EXERCISES], ids=lambda file: file.name)
def test_cells_of_code_are_short(file):
    code = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert {cell.id: len(cell.source.splitlines()) for cell in code if len(cell.source.splitlines()) > MAX_LINES} == {}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.name)
def test_every_image_has_alternative_text(file):
    for cell in nbformat.read(file, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.metadata.get("image/png", {}).get("alt", "")) >= 20 or "alt=" in cell.source, cell.id


def test_all_notebooks_of_the_course_exist():
    assert [file.name[:2] for file in NOTEBOOKS if file.name[0].isdigit()] == [f"{n:02}" for n in range(11)]
    assert Path(FOLDER / "explorer.ipynb").exists()
