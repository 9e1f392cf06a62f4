"""The description in the header of our weights files, with a checksum of it and of the tensors.

A weights file of this library is a safetensors file whose header holds one text, a JSON object: the architecture, classes and
channels of the network, what is known of the images it was trained on, the names of their classes, and a checksum. Files
written before there were checksums have none and are read without that check.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..design.architecture import Architecture
from ..design.recipe_limits import INTERPOLATIONS, MAX_CROP_PCT, MAX_SIZE
from ..errors import AblationError
from .build import ConvNet

HEADER = (
    "ablation"  # key of the description among the metadata; with a second key, the file would differ between two runs
)
CROP_FIELDS = ("crop_pct", "crop_mode", "interpolation")  # in timm's `pretrained_cfg`
_CROP_MODES = ("center", "squash", "border")  # of timm
_CHECKSUM = "checksum"


@dataclass(frozen=True)
class Description:
    """What the header of a weights file says.

    Args:
        architecture, num_classes, in_chans: the `ConvNet`; None where the file holds another network or has no header of ours.
        images: "mean", "std", "input_size" and `CROP_FIELDS` of the images that the network was trained on.
        classes: names of the classes in the order of the logits, or None if the file does not say.
        checksum: `checksum` of the tensors and the description, or None for a file without one.
    """

    architecture: Architecture | None = None
    num_classes: int | None = None
    in_chans: int | None = None
    images: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    checksum: str | None = None


def describe(network: nn.Module) -> dict[str, Any]:
    """Return the description of a network as plain data for `to_metadata`."""
    description: dict[str, Any] = {}
    if isinstance(network, ConvNet):
        description = {
            "architecture": network.architecture.to_dict(),
            "num_classes": network.num_classes,
            "in_chans": network.in_chans,
        }
    cfg: Mapping[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    description["images"] = {name: cfg[name] for name in _IMAGES if cfg.get(name) is not None}
    if cfg.get("label_names"):
        description["classes"] = list(cfg["label_names"])
    return description


def to_metadata(description: dict[str, Any], state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the metadata of a safetensors file with that description and those tensors."""
    text = json.dumps({**description, _CHECKSUM: checksum(json.loads(json.dumps(description)), state)})
    return {HEADER: text}


def read_description(file: str | Path) -> tuple[Description, dict[str, Any]]:
    """Return the description in the header of a file, and the same as plain data; both empty if the file has none of ours.

    Raises:
        AblationError: if the header is not what `to_metadata` writes; the message names the field.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
    except (SafetensorError, OSError):
        return Description(), {}
    if HEADER not in metadata:
        near = get_close_matches(HEADER, metadata, n=1, cutoff=0.6)
        if near and _CHECKSUM in metadata[near[0]]:
            raise _damaged(file, f"it is called {near[0]!r} where {HEADER!r} was written")
        return Description(), {}
    try:
        plain = json.loads(metadata[HEADER])
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of more than 4,300 digits
        raise _damaged(file, f"it is not JSON ({str(error).splitlines()[0]})") from None
    if not isinstance(plain, dict):
        raise _damaged(file, f"it is of type {type(plain).__name__} where an object was written")
    _check_fields(file, plain, _FIELDS, "")
    _check_fields(file, plain.get("images", {}), _IMAGES, "images.")
    if ("mean" in plain.get("images", {})) != ("std" in plain.get("images", {})):
        raise _damaged(file, "images.mean and images.std belong together, and one of them is missing")
    try:
        architecture = Architecture.from_dict(plain["architecture"]) if "architecture" in plain else None
    except (AblationError, TypeError) as error:  # TypeError: a list where a name was written
        raise AblationError(f"the network that the header of {file} describes cannot be built: {error}") from None
    if architecture is not None:
        for name in ("num_classes", "in_chans"):
            if name not in plain:
                raise _damaged(file, f"it has an architecture, but no {name}")
    values = {**plain, "architecture": architecture}
    values["images"] = {name: _tuple(value) for name, value in plain.get("images", {}).items()}
    values["classes"] = tuple(plain["classes"]) if "classes" in plain else None
    return Description(**values), plain


def checksum(description: Mapping[str, Any], state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a description and of the names, types, shapes and values of tensors, as 64 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_checksum(file: str | Path, plain: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Raise an `AblationError` if the tensors or the description are not those that were written. Old files pass."""
    if _CHECKSUM not in plain:
        return
    if checksum({name: value for name, value in plain.items() if name != _CHECKSUM}, state) != plain[_CHECKSUM]:
        raise AblationError(
            f"{file} is damaged: its tensors or its description have changed since they were written (the checksum differs). "
            "Copy the file again, or train the network again"
        )


def _damaged(file: str | Path, what: str) -> AblationError:
    return AblationError(f"{file} has a header that ablation did not write, or it is damaged: {what}")


def _check_fields(file: str | Path, values: Any, checks: Mapping[str, Callable[[Any], bool]], prefix: str) -> None:
    if not isinstance(values, dict):
        raise _damaged(file, f"{prefix.rstrip('.')} is of type {type(values).__name__} where an object was written")
    for name, value in values.items():
        if name not in checks:
            near = get_close_matches(name, checks, n=1, cutoff=0.5)
            hint = f"; did you mean {prefix}{near[0]}?" if near else ""
            raise _damaged(file, f"unknown field {prefix}{name[:80]}{hint}")
        if not checks[name](value):
            raise _damaged(file, f"{prefix}{name} is {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9 and math.isfinite(value)


def _is_list(item: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(item, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "architecture": lambda value: isinstance(value, dict),
    "num_classes": _is_count,
    "in_chans": lambda value: _is_count(value) and value > 0,
    "images": lambda value: isinstance(value, dict),
    "classes": _is_list(_is_text),
    _CHECKSUM: _is_text,
}
_IMAGES: dict[str, Callable[[Any], bool]] = {
    "mean": _is_list(_is_number),
    "std": _is_list(lambda value: _is_number(value) and value > 0),
    "input_size": lambda value: _is_list(lambda n: _is_count(n) and 0 < n <= MAX_SIZE)(value) and len(value) == 3,
    "crop_pct": lambda value: _is_number(value) and 0 < value <= MAX_CROP_PCT,
    "crop_mode": lambda value: value in _CROP_MODES,
    "interpolation": lambda value: value in INTERPOLATIONS,
}
