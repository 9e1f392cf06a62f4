"""Which ladder of a store `ablation attribute` takes, from invented outcomes; devices of what measures networks."""

import types

import pytest
import torch

from ablation.commands import measuring_device as measuring
from ablation.commands.options import StudyOptions
from ablation.commands.trained_ladder import find_ladder
from ablation.design.recipe_changes import RecipeChanges
from ablation.design.recipes import family
from ablation.errors import AblationError
from ablation.study.ladder import ladder_rungs, ladder_trials
from ablation.study.store import FILE, Store
from ablation.train.trial_files import weights_file
from tests.commands.running import ablation
from tests.study.samples import outcome

PAIR = family("micro")
USUAL = {rung.name: (PAIR.original if rung.recipe == "original" else PAIR.modern).lr for rung in ladder_rungs("micro")}
OWN = {**USUAL, "depthwise": 0.008}
NONE, GAIN = RecipeChanges(), RecipeChanges(init_gain=2.0)


def train(folder, changes=NONE, rates=None, without=()):
    """Store a done outcome and an empty weights file of each rung; return the trials."""
    trials = ladder_trials(changes.apply_to_family(PAIR), "digits", [0], rates=rates)
    trials = {trial: rung for trial, rung in trials.items() if rung.name not in without}
    with Store(folder / FILE) as store:
        for trial in trials:
            key = trial.key("sum")
            store.record(key, trial, "sum", outcome(80.0, train_losses=(0.5,) * trial.recipe.epochs))
            weights_file(folder, key).parent.mkdir(exist_ok=True)
            weights_file(folder, key).touch()
    return [trial for trial, rung in trials.items() if rung.adopted]


def found(folder, **asked):
    return find_ladder(StudyOptions("digits", "micro", store=folder, **asked), "sum")


@pytest.mark.parametrize(
    ("changes", "rates", "title", "suffix"),
    [
        (GAIN, None, "init_gain 2.0", "-init-gain-2"),
        (NONE, OWN, "own rates", "-own-rates"),
        (RecipeChanges(epochs=3, ema=0.9), OWN, "epochs 3, ema 0.9, own rates", "-epochs-3-ema-0-9-own-rates"),
    ],
)
def test_the_only_ladder_is_taken_whatever_it_was_trained_with(changes, rates, title, suffix, tmp_path):
    trials = train(tmp_path, changes, rates)
    train(tmp_path, RecipeChanges(epochs=2), without=["gelu"])  # incomplete
    ladder = found(tmp_path)
    assert list(ladder.rungs) == trials and ladder.chosen
    assert (ladder.title, ladder.suffix) == (title, suffix)


def test_what_is_asked_for_comes_first(tmp_path):
    usual, gained = train(tmp_path), train(tmp_path, GAIN)
    assert list(found(tmp_path).rungs) == usual and not found(tmp_path).chosen and not found(tmp_path).suffix
    ladder = found(tmp_path, changes=GAIN)
    assert list(ladder.rungs) == gained and not ladder.chosen and ladder.suffix == "-init-gain-2"
    with pytest.raises(AblationError, match=r"14 of 14 rungs are not trained.*--init-gain 3 --store"):
        found(tmp_path, changes=RecipeChanges(init_gain=3.0))


def test_of_several_none_is_taken(tmp_path):
    train(tmp_path, GAIN)
    train(tmp_path, rates=OWN, without=["original_recipe"])
    assert found(tmp_path).title == "init_gain 2.0", "a ladder without a row is none"
    train(tmp_path, rates=OWN)
    with pytest.raises(
        AblationError, match=r"2 ladders of digits and micro.*: init_gain 2.0; own rates\. Say which: --rates"
    ):
        found(tmp_path)


def test_what_measures_networks_takes_a_device(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for command in (("see",), ("evaluate", "--model", "resnet18"), ("attribute",)):
        code, out, error = ablation(*command, "--device", "gpu", capsys=capsys)
        assert code == 2 and not out and "unknown device 'gpu'" in error and len(error.splitlines()) == 1
        monkeypatch.setattr("ablation.train.devices.present_devices", lambda: ["cpu"])
        code, out, error = ablation(*command, "--device", "cuda", capsys=capsys)
        assert code == 2 and not out and "device 'cuda': this machine has none. Possible: auto, cpu" in error
    assert not list(tmp_path.iterdir())


def test_mps_is_not_chosen_where_float64_is_needed(monkeypatch):
    monkeypatch.setattr("ablation.train.devices.present_devices", lambda: ["mps", "cpu"])
    assert measuring.measuring_device("auto") == torch.device("cpu") == measuring.measuring_device("cpu")
    with pytest.raises(AblationError, match="device 'mps' has no float64"):
        measuring.measuring_device("mps")


def test_networks_and_images_are_moved_to_the_device(monkeypatch):
    from ablation.commands import see

    moved = []
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, device: moved.append(device) or module)
    pixels = types.SimpleNamespace(device="there")
    monkeypatch.setattr(see, "normalise", lambda *_: pixels)
    _, images = see._prepare(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1)), pixels, trained=True)
    assert moved == ["there"] and images is pixels
