"""`timm:NAME`: the images are those of timm's readers, each once, and what is missing is said in one line."""

import io
import json
import sys
import tarfile
import types

import pytest
import torch
from PIL import Image

from ablation import AblationError
from ablation import data as datasets
from ablation.data import timm_names
from ablation.design.recipes import ORIGINAL

# Crops of the whole image, so that the pixels can be told: image i has the grey level i.
RECIPE = ORIGINAL.replace(batch_size=8, size=8, crop_scale=(1.0, 1.0), hflip=0.0, crop_pct=1.0)


@pytest.fixture(autouse=True)
def fresh():
    datasets.load.cache_clear()
    yield
    datasets.load.cache_clear()


def encoded(i):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (i, i, i)).save(file, "png")
    return file.getvalue()


def write_shards(root, about=None, damaged=()):
    """Four shards of eight training images, and two of five test images."""
    root.mkdir()
    splits = {}
    for split, shards, number in (("train", 4, 8), ("validation", 2, 5)):
        names = [f"{split}-{k}.tar" for k in range(shards)]
        for k, name in enumerate(names):
            with tarfile.open(root / name, "w") as tar:
                for i in range(k * number, (k + 1) * number):
                    content = b"no image" if i in damaged and split == "validation" else encoded(i)
                    for suffix, data in (("png", content), ("cls", str(i % 3).encode())):
                        member = tarfile.TarInfo(f"{i:04d}.{suffix}")
                        member.size = len(data)
                        tar.addfile(member, io.BytesIO(data))
        splits[split] = {
            "name": split,
            "num_samples": shards * number,
            "filenames": names,
            "shard_lengths": [number] * shards,
        }
    (root / "_info.json").write_text(json.dumps({"splits": splits, **(about or {})}))
    return root


def write_folders(root):
    for split, number in (("train", 6), ("val", 3)):
        for i in range(3 * number):
            file = root / split / "cab"[i % 3] / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded(i))
    return root


def levels(data, batches):
    """Return the grey level of each image, after checking that its label belongs to it."""
    found = []
    for images, labels in batches:
        values = images[:, 0, 0, 0] * data.std[0] + data.mean[0]
        assert torch.equal((values * 255).round().long() % 3, labels)
        found += (values * 255).round().long().tolist()
    return found


def test_a_webdataset_is_read_once_by_two_processes(tmp_path):
    root = write_shards(tmp_path / "shards")
    name = f"timm:wds/{root}?num_classes=3"
    data = datasets.load(name)
    assert data.info == datasets.info(name) and data.info.num_classes == 3 and data.classes == ("0", "1", "2")
    assert data.steps_per_epoch(RECIPE) == 4
    epochs = []
    for epoch in range(2):
        shares = [levels(data, data.train_batches(RECIPE, 0, epoch, rank, 2, parts=2)) for rank in range(2)]
        assert sorted(shares[0] + shares[1]) == list(range(32))
        epochs.append(shares[0])
    assert epochs[0] != epochs[1] and epochs[0] != sorted(epochs[0]), "shuffled, in another order in each epoch"
    resumed = levels(data, data.train_batches(RECIPE, 0, 1, 0, 2, start=3, parts=2))
    assert resumed == epochs[1][12:]
    tested = [levels(data, data.test_batches(RECIPE, rank, 2)) for rank in range(2)]
    assert sorted(tested[0] + tested[1]) == list(range(10))


def test_a_folder_read_by_timm(tmp_path):
    data = datasets.load(f"timm:{write_folders(tmp_path / 'images')}")
    assert data.classes == ("a", "b", "c")
    found = data.test_batches(RECIPE, 0, 1)
    values = [(images[:, 0, 0, 0] * data.std[0] + data.mean[0]) * 255 for images, _ in found]
    assert sorted(torch.cat(values).round().long().tolist()) == list(range(9))
    batches = list(data.train_batches(RECIPE, 0, 0, 0, 1, parts=2))
    assert [len(labels) for _, labels in batches] == [4] * 4
    again = list(data.train_batches(RECIPE, 0, 0, 1, 2))
    assert torch.equal(again[0][0], batches[1][0]), "the second half of the first batch"
    normalised = data.evaluated_as({"input_size": (3, 8, 8), "mean": (0.0,) * 3, "std": (1.0,) * 3, "crop_pct": 1.0})
    assert next(iter(normalised.test_batches(RECIPE, 0, 1)))[0].amax() * 255 == pytest.approx(8)


def test_the_number_of_classes_is_found_without_reading_images(tmp_path, monkeypatch):
    monkeypatch.setattr(timm_names.importlib.util, "find_spec", lambda name: name)
    known = {
        "hfds/timm/imagenet-1k-wds": 1000,
        "tfds/imagenet2012": 1000,
        "hfds/timm/imagenet-12k-wds": 11_821,
        "hfds/someone/flowers?num_classes=102": 102,
        "torch/cifar100": 100,
        f"{write_folders(tmp_path / 'images')}": 3,
        f"wds/{write_shards(tmp_path / 'shards', {'num_classes': 3})}": 3,
    }
    for name, classes in known.items():
        assert datasets.info(f"timm:{name}").num_classes == classes


