"""The well-known sets that torchvision fetches: CIFAR-10 and CIFAR-100, Fashion-MNIST, Imagenette.

Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; Xiao, Rasul and Vollgraf 2017, arXiv
1708.07747; Howard 2019, https://github.com/fastai/imagenette (ten classes of ImageNet; here its edition of 320 px on
the short side). Addresses, checksums and formats are torchvision's. What is added: a download never hangs, and it
happens in a folder aside, so that no part of a set is ever taken for the whole.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AblationError, unknown
from ..files import data_root, writable_folder
from .about import DatasetInfo
from .download import enforced_pace

if TYPE_CHECKING:
    from .in_memory import InMemory

_IMAGENETTE = "320px"  # of torchvision's "full", "320px" and "160px": enough for crops of 224


@dataclass(frozen=True)
class PublishedSet:
    """A set of torchvision's, and what its own class does not say.

    Args:
        info: what it is.
        torchvision: name of its class there.
        megabytes: of its archives.
        train, test: how many images it has.
        page: where its archives can be had by hand.
    """

    info: DatasetInfo
    torchvision: str
    megabytes: int
    train: int
    test: int
    page: str


_CIFAR_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
SETS = {
    "cifar10": PublishedSet(DatasetInfo("cifar10", 32, 10, 3), "CIFAR10", 171, 50_000, 10_000, _CIFAR_PAGE),
    "cifar100": PublishedSet(DatasetInfo("cifar100", 32, 100, 3), "CIFAR100", 169, 50_000, 10_000, _CIFAR_PAGE),
    "fashion_mnist": PublishedSet(
        DatasetInfo("fashion_mnist", 28, 10, 1),
        "FashionMNIST",
        31,
        60_000,
        10_000,
        "https://github.com/zalandoresearch/fashion-mnist",
    ),
    "imagenette": PublishedSet(
        DatasetInfo("imagenette", None, 10, 3), "Imagenette", 342, 9_469, 3_925, "https://github.com/fastai/imagenette"
    ),
}


@cache
def load_published(name: str) -> InMemory:
    """A set whose images lie in memory, fetched if its files are not there.

    Args:
        name: "cifar10", "cifar100" or "fashion_mnist".

    Returns:
        The images as bytes, (N, C, H, W), normalised batch by batch with the mean and deviation of the training images.

    Raises:
        AblationError: if the files are neither there nor to be had; it says which to put where.
    """
    import torch

    from .in_memory import InMemory

    published = _named(name)
    if published.info.size is None:
        raise AblationError(f"{name} is a folder of image files: it is streamed, not loaded")
    _install(published)
    (train, train_labels), (test, test_labels) = (_read(published, is_train) for is_train in (True, False))
    mean, std = _moments(train)
    digest = hashlib.sha256()
    for array in (train, train_labels, test, test_labels):
        digest.update(np.ascontiguousarray(array).data)
    return InMemory(
        published.info,
        digest.hexdigest()[:16],
        torch.from_numpy(train),
        torch.from_numpy(train_labels),
        torch.from_numpy(test),
        torch.from_numpy(test_labels),
        mean=mean,
        std=std,
    )


def imagenette_folder() -> Path:
    """The folder of Imagenette with train/ and val/ in it, fetched if it is not there.

    Raises:
        AblationError: if the files are neither there nor to be had; it says which to put where.
    """
    published = SETS["imagenette"]
    _install(published)
    (folder,) = _unpacked(published)
    path = data_root() / folder
    for split, expected in (("train", published.train), ("val", published.test)):
        found = sum(1 for _ in (path / split).glob("*/*.JPEG"))
        if found != expected:
            raise _damaged(published, f"{path / split} holds {found} images in place of {expected}")
    return path


def _named(name: str) -> PublishedSet:
    if name not in SETS:
        raise unknown("data set", name, SETS)
    return SETS[name]


def _class(published: PublishedSet) -> Any:
    return getattr(import_module("torchvision.datasets"), published.torchvision)


def _archives(published: PublishedSet) -> dict[str, tuple[str, str]]:
    """Path under the root -> address and MD5, as torchvision's class has them."""
    its = _class(published)
    if published.torchvision == "FashionMNIST":
        return {f"FashionMNIST/raw/{file}": (f"{its.mirrors[0]}{file}", md5) for file, md5 in its.resources}
    if published.torchvision == "Imagenette":
        url, md5 = its._ARCHIVES[_IMAGENETTE]
        return {url.rpartition("/")[2]: (url, md5)}
    return {its.filename: (its.url, its.tgz_md5)}


