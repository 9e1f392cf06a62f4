"""The Python code in the README runs, and its commands, links and numbers are right."""

import re
from pathlib import Path

import pytest

from ablation.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_python_runs(block, tmp_path, monkeypatch, clean_registries):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


def test_the_first_block_is_short():
    assert len(BLOCKS) == 3
    assert sum(bool(line.strip()) for line in BLOCKS[0].splitlines()) <= 12


def test_commands_and_options_exist():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(re.findall(r"`ablation ([a-z]+)", README)) <= commands
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    )
    options = set(re.findall(r"--[a-z-]+", README.split("torchrun")[1].split("```")[0].split("ablation train")[1]))
    assert options == {"--rung", "--recipe", "--data", "--accumulate", "--validate-every"}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_link_targets_exist(link):
    name, _, anchor = link.partition("#")
    assert link.startswith("https://") or (ROOT / name).exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", (ROOT / name).read_text(), re.M)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_the_cost_of_training_a_rung_of_the_paper():
    images = 300 * 1_281_167
    assert f"{images:,}" in README
    assert f"{images / 3600:,.0f} / R" in README
    assert round(images / 1000 / 3600) == 107
