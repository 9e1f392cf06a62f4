"""What follows an answer is closed with it, up to the next heading or question, and nothing of a notebook is lost."""

import json
from pathlib import Path

import pytest

from docs.answers import CLOSE, OPEN, close_discussions, is_closed

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def answer():
    return {"cell_type": "code", "id": "a", "metadata": {"tags": ["hide-output"]}, "source": "x"}


def prediction():
    return {"cell_type": "code", "id": "p", "metadata": {"tags": ["prediction"]}, "source": "predict"}


def text(source, name="t"):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([text("It grows.\n\n## Next")], ["x", OPEN, "It grows.", CLOSE, "## Next"]),
        ([text("A."), text("B.\n\n**Predict.** C?")], ["x", OPEN, "A.", "B.", CLOSE, "**Predict.** C?"]),
        ([text("## Next")], ["x", "## Next"]),
        ([text("By two.\n\nHow far?"), answer()], ["x", OPEN, "By two.", CLOSE, "How far?", "x"]),
        ([text("By two.\n\nThe end.")], ["x", OPEN, "By two.\n\nThe end.", CLOSE]),
        ([answer()], ["x", "x"]),
        ([text("By two.\n\nHow far?"), prediction()], ["x", OPEN, "By two.", CLOSE, "How far?", "predict"]),
        ([prediction(), text("A.")], ["x", "predict", "A."]),
        ([text("A.\n\n**Predict.** B?"), prediction(), answer()], ["x", OPEN, "A.", CLOSE, "**Predict.** B?", "predict", "x"]),
        ([], ["x"]),
    ],
)  # fmt: skip
def test_a_discussion_ends_at_a_heading_a_question_or_the_next_answer(after, expected):
    assert [cell["source"] for cell in close_discussions([answer(), *after])] == expected


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_nothing_is_lost_and_no_heading_is_closed(file):
    cells = [{**cell, "source": "".join(cell["source"])} for cell in json.loads(file.read_text())["cells"]]
    closed = close_discussions(cells)
    words = " ".join(cell["source"] for cell in cells).split()
    kept = [cell for cell in closed if cell["source"] not in (OPEN, CLOSE)]
    assert " ".join(cell["source"] for cell in kept).split() == words
    assert len({cell["id"] for cell in closed}) == len(closed)
    depth = 0
    for before, cell in zip([None, *closed], closed, strict=False):
        depth += {OPEN: 1, CLOSE: -1}.get(cell["source"], 0)
        assert depth in (0, 1)
        assert cell["source"] != OPEN or is_closed(before)
        if depth and cell["cell_type"] == "markdown":
            assert not any(line.startswith("#") for line in cell["source"].splitlines())
    assert depth == 0