def _unpacked(published: PublishedSet) -> list[str]:
    """Paths under the root that are there when the set is, and not before."""
    if published.torchvision.startswith("CIFAR"):
        return [_class(published).base_folder]
    return [str(Path(archive).with_suffix("")) for archive in _archives(published)]


def _is_there(published: PublishedSet) -> bool:
    return all((data_root() / path).exists() for path in _unpacked(published))


def _install(published: PublishedSet) -> None:
    """Have the set unpacked under the root: as it is, from archives that lie there, or from the network."""
    if _is_there(published):
        return
    root = writable_folder(data_root())
    archives = _archives(published)
    missing = [path for path in archives if not (root / path).is_file()]
    for path in archives:
        if path not in missing and _md5(root / path) != archives[path][1]:
            raise _by_hand(published, f"{root / path} is not the file that was published: its checksum is another")
    if missing:
        print(
            f"{published.info.name}: downloading {published.megabytes} MB from {archives[missing[0]][0]} to {root}. "
            f"If that is slow, stop it: {_advice(published)}",
            file=sys.stderr,
            flush=True,
        )
    try:
        with tempfile.TemporaryDirectory(dir=root, prefix=f".{published.info.name}.") as aside:
            for path in archives:
                if path not in missing:
                    _link(root / path, Path(aside) / path)
            with enforced_pace(lambda problem: _by_hand(published, problem)):
                _construct(published, Path(aside), download=True)
            for path in _unpacked(published):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(aside) / path).rename(root / path)
    except AblationError:
        raise
    except Exception as error:  # torchvision, urllib and tarfile each fail in many ways
        if _is_there(published):  # another process was quicker
            return
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise _by_hand(published, f"{published.info.name} could not be fetched ({reason})") from error


def _construct(published: PublishedSet, root: Path, is_train: bool = True, download: bool = False) -> Any:
    if published.torchvision == "Imagenette":
        return _class(published)(root, split="train" if is_train else "val", size=_IMAGENETTE, download=download)
    with warnings.catch_warnings():  # the pickles of CIFAR are older than NumPy's wish for a boolean in them
        warnings.simplefilter("ignore")
        return _class(published)(root, train=is_train, download=download)


def _read(published: PublishedSet, is_train: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, C, H, W) and labels (N,) of one split."""
    try:
        read = _construct(published, data_root(), is_train)
        images, labels = np.asarray(read.data), np.asarray(read.targets, dtype=np.int64)
    except Exception as error:  # a damaged file fails wherever its format breaks
        raise _damaged(published, str(error).partition(". ")[0] or type(error).__name__) from error
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    expected = published.train if is_train else published.test
    if not len(images) == len(labels) == expected:
        raise _damaged(published, f"{len(images)} images and {len(labels)} labels in place of {expected}")
    return np.ascontiguousarray(images), labels


def _moments(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, pixels from 0 to 1; sums of whole numbers, rounded once."""
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for some in np.array_split(images, len(images) // 1000 + 1):
        for channel, count in enumerate(counts):
            count += np.bincount(some[:, channel].ravel(), minlength=256)
    values, n = np.arange(256), int(counts[0].sum())
    means = [int(count @ values) / n for count in counts]
    squares = [int(count @ values**2) / n for count in counts]
    stds = [sqrt(square - mean**2) for mean, square in zip(means, squares, strict=True)]
    return tuple(mean / 255 for mean in means), tuple(std / 255 for std in stds)


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(file)
    except OSError:  # a file system without links
        shutil.copyfile(file, target)


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _advice(published: PublishedSet) -> str:
    files: dict[Path, list[str]] = {}
    for path in _archives(published):
        files.setdefault((data_root() / path).parent, []).append(Path(path).name)
    where = "; ".join(f"put {', '.join(names)} into {folder}" for folder, names in files.items())
    return f"{where} (from {published.page}, or any copy of it). digits and longrange need no download"


def _by_hand(published: PublishedSet, problem: str) -> AblationError:
    return AblationError(f"{problem}. Instead, {_advice(published)}")


def _damaged(published: PublishedSet, problem: str) -> AblationError:
    places = ", ".join(str(data_root() / path) for path in _unpacked(published))
    return AblationError(
        f"{published.info.name} is damaged: {problem}. Take away {places}; then it is fetched again, or {_advice(published)}"
    )
