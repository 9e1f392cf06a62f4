"""Trackers: each epoch once, also after an interrupt; what fails in them never ends a training."""

import csv
from types import SimpleNamespace

import pytest
from accelerate import tracking as accelerate_tracking

from ablation import AblationError, Trial, run
from ablation import data as datasets
from ablation.design.recipes import FAMILIES
from ablation.train import tracking
from ablation.train.csv_tracker import CsvTracker
from ablation.train.tracking import TRACKERS, VALUES, TrackerWarning, check_tracker
from tests.train.small import NETWORK

RECIPE = FAMILIES["micro"].modern.replace(epochs=4, batch_size=50)
TRIAL = Trial(NETWORK, RECIPE, "digits#100")


class Fake(accelerate_tracking.GeneralTracker):
    """A tracker that remembers what it was told, in place of one whose package is not installed."""

    name, requires_logging_directory = "fake", False

    def __init__(self, *arguments, **options):
        super().__init__()
        self.arguments, self.options, self.logged, self.config, self.ended = arguments, options, [], None, False
        made.append(self)

    @property
    def tracker(self):
        return SimpleNamespace(id="run 7", info=SimpleNamespace(run_id="run 7"), log_dir="folder")

    def store_init_configuration(self, values):
        self.config = values

    def log(self, values, step=None, **options):
        self.logged.append((step, values))

    def finish(self):
        self.ended = True


made = []


@pytest.fixture
def fakes(monkeypatch):
    made.clear()
    for name in ("TensorBoardTracker", "WandBTracker", "MLflowTracker"):
        monkeypatch.setattr(accelerate_tracking, name, Fake)
    monkeypatch.setattr(tracking, "_is_installed", lambda package: True)
    return made


class Stop(Exception):  # noqa: N818  no error
    """Raised by a report, as if the process ended there."""


def stop_after(number):
    def report(epoch, epochs, loss):
        if epoch == number:
            raise Stop

    return report


def interrupted(folder, name, after):
    """Train to an epoch whose checkpoint is not written any more, then to the end, and return the outcome."""
    with pytest.raises(Stop):
        run(TRIAL, folder, stop_after(after), checkpoint_seconds=0, log_with=name)
    return run(TRIAL, folder, log_with=name, checkpoint_seconds=0)


def rows(file):
    with file.open() as opened:
        return list(csv.DictReader(opened))


def test_a_resumed_trial_has_each_epoch_once_in_its_file(tmp_path):
    outcome = interrupted(tmp_path, "csv", after=3)
    (file,) = (tmp_path / "logs").glob("*.csv")
    logged = rows(file)
    assert file.stem == TRIAL.key(datasets.load(TRIAL.data).checksum) and tuple(logged[0]) == ("epoch", *VALUES)
    assert [row["epoch"] for row in logged] == ["1", "2", "3", "4"]
    assert tuple(float(row["loss"]) for row in logged) == outcome.train_losses
    rates = [float(row["learning_rate"]) for row in logged]
    assert max(rates) <= RECIPE.effective_lr and rates[1] > rates[2] > rates[3] > 0
    assert outcome.environment["log_with"] == "csv"


def test_an_incomplete_line_and_later_epochs_are_replaced(tmp_path):
    file = tmp_path / "logs" / "key.csv"
    first = CsvTracker(file, VALUES)
    first.start()
    for epoch in (1, 2, 3):
        first.log({"loss": float(epoch)}, step=epoch)
    with file.open("a") as opened:
        opened.write("4,0.2")
    second = CsvTracker(file, VALUES)
    second.start()
    second.log({"loss": 9.0, "accuracy": 50.0}, step=3)
    assert [(row["epoch"], row["loss"], row["accuracy"]) for row in rows(file)] == [
        ("1", "1.0", ""),
        ("2", "2.0", ""),
        ("3", "9.0", "50.0"),
    ]


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_resumed_trial_continues_its_run(name, fakes, tmp_path):
    interrupted(tmp_path, name, after=2)
    first, second = fakes
    assert [step for step, _ in first.logged + second.logged] == [1, 2, 3, 4] and first.ended and second.ended
    assert set(first.logged[0][1]) == {"loss", "learning_rate", "images_per_second"}, "and no accuracy that is None"
    assert first.config["epochs"] == 4 and first.config["precision"] == "fp32" and second.config is None
    assert all(value is None or isinstance(value, str | int | float) for value in first.config.values())
    named = {"wandb": "id", "mlflow": "run_id"}.get(name)
    if named:
        assert first.options[named] is None and second.options[named] == "run 7"
    else:
        assert first.options == {"purge_step": 0} and second.options == {}


def test_another_training_is_another_run(fakes, tmp_path):
    for _ in range(2):
        run(TRIAL, tmp_path, log_with="mlflow")
    assert [fake.options["run_id"] for fake in fakes] == [None, None]


def test_the_arguments_are_those_of_the_trackers_of_accelerate(tmp_path):
    """What is installed or not, Accelerate's own classes take them."""
    for name, state in ((name, state) for name in TRACKERS for state in ({}, {"epoch": 2, "run": "run 7"})):
        assert tracking._make(name, tmp_path, "key", state).name == name


def test_a_tracker_that_fails_is_left_behind(fakes, tmp_path, monkeypatch):
    def fail(self, values, step=None):
        raise ConnectionError("the server is gone")

    monkeypatch.setattr(Fake, "log", fail)
    with pytest.warns(TrackerWarning, match="wandb stopped logging: the server is gone") as caught:
        outcome = run(TRIAL, tmp_path, log_with="wandb")
    assert len(caught) == 1 and outcome.status == "done"


def test_a_tracker_that_cannot_start_is_found_before_training(fakes, tmp_path, monkeypatch):
    monkeypatch.setattr(Fake, "start", lambda self: 1 / 0)
    with pytest.raises(AblationError, match="mlflow could not start logging: division by zero"):
        run(TRIAL, tmp_path, stop_after(1), log_with="mlflow")


def test_a_missing_package_and_an_unknown_name_are_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: SimpleNamespace(origin=None))  # a folder called wandb
    with pytest.raises(AblationError, match=r"^--log-with wandb needs the package wandb: pip install wandb$"):
        run(TRIAL, tmp_path, log_with="wandb")
    with pytest.raises(AblationError, match=r"unknown tracker 'cvs'; did you mean 'csv'\?"):
        check_tracker("cvs")
    check_tracker("csv")


def test_only_the_main_process_logs(tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.Accelerator.is_main_process", property(lambda self: False))
    run(TRIAL, tmp_path, log_with="csv")
    assert not (tmp_path / "logs").exists()
