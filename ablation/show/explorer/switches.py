"""What each switch does in the network at hand, beside the switch."""

from __future__ import annotations

from ...errors import AblationError
from .amounts import MINUS, signed
from .state import Design, Switch


def effect_text(design: Design, switch: Switch) -> str:
    """Return what a step adds or saves in this network: with the step, less without it, whether or not it is on.

    >>> from .state import SWITCHES
    >>> effect_text(Design(), SWITCHES[2]), effect_text(Design(), SWITCHES[7])
    ('−1.84 G MACs, −11.28 M params', 'same size, MACs and field')
    """
    is_on = switch.is_on(design.architecture)
    try:
        other = design.flip(switch)
    except AblationError:
        return "not possible at this image size"
    without, with_step = (other.cost, design.cost) if is_on else (design.cost, other.cost)
    parts = []
    if with_step.macs != without.macs:
        parts.append(f"{signed(with_step.macs - without.macs)} MACs")
    if with_step.params != without.params:
        parts.append(f"{signed(with_step.params - without.params, 'params')} params")
    before, after = without.receptive_field, with_step.receptive_field
    if before is not None and after is not None and before != after:
        parts.append(f"{'+' if after > before else MINUS}{abs(after - before):,} px")
    return ", ".join(parts) or "same size, MACs and field"
