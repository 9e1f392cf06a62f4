"""The story beside the drawings: what a stop of the road changes, why, what it costs, and what it gave."""

from __future__ import annotations

from html import escape

from ...design.roadmap import Rung
from ...design.steps import layer_scale
from .amounts import change, points, short, signed
from .chapters import CHAPTERS, Chapter
from .measured import measured
from .road import accuracy, next_stop, stop_of
from .state import ORIGINAL, RUNGS, Design

_VERDICTS = {
    "agrees": "this agrees with the paper",
    "reverses": "this has the opposite sign to the paper's",
    "differs": "the paper has no clear difference here, and we do",
    "equivalent": "the difference is within one point",
    "undecided": "undecided: the interval is too wide for a verdict",
    "": "no verdict",
}


def story_html(design: Design) -> str:
    """Return the story of the stop at which a design stands; off the road, the nearest stop and what differs from it."""
    index = stop_of(design)
    if index is None:
        return _off_the_road(design)
    rung, chapter = RUNGS[index], CHAPTERS[index]
    facts = [("What it costs", _cost(rung)), ("What it gave on ImageNet", _gave(rung))]
    facts.append(("What we measured", _measured(rung)))
    kept = "" if rung.adopted else ", not kept"
    place = f"Stop {index + 1} of {len(RUNGS)}{kept} · section {chapter.section} of the paper"
    return (
        f'<section class="ax-story" aria-label="The story"><p class="ax-eyebrow">{place}</p><h2>{escape(chapter.title)}</h2>'
        f"<p>{escape(chapter.what)}</p><p>{escape(chapter.why)} {_section(chapter)}</p>"
        f'<dl class="ax-facts">{"".join(_fact(*fact) for fact in facts)}</dl>'
        f"{arrival_html() if index == len(RUNGS) - 1 else _next(design)}</section>"
    )


def arrival_html() -> str:
    """Return the sentence for who has reached ConvNeXt-T, computed from the paper's table and the counts."""
    first, last = Design(RUNGS[0].architecture).cost, Design(RUNGS[-1].architecture).cost
    gained = accuracy(len(RUNGS) - 1) - accuracy(0)
    return (
        f'<p class="ax-arrival"><b>You have built ConvNeXt-T: {accuracy(len(RUNGS) - 1):.2f} %, {points(gained)} points for '
        f"{signed(last.macs - first.macs)} MACs.</b> Counted from ResNet-50 under the same recipe, without layer scale; the "
        "paper's Table 10.</p>"
    )


def _next(design: Design) -> str:
    index = next_stop(design)
    assert index is not None
    word = "Next" if RUNGS[index].step.section else "Start"
    return f'<p class="ax-next">{word}: <b>{escape(CHAPTERS[index].title)}</b></p>'


def _section(chapter: Chapter) -> str:
    return f'<span class="ax-cite">(Liu et al. 2022, section {chapter.section})</span>'


def _fact(title: str, content: str) -> str:
    return f"<div><dt>{escape(title)}</dt><dd>{content}</dd></div>"


def _previous(rung: Rung) -> Rung:
    return next((one for one in RUNGS if one.name == rung.previous), ORIGINAL)


def _cost(rung: Rung) -> str:
    before, after = Design(_previous(rung).architecture).cost, Design(rung.architecture).cost
    if _previous(rung) is ORIGINAL:
        return f"Nothing but training time: {short(after.params, 'params')} parameters and {short(after.macs)} MACs, as before"
    if (before.params, before.macs) == (after.params, after.macs):
        return f"Nothing: {short(after.params, 'params')} parameters and {short(after.macs)} MACs, as before"
    rows = (("MACs", "MACs", before.macs, after.macs), ("params", "parameters", before.params, after.params))
    parts = [change(old, new, kind, name) if old != new else f"the same {name}" for kind, name, old, new in rows]
    old_px, new_px = before.receptive_field, after.receptive_field
    if old_px != new_px:
        parts.append(f"a receptive field of {new_px:,} px, before {old_px:,}")
    return escape("; ".join(parts))


def _gave(rung: Rung) -> str:
    before, after = _previous(rung).published, rung.published
    assert before is not None and after is not None
    difference = after.accuracy - before.accuracy
    text = f"<b>{points(difference)} points</b>, {before.accuracy:.2f} → {after.accuracy:.2f} % top-1 in the paper's Table 10"
    if after.std is not None:
        text += f" (± {after.std:.2f} over three seeds)"
    if after.note:
        counted = short(Design(rung.architecture).cost.macs)
        text += f'. <span class="ax-cite">The paper prints {after.gflops:.2f} G MACs for it; we count {counted}.</span>'
    return text


