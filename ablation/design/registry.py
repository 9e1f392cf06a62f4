"""Registry of the norms and activations that a description may name, with the parameters of one layer of each.

A description and its cost need only the name and the number of parameters; only `ablation.network` needs the module.
This package therefore stores a user's factory but never calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError, unknown


@dataclass(frozen=True)
class Layer:
    """Registered norm or activation.

    Args:
        params: channels -> learnt parameters of one layer.
        factory: channels -> module that takes and returns (N, C, H, W); None for built-in layers, which
            `ablation.network.layers` creates.
        depends_on: "position" if an output depends only on the input at the same position, "image" if it depends on all
            positions. In the latter case the receptive field of the network is the whole image.
    """

    params: Callable[[int], int]
    factory: Callable[[int], Any] | None = None
    depends_on: str = "position"


def _none(channels: int) -> int:
    return 0


def _scale_and_shift(channels: int) -> int:
    return 2 * channels


NORMS: dict[str, Layer] = {"batch": Layer(_scale_and_shift), "layer": Layer(_scale_and_shift)}
ACTIVATIONS: dict[str, Layer] = {"relu": Layer(_none), "gelu": Layer(_none), "silu": Layer(_none)}


def norm(name: str) -> Layer:
    """Return the norm of that name; the error for an unknown name suggests the closest match."""
    return _find("norm", name, NORMS)


def activation(name: str) -> Layer:
    """Return the activation of that name; the error for an unknown name suggests the closest match."""
    return _find("activation", name, ACTIVATIONS)


def register_norm(
    name: str,
    factory: Callable[[int], Any],
    params: Callable[[int], int] = _scale_and_shift,
    depends_on: str = "position",
) -> None:
    """Register a custom norm for use in descriptions, `cost` and `build`.

    Args:
        name: name to use in `Architecture(norm=...)`.
        factory: channels -> module that takes and returns (N, C, H, W).
        params: channels -> learnt parameters of the module; by default a scale and a shift per channel.
        depends_on: "position", or "image" if an output depends on all positions; see `Layer`.

    Raises:
        AblationError: if the name is built in or not an identifier.
    """
    _register("norm", NORMS, name, Layer(params, factory, depends_on))


def register_activation(
    name: str, factory: Callable[[int], Any], params: Callable[[int], int] = _none, depends_on: str = "position"
) -> None:
    """Register a custom activation for use in descriptions, `cost` and `build`.

    Args:
        name: name to use in `Architecture(activation=...)`.
        factory: channels -> module that takes and returns (N, C, H, W).
        params: channels -> learnt parameters of the module; none by default.
        depends_on: "position", or "image" if an output depends on all positions; see `Layer`.

    Raises:
        AblationError: if the name is built in or not an identifier.
    """
    _register("activation", ACTIVATIONS, name, Layer(params, factory, depends_on))


def _find(kind: str, name: str, table: dict[str, Layer]) -> Layer:
    if not isinstance(name, str) or name not in table:
        raise unknown(kind, name, table)
    return table[name]


def _register(kind: str, table: dict[str, Layer], name: str, layer: Layer) -> None:
    if not (isinstance(name, str) and name.isidentifier()):
        raise AblationError(f"{kind} name {name!r} must be an identifier, such as 'gelu_grn'")
    if name in table and table[name].factory is None:
        raise AblationError(f"{kind} {name!r} is built in; choose another name")
    if layer.depends_on not in ("position", "image"):
        raise AblationError(f"depends_on {layer.depends_on!r} of {kind} {name!r} must be 'position' or 'image'")
    table[name] = layer
