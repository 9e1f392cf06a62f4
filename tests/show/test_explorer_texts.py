"""What the explorer draws and says: well-formed for any design, equal to `ab.cost`, and complete for every rung."""

import csv
import shlex
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

import ablation as ab
from ablation.design.steps import parse
from ablation.show.explorer import (
    Design,
    cards,
    changes,
    compared,
    copy,
    diagram,
    field,
    measured,
    pareto,
    road,
    story,
    switches,
)
from ablation.show.explorer.amounts import MINUS, points, signed
from ablation.show.explorer.chapters import CHAPTERS
from ablation.show.explorer.panels import table_html
from ablation.show.explorer.state import RUNGS, SWITCHES
from tests.show.designs import DESIGNS, LAST_RUNG, random_designs

RANDOM = random_designs(200)
FIGURES = Path(__file__).parents[2] / "figures"
DRAWINGS = {
    "road": road.road_html,
    "cards": cards.cards_html,
    "story": story.story_html,
    "network": diagram.network_svg,
    "block": diagram.block_svg,
    "compared": compared.compared_svg,
    "field": field.field_svg,
    "pareto": pareto.pareto_svg,
    "table": table_html,
    "copy": copy.copy_html,
}


def parsed(markup):
    return ElementTree.fromstring(f"<div>{markup}</div>".replace("&#160;", " "))


def words(markup):
    return "".join(parsed(markup).itertext())


def elements(markup, name):
    return [one for one in parsed(markup).iter() if name in (one.get("class") or "").split()]


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_drawing_is_well_formed_and_says_no_broken_number(name):
    for design in [*RANDOM, *DESIGNS.values()]:
        text = DRAWINGS[name](design)
        parsed(text)
        assert not any(broken in text for broken in ("nan", "inf<", "None")), design


@pytest.mark.parametrize("name", ["network", "compared", "block", "field", "pareto"])
def test_every_picture_has_a_description_and_no_id_that_could_stand_twice(name):
    for design in DESIGNS.values():
        root = parsed(DRAWINGS[name](design))
        labels = [one.get("aria-label") for one in root.iter() if one.get("role") == "img"]
        assert labels and all(len(label) > 40 for label in labels)
        assert not any(one.get("id") for one in root.iter())


def test_a_drawing_has_one_size_on_the_road_so_that_nothing_moves():
    for draw in (diagram.network_svg, compared.compared_svg, field.field_svg):
        sizes = {tuple(one.get("viewBox") for one in elements(draw(Design(r.architecture)), "ax-svg")) for r in RUNGS}
        assert len(sizes) == 1
    photographs = {
        (use.get("x"), use.get("width"))
        for rung in RUNGS
        for use in parsed(field.field_svg(Design(rung.architecture))).iter()
        if use.tag.endswith("use")
    }
    assert len(photographs) == 1, "the photograph stays while the field grows"


def test_the_numbers_of_the_cards_are_those_of_the_cost():
    for design in RANDOM:
        new = ab.cost(design.architecture, design.size)
        shown = [one.text for one in elements(cards.cards_html(design), "ax-exact")]
        assert shown[:2] == [f"{new.params:,}", f"{new.macs:,}"]


