"""Run commands in this process, and read what they wrote."""

import csv
import sys

import pytest
from PIL import Image

from ablation.cli import main


def ablation(*arguments, capsys):
    """Run a command in this process and return (exit code, standard output, standard error)."""
    argv, sys.argv = sys.argv, ["ablation", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
            raise SystemExit(0)
    finally:
        sys.argv = argv
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def rows_of(file):
    with file.open() as opened:
        return list(csv.DictReader(opened))


def pictures(folder):
    """Make a folder with a grey image and one with transparency."""
    place = folder / "pictures"
    place.mkdir(exist_ok=True)
    Image.linear_gradient("L").save(place / "grey.png")
    Image.radial_gradient("L").convert("RGBA").rotate(30).save(place / "clear.png")
    return place
