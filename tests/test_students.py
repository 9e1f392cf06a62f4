"""Students' copies of the notebooks hold no outputs and no answers, and lose nothing else."""

import json
import re

import nbformat
import pytest

from docs.answers import CLOSE, OPEN, close_discussions
from tests.students import NOTEBOOKS, SUMMARY, students_copy, write

FILES = sorted(NOTEBOOKS.glob("*.ipynb"))
FOLDED = re.compile(r"<details><summary>.*?</details>", re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("students")
    assert [path.name for path in write(folder)] == [file.name for file in FILES]
    return folder


def words(text):
    return re.sub(rf"</?(?:details|summary|b)>|{SUMMARY}|\[|\]\([^)]*\)", " ", text).split()


def discussions(notebook):
    """Return the texts that follow an answer."""
    inside, found = False, []
    for cell in close_discussions(notebook["cells"]):
        source = "".join(cell["source"])
        inside = source == OPEN if source in (OPEN, CLOSE) else inside
        if inside and source != OPEN and cell["cell_type"] == "markdown":
            found.append(source)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_copy_holds_no_outputs_and_no_answers(folder, file):
    copy = nbformat.read(folder / "notebooks" / file.name, as_version=4)
    nbformat.validate(copy)
    assert not [cell.id for cell in copy.cells if cell.get("outputs") or cell.get("execution_count")]
    assert "widgets" not in copy.metadata
    seen = "\n\n".join(FOLDED.sub("", cell.source) for cell in copy.cells if cell.cell_type == "markdown")
    for answer in discussions(json.loads(file.read_text())):
        assert not [line for line in answer.splitlines() if len(line) > 20 and line in seen]
    shown = [cell for cell in copy.cells if cell.cell_type == "code" and not cell.metadata.get("jupyter")]
    assert not [cell.id for cell in shown if "hide-output" in cell.metadata.get("tags", []) and "alt=" in cell.source]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_copy_keeps_all_code_and_all_words(folder, file):
    original, copy = (json.loads(path.read_text()) for path in (file, folder / "notebooks" / file.name))
    both = [[cell for cell in book["cells"] if cell["cell_type"] == "code"] for book in (original, copy)]
    assert [cell["id"] for cell in both[0]] == [cell["id"] for cell in both[1]]
    assert ["".join(cell["source"]) for cell in both[0]] == [cell["source"] for cell in both[1]]
    texts = [
        [word for cell in book["cells"] if cell["cell_type"] == "markdown" for word in words("".join(cell["source"]))]
        for book in (original, copy)
    ]
    assert texts[0] == texts[1]


def test_the_copies_have_the_files_that_they_read_and_nothing_for_teachers(folder):
    assert (folder / "figures/roadmap-digits.csv").exists() and (folder / "notebooks/stored").is_dir()
    assert (folder / "notebooks/exercises/release").is_dir()
    assert not list(folder.rglob("TEACHING.md")) and not list(folder.rglob("source"))
    texts = [path.read_text() for path in (folder / "notebooks").glob("*.ipynb")]
    assert texts and not any("(TEACHING.md" in text for text in texts)


def test_most_notebooks_discuss_answers():
    assert sum(bool(discussions(json.loads(file.read_text()))) for file in FILES) >= 9


def test_a_discussion_is_folded_and_its_next_question_is_not():
    answer = {
        "cell_type": "code",
        "id": "a",
        "source": "picture(x, alt='It grows')",
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "3"}],
        "execution_count": 1,
        "metadata": {"tags": ["hide-output"]},
    }
    text = {"cell_type": "markdown", "id": "t", "metadata": {}, "source": "It grows.\n\n## Next\n\nHow far?"}
    cells = students_copy({"cells": [answer, text], "metadata": {"widgets": {}}})["cells"]
    assert cells[0]["outputs"] == [] and cells[0]["metadata"]["jupyter"] == {"source_hidden": True}
    assert [cell["source"] for cell in cells[1:]] == [
        f"<details><summary><b>{SUMMARY}</b></summary>\n\nIt grows.\n\n</details>",
        "## Next\n\nHow far?",
    ]
