"""Call a function on the input and output of every layer of some kinds, in one forward pass."""

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
    """Run images through a network in eval mode and call a function for each call of a layer of some kinds.

    Args:
        module: any network.
        images: (N, C, H, W), normalised as the network expects.
        kinds: classes of layers.
        called: name of this kind of layer for the error message.
        look: function of the layer's name, the layer, its input and its output.

    Returns:
        The results of `look`, in the order of the forward pass.

    Raises:
        AblationError: if the network has no such layer, or cannot be run on the images.
    """
    images = as_images(module, images)
    rows: list[Row] = []

    def hook_for(name: str) -> Callable[..., None]:
        def hook(layer: nn.Module, args: Any, kwargs: Any, output: Tensor) -> None:
            rows.append(look(name, layer, first_input(args, kwargs), output))

        return hook

    handles = [
        part.register_forward_hook(hook_for(name), with_kwargs=True)
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
