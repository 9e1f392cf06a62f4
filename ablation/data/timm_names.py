"""Names of data sets that timm reads, such as `timm:hfds/timm/imagenet-1k-wds` or `timm:wds/PATH?num_classes=100`.

What follows `timm:` is the `--dataset` of timm's own training script; options follow a question mark. The description of a data
set is found without a download, and without importing timm.
"""

from __future__ import annotations

import importlib.util
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from ..errors import AblationError, unknown
from ..files import data_root
from ..pictures import printable
from .about import DatasetInfo
from .class_folders import class_names, is_folder

PREFIX = "timm:"
# Readers that timm chooses by the first part of the name, and the package that each needs; all others read a folder.
PACKAGES = {
    "hfds": "datasets",
    "hfids": "datasets",
    "tfds": "tensorflow_datasets",
    "wds": "webdataset",
    "torch": "torchvision",
}
_OPTIONS = ("num_classes", "root", "train_split", "val_split", "class_map", "input_key", "target_key", "download")
_OF_READER = ("class_map", "input_key", "target_key")
TRAIN_SPLITS, VAL_SPLITS = ("train", "training"), ("validation", "val", "valid", "eval", "evaluation", "test")
# Classes of the sets of torchvision that timm reads, and of the ImageNets on the Hugging Face hub and in TFDS.
_TORCH_CLASSES = {"cifar100": 100, "places365": 365, "imagenet": 1000} | dict.fromkeys(
    ("cifar10", "mnist", "kmnist", "fashion_mnist", "qmnist"), 10
)
_IMAGENETS = {r"imagenet-?1k|imagenet2012|ilsvrc": 1000, r"imagenet-?12k": 11_821, r"imagenet-?22k": 21_841}


@dataclass(frozen=True)
class TimmName:
    """The parts of a name.

    Args:
        reader: "hfds", "hfids", "tfds", "wds" or "torch", or "" for a folder.
        dataset: what timm calls the name of the data set.
        root: folder or address of the data, or None where the reader knows.
        train_split, val_split: names of the splits, or None for the usual ones.
        num_classes: as given, or None.
        download: whether the reader may download (TFDS, torchvision, HFIDS).
        options: passed on to the reader.
    """

    reader: str
    dataset: str
    root: str | None
    train_split: str | None = None
    val_split: str | None = None
    num_classes: int | None = None
    download: bool = False
    options: dict[str, str] = field(default_factory=dict)


def parse_timm(name: str) -> TimmName:
    """Return the parts of a name.

    Raises:
        AblationError: if the name is empty or has an unknown option or value, or the package of its reader is not installed.

    >>> parse_timm("timm:wds//data/shards?num_classes=10").root
    '/data/shards'
    """
    dataset, _, query = name.removeprefix(PREFIX).partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    for option in given:
        if option not in _OPTIONS:
            raise unknown(f"option of {printable(name)}:", option, _OPTIONS)
    if not dataset:
        raise AblationError(f"{name} needs the name of a data set of timm, such as timm:hfds/timm/imagenet-1k-wds")
    prefix, separator, rest = dataset.partition("/")
    reader = prefix.lower() if separator and prefix.lower() in PACKAGES else ""
    classes = given.get("num_classes")
    if classes is not None and not re.fullmatch(r"[1-9][0-9]{0,6}", classes):
        raise AblationError(f"num_classes {classes!r} of {printable(name)} must be a whole number, 2 or more")
    if reader and importlib.util.find_spec(PACKAGES[reader]) is None:
        raise AblationError(f"{printable(name)} needs the package {PACKAGES[reader]}: pip install {PACKAGES[reader]}")
    root = given.get("root")
    if reader == "wds" or not reader:
        root = root or (rest if reader else dataset)
        root = root if "://" in root else str(Path(root).expanduser())
    elif reader == "torch":
        root = root or str(data_root())
    return TimmName(
        reader,
        dataset if reader else "",
        root,
        given.get("train_split"),
        given.get("val_split"),
        int(classes) if classes else None,
        given.get("download", "").lower() in ("1", "true", "yes"),
        {option: given[option] for option in _OF_READER if option in given},
    )


def timm_info(name: str) -> DatasetInfo:
    """Return the description of a data set that timm reads, without reading any image.

    Raises:
        AblationError: as for `parse_timm`, or if the number of classes is not known.
    """
    parts = parse_timm(name)
    classes = parts.num_classes or _known_classes(parts)
    if not classes:
        mark = "&" if "?" in name else "?"
        raise AblationError(
            f"the number of classes of {printable(name)} is not known before it is read: give it, as in "
            f"{printable(name)}{mark}num_classes=1000"
        )
    if classes < 2:
        raise AblationError(f"{printable(name)} has {classes} class; a classifier needs at least 2")
    return DatasetInfo(name, None, classes, 3)


def split_folder(root: Path, splits: tuple[str, ...]) -> Path:
    """Return the folder of a split below a root, by the first of its names that exists.

    Raises:
        AblationError: if there is none; timm would read the whole root for each split.
    """
    for split in splits:
        if is_folder(root / split):
            return root / split
    raise AblationError(f"{printable(root)} has no folder {' or '.join(splits)}: {PREFIX}{printable(root)} needs one")


def _known_classes(parts: TimmName) -> int | None:
    if parts.reader == "torch":
        return _TORCH_CLASSES.get(parts.dataset.rpartition("/")[2].lower())
    if not parts.reader:
        if parts.root is None or not is_folder(Path(parts.root)):
            raise AblationError(
                f"there is no folder {printable(parts.root or '')}. timm reads folders, and names that begin with "
                f"{', '.join(f'{reader}/' for reader in PACKAGES)}"
            )
        return len(
            class_names(split_folder(Path(parts.root), (parts.train_split,) if parts.train_split else TRAIN_SPLITS))
        )
    if parts.reader == "wds" and parts.root is not None:
        for file in ("_info.json", "info.json"):
            with suppress(OSError, ValueError, AttributeError):
                about = json.loads((Path(parts.root) / file).read_text())
                found = about.get("num_classes") or len(about.get("class_names") or about.get("classes") or ())
                if found:
                    return int(found)
    named = parts.dataset.lower() + (parts.root or "").lower()
    return next((number for text, number in _IMAGENETS.items() if re.search(text, named)), None)
