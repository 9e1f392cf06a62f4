"""Add to the page of commands what the command line says: the output of quick examples, and the options of each command."""

from __future__ import annotations

import contextlib
import re
import shlex
import tempfile
from pathlib import Path

from typer.testing import CliRunner

from ablation.cli import app

FIGURES = Path(__file__).parents[1] / "figures"
QUICK = (
    "profile",
    "import",
    "status",
    "power",
    "export",
)  # run in this order; they train nothing, and need `figures` only
SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.M | re.S)
BLOCK = re.compile(r"```sh\n(.*?)```\n", re.S)


def add_examples(page: Path) -> None:
    """Complete a copy of `commands.md`: below the first block of each section its output, where it is quick, and the options."""
    sections = dict(SECTION.findall(page.read_text()))
    printed = run_examples({name: examples(sections[name])[0] for name in QUICK})

    def complete(match: re.Match[str]) -> str:
        name, text = match.groups()
        added = f"\nprints\n\n```text\n{printed[name]}\n```\n" if name in printed else ""
        added += f'\n<details class="options"><summary>Options of {name}</summary>\n\n'
        added += f"```text\n{options(name)}\n```\n\n</details>\n"
        return f"## {name}\n" + BLOCK.sub(lambda block: block.group(0) + added, text, count=1)

    page.write_text(SECTION.sub(complete, page.read_text()))


def examples(section: str) -> list[str]:
    """Return the commands in the blocks of a section."""
    return [line for block in BLOCK.findall(section) for line in block.strip().splitlines()]


def run_examples(commands: dict[str, str]) -> dict[str, str]:
    """Run commands one after the other in a temporary folder with a link to `figures`, and return what each prints."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("figures").symlink_to(FIGURES)
        return {name: run(shlex.split(command)[1:]) for name, command in commands.items()}


def options(name: str) -> str:
    """Return the help of a command."""
    return run([name, "--help"])


def run(arguments: list[str]) -> str:
    """Return what `ablation` prints for arguments, 80 columns wide, without spaces at the ends of lines."""
    done = CliRunner(env={"COLUMNS": "80", "TERM": "dumb"}).invoke(
        app, arguments, prog_name="ablation", catch_exceptions=False
    )
    if done.exit_code:
        raise RuntimeError(f"ablation {shlex.join(arguments)} ended with {done.exit_code}: {done.output}")
    return "\n".join(line.rstrip() for line in done.output.strip("\n").splitlines())
