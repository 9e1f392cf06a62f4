"""Counts and their changes in few digits: "25.56 M", "4.09 → 2.25 G (−45 %)"."""

from __future__ import annotations

MINUS = "\N{MINUS SIGN}"
# The smallest count that is written in each unit. Parameters stay in M as in the paper's tables, MACs in G.
_MEGA, _GIGA = 95_000, {"MACs": 95_000_000, "params": 1_000_000_000}


def unit_of(number: int, kind: str = "MACs") -> tuple[float, str]:
    """Return the divisor and the letter of the unit of a count; kind is "MACs" or "params"."""
    if abs(number) >= _GIGA[kind]:
        return 1e9, "G"
    return (1e6, "M") if abs(number) >= _MEGA else (1.0, "")


def short(number: int, kind: str = "MACs", unit: tuple[float, str] | None = None) -> str:
    """Return a count with two decimals and its unit, or all digits of a small one.

    >>> short(25_557_032), short(6_400), short(366_350_000), short(366_350_000, "params")
    ('25.56 M', '6,400', '0.37 G', '366.35 M')
    """
    divisor, letter = unit or unit_of(number, kind)
    return f"{number / divisor:,.2f} {letter}" if letter else f"{number:,}"


def signed(number: int, kind: str = "MACs") -> str:
    """Return a difference with its sign.

    >>> signed(-12_899_520), signed(0), signed(6400)
    ('−12.90 M', '±0', '+6,400')
    """
    if number == 0:
        return "±0"
    return f"{'+' if number > 0 else MINUS}{short(abs(number), kind)}"


def percent(before: float, after: float) -> str:
    """Return a relative change in percent.

    >>> percent(4089, 2245), percent(10_000, 10_002), percent(1, 1), percent(100, 106.4)
    ('−45 %', '+0.02 %', '±0 %', '+6 %')
    """
    if before == after or not before:
        return "±0 %"
    share = 100 * abs(after / before - 1)
    digits = 0 if share >= 1 else 1 if share >= 0.1 else 2
    sign = "+" if after > before else MINUS
    return f"{sign}{share:,.{digits}f} %" if share >= 0.005 else f"{sign}<0.01 %"


def change(before: int, after: int, kind: str = "MACs", noun: str = "") -> str:
    """Return two counts in the unit of the larger, what is counted, and the relative change.

    >>> change(4_089_184_256, 2_245_000_000), change(6, 3, noun="MACs")
    ('4.09 → 2.25 G (−45 %)', '6 → 3 MACs (−50 %)')
    """
    unit = unit_of(max(before, after), kind)
    first = short(before, kind, unit).removesuffix(f" {unit[1]}")
    return f"{first} → {short(after, kind, unit)}{' ' * bool(noun)}{noun} ({percent(before, after)})"


def points(number: float) -> str:
    """Return a difference of percentages with its sign.

    >>> points(3.154), points(-1.2)
    ('+3.15', '−1.20')
    """
    return f"{'+' if round(number, 2) > 0 else MINUS if round(number, 2) < 0 else '±'}{abs(number):.2f}"
