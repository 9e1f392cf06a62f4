"""Forecasts of memory, from descriptions alone, so that what cannot fit is refused before it starts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..design.architecture import Architecture
from ..design.cost import cost
from ..design.recipes import FAMILIES, family
from ..design.trial import Trial
from ..errors import AblationError
from ..study.engines.sharing import place
from ..train.devices import choose, choose_device
from ..train.step_cost import FLOAT, KEPT, TRAINING_COPIES, meta_bytes, training_bytes
from .options import StudyOptions

if TYPE_CHECKING:
    from ..data import DatasetInfo

_STAGE_SIDE = 64  # positions; the paper's first stage has 56 of 224 px


def check_size(recipe: str, info: DatasetInfo) -> None:
    """Raise an `AblationError` if the networks of a recipe family are made for smaller images than those of the data.

    With too small a stem stride, the first stage keeps so many positions that one epoch may never end.
    """
    pair = family(recipe)
    size, largest = info.size or pair.modern.size, _STAGE_SIDE * pair.stem_stride
    if size <= largest:
        return
    fitting = [
        f"{name} ({info.size or other.modern.size} px)"
        for name, other in FAMILIES.items()
        if (info.size or other.modern.size) <= _STAGE_SIDE * other.stem_stride
    ]
    raise AblationError(
        f"recipe {recipe!r} is made for images of {largest} px or less (its networks have a stem stride of "
        f"{pair.stem_stride}), but {info.name} is read at {size} px. Possible: --recipe {', '.join(fitting)}"
    )


def check_training(
    trials: Iterable[Trial], info: DatasetInfo, parts: int = 1, at_a_time: int = 1, device: str = "auto"
) -> None:
    """Raise an `AblationError` if the largest of some trials needs more memory than there is.

    Args:
        trials: trials on one data set.
        info: the data set.
        parts: processes times accumulated parts, into which a batch is divided.
        at_a_time: trials that run at the same time on the GPU, or on this machine if it has none.
        device: "auto", "cpu", "cuda" or "mps".
    """
    kinds = {(trial.architecture, trial.recipe): trial for trial in trials}
    needs = {trial: training_bytes(trial, info, parts) or 0 for trial in kinds.values()}
    if not needs:
        return
    largest = max(needs, key=needs.__getitem__)
    images = max(1, largest.recipe.batch_size // parts)
    what = f"training with {images} images of {info.size or largest.recipe.size} px at a time"
    what += f" in {at_a_time} processes" if at_a_time > 1 else ""

    def fits(available: int) -> str:
        if at_a_time > 1 and needs[largest] <= available:
            return f"--workers {available // needs[largest]}"
        whole = training_bytes(largest, info, largest.recipe.batch_size) or 0
        per_image = max(1, (needs[largest] - whole) // max(1, images - 1))
        possible = 1 + max(0, available - whole) // per_image
        if whole > available:
            return "a smaller network or smaller images"
        return f"{possible} images at a time: a smaller batch_size, or more --accumulate parts of `ablation train`"

    check_bytes(needs[largest] * at_a_time, what, fits, device)


def check_study(options: StudyOptions, trials: Collection[Trial], info: DatasetInfo) -> None:
    """Raise an `AblationError` if the trials of a study on this machine are made for other images, or need too much memory."""
    check_size(options.recipe, info)
    if options.engine != "local":
        return
    choose(options.device, options.precision)
    at_a_time = place(trials, options.workers, options.run_options).per_device
    check_training(trials, info, at_a_time=at_a_time, device=options.device)


def field_bytes(networks: Iterable[Any], size: int, images: int, in_chans: int = 3, maps: int = 0) -> int:
    """Return the memory in bytes for receptive fields, norms or attributions on some images, one network after the other.

    Args:
        networks: descriptions, or modules.
        size: side of the images in pixels.
        images: number of images, all of which are kept.
        in_chans: channels of the images.
        maps: maps of each image that are kept.
    """
    pixels = FLOAT * (2 * in_chans + maps) * images * size**2  # as read, and normalised
    largest = 0
    for network in networks:
        if isinstance(network, Architecture):
            counted = cost(network, size)
            needed = int(FLOAT * (2 * KEPT * counted.activations + counted.params))
        else:
            module = copy.deepcopy(network)
            needed = 2 * (meta_bytes(partial(module.to, "meta"), size, 1, in_chans) or 0)
        largest = max(largest, needed)
    return pixels + largest


def check_fields(
    networks: Sequence[Any],
    size: int,
    images: int,
    in_chans: int = 3,
    maps: int = 0,
    least: int = 32,
    device: str = "cpu",
) -> None:
    """Raise an `AblationError` if the images and the largest network need more memory than there is.

    Args:
        networks, size, images, in_chans, maps: as for `field_bytes`.
        least: smallest side in pixels to suggest.
        device: device that holds them.
    """

    def needed(side: int) -> int:
        return field_bytes(networks, side, images, in_chans, maps)

    def fits(available: int) -> str:
        side = largest_size(needed, available, size)
        return f"--size {side}" if side >= least else "fewer images or a smaller network"

    check_bytes(needed(size), f"--size {size} with {images} images", fits, device)


def timing_bytes(architecture: Architecture, size: int, batch: int, step: str) -> int:
    """Return the memory in bytes of one timed call."""
    counted = cost(architecture, size)
    if step == "training":
        return int(FLOAT * (KEPT * counted.activations * batch + TRAINING_COPIES * counted.params))
    largest = max(part.channels * part.size**2 for part in counted.stages)
    return FLOAT * (batch * (3 * size**2 + 2 * largest) + counted.params)


def check_bytes(needed: int, what: str, fits: Callable[[int], str], device: str = "auto") -> None:
    """Raise an `AblationError` if something needs more memory than there is.

    Args:
        needed: bytes.
        what: what needs them, for the message.
        fits: available bytes -> what would fit.
        device: "auto", "cpu", "cuda" or "mps".
    """
    available = available_bytes(device)
    if needed > available:
        raise AblationError(
            f"{what} needs about {needed / 1e9:,.1f} GB of memory, of which {available / 1e9:,.1f} GB are available. What fits: "
            f"{fits(available)}"
        )


def available_bytes(device: str = "auto") -> int:
    """Return the free memory of the GPU that networks run on, or of this machine."""
    import torch

    from ..measure.memory import free_bytes

    chosen = choose_device(device)
    return free_bytes(chosen if chosen.type == "cuda" else torch.device("cpu"))


def largest_size(needed: Callable[[int], int], available: int, most: int) -> int:
    """Return the largest multiple of 32 px below a size whose need fits into the available memory; 0 if none does."""
    low, high = 0, most // 32
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if needed(32 * middle) <= available else (low, middle - 1)
    return 32 * low
