"""Public data sets downloaded through torchvision: CIFAR-10, CIFAR-100, Fashion-MNIST and Imagenette.

Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; Xiao, Rasul and Vollgraf 2017, arXiv
1708.07747; Howard 2019, https://github.com/fastai/imagenette (ten classes of ImageNet; the version used here has
320 px on the short side). URLs, checksums and file formats come from torchvision. This module adds time limits, so that
a download cannot hang, and downloads into a temporary folder, so that an incomplete data set is never used.
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
from .download import download_limits

if TYPE_CHECKING:
    from .in_memory import InMemory

_IMAGENETTE = "320px"  # torchvision offers "full", "320px" and "160px"; 320 px is enough for crops of 224


@dataclass(frozen=True)
class PublishedSet:
    """A data set of torchvision, with details that the torchvision class does not provide.

    Args:
        info: description of the data set.
        torchvision: name of the class in `torchvision.datasets`.
        megabytes: total size of the archives.
        train, test: number of training and test images.
        page: web page from which the archives can be downloaded manually.
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
    """Return a data set with its images in memory, downloading it if its files are missing.

    Args:
        name: "cifar10", "cifar100" or "fashion_mnist".

    Returns:
        The images as uint8, (N, C, H, W). Each batch is normalised with the mean and deviation of the training images.

    Raises:
        AblationError: if the files are missing and cannot be downloaded; the message says which files to put where.
    """
    import torch

    from .in_memory import InMemory

    published = _lookup(name)
    if published.info.size is None:
        raise AblationError(f"{name} is a folder of image files: it is streamed, not loaded into memory")
    _install(published)
    (train, train_labels, classes), (test, test_labels, _) = (_read(published, is_train) for is_train in (True, False))
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
        classes=classes,
    )


def imagenette_folder() -> Path:
    """Return the folder of Imagenette that contains train/ and val/, downloading it if it is missing.

    Raises:
        AblationError: if the files are missing and cannot be downloaded; the message says which files to put where.
    """
    published = SETS["imagenette"]
    _install(published)
    (folder,) = _unpacked_paths(published)
    path = data_root() / folder
    for split, expected in (("train", published.train), ("val", published.test)):
        found = sum(1 for _ in (path / split).glob("*/*.JPEG"))
        if found != expected:
            raise _damage_error(published, f"{path / split} contains {found} images instead of {expected}")
    return path


def _lookup(name: str) -> PublishedSet:
    if name not in SETS:
        raise unknown("data set", name, SETS)
    return SETS[name]


def _class(published: PublishedSet) -> Any:
    return getattr(import_module("torchvision.datasets"), published.torchvision)


def _archives(published: PublishedSet) -> dict[str, tuple[str, str]]:
    """Return {path under the root: (URL, MD5)}, as defined by the torchvision class."""
    dataset = _class(published)
    if published.torchvision == "FashionMNIST":
        return {f"FashionMNIST/raw/{file}": (f"{dataset.mirrors[0]}{file}", md5) for file, md5 in dataset.resources}
    if published.torchvision == "Imagenette":
        url, md5 = dataset._ARCHIVES[_IMAGENETTE]
        return {url.rpartition("/")[2]: (url, md5)}
    return {dataset.filename: (dataset.url, dataset.tgz_md5)}


def _unpacked_paths(published: PublishedSet) -> list[str]:
    """Return the paths under the root that exist if and only if the data set is installed."""
    if published.torchvision.startswith("CIFAR"):
        return [_class(published).base_folder]
    return [str(Path(archive).with_suffix("")) for archive in _archives(published)]


def _is_installed(published: PublishedSet) -> bool:
    return all((data_root() / path).exists() for path in _unpacked_paths(published))


