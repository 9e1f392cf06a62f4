"""Checksums of image files: of their contents, or of a sample of the contents where the files are many gigabytes."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import AblationError
from ..pictures import printable
from .file_list import FileList

MAX_BYTES = 2**30  # up to here every file is read, which takes seconds
SAMPLE = 1000  # files whose contents are read in a larger data set


def is_sampled(splits: Mapping[str, Sequence[Path]]) -> bool:
    """Return whether the files are too large together to be read for a checksum."""
    total = 0
    for file in itertools.chain.from_iterable(map(_names, splits.values())):
        total += _status(file).st_size
        if total > MAX_BYTES:  # a million files need not all be looked up
            return True
    return False


def contents_checksum(root: Path, splits: Mapping[str, Sequence[Path]], classes: Sequence[str]) -> str:
    """Return a checksum of image files and their labels.

    It covers the names, sizes and contents of all files up to `MAX_BYTES` together. In a larger data set it covers the
    contents of `SAMPLE` files, spread evenly, and the names, sizes and times of modification of all: a file that was changed
    without changing its size or its time can go unnoticed there.

    Args:
        root: folder that holds the folders of the splits, whose own names are left out, so that val/ may be named test/.
        splits: "train" and "test", each with its files in order.
        classes: names of the classes in the order of their labels.

    Raises:
        AblationError: if a file may not be read.
    """
    sampled = is_sampled(splits)
    total = sum(map(len, splits.values()))
    step = max(1, total // SAMPLE) if sampled else 1
    digest = hashlib.sha256(repr(("sample" if sampled else "contents", tuple(classes))).encode())
    number = 0
    for split, files in splits.items():
        for file in files:
            status = _status(file)
            name = os.fsencode("/".join(file.relative_to(root).parts[1:]))
            digest.update(b"%s\0%s\0%d\0" % (split.encode(), name, status.st_size))
            if sampled:
                digest.update(b"%d\0" % int(status.st_mtime))
            if number % step == 0:
                digest.update(_digest(file))
            number += 1
    return digest.hexdigest()[:16]


def names_checksum(root: Path, splits: Mapping[str, Sequence[Path]]) -> str:
    """Return the checksum of names and sizes alone, by which ablation 0.2 and earlier knew a folder."""
    lines = []
    for split, files in splits.items():
        names = (os.fsencode("/".join(file.relative_to(root).parts[1:])) for file in files)
        lines += [
            b"%s %s %d" % (split.encode(), name, _status(file).st_size) for name, file in zip(names, files, strict=True)
        ]
    return hashlib.sha256(b"\n".join(lines)).hexdigest()[:16]


def _digest(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except OSError as error:
        raise AblationError(f"{printable(file)} may not be read: {error.strerror}") from None


def _names(files: Sequence[Path]) -> Iterable[str | Path]:
    return files.names() if isinstance(files, FileList) else files


def _status(file: str | Path) -> os.stat_result:
    try:
        return os.stat(file)  # noqa: PTH116
    except OSError as error:
        raise AblationError(f"{printable(file)} may not be read: {error.strerror}") from None
