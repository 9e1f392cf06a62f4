"""Four cards with the numbers of a design, and what the change just made did to them."""

from __future__ import annotations

from html import escape

from .amounts import change, percent, points, short
from .state import PUBLISHED_SIZE, RUNGS, Design, is_larger_than_image

_SAME = "unchanged"
_CHANGED = " ax-changed"


def cards_html(design: Design, previous: Design | None = None) -> str:
    """Return cards with parameters, multiply-accumulates, receptive field and the paper's accuracy.

    Args:
        design: the design.
        previous: the design before the change just made; each card then tells the change.
    """
    cost = design.cost
    field = "whole image" if cost.receptive_field is None else f"{cost.receptive_field:,} px"
    compared = "larger than the image" if is_larger_than_image(design) else "inside the image"
    value, source = _published(design)
    changes = _changes(design, previous)
    cards = (
        ("params", "Parameters", "Params", short(cost.params, "params"), f"{cost.params:,}"),
        ("macs", f"Multiply-accumulates, {design.size:,} px", "MACs", short(cost.macs), f"{cost.macs:,}"),
        ("field", "Receptive field", "Field", field, compared),
        ("published", "ImageNet top-1, paper", "Top-1", value, source),
    )
    body = "".join(
        f'<div class="ax-card{_CHANGED * (changes[name] not in ("", _SAME))}" data-part="card-{name}">'
        f'<dt><span class="ax-long">{escape(title)}</span><span class="ax-brief" aria-hidden="true">{brief}</span></dt>'
        f'<dd class="ax-{name}"><b>{large}</b><span class="ax-change">{escape(changes[name]) or "&#160;"}</span>'
        f'<span class="ax-exact">{escape(exact)}</span></dd></div>'
        for name, title, brief, large, exact in cards
    )
    return f'<dl class="ax-numbers">{body}</dl>'


def _changes(design: Design, previous: Design | None) -> dict[str, str]:
    """Return the text of each card's change, "" without a previous design."""
    if previous is None or previous == design:
        return dict.fromkeys(("params", "macs", "field", "published"), "")
    old, new = previous.cost, design.cost
    found = {
        name: change(before, after, kind) if before != after else _SAME
        for name, kind, before, after in (
            ("params", "params", old.params, new.params),
            ("macs", "MACs", old.macs, new.macs),
        )
    }
    before_px, after_px = old.receptive_field, new.receptive_field
    if before_px == after_px:
        found["field"] = _SAME
    elif before_px is None or after_px is None:
        found["field"] = f"before: {'whole image' if before_px is None else f'{before_px:,} px'}"
    else:
        found["field"] = f"{before_px:,} → {after_px:,} px ({percent(before_px, after_px)})"
    first, second = (one.rung.published if one.rung else None for one in (previous, design))
    if first is not None and second is not None:
        difference = second.accuracy - first.accuracy
        found["published"] = f"{first.accuracy:.2f} → {second.accuracy:.2f} % ({points(difference)})"
    else:
        found["published"] = f"before: {first.accuracy:.2f} %" if first is not None else ""
    return found


def _published(design: Design) -> tuple[str, str]:
    rung = design.rung
    if rung is None or rung.published is None:
        return "unknown", "not a rung: nobody trained it"
    std = rung.published.std
    spread = "" if std is None else f'<span class="ax-spread"> ± {std:.2f}</span>'
    source = f"Table {10 if rung in RUNGS else 11}, {PUBLISHED_SIZE} px"
    return f"{rung.published.accuracy:.2f}{spread} %", source
