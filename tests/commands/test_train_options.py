"""What the training commands take besides network and data: said, recorded, and never mistaken for the unchanged recipe."""

import re

import pytest
import torch
from typer.main import get_command

from ablation import Outcome, Trial, build, load_weights, save_weights
from ablation import data as datasets
from ablation.cli import app
from ablation.commands import run_roadmap, run_study
from ablation.commands.train import TrainOptions, train
from ablation.design.recipe_changes import RecipeChanges
from ablation.design.recipes import FAMILIES, Family
from ablation.evidence.accuracies import accuracies
from ablation.study import designs
from ablation.study.export_file import read_export, write_export
from ablation.study.store import FILE, Store
from ablation.train.run import make_network
from tests.commands.running import ablation, rows_of
from tests.train.small import NETWORK

DATA = "digits#200"


@pytest.fixture
def small_network(monkeypatch):
    """Let `ablation train` train a small network instead of a rung."""
    monkeypatch.setattr(
        "ablation.commands.train._trial",
        lambda options: Trial(NETWORK, options.changes.apply(FAMILIES["micro"].modern), options.data, options.seed),
    )


CHANGES = ("--epochs", 2, "--lr", 0.01, "--batch-size", 50, "--drop-path", 0.1, "--ema", 0.9, "--init-gain", 2)


def test_what_was_changed_is_said_and_recorded(tmp_path, small_network, capsys):
    options = ("train", "--data", DATA, "--log-with", "csv", "--validate-every", 1, "--store", tmp_path)
    code, out, error = ablation(*options, *CHANGES, capsys=capsys)
    assert code == 0, error
    heading, plan, *_ = out.splitlines()
    assert (
        "recipe micro-modern with epochs 2, lr 0.01, batch_size 50, drop_path 0.1, ema 0.9, init_gain 2.0, digits#200"
        in heading
    )
    assert plan == (
        "effective batch 50 = 1 (devices) x 50 (images) x 1 (accumulated parts), learning rate 0.01, 4 steps per epoch, "
        "8 in total"
    )
    with Store(tmp_path / FILE, readonly=True) as store:
        ((key, outcome),) = store.outcomes().items()
        assert (outcome.environment["log_with"], outcome.environment["validate_every"]) == ("csv", 1)
        assert not {"compiled", "loader_workers", "init"} & set(outcome.environment), "what is as usual is not recorded"
        write_export(store, tmp_path / "all.csv")
    assert [row["key"] for row in read_export(tmp_path / "all.csv")] == [key]
    logged = rows_of(tmp_path / "logs" / f"{key}.csv")
    assert tuple(float(row["loss"]) for row in logged) == outcome.train_losses
    accuracies_by_epoch = {row["epoch"]: float(row["accuracy"]) for row in logged}
    assert accuracies_by_epoch == outcome.environment["validated"] and accuracies_by_epoch["2"] == outcome.accuracy
    assert f"epoch 2/2  training loss {outcome.train_losses[1]:.4f}  top-1 {outcome.accuracy:.2f} %" in out
    assert "has trained this before" in ablation(*options, *CHANGES, capsys=capsys)[1]
    _, out, _ = ablation("train", "--data", DATA, "--epochs", 1, "--store", tmp_path, capsys=capsys)
    assert "recipe micro-modern: warmup_epochs is 0 instead of 1, in proportion to the epochs" in out
    assert "epoch 1/1" in out, "another recipe is another trial"


def test_training_starts_from_the_weights_of_a_file(tmp_path, small_network, capsys):
    longrange, digits = datasets.load("longrange#64"), datasets.load(DATA)
    source = make_network(Trial(NETWORK, FAMILIES["micro"].modern, "longrange#64"), longrange, torch.device("cpu"))
    with torch.no_grad():
        source.stem.conv.bias += 1
    save_weights(source, tmp_path / "w.safetensors")
    train(TrainOptions(data=DATA, store=tmp_path, changes=RecipeChanges(1, 1e-9), init_from=tmp_path / "w.safetensors"))
    out = capsys.readouterr().out
    assert f"starts from {tmp_path}/w.safetensors; its head is new: the file has 2 classes, and the data 10" in out
    (file,) = (tmp_path / "weights").glob("*.safetensors")
    trained = load_weights(file).state_dict()
    torch.testing.assert_close(trained["stem.conv.bias"], source.state_dict()["stem.conv.bias"], rtol=0, atol=1e-6)
    with Store(tmp_path / FILE, readonly=True) as store:
        ((key, outcome),) = store.outcomes().items()
        write_export(store, tmp_path / "all.csv")
    (row,) = read_export(tmp_path / "all.csv")
    assert row["key"] == key == file.stem and outcome.environment["init"] in row["trial"]
    unstarted = Trial(NETWORK, RecipeChanges(1, 1e-9).apply(FAMILIES["micro"].modern), DATA)
    assert unstarted.key(digits.checksum) != key


