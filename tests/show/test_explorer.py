"""The explorer without a browser: every switch costs what `ab.cost` says, pictures are well-formed, mistakes are one message."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

import ablation as ab
from ablation.network.blocks import Block
from ablation.show import style
from ablation.show.explorer import Design, Explorer, demand, diagram, field, panels, pareto, svg
from ablation.show.explorer.state import PUBLISHED_SIZE, RUNGS, SWITCHES
from ablation.show.explorer.twin import describe, plot_design
from tests.show.looks import check

LAST = RUNGS[-1].architecture
TINY = ab.Architecture(depths=(1, 1, 1, 1), width=8, stem_stride=2)
DESIGNS = {
    "resnet200": Design(ab.RESNET200),
    "published ConvNeXt-T": Design(ab.convnext("tiny")),
    "pooled, 32 px": Design(ab.RESNET50.replace(downsampling="pool", stem_stride=1), 32),
    "tiny": Design(TINY, 64),
    "huge": Design(ab.Architecture(kernel_size=51, width=4096, depths=(99, 1, 200, 3)), 4096),
    "cheap": Design(ab.RESNET50.replace(width=16), 64),
} | {rung.name: Design(rung.architecture) for rung in RUNGS}


def drawn(design):
    """Everything that a change of the design draws anew."""
    return {
        "numbers": panels.numbers_html(design),
        "place": panels.place_html(design),
        "table": panels.table_html(design),
        "network": diagram.network_svg(design),
        "block": diagram.block_svg(design),
        "field": field.field_svg(design),
        "pareto": pareto.pareto_svg(design),
    }


def number(design, name):
    card = ElementTree.fromstring(panels.numbers_html(design)).find(f".//dd[@class='ax-{name}']")
    return card.find("b").text, card.find("span").text


@pytest.mark.parametrize("name", DESIGNS)
def test_all_that_is_drawn_is_well_formed_and_said_in_words(name):
    for part, text in drawn(DESIGNS[name]).items():
        root = ElementTree.fromstring(text)
        if root.tag.endswith("svg"):
            assert root.get("role") == "img" and len(root.get("aria-label")) > 40, part


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.step.name)
@pytest.mark.parametrize("name", DESIGNS)
def test_each_switch_shows_exactly_what_cost_says(name, switch):
    before = DESIGNS[name]
    after = before.flip(switch)
    price = ab.cost(after.architecture, before.size)
    assert number(after, "params")[1] == f"{price.params:,}" and number(after, "macs")[1] == f"{price.macs:,}"
    assert number(after, "field")[0] == f"{price.receptive_field:,} px"
    assert switch.is_on(after.architecture) != switch.is_on(before.architecture)
    neighbour = before.neighbours[SWITCHES.index(switch)]
    was = ab.cost(before.architecture, before.size)
    assert neighbour.design == after and neighbour.taken == switch.is_on(after.architecture)
    assert (neighbour.params, neighbour.macs) == (price.params - was.params, price.macs - was.macs)


def test_the_twelve_switches_in_order_are_the_papers_road():
    assert [switch.step.name for switch in SWITCHES] == [
        *("kernel_size=7" if name == "kernel_size" else name for name in ab.steps.PAPER_STEPS)
    ]
    design = Design()
    for switch in SWITCHES:
        design = design.flip(switch)
        assert design.rung is not None
    assert design.architecture == LAST
    for switch in SWITCHES:
        design = design.flip(switch)
    assert design.architecture == ab.RESNET50


def test_a_rung_is_known_with_the_papers_accuracy_and_its_table():
    large, words = number(Design(LAST), "published")
    assert large == "81.97 ± 0.06 %" and "as published" in words and "Table 10" in words
    assert "76.13 % with the original recipe" in number(Design(), "published")[1]
    assert "Table 11" in number(Design(ab.RESNET200), "published")[1]
    assert number(Design(LAST.replace(width=97)), "published")[0] == "none"
    assert "the rung <b>BN to LN</b>" in panels.place_html(Design(RUNGS[-2].architecture))
    place = panels.place_html(Design(LAST.replace(width=97)))
    assert "no rung" in place and "<b>separate downsampling</b>: width 96 there, 97 here" in place


def test_the_receptive_field_is_said_to_be_larger_than_the_image_where_it_is():
    assert "larger than the image of 224 px: 7.5 times" in field.field_words(Design(LAST))
    assert "inside the image of 448 px" in field.field_words(Design(size=448))
    assert number(Design(LAST), "field")[1] != number(Design(LAST, 4096), "field")[1]


def test_a_layer_that_sees_the_whole_image(clean_registries):
    ab.register_activation("everywhere", lambda channels: nn.Identity(), depends_on="image")
    design = Design(ab.RESNET50.replace(activation="everywhere"))
    assert number(design, "field")[0] == "whole image"
    for text in drawn(design).values():
        ElementTree.fromstring(text)
    check(plot_design(design))


@pytest.mark.parametrize("name", [name for name in DESIGNS if name != "huge"])
def test_the_block_that_is_drawn_is_the_block_that_is_built(name):
    a = DESIGNS[name].architecture
    with torch.device("meta"):
        block = Block(a, a.out_channels[0], a.width, a.out_channels[0])
    built = []
    for layer, module in block.branch.named_children():
        if isinstance(module, nn.Conv2d):
            built.append(("conv", module.out_channels, module.kernel_size[0]))
        else:
            built.append((layer.rstrip("123"), None, None))
    said = [
        (x.kind, x.channels, int(x.name.partition("x")[0])) if x.kind == "conv" else (x.kind, None, None)
        for x in diagram.branch(a)
    ]
    assert said == built
    assert ("after the addition" in diagram.block_svg(DESIGNS[name])) == (not isinstance(block.act, nn.Identity))


@pytest.mark.parametrize("name", ["resnet200", "published ConvNeXt-T", "tiny", "huge", "cheap", "strided_downsampling"])
def test_the_still_picture_has_words_and_room_for_them(name):
    figure = plot_design(DESIGNS[name])
    check(figure)
    assert len(figure.axes) == 3 and f"{DESIGNS[name].cost.macs / 1e9:.2f} G" in describe(DESIGNS[name])


def test_the_colours_are_those_of_the_figures():
    for name in ("BLUE", "ORANGE", "GREEN", "RED", "GREY"):
        wanted = "#" + "".join(f"{round(255 * part):02x}" for part in getattr(style, name))
        assert getattr(svg, name) == wanted, name


def test_pareto_says_where_the_paper_measured():
    assert f"{PUBLISHED_SIZE} px, as the paper measured" in pareto.pareto_note(Design(size=256))
    assert pareto.pareto_note(Design()) == ""
    assert "→" in pareto.pareto_svg(DESIGNS["huge"]), "beyond the axis"


# The widget, without a page


@pytest.fixture
def explorer():
    return Explorer()


def shown(explorer):
    return explorer._numbers.value


def test_a_checkbox_a_field_and_a_rung_change_the_design(explorer):
    explorer._checks[SWITCHES[1]].value = True
    assert explorer.architecture == ab.RESNET50.replace(stem="patchify")
    assert shown(explorer) == panels.numbers_html(Design(explorer.architecture))
    explorer._entries["depth 2"].value = 9
    explorer._entries["kernel_size"].value = 9
    explorer._entries["size"].value = 128
    explorer._entries["stem_stride"].value = 2
    assert explorer.architecture == ab.Architecture((3, 4, 9, 3), stem="patchify", kernel_size=9, stem_stride=2)
    assert explorer.size == 128
    explorer._rungs[-1].click()
    assert explorer.architecture == LAST and explorer.size == 128
    assert all(check.value for check in explorer._checks.values())
    assert explorer._entries["width"].value == 96
    assert [i for i, button in enumerate(explorer._rungs) if "you are here" in button.description] == [len(RUNGS) - 1]
    explorer._neighbours[0].click()
    assert explorer.architecture.depths == ab.RESNET50.depths and not explorer._checks[SWITCHES[0]].value
    explorer.architecture = ab.convnext("tiny")
    assert "layer scale None there, 1e-06 here" in explorer._place.value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size", 0, "an image of 0 px is too small"),
        ("kernel_size", 4, "kernel_size 4 is even"),
        ("width", 0, "width 0 must be a positive whole number"),
        ("depth 3", -1, "each of depths -1 must be a positive whole number"),
    ],
)
def test_what_is_not_possible_is_one_message_and_changes_nothing(explorer, name, value, message):
    before, was = shown(explorer), explorer._entries[name].value
    explorer._entries[name].value = value
    alert = ElementTree.fromstring(explorer._problem.value)
    assert alert.get("role") == "alert" and message in "".join(alert.itertext())
    assert shown(explorer) == before and explorer._entries[name].value == was and explorer.architecture == ab.RESNET50
    explorer._checks[SWITCHES[0]].value = True
    assert "".join(ElementTree.fromstring(explorer._problem.value).itertext()) == ""


def test_a_step_or_rung_too_far_for_the_image_is_a_message_too():
    explorer = Explorer(ab.RESNET50, 20)
    last = explorer._neighbours[-1]
    assert last.disabled and "not possible at this image size" in last.description
    explorer._checks[SWITCHES[-1]].value = True
    assert "smallest that works is 29 px" in explorer._problem.value and not explorer._checks[SWITCHES[-1]].value
    explorer._rungs[-1].click()
    assert "smallest that works is 32 px" in explorer._problem.value and explorer.architecture == ab.RESNET50
    with pytest.raises(ab.AblationError, match="too small"):
        Explorer(LAST, 16)


def test_on_demand_the_network_is_built_looked_through_and_run():
    explorer = Explorer(TINY, 64)
    explorer._demand("forward")
    result = ElementTree.fromstring(explorer._results["forward"].value)
    assert result.find("b").text == "(1, 1000)" and f"{ab.cost(TINY).params:,} parameters" in "".join(result.itertext())
    state = torch.random.get_rng_state()
    explorer._demand("field")
    assert torch.equal(state, torch.random.get_rng_state()), "a seed set by the reader is left alone"
    seen = ElementTree.fromstring(f"<div>{explorer._results['field'].value}</div>")
    assert "Random weights from seed 0, branches opened, 2 photographs of 160 px" in "".join(seen.itertext())
    explorer._checks[SWITCHES[0]].value = True
    assert explorer._results["forward"].value == explorer._results["field"].value == "", "they were of another network"


def test_a_large_network_is_run_only_when_asked_twice(explorer, monkeypatch):
    ran = []
    monkeypatch.setattr(demand, "forward_html", lambda design: ran.append(design) or "<p>done</p>")
    explorer._demand("forward")
    assert len(ran) == 1, "ResNet-50 is not large"
    explorer._entries["width"].value = 512
    explorer._demand("forward")
    assert len(ran) == 1 and "Press again" in explorer._results["forward"].value
    explorer._demand("forward")
    assert len(ran) == 2
    explorer._demand("field")
    assert "Press again" in explorer._results["field"].value


@pytest.mark.parametrize("error", [RuntimeError("not enough memory\nat line 3"), MemoryError()])
def test_a_network_that_does_not_fit_is_one_line(explorer, monkeypatch, error):
    def fail(design):
        raise error

    monkeypatch.setattr(demand, "forward_html", fail)
    explorer._demand("forward")
    said = ElementTree.fromstring(explorer._results["forward"].value)
    assert "not enough memory" in "".join(said.itertext()) and "line 3" not in "".join(said.itertext())


def test_one_output_holds_the_widget_and_the_picture_of_a_page_without_a_kernel(explorer, monkeypatch):
    data, metadata = explorer._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} <= set(data)
    assert len(metadata["image/png"]["alt"]) > 100 and data["text/plain"] == "Explorer(Architecture(), size=224)"
    monkeypatch.setenv("VOILA_REQUEST_URL", "http://127.0.0.1/")
    assert "image/png" not in explorer._repr_mimebundle_()[0]


def test_it_starts_and_switches_without_torch_or_matplotlib():
    program = (
        "import sys\nfrom ablation.show.explorer import Explorer\nimport ablation as ab\n"
        "Explorer().architecture = ab.convnext('tiny')\n"
        "found = {'torch', 'timm', 'matplotlib', 'seaborn', 'pandas'} & set(sys.modules)\nassert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
