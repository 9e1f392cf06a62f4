"""Keep the discussion of a prediction closed until its answer is opened, so that a page does not give the answer away.

myst-nb closes the output of a cell with the tag `hide-output`. What follows it, up to the next heading, question or cell that
takes a prediction, is put in a block that the style sheet shows once that output is open. Browsers that do not know CSS's `:has`
show it always.
"""

from __future__ import annotations

import re
from typing import Any

Cell = dict[str, Any]

OPEN, CLOSE = '<div class="discussion">', "</div>"
CLOSED = "hide-output"  # tag of the cells whose output is the answer
PREDICTION = "prediction"  # tag of the cells that take a guess
_PARAGRAPH = re.compile(r"\n{2,}")
_NEXT = re.compile(r"#|\*{1,2}Predict")  # what a paragraph starts with that no longer belongs to the answer


def close_discussions(cells: list[Cell]) -> list[Cell]:
    """Return the cells of a notebook with each discussion between two cells that open and close its block.

    A question directly before a prediction or another closed cell stays visible: it is the last paragraph before that cell.

    Args:
        cells: cells as in a notebook's file; their sources are strings or lists of lines.
    """
    found: list[Cell] = []
    inside = False
    for index, cell in enumerate(cells):
        if is_closed(cell) or is_prediction(cell):
            if inside:
                found.append(_markdown(CLOSE, index))
            inside = is_closed(cell)
            found += [cell, _markdown(OPEN, index)] if inside else [cell]
        elif inside and cell["cell_type"] == "markdown":
            following = cells[index + 1 : index + 2]
            before_answer = any(is_closed(one) or is_prediction(one) for one in following)
            discussion, rest = split("".join(cell["source"]), before_answer)
            found.append({**cell, "source": discussion})
            if rest:
                found += [_markdown(CLOSE, index), {**cell, "id": f"rest-{index}", "source": rest}]
                inside = False
        else:
            found.append(cell)
    if inside:
        found.append(_markdown(CLOSE, len(cells)))
    return _without_empty(found)


def is_closed(cell: Cell) -> bool:
    """Return whether the output of a cell is closed at first."""
    return cell["cell_type"] == "code" and CLOSED in cell["metadata"].get("tags", [])


def is_prediction(cell: Cell) -> bool:
    """Return whether a cell takes a guess."""
    return cell["cell_type"] == "code" and PREDICTION in cell["metadata"].get("tags", [])


def split(text: str, before_answer: bool) -> tuple[str, str]:
    """Split markdown where the discussion ends: at a heading, at a question, or before the last paragraph if an answer follows.

    >>> split("It grows.\\n\\n### Next\\n\\nText.", False)
    ('It grows.', '### Next\\n\\nText.')
    >>> split("It grows.\\n\\nHow far?", True), split("It grows.\\n\\nBy two.", False)
    (('It grows.', 'How far?'), ('It grows.\\n\\nBy two.', ''))
    """
    paragraphs = _PARAGRAPH.split(text.strip())
    ends = [index for index, paragraph in enumerate(paragraphs) if _NEXT.match(paragraph)]
    end = ends[0] if ends else len(paragraphs) - before_answer
    return "\n\n".join(paragraphs[:end]), "\n\n".join(paragraphs[end:])


def _markdown(source: str, index: int) -> Cell:
    name = "discussion" if source == OPEN else "end"
    return {"cell_type": "markdown", "id": f"{name}-{index}", "metadata": {}, "source": source}


def _without_empty(cells: list[Cell]) -> list[Cell]:
    """Remove empty markdown, and blocks with nothing in them."""
    kept: list[Cell] = []
    for cell in cells:
        if cell["cell_type"] == "markdown" and not "".join(cell["source"]).strip():
            continue
        if cell.get("source") == CLOSE and kept and kept[-1].get("source") == OPEN:
            kept.pop()
            continue
        kept.append(cell)
    return kept