def test_a_card_tells_the_change_just_made():
    before = Design()
    text = cards.cards_html(before.flip(SWITCHES[2]), before)
    assert [one.text for one in elements(text, "ax-change")] == [
        f"25.56 → 14.27 M ({MINUS}44 %)",
        f"4.09 → 2.25 G ({MINUS}45 %)",
        "unchanged",
        "before: 78.82 %",
    ]
    assert [one.get("data-part") for one in elements(text, "ax-changed")] == [
        "card-params",
        "card-macs",
        "card-published",
    ]
    assert {one.text for one in elements(cards.cards_html(before), "ax-change")} == {" "}, "the line is kept free"
    after = cards.cards_html(Design(RUNGS[1].architecture), before)
    assert elements(after, "ax-change")[3].text == "78.82 → 79.36 % (+0.54)"


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.step.name)
def test_the_effect_of_a_switch_is_the_difference_to_its_neighbour(switch):
    for design in [*DESIGNS.values(), *RANDOM[:40]]:
        effect = switches.effect_text(design, switch)
        try:
            other = design.flip(switch)
        except ab.AblationError:
            assert effect == "not possible at this image size"
            continue
        on, off = (design, other) if switch.is_on(design.architecture) else (other, design)
        macs, params = on.cost.macs - off.cost.macs, on.cost.params - off.cost.params
        assert (f"{signed(macs)} MACs" in effect) == (macs != 0)
        assert (f"{signed(params, 'params')} params" in effect) == (params != 0)
        if other.flip(switch) == design:
            assert effect == switches.effect_text(other, switch), "flipping a switch does not change its effect"


@pytest.mark.parametrize("index", range(len(RUNGS)), ids=lambda index: RUNGS[index].name)
def test_every_stop_tells_its_story(index):
    rung, chapter, design = RUNGS[index], CHAPTERS[index], Design(RUNGS[index].architecture)
    text = words(story.story_html(design))
    assert chapter.section == (rung.step.section or "2.1") and f"section {chapter.section}" in text
    assert chapter.why.count(". ") == 1 and chapter.why.endswith("."), "two sentences"
    previous = next(one for one in ab.roadmap() if one.name == rung.previous)
    gained = rung.published.accuracy - previous.published.accuracy
    assert f"{points(gained)} points, {previous.published.accuracy:.2f} → {rung.published.accuracy:.2f} %" in text
    assert f"Stop {index + 1} of 16" in text and chapter.what in text
    row = measured.measured()[rung.name]
    assert f"{points(row.difference)} ± {row.half:.2f} points, to {row.accuracy:.2f} %" in text
    assert ("undecided" in text) == (row.verdict == "undecided")
    assert ("You have built ConvNeXt-T" in text) == (index == len(RUNGS) - 1)


def test_what_we_measured_is_what_the_figure_holds():
    with (FIGURES / "roadmap-cifar10-10k.csv").open(newline="") as file:
        table = file.read()
    assert measured.FILE.read_text() == measured.select(table), "python -m ablation.show.explorer.measured figures/..."
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["rung"] for row in rows] == list(measured.measured()) and len(rows) == 17


def test_the_arrival_is_computed():
    first, last = (ab.cost(RUNGS[i].architecture) for i in (0, -1))
    assert f"81.97 %, +3.15 points for {signed(last.macs - first.macs)} MACs" in words(story.arrival_html())
    assert "+0.37 G" in story.arrival_html() and "without layer scale" in story.arrival_html()


def test_off_the_road_the_nearest_rung_and_the_differences_are_told():
    text = words(story.story_html(Design(LAST_RUNG.replace(width=97, layer_scale=0.5))))
    assert "Off the road" in text and "stop 16, separate downsampling" in text
    assert "width9697" in text and "layer scalenone0.5" in text
    assert "as published" in story.story_html(Design(ab.convnext("tiny")))
    assert "ResNet-200" in story.story_html(Design(ab.RESNET200))


def test_the_questions_have_answers_computed_from_the_counts():
    text = words(story.questions_html())
    costs = {step: ab.cost(ab.RESNET50.apply(parse(step))).macs for step in ("depthwise", "inverted_bottleneck")}
    start = ab.cost(ab.RESNET50).macs
    assert f"Depthwise conv saves the most ({signed(costs['depthwise'] - start)})" in text
    assert f"costs the most ({signed(costs['inverted_bottleneck'] - start)})" in text
    assert "996, 1,492, 1,988, 2,484 px" in text and "80.35, 80.57, 80.57, 80.47 %" in text
    assert len(elements(story.questions_html(), "ax-questions")) == 1 and text.count("Answer") == 3


