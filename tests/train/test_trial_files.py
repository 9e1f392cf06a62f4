"""The files of a trial: one process at a time, an outcome that is kept until it is stored, and settings that cannot be mixed."""

import math

import pytest
import torch
from torch import nn

from ablation import AblationError, Study, Trial, convnext, load_weights, run
from ablation import data as datasets
from ablation.commands import train as command
from ablation.commands.train import TrainOptions
from ablation.design.recipes import FAMILIES
from ablation.study import study as studies
from ablation.study.store import FILE, Store
from ablation.train import run as training
from ablation.train.checkpoint import Checkpoints, Progress, State
from ablation.train.evaluation import evaluate
from ablation.train.optimization import check_batch
from ablation.train.trial_files import CheckpointWarning, checkpoint_folder, trial_lock, weights_file

RECIPE = FAMILIES["micro"].modern.replace(epochs=1, warmup_epochs=0)
NETWORK = convnext("atto").replace(width=4, stem_stride=1, depths=(1, 1, 1, 1), layer_scale=None)
TRIAL = Trial(NETWORK, RECIPE, "digits#320", seed=1)


def key_of(trial):
    return trial.key(datasets.load(trial.data).checksum)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder and outcome of a trial that ended, as a worker leaves it whose driver was killed."""
    folder = tmp_path_factory.mktemp("kept")
    return folder, run(TRIAL, folder, keep=True)


def no_training(*arguments, **options):
    raise AssertionError("training started")


def test_a_kept_outcome_is_returned_without_training(kept, monkeypatch):
    folder, outcome = kept
    monkeypatch.setattr(training.Training, "run_to_end", no_training)
    assert run(TRIAL, folder, keep=True) == outcome
    with pytest.raises(
        AblationError, match=r"trained with precision fp32, accumulate 1, not with precision bf16, accumulate 2"
    ):
        run(TRIAL, folder, precision="bf16", accumulate=2)
    assert outcome.environment["processes"] == 1


def test_a_damaged_outcome_is_reported_and_the_trial_is_trained_again(tmp_path, kept):
    folder = checkpoint_folder(tmp_path, key_of(TRIAL))
    folder.mkdir(parents=True)
    content = (checkpoint_folder(kept[0], key_of(TRIAL)) / "outcome.json").read_text()
    (folder / "outcome.json").write_text(content.replace('"status": "done"', '"status": "gone"'))
    with pytest.warns(CheckpointWarning, match=r"outcome\.json is damaged"):
        outcome = run(TRIAL, tmp_path)
    assert outcome.train_losses == kept[1].train_losses and not folder.exists()


def test_a_second_process_that_trains_the_same_trial_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(training.Training, "run_to_end", no_training)
    with (
        trial_lock(tmp_path, key_of(TRIAL), 0),
        pytest.raises(AblationError, match="another process is training this trial"),
    ):
        run(TRIAL, tmp_path, wait_seconds=0.01)


def test_a_worker_keeps_its_checkpoints_until_the_driver_has_stored_the_outcome(tmp_path, kept, monkeypatch):
    """With an engine in this process, in place of a driver that is killed before it stores anything."""
    key, seen = key_of(TRIAL), []

    def engine(trials, directory):
        outcome = run(trials[0], directory, keep=True)
        seen.append((checkpoint_folder(directory, key) / "outcome.json").is_file())
        yield studies.Event(trials[0], "ended", outcome=outcome)

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Store, "put", killed)
        Study([TRIAL], tmp_path, engine=engine).run()
    monkeypatch.setattr(training.Training, "run_to_end", no_training)
    (outcome,) = Study([TRIAL], tmp_path, engine=engine).run().values()
    assert seen == [True, True] and outcome.train_losses == kept[1].train_losses
    assert not checkpoint_folder(tmp_path, key).exists()


@pytest.mark.parametrize(
    ("name", "other"),
    [("precision", "bf16"), ("accumulate", 2), ("processes", 2), ("device", "cuda"), ("compiled", True)],
)
def test_a_resume_with_other_settings_is_refused(tmp_path, name, other):
    settings = {"precision": "fp32", "accumulate": 1, "processes": 1, "device": "cpu", "compiled": False}
    state = State(Progress(1, 2), {"network.weight": torch.ones(2)}, {})
    Checkpoints(tmp_path, settings).save(state)
    assert Checkpoints(tmp_path, settings).load().progress == state.progress
    with pytest.raises(
        AblationError, match=f"trained with {name} {settings[name]}, not with {name} {other}, in {tmp_path}"
    ):
        Checkpoints(tmp_path, {**settings, name: other}).load()


def test_a_checkpoint_of_an_earlier_version_has_no_settings(tmp_path):
    Checkpoints(tmp_path).save(State(Progress(1, 2), {"network.weight": torch.ones(2)}, {}))
    assert Checkpoints(tmp_path, {"precision": "bf16"}).load().progress.step == 2


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_a_network_trained_in_bf16_is_scored_in_float32(tmp_path, ema):
    trial = Trial(NETWORK, RECIPE.replace(ema=ema), "digits#320")
    outcome = run(trial, tmp_path, precision="bf16")
    saved = load_weights(weights_file(tmp_path, key_of(trial)))
    accuracy, loss, _ = evaluate(saved, datasets.load("digits#320"), trial.recipe)
    assert outcome.accuracy == accuracy and outcome.test_loss == pytest.approx(loss, rel=1e-6)
    assert outcome.environment["precision"] == "bf16"
    with Store(tmp_path / FILE) as store:
        store.record(key_of(trial), trial, datasets.load("digits#320").checksum, outcome)
    with pytest.raises(AblationError, match=r"was trained with precision bf16 in .*, and this study trains with fp32"):
        Study([trial], tmp_path, run_options={"precision": "fp32"}).missing()
    assert Study([trial], tmp_path).missing() == ()


class OnMps(torch.Tensor):
    """A tensor that, like those of MPS, cannot be float64."""

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        if function is torch.Tensor.double:
            raise TypeError("MPS has no float64")
        found = super().__torch_function__(function, types, arguments, options or {})
        return found.as_subclass(torch.Tensor) if function is torch.Tensor.cpu else found


class OnMpsNetwork(nn.Module):
    def forward(self, images):
        return images.flatten(1)[:, :10].as_subclass(OnMps)


def test_scores_are_counted_on_the_cpu():
    accuracy, loss, images = evaluate(OnMpsNetwork(), datasets.load("digits"), RECIPE)
    assert 0 < accuracy < 100 and math.isfinite(loss) and images == 355


@pytest.mark.parametrize(
    ("recipe", "processes", "accumulate", "message"),
    [
        (RECIPE.replace(batch_size=33, mixup=0.2), 1, 1, "each of 1 processes gets 33 of the 33 images"),
        (RECIPE.replace(batch_size=66, cutmix=1.0), 2, 1, "each of 2 processes gets 33 of the 66 images"),
        (RECIPE, 1, 64, "is one image at a time, but the network's batch norms need two or more"),
        (RECIPE, 32, 2, "is one image at a time"),
    ],
)
def test_batches_that_cannot_be_trained_are_refused_before_the_first_step(recipe, processes, accumulate, message):
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    with pytest.raises(AblationError, match=message):
        check_batch(recipe, network, processes, accumulate)
    check_batch(RECIPE, network, 1, 32)
    check_batch(RECIPE, nn.Sequential(nn.Conv2d(1, 2, 1), nn.GroupNorm(1, 2)), 1, 64)


def test_the_command_trains_once_and_then_prints_the_stored_outcome(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "_trial", lambda options: TRIAL)
    options = TrainOptions(data=TRIAL.data, store=tmp_path)
    command.train(options)
    first = capsys.readouterr().out.splitlines()
    assert "epoch 1/1" in first[2] and not list(tmp_path.glob("checkpoints/*/"))[1:]
    monkeypatch.setattr(training.Training, "run_to_end", no_training)
    command.train(options)
    again = capsys.readouterr().out.splitlines()
    advice = "this outcome is stored in it; another --store trains it again"
    assert again == [*first[:2], f"{tmp_path} has trained this before: {advice}", first[3]]
    with Store(tmp_path / FILE, readonly=True) as store:
        (row,) = store.rows()
    assert row["status"] == "done" and row["key"] == key_of(TRIAL) and f"top-1 {row['accuracy']:.2f} %" in first[3]
    assert Study([TRIAL], tmp_path).missing() == ()
    with pytest.raises(AblationError, match="trained with precision fp32, not with precision bf16"):
        command.train(TrainOptions(data=TRIAL.data, store=tmp_path, precision="bf16"))
    weights_file(tmp_path, key_of(TRIAL)).unlink()
    with pytest.raises(AssertionError, match="training started"):
        command.train(options)


def test_a_diverged_trial_is_not_trained_again(tmp_path, monkeypatch):
    trial = Trial(NETWORK, FAMILIES["micro"].original.replace(lr=1e12), "digits#320")
    monkeypatch.setattr(command, "_trial", lambda options: trial)
    for _ in range(2):
        with pytest.raises(AblationError, match="the loss became non-finite"):
            command.train(TrainOptions(data=trial.data, store=tmp_path))
        monkeypatch.setattr(training.Training, "run_to_end", no_training)


@pytest.mark.parametrize(
    ("name", "value"), [("WORLD_SIZE", "x"), ("WORLD_SIZE", "0"), ("RANK", "-1"), ("RANK", "9" * 80)]
)
def test_a_launcher_that_passes_no_number_is_reported(tmp_path, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(AblationError, match=f"environment variable {name} is '{value[:9]}"):
        command.train(TrainOptions(store=tmp_path))
