"""The benchmark of small trainings, on the CPU: what it times and how it forecasts."""

import pytest

from ablation.design.trial import Trial
from tests.bench import gpu_training
from tests.bench.gpu import COMPARED, Table
from tests.bench.gpu_training import Timed, forecast_minutes, random_images, rows, time_row


@pytest.mark.parametrize(("on_device", "kind"), [(True, "on device"), (False, "eager")])
def test_a_row_is_timed_from_its_first_reading(monkeypatch, on_device, kind):
    monkeypatch.setattr(gpu_training, "EAGER_STEPS", 2)
    trial = rows(batch_size=8)["strided_downsampling"]
    small = Trial(trial.architecture.replace(width=4, depths=(1, 1, 1, 1)), trial.recipe)
    timed = time_row("last", small, random_images(64), "fp32", on_device)
    assert timed.kind == kind and timed.images_per_second > 0 and timed.start_seconds > 0
    assert len(timed.losses) == (8 if on_device else 3)


def test_the_forecast_counts_epochs_starts_and_seeds():
    trials = {name: rows()[name] for name in COMPARED[:2]}
    epochs = {trial.recipe.epochs for trial in trials.values()}
    assert epochs == {30}
    timed = [Timed(name, 3.0, 1000.0, "captured", ()) for name in trials]
    # Two rows of 3 s + 30 epochs of 2 s, three seeds, two at a time.
    assert forecast_minutes(timed, trials, 2000, 2) == pytest.approx(2 * (3 + 60) * 3 / 2 / 60)


def test_each_row_is_written_at_once(tmp_path):
    from rich.console import Console

    table = Table(tmp_path / "gpu.csv", Console(quiet=True), {"device": "none"})
    for number in (1.0, 2.0):
        table.add(what="trial", ratio=number)
        assert table.file.read_text().splitlines()[-1] == f"trial,{number},none"