def test_the_road_has_a_stop_for_each_rung_and_marks_where_one_is():
    for index, rung in enumerate(RUNGS):
        root = parsed(road.road_html(Design(rung.architecture)))
        stops = list(root.iter("button"))
        assert [stop.get("data-stop") for stop in stops] == [str(i) for i in range(16)]
        assert [i for i, stop in enumerate(stops) if stop.get("aria-current") == "step"] == [index]
    off = road.road_html(Design().flip(SWITCHES[2]))
    assert "aria-current" not in off and len(elements(off, "ax-near")) == 1 and "Off the road" in off
    side = [one.get("data-stop") for one in elements(off, "ax-side")]
    assert side == [str(i) for i, rung in enumerate(RUNGS) if not rung.adopted]
    assert "<button" not in road.road_html(Design(), buttons=False)


def test_the_next_step_leads_along_the_road_from_anywhere():
    visited, index = [0], 0
    while (index := road.next_stop(Design(RUNGS[index].architecture))) is not None:
        visited.append(index)
    assert visited == [i for i, rung in enumerate(RUNGS) if rung.adopted]
    for first, second in pairwise(visited):
        assert RUNGS[second].previous == RUNGS[first].name
    names = [rung.name for rung in RUNGS]
    for k in (5, 9, 11):
        assert road.next_stop(DESIGNS[f"kernel_size_{k}"]) == names.index("kernel_size_7")
    assert road.next_stop(Design().flip(SWITCHES[7])) == 1, "off the road, the stop after the nearest"


def test_the_python_text_makes_the_same_network():
    for design in [*RANDOM, *DESIGNS.values()]:
        found = {}
        exec(copy.python_text(design), found)
        assert found["architecture"] == design.architecture and found["cost"] == design.cost


def test_the_command_leads_to_the_same_network():
    names, python = 0, 0
    for design in [*RANDOM, *DESIGNS.values()]:
        line = shlex.split(copy.command_text(design))
        if line[0] == "python":
            python += 1
            printed = line[2].partition("print(")[2].removesuffix(")")
            assert eval(printed, {"ab": ab}) == design.cost
            continue
        names += 1
        given = line[2:]
        if "--size" in given:
            assert int(given.pop()) == design.size and given.pop() == "--size"
        else:
            assert design.size == 224
        assert line[:2] == ["ablation", "profile"] and ab.RESNET50.apply(*map(parse, given)) == design.architecture
    assert names > 50 and python > 50


def test_the_command_is_accepted(capsys):
    from tests.commands.running import ablation

    line = shlex.split(copy.command_text(Design(LAST_RUNG.replace(width=80), 192)))
    code, output, _ = ablation(*line[1:], capsys=capsys)
    assert code == 0 and f"{ab.cost(LAST_RUNG.replace(width=80), 192).params:,}" in output


def test_what_changed_is_marked_and_nothing_else():
    before, after = Design(RUNGS[1].architecture), Design(RUNGS[2].architecture)
    marked = changes.mark(diagram.network_svg(after), diagram.network_svg(before))
    names = {one.get("data-part") for one in elements(marked, "ax-changed")}
    assert "stem" in names and "stage-1-map" not in names and "head" not in names
    assert marked.replace('class="ax-changed" ', "") == diagram.network_svg(after)
    assert changes.mark(marked, diagram.network_svg(after)).count("ax-changed") == marked.count("ax-changed")
    gelu = [compared.compared_svg(DESIGNS[name]) for name in ("gelu", "kernel_size_7")]
    assert elements(changes.mark(*gelu), "ax-changed"), "GELU in place of ReLU is seen"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 100_000}, "maps of 25,000 x 25,000"),
        ({"width": 100_003}, "a width of 100,003 is beyond any network"),
        ({"kernel_size": 257}, "up to 255"),
        ({"depths": (3, 501, 3, 3)}, "501 blocks in a stage"),
    ],
)
def test_numbers_that_no_drawing_shows_are_refused_with_the_reason(fields, message):
    with pytest.raises(ab.AblationError, match=message):
        Design().change(**fields)
