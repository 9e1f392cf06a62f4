"""The whole road as an output of a notebook cell: a row per change, from ResNet-50 of 2015 to ConvNeXt-T, with its accuracy.

Rows, and not the columns of `road`: all names can be read in a notebook's narrow column and on a phone.

Paper: Liu et al. 2022, "A ConvNet for the 2020s", arXiv 2201.03545, Table 10.
"""

from __future__ import annotations

from html import escape

from ...design.published import SWIN
from ...design.roadmap import Rung
from .chapters import CHAPTERS
from .notebook_drawing import Drawing
from .state import ORIGINAL, RUNGS
from .svg import colour

_LOW, _HIGH, _TICKS = 75.5, 82.5, (76, 78, 80, 82)  # percent at the left and at the right, and labelled lines
_SWIN = SWIN["swin_tiny_patch4_window7_224"].accuracy
_NOTEBOOKS = {  # of the course, by rung
    "enhanced_recipe": "07",
    **dict.fromkeys(("stage_ratio", "patchify_stem"), "02"),
    **dict.fromkeys(("depthwise", "widen", "inverted_bottleneck", "move_up_depthwise"), "03"),
    **dict.fromkeys((f"kernel_size_{k}" for k in (5, 7, 9, 11)), "04"),
    **dict.fromkeys(("gelu", "fewer_activations", "fewer_norms", "layer_norm"), "05"),
    "strided_downsampling": "06",
}
_STYLE = """<style>
.ax-ladder { --ax-name: 216px; position: relative; }
.ax .ax-ladder ol { list-style: none; margin: 0; padding: 0; position: relative; }
.ax .ax-ladder :is(li, .ax-head) { display: grid; grid-template-columns: var(--ax-name) minmax(0, 1fr) 48px 36px; margin: 0;
  padding: 0; height: 26px; line-height: 26px; align-items: center; }
.ax .ax-ladder .ax-head { color: var(--ax-soft); font-size: 13px; height: auto; line-height: 1.3; padding-bottom: 4px; }
.ax .ax-ladder :is(li, .ax-head) > span:nth-child(n + 3) { text-align: right; font-variant-numeric: tabular-nums; }
.ax .ax-ladder li > span:last-child, .ax .ax-ladder .ax-side { color: var(--ax-soft); }
.ax .ax-ladder .ax-first > :first-child { font-weight: 700; white-space: nowrap; }
.ax .ax-ladder .ax-track { position: relative; height: 26px; }
.ax .ax-ladder .ax-track i { position: absolute; left: var(--ax-rise); top: 7px; width: 12px; height: 12px; margin-left: -6px;
  border-radius: 50%; background: var(--ax-blue); box-sizing: border-box; }
.ax .ax-ladder .ax-side i { background: var(--ax-paper); border: 2px solid var(--ax-grey); }
.ax .ax-ladder .ax-lines { position: absolute; top: 0; height: 100%; left: var(--ax-name);
  width: calc(100% - var(--ax-name) - 84px); }
.ax .ax-ladder .ax-axis { position: relative; height: 40px; margin: 2px 84px 0 var(--ax-name); font-size: 12px; line-height: 18px;
  color: var(--ax-soft); }
.ax .ax-ladder .ax-axis span { position: absolute; left: var(--ax-rise); transform: translateX(-50%); white-space: nowrap; }
.ax .ax-ladder .ax-axis .ax-swin-name { top: 19px; color: var(--ax-green); font-weight: 700; }
@container (max-width: 560px) { .ax-ladder { --ax-name: 158px; } .ax .ax-ladder :is(li, .ax-axis) { font-size: 13px; }
  .ax .ax-ladder .ax-first > :first-child { font-weight: 400; } }
</style>"""


