"""Writing weights files, and rebuilding networks from them.

Weights are written as safetensors with the description in the header, so that `load_weights` can rebuild the network from
the file alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ..design.architecture import Architecture
from ..design.cost import cost
from ..errors import AblationError, shown
from ..files import write_atomically
from .build import ConvNet, build
from .weights_header import Description, describe, to_metadata
from .weights_reading import WeightsFile, check_memory, read_weights

_BATCHES = "num_batches_tracked"  # a counter of BatchNorm that older checkpoints lack, and that torch then leaves at 0
_LONGEST_NAME = 100  # characters of a name in a message
_STATISTICS = ("running_mean", "running_var")


def save_weights(network: nn.Module, file: str | Path) -> None:
    """Write the weights of a network, and the description of a `ConvNet`, atomically to one safetensors file.

    The header also has what `pretrained_cfg` says of the training images, the names of the classes ("label_names" there), and
    a checksum.

    Args:
        network: the network; its device and memory format are not stored.
        file: path of the file, conventionally ending in .safetensors; missing parent folders are created.

    Raises:
        AblationError: if the file cannot be written.
    """
    # Cloned, since safetensors refuses tensors that share memory.
    state = {name: value.contiguous().clone() for name, value in network.state_dict().items()}
    write_atomically(file, save(state, metadata=to_metadata(describe(network), state)))


def load_weights(file: str | Path) -> ConvNet:
    """Rebuild a network from a file that `save_weights` wrote. It is in training mode like any new module.

    Args:
        file: path of the file.

    Returns:
        The network. Its `pretrained_cfg` says what the file knows of the images, and the class names as "label_names".

    Raises:
        AblationError: if the file is missing, truncated, damaged, was not written by `save_weights`, describes a network that
            its tensors do not fit, or holds NaN or infinity.
    """
    contents = read_weights(file)
    description = contents.description
    if description.architecture is None:
        raise AblationError(
            f"{file} contains no description of its network: it is not a ConvNet, or the file was not written by ablation. "
            "For weights of a timm model, use ablation.from_timm(NAME, file=...), or --model NAME on the command line"
        )
    network = _build(description.architecture, contents, str(file))
    load_state(network, contents.state, str(file))
    network.pretrained_cfg = training_images(description)
    return network


def training_images(description: Description) -> dict[str, Any]:
    """Return what a description says of the training images, under timm's names for a `pretrained_cfg`."""
    names = {} if description.classes is None else {"label_names": description.classes}
    return {**description.images, **names}


def _build(architecture: Architecture, contents: WeightsFile, origin: str) -> ConvNet:
    """Return the described network, after a check that the file has as many weights and the memory is sufficient."""
    num_classes, in_chans = contents.description.num_classes or 0, contents.description.in_chans or 3
    params = cost(architecture, architecture.min_size, num_classes, in_chans).params
    held = sum(value.numel() for value in contents.state.values())
    blocks, tensors = sum(architecture.depths), len(contents.state)
    if params > held or blocks > tensors:
        raise AblationError(
            f"the weights of {origin} do not fit {architecture!r}: it has {params:,} parameters in {blocks:,} blocks, and the "
            f"file {held:,} values in {tensors:,} tensors"
        )
    check_memory(params * torch.float32.itemsize, f"the network of {origin} takes")
    return build(architecture, num_classes=num_classes, in_chans=in_chans)


def load_state(network: ConvNet, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict with our names into a network.

    Args:
        network: the network to change.
        state: the state dict.
        origin: source of the state dict, for the error message.

    Raises:
        AblationError: if the state dict does not fit, or holds NaN or infinity; the network is then unchanged.
    """
    problems = misfits(network.state_dict(), state)
    if problems:
        raise AblationError(f"the weights of {origin} do not fit {network.architecture!r}. Tensors: {problems}")
    check_finite(network, state, origin)
    network.load_state_dict(dict(state))


def misfits(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Return how many tensors of a state dict are missing, superfluous or of a different shape, with names; "" if it fits."""
    problems = {
        "missing": [name for name in expected if name not in given and not name.endswith(_BATCHES)],
        "not in the network": [name for name in given if name not in expected],
        "of a different shape": [n for n, value in expected.items() if n in given and value.shape != given[n].shape],
    }
    return ", ".join(f"{len(names)} {kind}, such as {_tidy(names[0])}" for kind, names in problems.items() if names)


def _tidy(name: str) -> str:
    """Return the name of a tensor for a message of one line."""
    return name if name.isprintable() and len(name) <= _LONGEST_NAME else shown(name)


def check_finite(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Raise an `AblationError` if a parameter or a statistic of a norm is NaN or infinite. Other buffers may be (masks are)."""
    learnt: Iterable[str] = (name for name, _ in network.named_parameters())
    for name in [*learnt, *(name for name in state if name.endswith(_STATISTICS))]:
        if name in state and not torch.isfinite(state[name]).all():
            raise AblationError(f"the weights of {origin} are not finite: {name} holds NaN or infinity")


def has_finite_parameters(network: nn.Module) -> bool:
    """Return whether no parameter holds NaN or infinity."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())
