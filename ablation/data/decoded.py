"""Image files decoded once: arrays kept under `data_root()`, with a checksum, and mapped by every process that needs them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track

from ..errors import AblationError
from ..files import data_root, write_atomically


def decoded(files: Sequence[Path], size: int) -> NDArray[np.uint8]:
    """The pixels of image files of one size, in their order.

    Args:
        files: images, each `size` x `size`.
        size: their side in pixels.

    Returns:
        (N, 3, size, size), mapped from the file that keeps them. Files that were changed are decoded again; so is a kept array
        that is damaged. Where nothing can be kept, the array lies in memory.

    Raises:
        AblationError: naming the file that is no image or of another size.
    """
    listed = [f"{path.resolve()} {(about := path.stat()).st_size} {about.st_mtime_ns}" for path in files]
    key = hashlib.sha256("\n".join([str(size), *listed]).encode()).hexdigest()[:20]
    kept = data_root() / "decoded" / f"{key}.npy"
    array = _kept(kept, len(files), size)
    if array is not None:
        return array
    array = np.empty((len(files), 3, size, size), np.uint8)
    console = Console(stderr=True)
    for i, path in enumerate(
        track(files, "decoding images", console=console, transient=True, disable=not console.is_terminal)
    ):
        array[i] = _pixels(path, size)
    try:
        buffer = io.BytesIO()
        np.save(buffer, array)
        write_atomically(kept, buffer.getvalue())
        write_atomically(kept.with_suffix(".sha256"), _checksum(array).encode())
    except AblationError:  # no room, or not ours to write: it is decoded again next time
        return array
    mapped = _kept(kept, len(files), size)
    return array if mapped is None else mapped


def _kept(file: Path, n: int, size: int) -> NDArray[np.uint8] | None:
    """What was kept, if it is whole."""
    try:
        array = np.load(file, mmap_mode="c")  # changes of a copy stay with it; torch warns of what it cannot write to
        said = file.with_suffix(".sha256").read_text()
    except (OSError, ValueError, EOFError):
        return None
    whole = array.dtype == np.uint8 and array.shape == (n, 3, size, size) and said == _checksum(array)
    return array if whole else None


def _pixels(path: Path, size: int) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:  # PIL raises all three for damaged files
        raise AblationError(f"{path} cannot be read as an image: {error}") from None
    if pixels.shape[:2] != (size, size):
        raise AblationError(
            f"{path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, others of its data set are {size} x {size}: bring all "
            "images to one size, or train with a recipe that crops (crop_scale)"
        )
    return pixels.transpose(2, 0, 1)


def _checksum(array: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
