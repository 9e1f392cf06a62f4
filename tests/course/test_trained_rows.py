"""The rows whose weights ship with the notebooks: they are trained, written in half precision, and read again."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import ablation as ab
from ablation.course.trained_rows import ROWS, TABLE, row_trials, train_rows, trained_rows
from ablation.errors import AblationError
from ablation.study.engines import Event
from ablation.train.run import weights_file


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder of 64 pictures for training and 8 for testing, in two classes; the current folder is empty."""
    draw = np.random.default_rng(0)
    for part, count in (("train", 32), ("test", 4)):
        for name, level in (("dark", 60), ("light", 180)):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for i in range(count):
                noise = draw.integers(0, 60, (32, 32, 3)) + level
                Image.fromarray(noise.astype(np.uint8)).save(tmp_path / "photos" / part / name / f"{i:02}.png")
    monkeypatch.chdir(tmp_path)
    return "imagefolder:photos"


def here(trials, directory):
    """Run the trials one by one in this process."""
    for trial in trials:
        yield Event(trial, "ended", outcome=ab.run(trial, directory))


def test_the_rows_are_trained_written_and_read_again(images):
    table = train_rows(images, epochs=1, engine=here)
    assert table["rung"].tolist() == list(ROWS) and set(table["epochs"]) == {1} and set(table["data"]) == {images}
    pd.testing.assert_frame_equal(pd.read_csv(f"stored/{TABLE}"), table, check_dtype=False)
    networks = trained_rows()
    checksum = ab.data.load(images).checksum
    pictures = torch.rand(2, 3, 32, 32)
    for name, trial in row_trials(images, epochs=1).items():
        whole = ab.load_weights(weights_file("runs-course", trial.key(checksum))).eval()
        assert not networks[name].training and networks[name].architecture == trial.architecture
        torch.testing.assert_close(networks[name](pictures), whole(pictures), rtol=0.02, atol=0.02)
        file = weights_file("stored", name).parents[1] / "trained-rows" / f"{name}.safetensors"
        assert file.stat().st_size < 1_100_000


def test_a_row_has_an_eighth_of_the_width_and_starts_with_the_gain_that_makes_up_for_it():
    trials = row_trials("digits")
    assert {trial.architecture.width for trial in trials.values()} == {8, 12}
    assert {round(trial.recipe.init_gain**2, 9) for trial in trials.values()} == {8}


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AblationError, match=r"trained-rows.enhanced_recipe\.safetensors"):
        trained_rows()
