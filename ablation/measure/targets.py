"""Inputs of attribution methods: target classes, their logits, and baselines in pixels."""

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
    """Return one class per image, (N,) int64; by default the predicted class. Also checks the network's output.

    Raises:
        AblationError: if the network does not output finite numbers of shape (N, classes), or a class does not exist.
    """
    with preserving_state(module), torch.no_grad():
        first = logits(module, images[:1])
        if target is None:
            rest = [logits(module, image[None]) for image in images[1:]]
            return torch.cat([first, *rest]).argmax(1)
    number = first.shape[1]
    try:
        classes = torch.as_tensor(target)
    except (TypeError, ValueError, RuntimeError):
        classes = torch.tensor(0.5)  # refused below
    if classes.is_floating_point() or classes.dtype == torch.bool or classes.ndim > 1:
        raise AblationError(f"target must be one whole number, or one for each image, not {target!r}")
    if classes.ndim == 1 and len(classes) != len(images):
        raise AblationError(f"{len(classes)} targets were given for {len(images)} images")
    if classes.min() < 0 or classes.max() >= number:
        invalid = int(classes.max()) if classes.max() >= number else int(classes.min())
        raise AblationError(
            f"target {invalid} is not a class of {type(module).__name__}, which has {number} classes, 0 to {number - 1}"
        )
    return classes.long().expand(len(images))


def logits(module: nn.Module, images: Tensor) -> Tensor:
    """Return the logits of a classifier, (N, classes).

    Raises:
        AblationError: if the output has another form or is not finite.
    """
    output = run(module, images)
    name = type(module).__name__
    if isinstance(output, tuple | list | dict):
        keys = f" with the keys {', '.join(map(str, output))}" if isinstance(output, dict) else f" of {len(output)}"
        raise AblationError(
            f"{name} outputs a {type(output).__name__}{keys}; a classifier's logits, (N, classes), are expected: wrap it in "
            "a module that returns them"
        )
    if not isinstance(output, Tensor) or output.ndim != 2:
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise AblationError(f"{name} outputs {given}; a classifier's logits, (N, classes), are expected")
    if not torch.isfinite(output).all():
        raise AblationError(f"{name} outputs NaN or infinity: check its weights and the normalisation of the images")
    return output


def pixels(
    module: nn.Module,
    images: Tensor,
    baseline: float | Tensor,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Tensor:
    """Return a baseline given in pixels, normalised like the images and expanded to their shape, (N, C, H, W).

    Raises:
        AblationError: if the baseline does not broadcast to the images, or their normalisation is unknown.
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
