"""Which files of an image folder are used, and how many are skipped for which reason.

The classes are the folders directly below train/, val/ or test/; images in deeper folders belong to the class folder that they
are in, as in torchvision. Hidden files and folders (".name") are never used.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AblationError
from ..pictures import SUFFIXES, printable
from .class_order import natural_key
from .file_list import FileList

_HIDDEN, _OUTSIDE, _BROKEN = "hidden", "outside the class folders", "links that lead nowhere"
_AGAIN, _SPECIAL, _OTHER = "links to folders already read", "pipes, sockets or devices", "not named as images"


@dataclass(frozen=True)
class Found:
    """The images of one split.

    Args:
        files: image files, in natural order of their paths.
        labels: (N,), the index of each image's class among the names of the classes.
        skipped: number of files and folders that are not used, by reason.
    """

    files: FileList
    labels: NDArray[np.int64]
    skipped: Counter[str]


def class_names(split: Path) -> list[str]:
    """Return the names of the class folders of a split, sorted as text.

    Raises:
        AblationError: if the folder may not be read, or a name is not printable text.
    """
    names = sorted(entry.name for entry in _entries(split) if not _is_hidden(entry) and _is(entry, os.DirEntry.is_dir))
    for name in names:
        if name != printable(name):
            raise AblationError(f"the class folder {printable(split / name)} has a name that is no text: rename it")
    return names


def find_images(split: Path, classes: Sequence[str]) -> Found:
    """Return the images of all classes of a split.

    Args:
        split: folder that holds the class folders.
        classes: names of the class folders.

    Raises:
        AblationError: if a class has no image, a folder within a class has the name of another class or is the folder of
            another class, or a folder may not be read.
    """
    skipped: Counter[str] = Counter()
    for entry in _entries(split):
        if _is_hidden(entry):
            skipped[_HIDDEN] += 1
        elif entry.name not in classes:
            skipped[_BROKEN if _is_broken(entry) else _OUTSIDE] += 1
    owners: dict[tuple[int, int], str] = {}
    found: list[tuple[str, int]] = []
    for label, name in enumerate(classes):
        files, not_used = _walk(split / name, name, classes, owners)
        if not files:
            reasons = f" ({describe(not_used)})" if not_used else ""
            raise AblationError(
                f"{printable(split / name)} contains no images{reasons}: remove the folder, or add images to it"
            )
        found += [(file, label) for file in files]
        skipped += not_used
    start = len(str(split))  # what all paths begin with has no part in their order
    found.sort(key=lambda pair: (natural_key(pair[0][start:]), pair[0]))
    labels = np.array([label for _, label in found], dtype=np.int64)
    return Found(FileList(file for file, _ in found), labels, skipped)


def describe(skipped: Counter[str]) -> str:
    """Return counts of skipped files as text.

    >>> describe(Counter({"hidden": 2, "not named as images (.txt)": 1, "not named as images (.xml)": 3}))
    '4 not named as images (.txt, .xml), 2 hidden'
    """
    merged: Counter[str] = Counter()
    suffixes: dict[str, list[str]] = {}
    for reason, count in sorted(skipped.items()):
        kind, _, suffix = reason.partition(" (")
        merged[kind] += count
        suffixes.setdefault(kind, []).extend([suffix.rstrip(")")] if suffix else [])
    parts = []
    for kind, count in merged.most_common():
        names = ", ".join(suffixes[kind])
        parts.append(f"{count} {kind} ({names})" if names else f"{count} {kind}")
    return ", ".join(parts)


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder or a link to one.

    Raises:
        AblationError: if a folder above it may not be read.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except PermissionError as error:
        raise AblationError(f"the folder {printable(path)} may not be read: {error.strerror}") from None
    except (OSError, ValueError):
        return False


def _walk(
    top: Path, name: str, classes: Sequence[str], owners: dict[tuple[int, int], str]
) -> tuple[list[str], Counter[str]]:
    """Return the image files of one class and what is skipped. `owners` maps each folder read to its class."""
    files: list[str] = []
    skipped: Counter[str] = Counter()
    _claim(str(top), name, owners)
    folders = [str(top)]
    while folders:
        for entry in _entries(folders.pop()):
            if _is_hidden(entry):
                skipped[_HIDDEN] += 1
            elif _is(entry, os.DirEntry.is_dir):
                if entry.name in classes and entry.name != name:
                    raise AblationError(
                        f"{printable(entry.path)} is in the class {name} but has the name of another class: move its images "
                        "into a class folder directly below the split, or rename it"
                    )
                if _claim(entry.path, name, owners):
                    folders.append(entry.path)
                else:
                    skipped[_AGAIN] += 1
            elif _is_broken(entry):
                skipped[_BROKEN] += 1
            elif not _is(entry, os.DirEntry.is_file):
                skipped[_SPECIAL] += 1
            elif (suffix := _suffix(entry.name)) in SUFFIXES:
                files.append(entry.path)
            else:
                skipped[f"{_OTHER} ({printable(suffix) or 'no suffix'})"] += 1
    return files, skipped


def _claim(folder: str, name: str, owners: dict[tuple[int, int], str]) -> bool:
    """Record that a folder is part of a class; return whether it is new, which a link to a folder above is not.

    Raises:
        AblationError: if the folder is part of another class, so that its images would have two labels.
    """
    status = Path(folder).stat()
    identity = (status.st_dev, status.st_ino)
    if identity not in owners:
        owners[identity] = name
        return True
    if owners[identity] != name:
        raise AblationError(
            f"{printable(folder)} is the same folder as one of the class {owners[identity]}: remove one of the links"
        )
    return False


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError as error:
        raise AblationError(f"the folder {printable(folder)} may not be read: {error.strerror}") from None


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".")


def _is(entry: os.DirEntry[str], test: Callable[[os.DirEntry[str]], bool]) -> bool:
    try:
        return test(entry)
    except OSError:  # a link that leads back to itself
        return False


def _suffix(name: str) -> str:
    """Return the suffix in lower case; a `Path` would take as long as all else that is done for a file."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _is_broken(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not _is(entry, os.DirEntry.is_file) and not _is(entry, os.DirEntry.is_dir)
