"""Every figure in `figures` is on the contact sheet and has a CSV file with its numbers and their environment."""

import csv
import re
from pathlib import Path

import pytest

FIGURES = Path(__file__).parents[1] / "figures"
SHEET = (FIGURES / "README.md").read_text()
NAMES = sorted(file.stem for file in FIGURES.glob("*.png"))


def test_the_contact_sheet_shows_every_figure_with_alternative_text():
    shown = re.findall(r"\[!\[([^\]]{20,})\]\(([\w-]+)\.png\)\]\(([\w-]+)\.png\)", SHEET)
    assert sorted(name for _, name, link in shown if name == link) == NAMES
    assert len(NAMES) >= 9


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_csv_file_with_the_environment(name):
    with (FIGURES / f"{name}.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert rows and all(row["torch"] and row["device"] and row["commit"] for row in rows)
    assert f"({name}.csv)" in SHEET


def test_the_commands_on_the_contact_sheet_are_in_the_makefile():
    commands = set(re.findall(r"`ablation [^`]+`", SHEET))
    makefile = (FIGURES.parent / "Makefile").read_text()
    assert commands and all(command.strip("`").removeprefix("ablation ") in makefile for command in commands)
