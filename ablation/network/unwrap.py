"""The state dict inside a checkpoint of another program.

Training programs store more than the weights, under names of their own: timm, torchvision's references, the ConvNeXt authors
and Lightning each have theirs. Where averaged (EMA) and raw weights are present, timm takes the averaged ones; so does this
file. The names of the tensors lose what a wrapper put in front of them. Counters that are no weights are left out: thop's
`total_ops` and `total_params`, and the `n_averaged` of torch's AveragedModel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..errors import AblationError

_AVERAGED = ("state_dict_ema", "model_ema")  # timm's trainers, and the ConvNeXt authors' and torchvision's
_RAW = ("state_dict", "model", "model_state_dict", "net")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")  # DistributedDataParallel, torch.compile, Lightning
_COUNTERS = ("total_ops", "total_params", "n_averaged")
_MAX_DEPTH = 4


def unwrap(data: Any, origin: str, averaged: bool = True) -> tuple[dict[str, Tensor], str]:
    """Return the state dict inside a loaded checkpoint, and a note if it held both averaged and raw weights.

    Args:
        data: what was loaded.
        origin: source of the data, for messages.
        averaged: whether to take averaged weights where both kinds are present.

    Raises:
        AblationError: if there is no state dict inside.
    """
    note = ""
    for _ in range(_MAX_DEPTH):
        found = {key: data[key] for key in (*_AVERAGED, *_RAW) if _is_filled(data, key)}
        if not found:
            break
        kinds = [key for key in found if key in _AVERAGED], [key for key in found if key in _RAW]
        order = kinds[0] + kinds[1] if averaged else kinds[1] + kinds[0]
        if all(kinds):
            used, left = ("averaged (EMA)", "raw") if averaged else ("raw", "averaged (EMA)")
            other = (kinds[1] if averaged else kinds[0])[0]
            note = f"{origin} holds {used} weights under {order[0]!r}, which are used, and {left} ones under {other!r}"
        data = found[order[0]]
    return _cleaned(_checked(data, origin)), note


def _is_filled(data: Any, key: str) -> bool:
    return isinstance(data, Mapping) and isinstance(data.get(key), Mapping) and bool(data[key])


def _checked(data: Any, origin: str) -> dict[str, Tensor]:
    """Return the state dict if each entry is a name and a tensor with a value for each of its elements."""
    if not isinstance(data, Mapping) or not data:
        kind = "an empty one" if isinstance(data, Mapping) else type(data).__name__
        raise AblationError(f"{origin} contains no state dict: expected names and tensors, found {kind}")
    for name, value in data.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise AblationError(
                f"{origin} contains no state dict: expected names and tensors, found {str(name)[:80]!r} of type "
                f"{type(value).__name__} among {len(data)} entries"
            )
        is_plain = str(value.layout) == "torch.strided" and value.device.type == "cpu" and not value.is_quantized
        if not is_plain or value.untyped_storage().nbytes() < value.numel() * value.element_size():
            raise AblationError(
                f"the tensor {name} of {origin} has the shape {tuple(value.shape)}, but the file does not hold a value for "
                "each element (it is sparse, quantised, expanded or empty): save it as an ordinary tensor"
            )
    return dict(data)


def _cleaned(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict without counters, and without prefixes that all names share."""
    weights = {name: value for name, value in state.items() if name.rpartition(".")[2] not in _COUNTERS}
    while prefix := next((p for p in _PREFIXES if weights and all(name.startswith(p) for name in weights)), ""):
        weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights
