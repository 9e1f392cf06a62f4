"""The names of norms and activations that a description may use, and what one layer of each costs.

The description and its cost need a name and a number of parameters; only `ablation.network` needs the module itself.
So the registry lives here and holds a user's factory without ever calling it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError, unknown


@dataclass(frozen=True)
class Layer:
    """A norm or an activation by name.

    Args:
        params: channels -> learnt parameters of one layer.
        factory: channels -> module that takes and returns (N, C, H, W); None for the built-in ones, which
            `ablation.network.layers` makes.
        depends_on: "position" if an output depends on its own position alone, "image" if on every position: then the
            receptive field of a network that uses it is the whole image.
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
    """The norm of that name, or an error that offers the nearest one."""
    return _find("norm", name, NORMS)


def activation(name: str) -> Layer:
    """The activation of that name, or an error that offers the nearest one."""
    return _find("activation", name, ACTIVATIONS)


def register_norm(
    name: str,
    factory: Callable[[int], Any],
    params: Callable[[int], int] = _scale_and_shift,
    depends_on: str = "position",
) -> None:
    """Make a norm known to descriptions, cost and build alike.

    Args:
        name: what `Architecture(norm=...)` will call it.
        factory: channels -> module over (N, C, H, W).
        params: channels -> its learnt parameters; by default a scale and a shift per channel.
        depends_on: "position", or "image" if an output depends on all positions.

    Raises:
        AblationError: if the name is one of the built-in ones or not an identifier.
    """
    _register("norm", NORMS, name, Layer(params, factory, depends_on))


def register_activation(
    name: str, factory: Callable[[int], Any], params: Callable[[int], int] = _none, depends_on: str = "position"
) -> None:
    """Make an activation known to descriptions, cost and build alike.

    Args:
        name: what `Architecture(activation=...)` will call it.
        factory: channels -> module over (N, C, H, W).
        params: channels -> its learnt parameters; none by default.
        depends_on: "position", or "image" if an output depends on all positions.

    Raises:
        AblationError: if the name is one of the built-in ones or not an identifier.
    """
    _register("activation", ACTIVATIONS, name, Layer(params, factory, depends_on))


def _find(kind: str, name: str, table: dict[str, Layer]) -> Layer:
    if name not in table:
        raise unknown(kind, name, table)
    return table[name]


def _register(kind: str, table: dict[str, Layer], name: str, layer: Layer) -> None:
    if not (isinstance(name, str) and name.isidentifier()):
        raise AblationError(f"the name of {kind} {name!r} must be an identifier, such as 'gelu_grn'")
    if name in table and table[name].factory is None:
        raise AblationError(f"{kind} {name!r} is built in; choose another name")
    if layer.depends_on not in ("position", "image"):
        raise AblationError(f"{kind} {name!r} depends on {layer.depends_on!r}; possible: 'position', 'image'")
    table[name] = layer
