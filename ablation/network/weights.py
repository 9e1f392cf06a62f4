"""Weight files that are safe to read, and that say what network they belong to.

A file we write is safetensors with the description in its header, so that `load_weights` rebuilds the network from
the file alone. A file we read is never unpickled freely: safetensors, or a PyTorch checkpoint through
`torch.load(weights_only=True)`.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..design.architecture import Architecture
from ..errors import AblationError
from ..files import write_atomically
from .build import ConvNet, build

_IMAGES = ("mean", "std", "input_size")  # what is kept about the images that a network was trained on
_HEADER = "ablation"  # the key of the safetensors header under which the description stands


def save_weights(network: nn.Module, file: str | Path) -> None:
    """Write a network's weights, and its description where it is one of ours, to one safetensors file, whole or not at all.

    Args:
        network: its device and memory format are not kept.
        file: ends in .safetensors by custom; folders above it are made.

    Raises:
        AblationError: if the file cannot be written.
    """
    about: dict[str, Any] = {}
    if isinstance(network, ConvNet):
        about = {
            "architecture": network.architecture.to_dict(),
            "num_classes": network.num_classes,
            "in_chans": network.in_chans,
        }
    images = getattr(network, "pretrained_cfg", None) or {}
    about["images"] = {name: images[name] for name in _IMAGES if name in images}
    state = {
        name: value.contiguous().clone() for name, value in network.state_dict().items()
    }  # it refuses shared memory
    write_atomically(file, save(state, metadata={_HEADER: json.dumps(about)}))


def load_weights(file: str | Path) -> ConvNet:
    """The network that `save_weights` wrote, rebuilt from the file alone, in training mode as any new module.

    Args:
        file: as `save_weights` wrote it.

    Raises:
        AblationError: if the file is missing, truncated, or was not written by `save_weights`.
    """
    state, about = read_state_dict(file), _described(file)
    if "architecture" not in about:
        raise AblationError(
            f"{file} does not say what network it holds: it is not one of ours, or was not written by ablation. For weights "
            "of a timm model, use ablation.from_timm(NAME, file=...), or --model NAME on the command line"
        )
    network = build(
        Architecture.from_dict(about["architecture"]), num_classes=about["num_classes"], in_chans=about["in_chans"]
    )
    load_state(network, state, str(file))
    network.pretrained_cfg = images_of(file)
    return network


def images_of(file: str | Path) -> dict[str, Any]:
    """ "mean", "std" and "input_size" of the images that the weights in a file were trained on; empty where it does not say."""
    return {name: tuple(value) for name, value in _described(file).get("images", {}).items()}


def _described(file: str | Path) -> dict[str, Any]:
    """What `save_weights` wrote beside the tensors."""
    try:
        with safe_open(file, framework="pt") as opened:
            return dict(json.loads((opened.metadata() or {}).get(_HEADER, "{}")))
    except SafetensorError:
        return {}


def load_state(network: ConvNet, state: Mapping[str, Tensor], origin: str) -> None:
    """Put a state dict in our own names into a network.

    Raises:
        AblationError: if it is not this network's; the network is then left as it was.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    if wanted == given:
        network.load_state_dict(dict(state))
        return
    problems = {
        "missing": [name for name in wanted if name not in given],
        "not in the network": [name for name in given if name not in wanted],
        "of another shape": [name for name in wanted if name in given and wanted[name] != given[name]],
    }
    found = [f"{len(names)} {kind}, such as {names[0]}" for kind, names in problems.items() if names]
    raise AblationError(f"the weights of {origin} do not fit {network.architecture!r}. {'; '.join(found)}")


def read_state_dict(file: str | Path) -> dict[str, Tensor]:
    """The tensors of a weights file, by name, on the CPU; nothing in the file is executed.

    Args:
        file: safetensors, or a PyTorch file of a state dict, also under the key "state_dict" or "model".

    Raises:
        AblationError: if the file is missing, truncated, or anything but tensors; it says which.
    """
    path = Path(file)
    if not path.is_file():
        raise AblationError(f"there is no weights file {file}")
    with path.open("rb") as opened:
        start = opened.read(2)
    try:
        if start in (b"PK", b"\x80\x02"):  # the zip and the older pickle format of torch.save
            data: Any = torch.load(path, map_location="cpu", weights_only=True)
        else:
            data = load_file(path)
    except pickle.UnpicklingError:
        raise AblationError(
            f"{file} was refused: it is a pickle that asks for more than tensors, and reading it could run code. "
            "Nothing in it was executed. Ask its source for safetensors, or for a plain state dict"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, OSError) as error:
        raise AblationError(
            f"{file} is not a whole weights file ({str(error).splitlines()[0]}). It may be cut short, or something else: "
            "expected are safetensors or a PyTorch state dict"
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(data, dict) and isinstance(data.get(key), dict):
            data = data[key]
    if not isinstance(data, dict) or not data or not all(isinstance(value, Tensor) for value in data.values()):
        raise AblationError(f"{file} holds no state dict: expected names and tensors, found {type(data).__name__}")
    return data