def _install(published: PublishedSet) -> None:
    """Make sure the data set is unpacked under the root, from archives found there or else by downloading it."""
    if _is_installed(published):
        return
    root = writable_folder(data_root())
    archives = _archives(published)
    missing = [path for path in archives if not (root / path).is_file()]
    for path in archives:
        if path not in missing and _md5(root / path) != archives[path][1]:
            raise _install_error(published, f"{root / path} has the wrong checksum: it is not the published file")
    if missing:
        print(
            f"{published.info.name}: downloading {published.megabytes} MB from {archives[missing[0]][0]} to {root}. "
            f"If the download is slow, stop it and {_advice(published)}",
            file=sys.stderr,
            flush=True,
        )
    try:
        with tempfile.TemporaryDirectory(dir=root, prefix=f".{published.info.name}.") as temporary:
            for path in archives:
                if path not in missing:
                    _link(root / path, Path(temporary) / path)
            with download_limits(lambda problem: _install_error(published, problem)):
                _construct(published, Path(temporary), download=True)
            for path in _unpacked_paths(published):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(temporary) / path).rename(root / path)
    except AblationError:
        raise
    except Exception as error:  # torchvision, urllib and tarfile raise many kinds of exceptions
        if _is_installed(published):  # another process installed it first
            return
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise _install_error(published, f"{published.info.name} could not be downloaded ({reason})") from error


def _construct(published: PublishedSet, root: Path, is_train: bool = True, download: bool = False) -> Any:
    if published.torchvision == "Imagenette":
        return _class(published)(root, split="train" if is_train else "val", size=_IMAGENETTE, download=download)
    with warnings.catch_warnings():  # the old pickles of CIFAR have an integer where NumPy expects a boolean
        warnings.simplefilter("ignore")
        return _class(published)(root, train=is_train, download=download)


def _read(published: PublishedSet, is_train: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """Return the images (N, C, H, W), the labels (N,) and the class names of one split."""
    try:
        dataset = _construct(published, data_root(), is_train)
        images, labels = np.asarray(dataset.data), np.asarray(dataset.targets, dtype=np.int64)
        classes = tuple(map(str, dataset.classes))
    except Exception as error:  # a damaged file can raise any exception, depending on where the format breaks
        raise _damage_error(published, str(error).partition(". ")[0] or type(error).__name__) from error
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    expected = published.train if is_train else published.test
    if not len(images) == len(labels) == expected:
        raise _damage_error(published, f"{len(images)} images and {len(labels)} labels instead of {expected}")
    return np.ascontiguousarray(images), labels, classes


def _moments(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation per channel, for pixels from 0 to 1.

    The sums are exact integers, so rounding happens only once.
    """
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for chunk in np.array_split(images, len(images) // 1000 + 1):
        for channel, count in enumerate(counts):
            count += np.bincount(chunk[:, channel].ravel(), minlength=256)
    values, n = np.arange(256), int(counts[0].sum())
    means = [int(count @ values) / n for count in counts]
    squares = [int(count @ values**2) / n for count in counts]
    stds = [sqrt(square - mean**2) for mean, square in zip(means, squares, strict=True)]
    return tuple(mean / 255 for mean in means), tuple(std / 255 for std in stds)


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(file)
    except OSError:  # the file system does not support hard links
        shutil.copyfile(file, target)


def _md5(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _advice(published: PublishedSet) -> str:
    files: dict[Path, list[str]] = {}
    for path in _archives(published):
        files.setdefault((data_root() / path).parent, []).append(Path(path).name)
    instructions = "; ".join(f"put {', '.join(names)} into {folder}" for folder, names in files.items())
    return f"{instructions} (from {published.page} or a mirror). digits and longrange need no download"


def _install_error(published: PublishedSet, problem: str) -> AblationError:
    return AblationError(f"{problem}. Instead, {_advice(published)}")


def _damage_error(published: PublishedSet, problem: str) -> AblationError:
    paths = ", ".join(str(data_root() / path) for path in _unpacked_paths(published))
    return AblationError(
        f"{published.info.name} is damaged: {problem}. Delete {paths} to download it again, or {_advice(published)}"
    )
