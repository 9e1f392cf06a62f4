"""Checksums of folders: other pixels, labels or orders give another checksum; names and places of folders do not."""

import os
import shutil

import numpy as np
import pytest

from ablation import data as datasets
from ablation.data import contents
from ablation.data.decoded import load_decoded

TIME = 1_700_000_000


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Eight PPM pictures, named .png as only such were once read; all files have the same size and time."""
    monkeypatch.setenv("ABLATION_DATA", str(tmp_path / "cache"))
    for i, (split, name, number) in enumerate(
        (split, name, number) for split in ("train", "val") for name in ("ant", "bee") for number in range(2)
    ):
        write(tmp_path / "images" / split / name / f"{number}.png", i)
    return tmp_path / "images"


def write(file, value, time=TIME):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"P6 8 8 255\n" + bytes([value]) * 192)
    os.utime(file, (time, time))


def load(root, **options):
    datasets.load.cache_clear()
    return datasets.load(f"imagefolder:{root}", **options)


@pytest.mark.parametrize("limit", [contents.MAX_BYTES, 0], ids=["contents", "sample"])
def test_other_pixels_in_files_of_the_same_name_size_and_time(root, monkeypatch, limit):
    monkeypatch.setattr(contents, "MAX_BYTES", limit)
    before = load(root)
    old, names = before.checksum, before.names_checksum
    write(root / "train" / "bee" / "1.png", 99)
    after = load(root)
    assert after.names_checksum == names, "which is why names and sizes are not enough"
    assert after.checksum != old
    assert after.remark == "" if limit else "the checksum covers the contents of about 1000 files" in after.remark


def test_a_sample_also_covers_the_times_of_all_files(root, monkeypatch):
    monkeypatch.setattr(contents, "MAX_BYTES", 0)
    monkeypatch.setattr(contents, "SAMPLE", 2)
    old = load(root).checksum
    write(root / "train" / "ant" / "1.png", 99)
    assert load(root).checksum == old, "it is not in the sample, and its size and time are the same: as the remark says"
    write(root / "train" / "ant" / "1.png", 99, TIME + 1)
    assert load(root).checksum != old
    write(root / "train" / "ant" / "0.png", 99)
    write(root / "train" / "ant" / "1.png", 1)
    assert load(root).checksum != old, "it is in the sample"


def test_a_folder_can_be_moved_copied_and_touched(root, tmp_path):
    old = load(root)
    checksum, names = old.checksum, old.names_checksum
    shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile)
    (tmp_path / "copy" / "val").rename(tmp_path / "copy" / "test")
    assert load(tmp_path / "copy").checksum == checksum and load(tmp_path / "copy").names_checksum == names


def test_images_of_another_class_are_other_data(root):
    old = load(root).checksum
    (root / "train" / "ant").rename(root / "train" / "x")
    (root / "train" / "bee").rename(root / "train" / "ant")
    (root / "train" / "x").rename(root / "train" / "bee")
    assert load(root).checksum != old


def test_the_checksum_of_names_is_that_of_earlier_versions(root):
    """The value that ablation 0.2 stored for these files."""
    assert load(root).names_checksum == "64442a529d8d1cce"


def test_decoded_images_are_read_again_if_only_their_contents_changed(root):
    files = sorted((root / "train").rglob("*.png"))
    assert load_decoded(files, 8)[0, 0, 0, 0] == 0
    write(files[0], 77)
    assert np.array_equal(load_decoded(files, 8)[0], np.full((3, 8, 8), 77))
