"""What is attributed: the classes to explain, their logits, and images as pixels between a baseline and white."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import AblationError
from .features import run
from .images import normalisation, normalise
from .modes import preserving_state

Target = int | Sequence[int] | Tensor | None


def targets(module: nn.Module, images: Tensor, target: Target) -> Tensor:
    """One class for each image: (N,) int64. Checks what the network puts out on the way.

    Raises:
        AblationError: if the network puts out anything but (N, classes) of finite numbers, or a class does not exist.
    """
    with preserving_state(module), torch.no_grad():
        first = logits(module, images[:1])
        if target is None:
            rest = [logits(module, image[None]) for image in images[1:]]
            return torch.cat([first, *rest]).argmax(1)
    number = first.shape[1]
    try:
        wanted = torch.as_tensor(target)
    except (TypeError, ValueError, RuntimeError):
        wanted = torch.tensor(0.5)
    if wanted.is_floating_point() or wanted.dtype == torch.bool or wanted.ndim > 1:
        raise AblationError(f"target must be one whole number, or one for each image, not {target!r}")
    if wanted.ndim == 1 and len(wanted) != len(images):
        raise AblationError(f"{len(wanted)} targets were given for {len(images)} images")
    if wanted.min() < 0 or wanted.max() >= number:
        odd = int(wanted.max()) if wanted.max() >= number else int(wanted.min())
        raise AblationError(f"target {odd} is no class of {type(module).__name__}: it has {number}, 0 to {number - 1}")
    return wanted.long().expand(len(images))


def logits(module: nn.Module, images: Tensor) -> Tensor:
    """What a classifier puts out: (N, classes).

    Raises:
        AblationError: if it is anything else, or not finite.
    """
    output = run(module, images)
    name = type(module).__name__
    if isinstance(output, tuple | list | dict):
        keys = f" with the keys {', '.join(map(str, output))}" if isinstance(output, dict) else f" of {len(output)}"
        raise AblationError(
            f"{name} puts out a {type(output).__name__}{keys}; a classifier's logits, (N, classes), are expected: wrap it in a "
            "module that returns them"
        )
    if not isinstance(output, Tensor) or output.ndim != 2:
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise AblationError(f"{name} puts out {given}; a classifier's logits, (N, classes), are expected")
    if not torch.isfinite(output).all():
        raise AblationError(f"{name} puts out NaN or infinity: are its weights and the images' normalisation right?")
    return output


def pixels(
    module: nn.Module,
    images: Tensor,
    baseline: float | Tensor,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Tensor:
    """A baseline in pixels as the network sees it: normalised, and as large as the images, (N, C, H, W).

    Raises:
        AblationError: if it does not broadcast to the images, or nobody can know their normalisation.
    """
    if mean is None or std is None:
        mean, std = normalisation(module, images.shape[1])
    start = torch.as_tensor(baseline, dtype=images.dtype, device=images.device)
    try:
        start = start.expand_as(images)
    except RuntimeError:
        raise AblationError(
            f"a baseline of shape {tuple(start.shape)} does not fit images of shape {tuple(images.shape)}"
        ) from None
    if not torch.isfinite(start).all():
        raise AblationError(f"the baseline is not finite: {baseline!r}")
    return normalise(start, mean, std)
