"""The help: grouped by purpose, an example of each command that can be parsed, no line cut, lists that are the data's."""

import re
import shlex

import pytest

from ablation.cli import app
from ablation.commands.help_sections import EXAMPLES, SECTIONS
from ablation.commands.options import MEMORY_FORMATS, PRECISIONS, STEPS
from ablation.commands.run_study import GRID, LADDER
from ablation.data.class_order import CLASS_ORDERS
from ablation.data.named import NAMES
from ablation.design.recipes import FAMILIES
from ablation.design.roadmap import STARTS
from ablation.study.designs import DESIGNS
from ablation.study.engines import ENGINES
from ablation.train import devices
from ablation.train.tracking import TRACKERS
from tests.commands.running import ablation, parsed


def test_each_command_is_in_one_section(capsys):
    _, out, _ = ablation("--help", capsys=capsys)
    listed = re.findall(r"^  ([a-z]+)  ", out, re.MULTILINE)
    assert listed == [name for commands in SECTIONS.values() for name in commands]
    assert sorted(listed) == sorted(command.name or command.callback.__name__ for command in app.registered_commands)
    assert all(f"\n{section}:\n" in out for section in SECTIONS)


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("name", [None, *EXAMPLES])
def test_no_line_is_cut(name, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = ablation(*filter(None, [name]), "--help", capsys=capsys)
    assert code == 0 and not re.search(
        r"(?<!\[steps\])(?<!steps)(?<!\[images\])(?<!images)(\.\.\.|…)", out.replace("[ARGS]...", "")
    )
    assert max(map(len, out.splitlines())) <= columns
    examples = [EXAMPLES[name]] if name else [next(iter(commands.values())) for commands in SECTIONS.values()]
    assert all(f"  {'' if name else 'Example: '}{example}\n" in out for example in examples)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_can_be_parsed(name):
    program, command, *words = shlex.split(EXAMPLES[name])
    assert (program, command) == ("ablation", name)
    assert parsed(app, name, words)


@pytest.mark.parametrize(
    ("command", "option", "names"),
    [
        ("train", "--recipe", FAMILIES),
        ("train", "--start", STARTS),
        ("rates", "--start", STARTS),
        ("train", "--device", devices.DEVICES),
        ("train", "--precision", devices.PRECISIONS),
        ("train", "--log-with", TRACKERS),
        ("train", "--data", [name.partition(":")[0] for name in NAMES]),
        ("evaluate", "--class-order", CLASS_ORDERS),
        ("roadmap", "--engine", ENGINES),
        ("study", "design", [LADDER, *DESIGNS, GRID]),
        ("profile", "--step", STEPS),
        ("profile", "--memory-format", MEMORY_FORMATS),
        ("profile", "--precision", PRECISIONS),
    ],
)
def test_every_possible_name_is_in_the_help(command, option, names, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = ablation(command, "--help", capsys=capsys)
    text = re.search(rf"^  {option} .*?(?=^  \S|^\S|\Z)", out, re.MULTILINE | re.DOTALL).group()
    words = " ".join(text.split()).replace("- ", "-")  # names may be divided at a hyphen
    assert not [name for name in names if name not in words]


def test_every_measurement_is_in_the_help(capsys):
    from ablation.commands.see import WHAT

    _, out, _ = ablation("see", "--help", capsys=capsys)
    assert not [name for name in WHAT if f"{name}: " not in " ".join(out.split())]