def test_weights_of_another_network_are_refused_before_training(tmp_path, capsys):
    save_weights(build(NETWORK, 10, 1), tmp_path / "w.safetensors")
    options = ("--data", DATA, "--init-from", tmp_path / "w.safetensors", "--store", tmp_path / "runs")
    code, _, error = ablation("train", "gelu", *options, capsys=capsys)
    assert code == 2 and "w.safetensors do not fit Architecture(width=8, stem_stride=1, activation='gelu')" in error
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def invented(monkeypatch):
    """Replace the training of studies by an invented accuracy for each trial; return the trials of each study."""
    studies = []

    def run(study, console, workers):
        studies.append(study.trials)
        losses = (1.0,) * study.trials[0].recipe.epochs
        return {
            trial: Outcome("done", 50.0 + trial.seed, 0.5, losses, 355, 1000, 3.0, 100.0, {"torch": "2"})
            for trial in study.trials
        }

    for module in (run_roadmap, run_study):
        monkeypatch.setattr(module, "run_with_progress", run)
    return studies


def test_a_changed_ladder_is_not_taken_for_the_family_s(tmp_path, invented, capsys):
    options = ("--seeds", 3, "--out", tmp_path, "--store", tmp_path / "runs", "--epochs", 3, "--ema", 0.5)
    code, out, error = ablation("roadmap", *options, capsys=capsys)
    assert code == 0, error
    assert "recipe micro with epochs 3, ema 0.5, 3 seeds" in " ".join(out.split())
    assert "recipe micro-original: decay_epochs is 2 instead of 6, in proportion to the epochs" in out
    changed = rows_of(tmp_path / "roadmap-digits-epochs-3-ema-0.5.csv")
    assert not (tmp_path / "roadmap-digits.csv").exists(), "the figure of the unchanged family is left alone"
    assert {row["recipe_changes"] for row in changed} == {"epochs 3, ema 0.5"}
    assert {row["accuracy"] for row in changed} == {"51.0"}, "every trial is found by its changed recipe"
    (trials,) = invented
    assert {(trial.recipe.epochs, trial.recipe.ema) for trial in trials} == {(3, 0.5)} and len(trials) == 51


def test_a_changed_study_says_so(tmp_path, invented, capsys):
    options = ("--seeds", 2, "--out", tmp_path, "--store", tmp_path / "runs", "--batch-size", 32, "--drop-path", 0.1)
    code, out, error = ablation("study", "one-at-a-time", "gelu", *options, capsys=capsys)
    assert code == 0 and "recipe micro with batch_size 32, drop_path 0.1, 2 seeds" in " ".join(out.split()), error
    points = rows_of(tmp_path / "study-one-at-a-time-digits-batch-size-32-drop-path-0.1-points.csv")
    assert [float(row["accuracy_percent"]) for row in points] == [50.5, 50.5]


def test_a_trial_that_started_from_weights_is_no_point_of_a_study():
    modern = FAMILIES["micro"].modern
    points = designs.design("one-at-a-time", ["gelu"], "resnet50", 8, 1, 1)
    trials = designs.trials(points, FAMILIES["micro"], "digits", [0])
    outcome = Outcome("done", 50.0, 0.5, (1.0,), 355, 1000, 3.0, 100.0, {})
    started = {Trial(trial.architecture, modern, "digits", 0, "0" * 16): outcome for trial in trials}
    assert not any(accuracies(points, "micro", "digits", started).values())
    assert all(accuracies(points, Family(modern, modern), "digits", dict.fromkeys(trials, outcome)).values())


def test_the_help_of_train_has_sections_that_list_every_option_once(capsys):
    _, out, _ = ablation("train", "--help", capsys=capsys)
    sections = re.findall(r"^(\S.*):$", out, re.MULTILINE)
    assert sections == ["Arguments", "Network", "Data and recipe", "Machine", "Results", "Options", "Example"]
    listed = re.findall(r"^  (--[a-z-]+)", out, re.MULTILINE)
    options = [p.opts[0] for p in get_command(app).commands["train"].params if p.opts[0].startswith("--")]
    assert sorted(listed) == sorted([*options, "--help"]) and listed[-1] == "--help"
