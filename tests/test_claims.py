"""The index of claims in notebook 00 links to cells that measure them; its tour lists every notebook and its run time."""

import re

import nbformat
import pytest

from tests.notebooks import FOLDER

START = "00_start_here.ipynb"
NOTEBOOKS = sorted(file.name for file in FOLDER.glob("*.ipynb"))
CLAIMS = range(1, 13)
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| (.+) \|$", re.M)
LINK = re.compile(r"\[([^\]]+)\]\(([\w.]+)#Claim-(\d+)\)")


def cells(name):
    return nbformat.read(FOLDER / name, as_version=4).cells


def markdown(name):
    return "\n\n".join(cell.source for cell in cells(name) if cell.cell_type == "markdown")


def index():
    """Return the rows of the table of claims as (number, claim, links)."""
    table = markdown(START).split("\n## Twelve claims")[1]
    return [(int(number), claim, LINK.findall(links)) for number, claim, links in ROW.findall(table)]


def measured_by(name, number):
    """Return the code cells between the heading of a claim and the next heading."""
    found, inside = [], False
    for cell in cells(name):
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if re.match(r"#+ ", line):
                    inside = line == f"### Claim {number}"
        elif inside:
            found.append(cell)
    return found


def test_all_twelve_claims_are_listed_once_and_in_order():
    rows = index()
    assert [number for number, _, _ in rows] == list(CLAIMS)
    assert all(len(claim.split()) >= 8 for _, claim, _ in rows)
    assert [int(links[0][2]) for _, _, links in rows] == list(CLAIMS), "the first link of a row must point to its claim"


@pytest.mark.parametrize("number", CLAIMS)
def test_a_claim_has_a_heading_and_below_it_a_cell_with_outputs(number):
    for title, name, target in index()[number - 1][2]:
        headings = [line for line in markdown(name).splitlines() if line == f"### Claim {target}"]
        assert len(headings) == 1, f"{name} has {len(headings)} headings '### Claim {target}'"
        assert title.startswith(name[:2]), f"{title!r} is not the title of {name}"
        tagged = [cell for cell in cells(name) if f"claim-{target}" in cell.metadata.get("tags", [])]
        assert len(tagged) == 1, f"{name} has {len(tagged)} cells tagged claim-{target}"
        assert tagged[0] in measured_by(name, target), f"claim-{target} is not below its heading in {name}"
        assert tagged[0].outputs, f"claim-{target} in {name} is saved without outputs"


def test_every_measured_claim_is_in_the_index():
    listed = {(links[0][1], int(links[0][2])) for _, _, links in index()}
    tags = {
        (name, int(tag.removeprefix("claim-")))
        for name in NOTEBOOKS
        for cell in cells(name)
        for tag in cell.metadata.get("tags", [])
        if tag.startswith("claim-")
    }
    assert tags <= listed


def tour():
    """Return the rows of the tour: notebook -> (title, minutes, seconds), as strings."""
    table = markdown(START).split("\n## The tour")[1].split("\n## ")[0]
    rows = re.findall(r"^\| \[([^\]]+)\]\(([\w.]+)\) \| [^|]+ \| (\d+) \| (\d+|a few) \|$", table, re.M)
    return {name: (title, minutes, seconds) for title, name, minutes, seconds in rows}


def test_the_tour_lists_every_notebook_in_order():
    assert list(tour()) == [*(name for name in NOTEBOOKS if name[0].isdigit()), "explorer.ipynb"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_times_in_the_tour_match_the_notebook(name):
    box = " ".join(markdown(name).split("\n\n# ")[0].replace("\n>", "\n").split())
    time = box.split("**Time**")[1].split("**Download**")[0]
    title, minutes, seconds = tour()[name]
    assert name.startswith(title[:2]) or title == "The explorer"
    for words, numbers in {"half a minute": "30 seconds", "ten minutes": "10 minutes"}.items():
        time = time.replace(words, numbers)
    assert re.findall(r"(\d+) minutes", time) == [minutes], f"the box says:{time}"
    assert re.findall(r"(\d+|a few) seconds", time) == [seconds], f"the box says:{time}"
