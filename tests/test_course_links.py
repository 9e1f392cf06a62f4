"""Every link in the course leads to a file that exists, and to a heading in it."""

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


def words(file):
    """The markdown of a page, without what is set as code."""
    text = file.read_text()
    if file.suffix == ".ipynb":
        text = "\n\n".join(c.source for c in nbformat.reads(text, as_version=4).cells if c.cell_type == "markdown")
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(file):
    """What JupyterLab and GitHub call the headings of a page, whatever the case."""
    headings = re.findall(r"^#+ (.+)$", words(file), re.M)
    return {re.sub(r"[ -]+", "-", re.sub(r"[^\w\s-]", "", heading)).lower() for heading in headings}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_links_lead_somewhere(file):
    for link in LINK.findall(words(file)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), f"{link}: there is no {target}"
        assert not anchor or anchor.lower() in anchors(target), f"{link}: there is no such heading"


def test_each_notebook_links_to_its_exercises_and_to_the_next_one():
    notebooks = sorted(FOLDER.glob("[0-9]*.ipynb"))
    for file, following in zip(notebooks, [*notebooks[1:], FOLDER / "explorer.ipynb"], strict=True):
        text = nbformat.read(file, as_version=4).cells[-1].source
        ending = text[text.index("## Exercises") :]
        assert f"(exercises/release/{file.stem}/{file.stem}.ipynb)" in ending, file.name
        assert f"({following.name})" in ending.strip().splitlines()[-1], file.name
