"""Batches put together from chunks that worker processes read, normalised on the device that uses them.

A worker's unit is a chunk of at most `CHUNK` images, so the shared memory between the processes does not grow with the batch.
The workers of an epoch are kept for the next one.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from ..environment import cores, free_memory
from ..errors import AblationError
from .buffers import Buffers
from .erasing import erase
from .streamed import Chunk, Request

CHUNK = 32  # images: 16, 32 and 64 are equally fast, and the first batch of 256 on 8 cores takes all of them at once
_MAX_WORKERS = 32  # processes that decode images, per training process
_AHEAD, _MOST_AHEAD = (
    2,
    1024,
)  # chunks that each worker reads ahead, or more, until all are one part or so many images ahead
CPU = torch.device("cpu")


class Workers:
    """The worker processes of a data set, kept from one epoch to the next of the same kind."""

    def __init__(self) -> None:
        self._idle: dict[Any, DataLoader[Any]] = {}

    def take(self, kind: Any, make: Any) -> DataLoader[Any]:
        """Return the idle workers of a kind, or new ones; the workers of every other kind end."""
        kept = self._idle.pop(kind, None)
        self._idle.clear()
        return make() if kept is None else kept

    def keep(self, kind: Any, loader: DataLoader[Any]) -> None:
        """Keep workers that have nothing left to read."""
        self._idle[kind] = loader


class _Requests:
    """What the workers read next, in order; a batch sampler of which each epoch sets the requests."""

    requests: Iterable[Request] = ()

    def __iter__(self) -> Iterator[Request]:
        return iter(self.requests)


def stream(
    images: Dataset[Any],
    batches: Sequence[Sequence[int] | Tensor],
    image_bytes: int,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    seed_and_epoch: tuple[int, int] | None = None,
    *,
    device: torch.device = CPU,
    workers: int | None = None,
    keep: tuple[Workers, Any] | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of normalised images and labels, read by as many worker processes as cores and memory allow.

    Args:
        images: the data set, such as `ImageFiles`, which returns a `Chunk` for a `Request`.
        batches: indices of the images of each batch.
        image_bytes: memory for one image in 8 bits, and for decoding it.
        statistics: mean and standard deviation per channel, for pixels from 0 to 1.
        seed_and_epoch: on which the draws for an image depend, or None where nothing is drawn.
        device: where the batches are; images are sent there in 8 bits, and normalised and erased there.
        workers: number of worker processes; None for one per core that this process has for itself.
        keep: where the workers are kept for the next epoch, and their kind: data set, transform and so on. None ends them.

    Raises:
        AblationError: for the first image that cannot be read.
    """
    largest = max((len(batch) for batch in batches), default=0)
    if not largest:
        return
    number = worker_count(image_bytes) if workers is None else max(1, workers)
    size = min(CHUNK, -(-largest // number))
    room = free_memory() // 4 // local_processes() // (number * size * image_bytes or 1)
    ahead = max(1, min(room, max(_AHEAD, -(-min(largest, _MOST_AHEAD) // (number * size)))))
    pool, kind = keep or (Workers(), None)
    kind = (kind, number, ahead, device.type)

    def make() -> DataLoader[Any]:
        return DataLoader(
            images,
            batch_sampler=_Requests(),  # type: ignore[arg-type]
            num_workers=number,
            collate_fn=_as_it_is,
            prefetch_factor=ahead,
            persistent_workers=keep is not None,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # the seed of the workers is not used, and not drawn from the caller's generator
        )

    loader = pool.take(kind, make)
    pieces = ([batch[i : i + size] for i in range(0, len(batch), size)] for batch in batches)
    requests = (Request(_listed(piece), seed_and_epoch) for batch in pieces for piece in batch)
    loader.batch_sampler.requests = requests  # type: ignore[union-attr]
    chunks, failure, buffers = iter(loader), None, Buffers()
    try:
        for done, batch in enumerate(batches, start=1):
            assembled = _assemble(chunks, len(batch), statistics, device, buffers)
            if done == len(batches) and next(chunks, None) is None and keep:
                pool.keep(kind, loader)  # before the last batch is given out: the caller may not ask for more
            yield assembled
    except AblationError as error:
        failure = error.with_traceback(None)
    finally:  # ends the workers, unless they are kept; those that a traceback holds on to end 5 s later, one after the other
        del chunks, loader
    if failure:
        raise failure


def stream_in_row(
    images: IterableDataset[Any],
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    sizes: Sequence[int] | None = None,
    skip: int = 0,
    seeds: tuple[int, ...] = (0,),
    device: torch.device = CPU,
    workers: int = 1,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of normalised images and labels of a data set that is read in a row.

    Args:
        images: the data set, which yields chunks.
        statistics: as for `stream`.
        sizes: number of images of each batch, which a number of chunks make up; None for one batch for each chunk.
        skip: number of images to leave out first.
        seeds: on which the order within the workers depends.
        device: where the batches are.
        workers: number of worker processes.

    Raises:
        AblationError: if an image cannot be read, or there are too few.
    """
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    with warnings.catch_warnings():  # of more workers than cores: the order depends on their number, so it is fixed
        warnings.simplefilter("ignore", UserWarning)
        loader = DataLoader(
            images,
            batch_size=None,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=device.type == "cuda",
            generator=torch.Generator().manual_seed(seed),
        )
        chunks, failure, buffers = iter(loader), None, Buffers()
    try:
        while skip > 0:
            skip -= len(_checked(next(chunks, None)).labels)
        if sizes is None:
            for chunk in chunks:
                yield _assemble(iter([chunk]), len(_checked(chunk).labels), statistics, device, buffers)
        for size in sizes or ():
            yield _assemble(chunks, size, statistics, device, buffers)
    except AblationError as error:
        failure = error.with_traceback(None)
    finally:  # as in `stream`
        del chunks, loader
    if failure:
        raise failure


def largest_divisor(sizes: Sequence[int]) -> int:
    """Return the largest size of a chunk of which each batch is a multiple.

    >>> largest_divisor([96, 64]), largest_divisor([7])
    (32, 7)
    """
    common = math.gcd(*sizes)
    return next(size for size in range(CHUNK, 0, -1) if common % size == 0)


def worker_count(image_bytes: int = 1) -> int:
    """Return the number of worker processes for one of the training processes on this machine."""
    room = free_memory() // 4 // local_processes() // max(1, image_bytes * _AHEAD)
    return max(1, min(_MAX_WORKERS, cores() // local_processes(), room))


def local_processes() -> int:
    """Return how many training processes share this machine, as torchrun and Accelerate tell it."""
    with suppress(ValueError):
        return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    return 1


def _assemble(
    chunks: Iterator[Chunk | AblationError],
    size: int,
    statistics: tuple[tuple[float, ...], tuple[float, ...]],
    device: torch.device,
    buffers: Buffers,
) -> tuple[Tensor, Tensor]:
    """Return the next `size` images, normalised and erased on the device, and their labels."""
    result, labels = torch.empty(0), list[int]()
    while len(labels) < size:
        chunk = _checked(next(chunks, None))
        if not labels:
            shape = (size, *chunk.images.shape[1:])
            result = buffers.take(shape) if device.type == "cpu" else torch.empty(shape, device=device)
        target = result[len(labels) : len(labels) + len(chunk.images)]
        _normalise(chunk.images, target, statistics)
        erase(target, chunk.rectangles, chunk.noise)
        labels += chunk.labels
    return result, torch.tensor(labels).to(device, non_blocking=True)


def _normalise(images: Tensor, target: Tensor, statistics: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
    """Write the images, which are uint8, into the target, normalised: (N, C, H, W)."""
    if target.device.type == "cpu":
        # With NumPy, in one thread: those of torch would take their cores from the workers. One by one, since a single image
        # stays in the cache.
        offset, scale = (np.array(values, np.float32)[:, None, None] for values in statistics)
        for image, values in zip(target.numpy(), images.numpy(), strict=True):
            np.divide(values, np.float32(255), out=image)
            image -= offset
            image /= scale
        return
    means, deviations = (torch.tensor(values, device=target.device).view(1, -1, 1, 1) for values in statistics)
    target.copy_(images.to(target.device, non_blocking=True)).div_(255).sub_(means).div_(deviations)


def _checked(chunk: Chunk | AblationError | None) -> Chunk:
    if chunk is None:
        raise AblationError("the data set has fewer images than it says")
    if isinstance(chunk, AblationError):
        raise chunk
    return chunk


def _listed(indices: Sequence[int] | Tensor) -> list[int]:
    return indices.tolist() if isinstance(indices, Tensor) else list(indices)


def _as_it_is(chunk: Any) -> Any:
    return chunk
