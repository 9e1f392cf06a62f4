"""Reading and writing weights files.

Weights are written as safetensors with the description in the header, so that `load_weights` can rebuild the network from
the file alone. Only safe formats are read: safetensors, or PyTorch checkpoints through `torch.load(weights_only=True)`.
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

_IMAGE_FIELDS = ("mean", "std", "input_size")  # stored fields about the images that a network was trained on
_HEADER = "ablation"  # key of the description in the safetensors header


def save_weights(network: nn.Module, file: str | Path) -> None:
    """Write the weights of a network, and the description of a `ConvNet`, atomically to one safetensors file.

    Args:
        network: the network; its device and memory format are not stored.
        file: path of the file, conventionally ending in .safetensors; missing parent folders are created.

    Raises:
        AblationError: if the file cannot be written.
    """
    description: dict[str, Any] = {}
    if isinstance(network, ConvNet):
        description = {
            "architecture": network.architecture.to_dict(),
            "num_classes": network.num_classes,
            "in_chans": network.in_chans,
        }
    images = getattr(network, "pretrained_cfg", None) or {}
    description["images"] = {name: images[name] for name in _IMAGE_FIELDS if name in images}
    # Cloned, since safetensors refuses tensors that share memory.
    state = {name: value.contiguous().clone() for name, value in network.state_dict().items()}
    write_atomically(file, save(state, metadata={_HEADER: json.dumps(description)}))


def load_weights(file: str | Path) -> ConvNet:
    """Rebuild a network from a file that `save_weights` wrote. It is in training mode like any new module.

    Args:
        file: path of the file.

    Raises:
        AblationError: if the file is missing, truncated, or was not written by `save_weights`.
    """
    state, description = read_state_dict(file), _read_description(file)
    if "architecture" not in description:
        raise AblationError(
            f"{file} contains no description of its network: it is not a ConvNet, or the file was not written by ablation. "
            "For weights of a timm model, use ablation.from_timm(NAME, file=...), or --model NAME on the command line"
        )
    architecture = Architecture.from_dict(description["architecture"])
    network = build(architecture, num_classes=description["num_classes"], in_chans=description["in_chans"])
    load_state(network, state, str(file))
    network.pretrained_cfg = images_of(file)
    return network


def images_of(file: str | Path) -> dict[str, Any]:
    """Return "mean", "std" and "input_size" of the training images of a weights file; empty if the file lacks them."""
    return {name: tuple(value) for name, value in _read_description(file).get("images", {}).items()}


def _read_description(file: str | Path) -> dict[str, Any]:
    """Return the description that `save_weights` wrote into the header; empty for other files."""
    try:
        with safe_open(file, framework="pt") as opened:
            return dict(json.loads((opened.metadata() or {}).get(_HEADER, "{}")))
    except SafetensorError:
        return {}


def load_state(network: ConvNet, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict with our names into a network.

    Args:
        network: the network to change.
        state: the state dict.
        origin: source of the state dict, for the error message.

    Raises:
        AblationError: if the state dict does not fit; the network is then unchanged.
    """
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    if expected == given:
        network.load_state_dict(dict(state))
        return
    problems = {
        "missing": [name for name in expected if name not in given],
        "not in the network": [name for name in given if name not in expected],
        "of a different shape": [name for name in expected if name in given and expected[name] != given[name]],
    }
    details = [f"{len(names)} {kind}, such as {names[0]}" for kind, names in problems.items() if names]
    raise AblationError(f"the weights of {origin} do not fit {network.architecture!r}. Tensors: {', '.join(details)}")


def read_state_dict(file: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a weights file by name, on the CPU, without executing anything in the file.

    Args:
        file: safetensors file, or PyTorch file with a state dict, at the top level or under the key "state_dict" or "model".

    Raises:
        AblationError: if the file is missing, truncated, or contains anything but tensors; the message states which.
    """
    path = Path(file)
    if not path.is_file():
        raise AblationError(f"there is no weights file {file}")
    with path.open("rb") as opened:
        start = opened.read(2)
    try:
        if start in (b"PK", b"\x80\x02"):  # the zip format and the older pickle format of torch.save
            data: Any = torch.load(path, map_location="cpu", weights_only=True)
        else:
            data = load_file(path)
    except pickle.UnpicklingError:
        raise AblationError(
            f"{file} was refused: it is a pickle that contains more than tensors, and reading it could execute code. "
            "Nothing in it was executed. Obtain the weights as safetensors or as a plain state dict"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, OSError) as error:
        raise AblationError(
            f"{file} is not a complete weights file ({str(error).splitlines()[0]}). It may be truncated or in another "
            "format; expected safetensors or a PyTorch state dict"
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(data, dict) and isinstance(data.get(key), dict):
            data = data[key]
    if not isinstance(data, dict) or not data or not all(isinstance(value, Tensor) for value in data.values()):
        raise AblationError(f"{file} contains no state dict: expected names and tensors, found {type(data).__name__}")
    return data
