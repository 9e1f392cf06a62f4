"""The table of a design and the alert of an impossible one as HTML."""

from __future__ import annotations

from html import escape

from .state import Design


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


def problem_html(message: str) -> str:
    """Return an error message as an alert for screen readers; an empty alert for an empty message."""
    if not message:
        return '<div role="alert"></div>'
    return f'<div role="alert" class="ax-problem"><b>That is not possible, so nothing was changed.</b> {escape(message)}</div>'
