"""The README and the pages of the site that it leads to: their code runs, and their commands, links and numbers are right."""

import re
import shlex
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import typer

from ablation.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "index.md")]
TEXTS = {page.name: page.read_text() for page in PAGES}
BLOCKS = [
    (name, block) for name, text in TEXTS.items() for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
]
LINKS = sorted({(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())})
COMMANDS = typer.main.get_command(app).commands
MAX_WORDS = 900  # of the README, everything that white space separates, code included


@pytest.mark.parametrize(("name", "block"), BLOCKS, ids=[f"{name}: {block.splitlines()[0]}" for name, block in BLOCKS])
def test_python_runs(name, block, tmp_path, monkeypatch, clean_registries):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, name, "exec"), {})


def test_the_readme_is_short_and_shows_code():
    assert len(README.read_text().split()) < MAX_WORDS
    assert {name for name, _ in BLOCKS} == {"README.md", "library.md", "any_network.md", "custom_step.md"}
    (dozen,) = (block for name, block in BLOCKS if name == "library.md")
    assert sum(bool(line.strip()) for line in dozen.splitlines()) <= 12


def test_the_readme_leads_to_every_page():
    text = README.read_text() + (ROOT / "docs/small_scale.md").read_text()
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in text] == []


def given_commands(text):
    """Return the `ablation` commands in code of a text, each as a list of words."""
    code = [*re.findall(r"`(ablation [^`]+)`", text), *re.findall(r"^(?:.*-m )?(ablation [^#\n]*)", text, re.M)]
    return [shlex.split(line.split(" && ")[0].replace("\\", "")) for line in code]


@pytest.mark.parametrize("name", TEXTS)
def test_commands_and_options_exist(name):
    assert set(re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", TEXTS[name], re.M)) <= {
        pair for target in targets() for pair in ((target, ""), ("", target))
    }
    for _, command, *words in given_commands(TEXTS[name]):
        if command == "COMMAND":
            continue
        known = {option for parameter in COMMANDS[command].params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, f"ablation {command}"


def targets():
    return re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)


def test_the_command_lines_are_found():
    assert ["ablation", "roadmap"] in given_commands(TEXTS["machines.md"])
    torchrun = TEXTS["imagenet.md"].split("-m ablation train")[1].split("```")[0]
    assert set(re.findall(r"--[a-z-]+", torchrun)) == {
        "--rung",
        "--recipe",
        "--data",
        "--accumulate",
        "--validate-every",
    }


def test_every_command_has_a_section_with_an_example():
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXTS["commands.md"], re.M | re.S))
    assert sorted(sections) == sorted(COMMANDS)
    for command, text in sections.items():
        assert len(text.split("```")[0].split()) > 5, f"what ablation {command} does"
        assert f"```sh\nablation {command}" in text


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page.name} {link}" for page, link in LINKS])
def test_link_targets_exist(page, link):
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    assert link.startswith("https://") or target.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_cost_of_training_a_rung_of_the_paper():
    images = 300 * 1_281_167
    assert f"{images:,}" in TEXTS["imagenet.md"]
    assert f"{images / 3600:,.0f} / R" in TEXTS["imagenet.md"]
    assert round(images / 1000 / 3600) == 107


def test_the_badges_are_true():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    badges = re.findall(r"!\[([^\]]+)\]\((docs/_static/\w+\.svg)\)", README.read_text())
    python, licence = (f"{alt} {(ROOT / file).read_text()}" for alt, file in badges)
    assert project["requires-python"] == ">=3.11" and python.count("3.11 or newer") == 4
    assert (
        (ROOT / "LICENSE").read_text().startswith("MIT") and project["license"] == "MIT" and licence.count("MIT") >= 4
    )


def test_the_three_findings_match_the_files():
    text = " ".join(README.read_text().split("## Three findings")[1].split("\n## ")[0].split())
    ladder = pd.read_csv(ROOT / "figures/roadmap-cifar10-10k.csv").set_index("rung")
    speed = pd.read_csv(ROOT / "figures/speed-resnet50.csv").set_index("title")
    rows = ladder.loc[["enhanced_recipe", "inverted_bottleneck", "strided_downsampling"]]
    start, top, end = rows["accuracy"]
    assert "10,000 small images" in text and set(rows["data"]) == {"CIFAR-10 (JPEG), 10,000 images"}
    assert f"gains {rows['published_accuracy'].iloc[2] - rows['published_accuracy'].iloc[0]:.2f} points" in text
    assert f"climbs to {top:.1f} %" in text and f"ends at {end:.1f} %" in text
    assert f"{start - end:.1f} points below" in " ".join(re.sub(r" ± [\d.]+", "", text).split())
    step = speed.loc["depthwise conv"][["macs", "seconds"]] / speed.loc["patchify stem"][["macs", "seconds"]] - 1
    whole = speed.loc["separate downsampling"][["macs", "seconds"]] / speed.loc["ResNet-50"][["macs", "seconds"]] - 1
    assert f"takes {-step['macs']:.0%}".replace("%", " %") in text
    assert f"and {-step['seconds']:.0%} of the time".replace("%", " %") in text
    assert f"has {whole['macs']:.0%} more MACs".replace("%", " %") in text
    assert f"takes {whole['seconds']:.0%} longer".replace("%", " %") in text
    assert set(speed["threads"]) == {2} and set(speed["size"]) == {224} and set(speed["step"]) == {"forward"}
    for rung, title in (("layer_norm", "BN to LN"), ("strided_downsampling", "separate downsampling")):
        assert f"{ladder.loc[rung, 'published_gmacs']:.2f} G" in text
        assert f"{speed.loc[title, 'macs'] / 1e9:.2f} G" in text
