"""A cache of decoded image files: arrays with checksums under `data_root()`, memory-mapped by every process that reads them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ..errors import AblationError
from ..files import data_root, write_atomically
from .streamed import read_square

_READING = "pictures 1"  # to be changed when files are read to other pixels, so that arrays in the cache are not used


def load_decoded(files: Sequence[Path], size: int) -> NDArray[np.uint8]:
    """Return the pixels of image files of the same size, in the order of the files.

    Args:
        files: image files, each `size` x `size`.
        size: side of the images in pixels.

    Returns:
        (N, 3, size, size), memory-mapped from the cache file. The images are decoded again if a file has changed or if the
        cached array is damaged. If the cache cannot be written, the array is held in memory.

    Raises:
        AblationError: if a file is not an image or has a different size; the message names the file.
    """
    digest = hashlib.sha256(f"{_READING} {size}".encode())
    for path in files:  # the time of the last change of status cannot be set, as the time of modification can
        found = path.stat()
        numbers = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        digest.update(b"%s\0%s\0" % (os.fsencode(path.resolve()), repr(numbers).encode()))
    key = digest.hexdigest()[:20]
    cache_file = data_root() / "decoded" / f"{key}.npy"
    array = _read_cache(cache_file, len(files), size)
    if array is not None:
        return array
    array = np.empty((len(files), 3, size, size), np.uint8)
    console = Console(stderr=True)
    for i, path in enumerate(
        track(files, "decoding images", console=console, transient=True, disable=not console.is_terminal)
    ):
        array[i] = np.asarray(read_square(path, size)).transpose(2, 0, 1)
    try:
        buffer = io.BytesIO()
        np.save(buffer, array)
        write_atomically(cache_file, buffer.getvalue())
        write_atomically(cache_file.with_suffix(".sha256"), _checksum(array).encode())
    except AblationError:  # the disk is full or the folder is read-only: the images are decoded again next time
        return array
    mapped = _read_cache(cache_file, len(files), size)
    return array if mapped is None else mapped


def _read_cache(file: Path, n: int, size: int) -> NDArray[np.uint8] | None:
    """Return the cached array, or None if it is missing or damaged."""
    try:
        array = np.load(file, mmap_mode="c")  # copy-on-write: torch warns about arrays that it cannot write to
        checksum = file.with_suffix(".sha256").read_text()
    except (OSError, ValueError, EOFError):
        return None
    valid = array.dtype == np.uint8 and array.shape == (n, 3, size, size) and checksum == _checksum(array)
    return array if valid else None


def _checksum(array: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