def course_road() -> Drawing:
    """Return a drawing of the road: each change of the ResNet-50 ladder, the paper's accuracy, and the notebook that treats it.

    >>> print(course_road())
    The road from ResNet-50, trained as in 2015, to ConvNeXt-T; top-1 accuracy on ImageNet in percent (Table 10):
    76.13 ResNet-50 of 2015
    78.82 modern recipe
    79.36 stage ratio
    ...
    81.97 separate downsampling
    """
    rows = [(rung, _name(rung), _accuracy(rung)) for rung in (ORIGINAL, *RUNGS)]
    items = "".join(_row(rung, name, percent) for rung, name, percent in rows)
    head = '<div class="ax-head"><span>change</span><span>top-1 accuracy, %</span><span></span><span>see</span></div>'
    axis = "".join(f'<span style="--ax-rise:{_across(tick):.1f}%">{tick}</span>' for tick in _TICKS)
    swin = f'<span class="ax-swin-name" style="--ax-rise:{_across(_SWIN):.1f}%">Swin-T, {_SWIN:.2f} %</span>'
    caption = (
        "Top-1 accuracy on ImageNet-1K in the paper's Table 10 after each change, from top to bottom. The blue line follows the "
        "changes that were kept; kernels of 5, 9 and 11 were tried and not kept. Right: the notebook of each change."
    )
    markup = (
        f'{_STYLE}<figure class="ax-ladder">{head}<ol>{_lines(rows)}{items}</ol>'
        f'<div class="ax-axis" aria-hidden="true">{axis}{swin}</div><figcaption class="ax-note">{escape(caption)}</figcaption>'
        "</figure>"
    )
    title = (
        "The road from ResNet-50, trained as in 2015, to ConvNeXt-T; top-1 accuracy on ImageNet in percent (Table 10):"
    )
    lines = [f"{percent:.2f} {name}{'' if rung.adopted else ', not kept'}" for rung, name, percent in rows]
    return Drawing(markup, "\n".join([title, *lines]))


def _name(rung: Rung) -> str:
    """Return the name of a change; the second row changes the recipe and not the network."""
    special = {"original_recipe": "ResNet-50 of 2015", "enhanced_recipe": "modern recipe"}
    return special.get(rung.name) or CHAPTERS[RUNGS.index(rung)].short


def _accuracy(rung: Rung) -> float:
    assert rung.published is not None
    return rung.published.accuracy


def _across(percent: float) -> float:
    """Return the place of an accuracy in percent of the width."""
    return 100 * (percent - _LOW) / (_HIGH - _LOW)


def _row(rung: Rung, name: str, percent: float) -> str:
    classes = " ".join(["ax-side"] * (not rung.adopted) + ["ax-first"] * (rung in (ORIGINAL, RUNGS[-1])))
    return (
        f'<li class="{classes}"><span>{escape(name)}</span>'
        f'<span class="ax-track" style="--ax-rise:{_across(percent):.1f}%"><i></i></span>'
        f"<span>{percent:.2f}</span><span>{_NOTEBOOKS.get(rung.name, '')}</span></li>"
    )


def _lines(rows: list[tuple[Rung, str, float]]) -> str:
    """Return the line through the changes that were kept, Swin-T's accuracy, and thin lines at the labelled percentages."""
    kept = [f"{_across(percent):.1f} {i + 0.5:g}" for i, (rung, _, percent) in enumerate(rows) if rung.adopted]

    def drawn(points: str, name: str, more: str) -> str:
        return f'<path d="{points}" fill="none" stroke="{colour(name)}" vector-effect="non-scaling-stroke" {more}/>'

    ticks = drawn("".join(f"M{_across(tick):.1f} 0V{len(rows)}" for tick in _TICKS), "grid", "")
    swin = drawn(f"M{_across(_SWIN):.1f} 0V{len(rows)}", "green", 'stroke-width="1.5" stroke-dasharray="6 4"')
    road = drawn("M" + "L".join(kept), "blue", 'stroke-width="2"')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 {len(rows)}" preserveAspectRatio="none" aria-hidden="true" '
        f'class="ax-lines">{ticks}{swin}{road}</svg>'
    )
