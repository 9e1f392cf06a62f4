"""What one step of the road changes, drawn before and after it: the block, or, where no block changes, the whole network.

Paper: Liu et al. 2022, "A ConvNet for the 2020s", arXiv 2201.03545.
"""

from __future__ import annotations

from html import escape

from ...design.architecture import Architecture
from ...errors import unknown
from .block_drawing import SHORT, WIDTH, draw_block
from .branches import Layer, Unit, unit
from .chapters import CHAPTERS
from .compared import NOTE, describe, widest_of
from .diagram import network_svg
from .notebook_drawing import Drawing
from .state import RUNGS, Design
from .svg import svg

_NETWORK_NOTE = (
    "Each stage is drawn as its output for an image of 224 px: the face is the map, the thickness the number of channels. "
    "The bars show the share of the MACs."
)
_TILES = {  # of the network that show a change of a field
    "depths": ((1, 2, 3, 4), ""),
    "stem": ((0,), ""),
    "downsampling": ((0, 2, 5), " Stages 3 and 4 change as stage 2 does."),
}


def before_and_after(name: str) -> Drawing:
    """Return a drawing of what a step of the ResNet-50 ladder changes, as an output of a notebook cell.

    Args:
        name: the rung that the step leads to, as in `ab.roadmap()`, such as "depthwise".

    Raises:
        AblationError: if no step with that name changes the architecture.

    >>> before_and_after("gelu")
    Before: 7x7 dw from 96 to 96 channels, BN, ReLU, 1x1 from 96 to 384 channels, BN, ReLU, ... ReLU.
    After GELU: 7x7 dw from 96 to 96 channels, BN, GELU, 1x1 from 96 to 384 channels, BN, GELU, ... GELU.
    """
    steps = {rung.name: rung for rung in RUNGS if rung.previous in {other.name for other in RUNGS}}
    if name not in steps:
        raise unknown("step of the ladder", name, list(steps))
    rung = steps[name]
    chapter = CHAPTERS[RUNGS.index(rung)]
    before, after = next(one for one in RUNGS if one.name == rung.previous).architecture, rung.architecture
    draw = _networks if unit(before) == unit(after) else _blocks
    drawn, description, note = draw(before, after, f"After {chapter.short}")
    caption = f" (section {chapter.section} of the paper): {_lower(chapter.what)} Frames mark what changes. {note}"
    caption = f'<figcaption class="ax-note"><b>{escape(chapter.title)}</b>{escape(caption)}</figcaption>'
    return Drawing(f"<figure>{drawn}{caption}</figure>", description)


def changed_places(before: Unit, after: Unit) -> frozenset[int]:
    """Return where two blocks differ: indices of their slots, and the number of slots for the place after the addition.

    Norms and activations are as wide as the map they work on, so a change of width alone does not count as a change of them.

    >>> base = Architecture()
    >>> sorted(changed_places(unit(base), unit(base.replace(depthwise=True))))
    [3]
    """

    def kind(layer: Layer | None) -> object:
        return layer if layer is None or layer.kind == "conv" else (layer.kind, layer.name)

    pairs = zip([*before.slots, before.after], [*after.slots, after.after], strict=True)
    return frozenset(i for i, (old, new) in enumerate(pairs) if kind(old) != kind(new))


def _blocks(before: Architecture, after: Architecture, title: str) -> tuple[str, str, str]:
    """Return a drawing of both blocks, a description and a note."""
    pair = {"Before": unit(before), title: unit(after)}
    widest = max(widest_of((one,)) for one in pair.values())
    changed = changed_places(*pair.values())
    shapes = [
        svg(draw_block(name, (one,), widest, changed), WIDTH, SHORT, describe(name, (one,)), 1.15)
        for name, one in pair.items()
    ]
    words = "\n".join(describe(name, (one,)) for name, one in pair.items())
    return f'<div class="ax-blocks">{"".join(shapes)}</div>', words, NOTE


def _networks(before: Architecture, after: Architecture, title: str) -> tuple[str, str, str]:
    """Return a drawing of the parts of both networks that differ, a description and a note."""
    ((field, (old, new)),) = before.diff(after).items()
    tiles, more = _TILES[field]
    pair = {"Before": (before, after), title: (after, before)}
    drawn = "".join(
        f"<div><h3>{escape(name)}</h3>{network_svg(Design(one), other, tiles)}</div>"
        for name, (one, other) in pair.items()
    )
    drawn = f'<div class="ax-pair" style="--ax-tiles:{len(tiles)}">{drawn}</div>'
    return drawn, f"The network before and after the step: {field} {old} before and {new} after.", _NETWORK_NOTE + more


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
