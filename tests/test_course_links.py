"""Every link in the course points to an existing file, and to an existing heading in it."""

import re

import nbformat
import pytest

from tests.notebooks import FOLDER

PAGES = sorted(
    file
    for pattern in ("*.ipynb", "*.md", "exercises/source/*/*.ipynb", "exercises/release/*/*.ipynb")
    for file in FOLDER.glob(pattern)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(file):
    """Return the markdown of a page without code."""
    text = file.read_text()
    if file.suffix == ".ipynb":
        text = "\n\n".join(c.source for c in nbformat.reads(text, as_version=4).cells if c.cell_type == "markdown")
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(file):
    """Return the anchors that JupyterLab and GitHub generate for the headings of a page, in lower case."""
    headings = re.findall(r"^#+ (.+)$", prose(file), re.M)
    return {re.sub(r"[ -]+", "-", re.sub(r"[^\w\s-]", "", heading)).lower() for heading in headings}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_link_targets_exist(file):
    for link in LINK.findall(prose(file)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{link}: {target} does not exist"
        assert not anchor or anchor.lower() in anchors(target), f"{link}: this heading does not exist"


def test_each_notebook_links_to_its_exercises_and_to_the_next_one():
    notebooks = sorted(FOLDER.glob("[0-9]*.ipynb"))
    for file, following in zip(notebooks, [*notebooks[1:], FOLDER / "explorer.ipynb"], strict=True):
        text = nbformat.read(file, as_version=4).cells[-1].source
        ending = text[text.index("## Exercises") :]
        assert f"(exercises/release/{file.stem}/{file.stem}.ipynb)" in ending, file.name
        assert f"({following.name})" in ending.strip().splitlines()[-1], file.name
