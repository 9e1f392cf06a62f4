"""Fixtures for tests of downloaded data sets."""

import pickle
import socket

import pytest
from torchvision import datasets

from ablation.data.published_sets import load_published
from tests.data.archives import LABELS, PIXELS, md5, resize, tar


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty folder for data sets, with the cache of loaded data sets cleared."""
    root = tmp_path / "data"
    monkeypatch.setenv("ABLATION_DATA", str(root))
    monkeypatch.setenv("no_proxy", "*")
    load_published.cache_clear()
    yield root
    load_published.cache_clear()


@pytest.fixture
def cifar10(root, monkeypatch):
    """The archive of a CIFAR-10 with 20 training and 10 test images, which torchvision accepts as the real one."""
    files = {
        name: pickle.dumps({"data": PIXELS[rows].reshape(-1, 3072), "labels": LABELS[rows].tolist()})
        for name, rows in (("data_batch_1", slice(12)), ("data_batch_2", slice(12, 20)), ("test_batch", slice(20, 30)))
    }
    files["batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")})
    checksums = [[name, md5(data)] for name, data in files.items()]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", checksums[:2])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", checksums[2:3])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": checksums[3][1]})
    archive = tar({f"cifar-10-batches-py/{name}": data for name, data in files.items()})
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive))
    resize(monkeypatch, "cifar10", 20, 10)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]  # free again once closed, so connections are refused
    monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{port}/cifar-10-python.tar.gz")
    return archive