def _measured(rung: Rung) -> str:
    row = measured()[rung.name]
    assert row.difference is not None and row.half is not None
    return (
        f"<b>{points(row.difference)} ± {row.half:.2f} points</b>, to {row.accuracy:.2f} % ({row.n} seeds of a narrow version "
        f"on {escape(row.data)}): {_VERDICTS[row.verdict]}"
    )


def _off_the_road(design: Design) -> str:
    rung = design.rung
    if rung is not None:
        title, text = (
            f"A rung of the other ladder: {rung.title}",
            "It belongs to the road from ResNet-200 to ConvNeXt-B.",
        )
    elif design.architecture == layer_scale()(RUNGS[-1].architecture):
        title = "ConvNeXt-T as published"
        text = "The last rung and layer scale, a learnt factor per channel at the end of each block."
    else:
        title, text = (
            "Off the road",
            "Nobody has published an accuracy for this network: its counts are known all the same.",
        )
    near = design.nearest
    index = RUNGS.index(near)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(theirs)}</td><td>{escape(ours)}</td></tr>'
        for name, theirs, ours in differences(design)
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("what differs", "there", "here"))
    return (
        '<section class="ax-story" aria-label="The story"><p class="ax-eyebrow">Between the stops</p>'
        f"<h2>{escape(title)}</h2><p>{escape(text)}</p><p>The nearest rung is stop {index + 1}, "
        f"<b>{escape(CHAPTERS[index].short)}</b>, with {accuracy(index):.2f} % in the paper:</p>"
        f'<table class="ax-table ax-differences"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></section>'
    )


def differences(design: Design) -> tuple[tuple[str, str, str], ...]:
    """Return what differs from the nearest rung: name of the field, its value there, and its value here."""
    changes = design.nearest.architecture.diff(design.architecture)
    return tuple((name.replace("_", " "), _plain(theirs), _plain(ours)) for name, (theirs, ours) in changes.items())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else "none" if value is None else str(value)


def questions_html() -> str:
    """Return three questions to answer with the switches; the answers are computed and folded away."""
    items = "".join(
        f"<li><p>{question}</p><details><summary>Answer</summary><p>{answer}</p></details></li>"
        for question, answer in _questions()
    )
    return f'<section class="ax-questions"><h2>Three questions</h2><p>Guess first, then look.</p><ol>{items}</ol></section>'


def _questions() -> tuple[tuple[str, str], ...]:
    start, end = Design(), Design(RUNGS[-1].architecture)
    steps = sorted((one for one in start.neighbours if one.design), key=lambda one: one.macs)
    least, most = steps[0], steps[-1]
    inverted = next(one for one in start.neighbours if one.switch.step.name == "inverted_bottleneck")
    on_road = [Design(rung.architecture).cost.macs for rung in RUNGS if rung.name in ("widen", "inverted_bottleneck")]
    kernels = [rung for rung in RUNGS if rung.step.name.startswith("kernel_size")]
    fields = ", ".join(f"{Design(rung.architecture).cost.receptive_field:,}" for rung in kernels)
    tops = ", ".join(f"{accuracy(RUNGS.index(rung)):.2f}" for rung in kernels)
    free = [one.switch for one in end.neighbours if one.params == one.macs == 0]
    gains = []
    for switch in free:
        index = next(i for i, rung in enumerate(RUNGS) if rung.step == switch.step)
        gain = accuracy(index) - (_previous(RUNGS[index]).published or ORIGINAL.published).accuracy  # type: ignore[union-attr]
        gains.append(f"{CHAPTERS[index].title}, {points(gain)} points")
    return (
        (
            "From ResNet-50, which single step saves the most multiply-accumulates, and which costs the most? Why does the "
            "inverted bottleneck save some on the paper's road, but cost so much here?",
            f"{least.switch.step.title.capitalize()} saves the most ({signed(least.macs)}), "
            f"{most.switch.step.title} costs the most ({signed(most.macs)}). On the road, depthwise convolution came before "
            f"the inverted bottleneck, which then changes {signed(on_road[1] - on_road[0])}; here the kxk convolution in its "
            f"wide middle is full, so it adds {signed(inverted.macs)}.",
        ),
        (
            "Visit the kernel sizes 5, 7, 9 and 11. How does the receptive field of the last stage grow, and how does the "
            "paper's accuracy?",
            f"The field grows by the same amount each time: {fields} px. The accuracy does not: {tops} %.",
        ),
        (
            "At ConvNeXt-T, turn single steps off. Which of them change neither parameters nor multiply-accumulates, and "
            "what did they give the paper?",
            f"{'; '.join(gains)}. The count of multiply-accumulates does not see activations: they cost time and memory.",
        ),
    )
