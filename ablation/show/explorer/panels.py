"""The numbers and tables of a design as HTML."""

from __future__ import annotations

from html import escape

from .state import ORIGINAL, PUBLISHED_SIZE, RUNGS, Design, Neighbour, is_larger_than_image


def numbers_html(design: Design) -> str:
    """Return cards with parameters, multiply-accumulates, receptive field and published accuracy."""
    cost = design.cost
    field = cost.receptive_field
    seen = "whole image" if field is None else f"{field:,} px"
    comparison = "larger than the image" if is_larger_than_image(design) else "inside the image"
    cards = (
        ("params", "Parameters", f"{cost.params / 1e6:,.2f} M", f"{cost.params:,}"),
        ("macs", f"Multiply-accumulates at {design.size:,} px", f"{cost.macs / 1e9:,.2f} G", f"{cost.macs:,}"),
        ("field", "Receptive field of the last stage", seen, comparison),
        ("published", "Top-1 on ImageNet-1K, the paper's", *_published(design)),
    )
    body = "".join(
        f'<div class="ax-card"><dt>{escape(title)}</dt><dd class="ax-{name}"><b>{escape(large)}</b> '
        f'<span class="ax-exact">{escape(exact)}</span></dd></div>'
        for name, title, large, exact in cards
    )
    return f'<dl class="ax-numbers" role="status">{body}</dl>'


def _published(design: Design) -> tuple[str, str]:
    rung = design.rung
    if rung is None or rung.published is None:
        return "none", "not a rung, so the paper has no accuracy"
    spread = f" ± {rung.published.std:.2f}" if rung.published.std is not None else ""
    source = f"as published at {PUBLISHED_SIZE} px, Table {10 if rung in RUNGS else 11}"
    if rung.architecture == ORIGINAL.architecture and ORIGINAL.published is not None:
        source += f"; {ORIGINAL.published.accuracy:.2f} % with the original recipe"
    return f"{rung.published.accuracy:.2f}{spread} %", source


def rung_html(design: Design) -> str:
    """Return which rung the design is, or the nearest rung and how the design differs from it."""
    rung = design.rung
    if rung is not None:
        ladder = "ResNet-50" if rung in RUNGS else "ResNet-200"
        kept = "" if rung.adopted else " (a side branch, not kept)"
        title = escape(short_title(rung.title))
        return f'<p class="ax-place">This design is the rung <b>{title}</b>{kept} of the {ladder} ladder.</p>'
    near = design.nearest
    changes = near.architecture.diff(design.architecture)
    differences = "; ".join(
        f"{field.replace('_', ' ')} {theirs} there, {ours} here" for field, (theirs, ours) in changes.items()
    )
    title = escape(short_title(near.title))
    return f'<p class="ax-place">This design is no rung. The nearest is <b>{title}</b>: {escape(differences)}.</p>'


def short_title(title: str) -> str:
    """Return the title of a rung without the name of the recipe.

    >>> short_title("ResNet-50 (enhanced recipe)")
    'ResNet-50'
    """
    return title.removesuffix(" (enhanced recipe)")


def table_html(design: Design) -> str:
    """Return a table of the parts of the network, from the stem to the head."""
    names = {"stem": "stem", "head": "head"} | {f"stages.{i}": f"stage {i + 1}" for i in range(4)}
    rows = []
    for i, part in enumerate(design.cost.stages):
        blocks = f"{design.architecture.depths[i - 1]:,}" if 1 <= i <= 4 else ""
        seen = "all" if part.receptive_field is None else f"{part.receptive_field:,}"
        cells = (
            blocks,
            f"{part.channels:,}",
            f"{part.size} x {part.size}",
            f"{part.params:,}",
            f"{part.macs / 1e6:,.1f}",
            "" if part.name == "head" else seen,
        )
        rows.append(
            f'<tr><th scope="row">{names[part.name]}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        )
    heads = ("part", "blocks", "channels", "map", "parameters", "M MACs", "field px")
    return (
        '<table class="ax-table"><caption>By part</caption><thead><tr>'
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def neighbour_label(neighbour: Neighbour) -> str:
    """Return the label of a neighbour's button: the step, and the parameters and MACs that it adds or saves."""
    verb = "Take" if neighbour.turns_on else "Take back"
    title = neighbour.switch.step.title
    if neighbour.design is None:
        return f"{verb} {title}\nnot possible at this image size"
    rung = neighbour.design.rung
    known = ""
    if rung is not None and rung.published is not None:
        known = f"\na rung: {rung.published.accuracy:.2f} % in the paper"
    return f"{verb} {title}\n{_change(neighbour.params, 'params')}\n{_change(neighbour.macs, 'MACs')}{known}"


MINUS = "\N{MINUS SIGN}"


def _change(number: int, unit: str) -> str:
    """Return a difference with its sign, in the unit that needs the fewest digits.

    >>> _change(-12_899_520, "params"), _change(0, "MACs"), _change(6400, "params")
    ('−12.90 M params', '±0 MACs', '+6,400 params')
    """
    if number == 0:
        return f"±0 {unit}"
    size = abs(number)
    magnitude = f"{size / 1e9:,.2f} G" if size >= 1e9 else f"{size / 1e6:,.2f} M" if size >= 1e6 else f"{size:,}"
    return f"{'+' if number > 0 else MINUS}{magnitude} {unit}"


def rung_label(index: int, current: bool) -> str:
    """Return the label of the button that selects a rung of the ResNet-50 ladder."""
    rung = RUNGS[index]
    assert rung.published is not None
    side = "" if rung.adopted else ", not kept"
    mark = "▶ " if current else ""
    return f"{mark}{short_title(rung.title)}{side}\n{rung.published.accuracy:.2f} %" + (
        " · you are here" if current else ""
    )


def problem_html(message: str) -> str:
    """Return an error message as an alert for screen readers; an empty alert for an empty message."""
    if not message:
        return '<div role="alert"></div>'
    return f'<div role="alert" class="ax-problem"><b>That is not possible, so nothing was changed.</b> {escape(message)}</div>'
