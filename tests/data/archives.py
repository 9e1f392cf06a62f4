"""Small archives in the formats of torchvision's data sets, for tests of `published_sets`."""

import hashlib
import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from ablation.data.published_sets import SETS
from ablation.design.recipes import FAMILIES

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 3, 32, 32), dtype=np.uint8)
LABELS = np.arange(30) % 10


def md5(data):
    return hashlib.md5(data).hexdigest()


def tar(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def resize(monkeypatch, name, train, test):
    monkeypatch.setitem(SETS, name, replace(SETS[name], train=train, test=test))


def check_cifar10(data):
    assert data.info.name == "cifar10" and data.train_images.dtype == torch.uint8
    assert np.array_equal(data.train_images.numpy(), PIXELS[:20]) and np.array_equal(
        data.test_images.numpy(), PIXELS[20:]
    )
    assert data.train_labels.tolist() == LABELS[:20].tolist() and data.test_labels.tolist() == LABELS[20:].tolist()
    pixels = PIXELS[:20] / 255
    assert data.classes == tuple("abcdefghij") and not data.orders_differ
    assert data.mean == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-12)
    assert data.std == pytest.approx(pixels.std((0, 2, 3)), rel=1e-12)
    (images, _), *_ = data.train_batches(FAMILIES["micro"].modern.replace(batch_size=20, shift_px=0), 0, 0, 0, 1)
    assert images.mean((0, 2, 3)).abs().max() < 1e-5 and (images.std((0, 2, 3)) - 1).abs().max() < 1e-3
