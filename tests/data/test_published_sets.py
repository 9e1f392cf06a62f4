"""Data sets of torchvision, installed from small archives in their original formats."""

import gzip
import pickle

import numpy as np
import pytest
from torchvision import datasets

from ablation import AblationError
from ablation.data.published_sets import SETS, imagenette_folder, load_published
from tests.data.archives import LABELS, PIXELS, check_cifar10, md5, resize, tar


def test_an_existing_archive_is_installed_without_network(root, cifar10, capfd):
    root.mkdir()
    (root / "cifar-10-python.tar.gz").write_bytes(cifar10)
    data = load_published("cifar10")
    check_cifar10(data)
    assert "downloading" not in capfd.readouterr().err
    assert sorted(path.name for path in root.iterdir()) == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]
    (root / "cifar-10-python.tar.gz").unlink()
    load_published.cache_clear()
    again = load_published("cifar10")
    check_cifar10(again)
    assert again.checksum == data.checksum and again is load_published("cifar10")


def test_damage_after_unpacking_is_reported(root, cifar10, monkeypatch):
    root.mkdir()
    (root / "cifar-10-python.tar.gz").write_bytes(cifar10)
    load_published("cifar10")
    load_published.cache_clear()
    with monkeypatch.context() as patch:
        resize(patch, "cifar10", 21, 10)
        with pytest.raises(AblationError, match="20 images and 20 labels instead of 21"):
            load_published("cifar10")
    (root / "cifar-10-batches-py" / "test_batch").write_bytes(b"cut")
    with pytest.raises(AblationError, match=r"cifar10 is damaged.*Delete .*cifar-10-batches-py to download"):
        load_published("cifar10")


def test_cifar100_uses_the_fine_labels(root, monkeypatch):
    files = {
        name: pickle.dumps(
            {"data": PIXELS[:n].reshape(n, 3072), "fine_labels": list(range(n)), "coarse_labels": [0] * n}
        )
        for name, n in (("train", 20), ("test", 10))
    }
    files["meta"] = pickle.dumps({"fine_label_names": [str(i) for i in range(100)]})
    for name, data in files.items():
        file = root / "cifar-100-python" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    monkeypatch.setattr(datasets.CIFAR100, "train_list", [["train", md5(files["train"])]])
    monkeypatch.setattr(datasets.CIFAR100, "test_list", [["test", md5(files["test"])]])
    monkeypatch.setattr(datasets.CIFAR100, "meta", {**datasets.CIFAR100.meta, "md5": md5(files["meta"])})
    resize(monkeypatch, "cifar100", 20, 10)
    data = load_published("cifar100")
    assert data.train_labels.tolist() == list(range(20)) and data.info.num_classes == 100


def make_fashion_files(monkeypatch):
    """Return the four archives of a Fashion-MNIST with 20 training and 10 test images, which torchvision accepts."""
    files = {}
    for split, n in (("train", 20), ("t10k", 10)):
        header = b"\0\0\x08\x03" + b"".join(number.to_bytes(4, "big") for number in (n, 28, 28))
        images = header + PIXELS[:n, 0, :28, :28].tobytes()
        labels = b"\0\0\x08\x01" + n.to_bytes(4, "big") + bytes(LABELS[:n].tolist())
        files[f"{split}-images-idx3-ubyte.gz"] = gzip.compress(images)
        files[f"{split}-labels-idx1-ubyte.gz"] = gzip.compress(labels)
    monkeypatch.setattr(datasets.FashionMNIST, "resources", [(name, md5(data)) for name, data in files.items()])
    resize(monkeypatch, "fashion_mnist", 20, 10)
    return files


def test_fashion_mnist_is_read_from_its_four_files(root, monkeypatch):
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, data in make_fashion_files(monkeypatch).items():
        (raw / name).write_bytes(data)
    data = load_published("fashion_mnist")
    assert np.array_equal(data.train_images[:, 0].numpy(), PIXELS[:20, 0, :28, :28])
    assert data.test_labels.tolist() == LABELS[:10].tolist() and len(data.mean) == 1
    load_published.cache_clear()
    images = raw / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-5])
    with pytest.raises(AblationError, match="fashion_mnist is damaged"):
        load_published("fashion_mnist")


def test_imagenette_is_installed_as_a_folder(root, monkeypatch):
    members = {
        f"imagenette2-320/{split}/{wnid}/{i}.JPEG": b"jpeg"
        for split, n in (("train", 3), ("val", 2))
        for wnid in datasets.Imagenette._WNID_TO_CLASS
        for i in range(n)
    }
    archive = tar(members)
    url = datasets.Imagenette._ARCHIVES["320px"][0]
    monkeypatch.setattr(datasets.Imagenette, "_ARCHIVES", {"320px": (url, md5(archive))})
    resize(monkeypatch, "imagenette", 30, 20)
    root.mkdir()
    (root / "imagenette2-320.tgz").write_bytes(archive)
    folder = imagenette_folder()
    assert folder == root / "imagenette2-320" and len(list((folder / "train").iterdir())) == 10
    next((folder / "val").glob("*/*.JPEG")).unlink()
    with pytest.raises(AblationError, match="val contains 19 images instead of 20"):
        imagenette_folder()
    with pytest.raises(AblationError, match="streamed"):
        load_published("imagenette")


def test_an_unknown_name_gets_a_suggestion(root):
    with pytest.raises(AblationError, match="did you mean 'cifar10'"):
        load_published("cifar1O")
    assert all(published.info.name == name for name, published in SETS.items())
