"""Look at every call of some kind of layer while images run through a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..errors import AblationError
from .features import run
from .modes import as_images, evaluating, first_input, out_of_place

Row = TypeVar("Row")


def each_call(
    module: nn.Module,
    images: Tensor,
    kinds: tuple[type[nn.Module], ...],
    called: str,
    look: Callable[[str, nn.Module, Tensor, Tensor], Row],
) -> tuple[Row, ...]:
    """Run images through a network in eval mode and look at each call of its layers of some kinds.

    Args:
        module: any network.
        images: (N, C, H, W), normalised as the network expects.
        kinds: classes of layers.
        called: what to call these layers where there is none.
        look: takes the layer's name, the layer, what it got and what it put out.

    Returns:
        What `look` returned, in the order of the forward pass.

    Raises:
        AblationError: if the network has no such layer, or cannot be run on the images.
    """
    images = as_images(module, images)
    rows: list[Row] = []

    def note(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: Any, named: Any, output: Tensor) -> None:
            rows.append(look(name, part, first_input(inputs, named), output))

        return hook

    handles = [
        part.register_forward_hook(note(name), with_kwargs=True)
        for name, part in module.named_modules()
        if isinstance(part, kinds)
    ]
    if not handles:
        raise AblationError(f"{type(module).__name__} has no {called} layer")
    try:
        with evaluating(module), out_of_place(module), torch.no_grad():
            run(module, images)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(rows)
