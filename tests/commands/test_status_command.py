"""`ablation status` without trials says what to run, and what it says can be run."""

import shlex

import pytest

from ablation.cli import app
from ablation.study.store import FILE, Store
from tests.commands.running import ablation, parsed


@pytest.mark.parametrize("empty", [False, True], ids=["no store", "an empty store"])
@pytest.mark.parametrize("store", ["runs", "my runs"])
def test_without_trials_it_says_what_to_run(store, empty, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if empty:
        Store(tmp_path / store / FILE).close()
    code, out, error = ablation("status", "--store", store, capsys=capsys)
    assert code == 0 and not error and out.startswith(f"{store} holds no trials yet. What fills it:\n")
    assert (tmp_path / store).exists() == empty, "looking creates nothing"
    commands = [line.strip() for line in out.splitlines() if line.startswith("  ablation ")]
    assert {command.split()[1] for command in commands} >= {"roadmap", "train", "study", "import"}
    for command in commands:
        name, *words = shlex.split(command)[1:]
        assert str(parsed(app, name, words)["store"]) == store, command


@pytest.mark.parametrize("arguments", [("export", "all.csv"), ("power",), ("attribute",)])
def test_what_needs_trials_says_what_to_run(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 2 and not out and len(error.splitlines()) == 1 and "`ablation roadmap" in error
    assert not list(tmp_path.iterdir())