def test_the_checksum_follows_names_and_beginnings(tmp_path):
    name = f"timm:wds/{write_shards(tmp_path / 'shards')}?num_classes=3"
    before = datasets.load(name).checksum
    (tmp_path / "shards").rename(tmp_path / "moved")
    moved = datasets.load(f"timm:wds/{tmp_path / 'moved'}?num_classes=3")
    assert moved.checksum == before and "first 64 kB" in moved.remark
    shard = tmp_path / "moved" / "train-0.tar"
    shard.write_bytes(shard.read_bytes().replace(b"PNG", b"GNP", 1))
    datasets.load.cache_clear()
    assert datasets.load(f"timm:wds/{tmp_path / 'moved'}?num_classes=3").checksum != before


WRONG = [
    ("wds/{shards}", r"number of classes .* is not known .* as in timm:wds/\S+\?num_classes=1000"),
    ("wds/{shards}?num_classes=2", "has the label 2, but 2 classes: give the right num_classes"),
    ("wds/{shards}?num_classes=3&val_split=dev", r"split dev not found.*Another split is given by \?val_split=NAME"),
    ("wds/{shards}?num_class=3", "unknown option .*'num_class'; did you mean 'num_classes'"),
    ("wds/{shards}?num_classes=many", "'many' of .* must be a whole number"),
    ("wds/{folder}?num_classes=3", "timm cannot open timm:wds/.*split train not found"),
    ("{folder}?val_split=dev", "has no folder dev: timm:"),
    ("{folder}?num_classes=7", r"has 3 classes \(a, b, c, ...\), not 7: give num_classes=3"),
    ("{folder}x", "there is no folder .*timm reads folders, and names that begin with hfds/"),
    ("torch/cifar10", "timm cannot open timm:torch/cifar10: Dataset not found"),
    ("torch/imagenet100", "number of classes of timm:torch/imagenet100 is not known"),
    ("hfds/timm/imagenet-1k-wds", "needs the package datasets: pip install datasets"),
    ("tfds/imagenet2012", "needs the package tensorflow_datasets: pip install"),
    ("", "needs the name of a data set of timm"),
]


@pytest.mark.parametrize(("name", "message"), WRONG)
def test_what_is_missing_is_said_in_one_line(tmp_path, monkeypatch, name, message):
    monkeypatch.setenv("ABLATION_DATA", str(tmp_path / "data"))
    installed = ("webdataset", "torchvision")  # whatever this machine has
    monkeypatch.setattr(timm_names.importlib.util, "find_spec", lambda package: package in installed or None)
    places = {"shards": write_shards(tmp_path / "shards"), "folder": write_folders(tmp_path / "images")}
    with pytest.raises(AblationError, match=message) as raised:
        data = datasets.load(f"timm:{name.format(**places)}")
        list(data.train_batches(RECIPE, 0, 0, 0, 1))
    assert "\n" not in str(raised.value)


def test_a_damaged_test_image_is_not_left_out_in_silence(tmp_path):
    data = datasets.load(f"timm:wds/{write_shards(tmp_path / 'shards', damaged=(3,))}?num_classes=3")
    with pytest.raises(AblationError, match="has 10 test images, but others could be read"):
        list(data.test_batches(RECIPE, 0, 1))


def test_a_damaged_image_of_a_folder_is_named_by_its_number(tmp_path):
    root = write_folders(tmp_path / "images")
    (root / "val" / "c" / "0.png").write_bytes(b"no image")
    with pytest.raises(AblationError, match=r"image \d of timm:\S+ could not be read"):
        list(datasets.load(f"timm:{root}").test_batches(RECIPE, 0, 1))


def test_fewer_shards_than_processes_and_recipes_without_crops_are_refused(tmp_path):
    data = datasets.load(f"timm:wds/{write_shards(tmp_path / 'shards')}?num_classes=3")
    with pytest.raises(AblationError, match="has 4 shards, too few for 8 processes"):
        next(iter(data.train_batches(RECIPE, 0, 0, 0, 8)))
    with pytest.raises(AblationError, match="have sizes of their own: use --recipe paper"):
        data.steps_per_epoch(RECIPE.replace(crop_scale=None))


def test_a_data_set_of_hugging_face_is_read_by_number(monkeypatch):
    """With a stand-in for the package, which timm's reader asks for the labels and the encoded images."""

    class Rows(list):
        info = types.SimpleNamespace(
            features={"label": types.SimpleNamespace(names=["a", "b", "c"])}, splits=None, version="1"
        )

        def cast_column(self, *_):
            return self

    package = types.ModuleType("datasets")
    package.Image = lambda decode: None
    sizes = {"train": 16, "validation": 4}

    def load_dataset(name, split, cache_dir):
        if split not in sizes:
            raise ValueError(f'Unknown split "{split}". Should be one of {list(sizes)}.')
        return Rows({"image": {"bytes": encoded(i)}, "label": i % 3} for i in range(sizes[split]))

    package.load_dataset = load_dataset
    package.__spec__ = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "datasets", package)
    data = datasets.load("timm:hfds/someone/letters?num_classes=3")
    assert data.classes == ("a", "b", "c")
    shares = [levels(data, data.train_batches(RECIPE, 0, 0, rank, 2)) for rank in range(2)]
    assert sorted(shares[0] + shares[1]) == list(range(16))
    datasets.load.cache_clear()
    with pytest.raises(AblationError, match=r'Unknown split "dev".*Another split is given by \?train_split=NAME'):
        datasets.load("timm:hfds/someone/letters?num_classes=3&train_split=dev")
