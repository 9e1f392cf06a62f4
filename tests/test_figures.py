"""The figures that ship: each beside its numbers, on the contact sheet, with what it was measured on."""

import csv
import re
from pathlib import Path

import pytest

FIGURES = Path(__file__).parents[1] / "figures"
SHEET = (FIGURES / "README.md").read_text()
NAMES = sorted(file.stem for file in FIGURES.glob("*.png"))


def test_the_contact_sheet_shows_every_figure_with_words_for_those_who_do_not_see_it():
    shown = re.findall(r"\[!\[([^\]]{20,})\]\(([\w-]+)\.png\)\]\(([\w-]+)\.png\)", SHEET)
    assert sorted(name for _, name, link in shown if name == link) == NAMES
    assert len(NAMES) >= 9


@pytest.mark.parametrize("name", NAMES)
def test_numbers_lie_beside_the_picture_and_say_what_they_were_measured_on(name):
    with (FIGURES / f"{name}.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert rows and all(row["torch"] and row["device"] and row["commit"] for row in rows)
    assert f"({name}.csv)" in SHEET


def test_each_figure_names_the_command_that_draws_it():
    commands = set(re.findall(r"`ablation [^`]+`", SHEET))
    makefile = (FIGURES.parent / "Makefile").read_text()
    assert commands and all(command.strip("`").removeprefix("ablation ") in makefile for command in commands)
