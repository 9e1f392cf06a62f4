"""Outcomes that an earlier version kept by names and sizes of files are used when their owner says so, and only then."""

import numpy as np
import pytest
from PIL import Image

from ablation import AblationError, Study, Trial
from ablation.data import load
from ablation.study.export_file import write_export
from ablation.study.store import FILE, Store
from tests.commands.running import ablation
from tests.study.samples import SHORT, TINY, outcome


def folder(path, value):
    """A folder of 8 px images of two classes, as uncompressed files: equal in name and size whatever the value."""
    for split in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            (path / split / name).mkdir(parents=True)
            for i in range(3):
                pixels = np.full((8, 8, 3), value + 20 * number + i, dtype=np.uint8)
                Image.fromarray(pixels).save(path / split / name / f"{i}.bmp")
    return path


@pytest.fixture
def kept(tmp_path):
    """A store with one trial, kept by names and sizes as in version 0.2, its weights, and its export."""
    images = folder(tmp_path / "images", 10)
    trial = Trial(TINY, SHORT.replace(batch_size=2), f"imagefolder:{images}", 0)
    checksum = load(trial.data).names_checksum
    key = trial.key(checksum)
    with Store(tmp_path / FILE) as store:
        store.plan({key: trial}, {trial.data: checksum}, {})
        store.put(key, outcome())
        write_export(store, tmp_path / "old.csv")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / f"{key}.safetensors").write_bytes(b"weights")
    return trial


def test_a_study_does_not_take_or_repeat_what_was_kept_by_names(kept, tmp_path):
    study = Study([kept], tmp_path)
    assert study.missing() == (kept,)
    with pytest.raises(AblationError, match=r"holds 1 of these trials from an earlier version.*--same-images"):
        study.run(workers=1)


def test_an_import_adopts_outcomes_and_weights_of_the_same_images(kept, tmp_path, capsys):
    images = kept.data.removeprefix("imagefolder:")
    arguments = ("import", tmp_path / "old.csv", "--store", tmp_path, "--same-images", images)
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0 and "1 of them are taken to be of" in out and "with the weights of 1" in out, error
    assert Study([kept], tmp_path).run() == {kept: outcome()}
    key = kept.key(load(kept.data).checksum)
    assert (tmp_path / "weights" / f"{key}.safetensors").read_bytes() == b"weights"
    with Store(tmp_path / FILE, readonly=True) as store:
        write_export(store, tmp_path / "new.csv")
    code, out, error = ablation("import", tmp_path / "new.csv", *arguments[2:], capsys=capsys)
    assert code == 0 and "imported 0 outcomes" in out, error


def test_outcomes_of_other_images_are_not_adopted(kept, tmp_path, capsys):
    other = folder(tmp_path / "other", 10)
    (other / "train" / "cat" / "0.bmp").rename(other / "train" / "cat" / "3.bmp")
    arguments = ("import", tmp_path / "old.csv", "--store", tmp_path / "new", "--same-images", other)
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2 and "none of images with the names and sizes of those in" in error
