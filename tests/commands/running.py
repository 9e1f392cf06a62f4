"""Run commands in this process, prepare their images and read their tables."""

import csv
import sys

import pytest
import typer
from PIL import Image

from ablation.cli import main


def ablation(*arguments, capsys):
    """Run a command in this process and return (exit code, standard output, standard error)."""
    argv, sys.argv = sys.argv, ["ablation", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as exit_info:
            main()
            raise SystemExit(0)
    finally:
        sys.argv = argv
    captured = capsys.readouterr()
    return exit_info.value.code or 0, captured.out, captured.err


def parsed(app, name, words):
    """Return the values that a command takes from words of its command line, without running it."""
    return typer.main.get_command(app).commands[name].make_context(name, list(words)).params


def rows_of(file):
    """Return the rows of a CSV file."""
    with file.open() as opened:
        return list(csv.DictReader(opened))


def pictures(folder):
    """Create a folder with a greyscale image and one with transparency."""
    images = folder / "pictures"
    images.mkdir(exist_ok=True)
    Image.linear_gradient("L").save(images / "grey.png")
    Image.radial_gradient("L").convert("RGBA").rotate(30).save(images / "clear.png")
    return images
