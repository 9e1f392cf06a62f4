"""The explorer without a browser: costs agree with `ab.cost`, output is well-formed, and errors give one message."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

import ablation as ab
from ablation.network.blocks import Block
from ablation.show import style
from ablation.show.explorer import Design, Explorer, cards, copy, demand, diagram, field, pareto, road, story, svg
from ablation.show.explorer.branches import branch
from ablation.show.explorer.state import PUBLISHED_SIZE, RUNGS, SWITCHES
from ablation.show.explorer.twin import describe, plot_design
from tests.show.designs import DESIGNS, LAST_RUNG, TINY
from tests.show.looks import check_layout


def card_texts(design, name):
    text = cards.cards_html(design).replace("&#160;", " ")
    card = ElementTree.fromstring(text).find(f".//dd[@class='ax-{name}']")
    return "".join(card.find("b").itertext()), card.find("span[@class='ax-exact']").text


def test_the_twelve_switches_follow_the_paper():
    assert [switch.step.name for switch in SWITCHES] == [
        *("kernel_size=7" if name == "kernel_size" else name for name in ab.steps.PAPER_STEPS)
    ]
    design = Design()
    for switch in SWITCHES:
        design = design.flip(switch)
        assert design.rung is not None
    assert design.architecture == LAST_RUNG
    for switch in SWITCHES:
        design = design.flip(switch)
    assert design.architecture == ab.RESNET50


def test_a_rung_is_identified_with_the_papers_accuracy_and_table():
    value, source = card_texts(Design(LAST_RUNG), "published")
    assert value == "81.97 ± 0.06 %" and source == "Table 10, 224 px"
    assert card_texts(Design(), "published")[0] == "78.82 ± 0.07 %", "of the modern recipe; the story has the other"
    assert "Table 11" in card_texts(Design(ab.RESNET200), "published")[1]
    assert card_texts(Design(LAST_RUNG.replace(width=97)), "published")[0] == "unknown"


def test_the_receptive_field_is_compared_with_the_image_size():
    assert "larger than the image of 224 px: 7.5 times" in field.field_text(Design(LAST_RUNG))
    assert "inside the image of 448 px" in field.field_text(Design(size=448))
    assert card_texts(Design(LAST_RUNG), "field")[1] != card_texts(Design(LAST_RUNG, 4096), "field")[1]


def test_a_layer_that_sees_the_whole_image(clean_registries):
    ab.register_activation("everywhere", lambda channels: nn.Identity(), depends_on="image")
    design = Design(ab.RESNET50.replace(activation="everywhere"))
    assert card_texts(design, "field")[0] == "whole image"
    for draw in (diagram.network_svg, field.field_svg, story.story_html, pareto.pareto_svg):
        ElementTree.fromstring(draw(design))
    check_layout(plot_design(design))


@pytest.mark.parametrize("name", [name for name in DESIGNS if name != "huge"])
def test_the_drawn_block_matches_the_built_block(name):
    a = DESIGNS[name].architecture
    with torch.device("meta"):
        block = Block(a, a.out_channels[0], a.width, a.out_channels[0])
    built = []
    for layer, module in block.branch.named_children():
        if isinstance(module, nn.Conv2d):
            built.append(("conv", module.out_channels, module.kernel_size[0]))
        else:
            built.append((layer.rstrip("123"), None, None))
    drawn = [
        (x.kind, x.channels, int(x.name.partition("x")[0])) if x.kind == "conv" else (x.kind, None, None)
        for x in branch(a)
    ]
    assert drawn == built
    assert ("after the addition" in diagram.block_svg(DESIGNS[name])) == (not isinstance(block.act, nn.Identity))


@pytest.mark.parametrize("name", ["resnet200", "published ConvNeXt-T", "tiny", "huge", "cheap", "strided_downsampling"])
def test_texts_of_the_static_figure_do_not_overlap(name):
    figure = plot_design(DESIGNS[name])
    check_layout(figure)
    assert len(figure.axes) == 3 and f"{DESIGNS[name].cost.macs / 1e9:.2f} G" in describe(DESIGNS[name])


def test_svg_colours_match_the_figures():
    for name in ("BLUE", "ORANGE", "GREEN", "RED", "GREY"):
        expected = "#" + "".join(f"{round(255 * part):02x}" for part in getattr(style, name))
        assert getattr(svg, name) == expected, name


def test_the_note_gives_the_image_size_of_the_paper_if_it_differs():
    assert f"{PUBLISHED_SIZE} px, as the paper measured" in pareto.pareto_note(Design(size=256))
    assert pareto.pareto_note(Design()) == ""
    assert "→" in pareto.pareto_svg(DESIGNS["huge"]), "an arrow if the design lies beyond the axis"


# The widget without a browser


@pytest.fixture
def explorer():
    return Explorer()


def numbers(explorer):
    return explorer._cards.value


def test_checkboxes_fields_and_stops_change_the_design(explorer):
    explorer._checks[SWITCHES[1]].value = True
    assert explorer.architecture == ab.RESNET50.replace(stem="patchify")
    assert numbers(explorer) == cards.cards_html(Design(explorer.architecture), Design())
    explorer._entries["depth 2"].value = 9
    explorer._entries["kernel_size"].value = 9
    explorer._entries["size"].value = 128
    explorer._entries["stem_stride"].value = 2
    assert explorer.architecture == ab.Architecture((3, 4, 9, 3), stem="patchify", kernel_size=9, stem_stride=2)
    assert explorer.size == 128 and "kernel_size=9" in explorer._copy.value
    explorer._stops[-1].click()
    assert explorer.architecture == LAST_RUNG and explorer.size == 128
    assert all(check.value for check in explorer._checks.values())
    assert explorer._entries["width"].value == 96
    here = [i for i, stop in enumerate(explorer._stops) if "you are here" in stop.description]
    assert here == [len(RUNGS) - 1]
    explorer.architecture = ab.convnext("tiny").replace(kernel_size=51)
    assert "Off the road" in explorer._story.value and explorer._entries["kernel_size"].value == 51
    assert all(k % 2 for k in explorer._entries["kernel_size"].options)


def test_next_leads_from_start_to_the_arrival(explorer):
    explorer._checks[SWITCHES[4]].value = True
    explorer._start.click()
    stops = [explorer.architecture]
    while explorer._next.description != "You have arrived":
        assert explorer._next.description.startswith("Take the next step: ")
        explorer._next.click()
        stops.append(explorer.architecture)
        assert explorer._story.value == story.story_html(Design(stops[-1]))
    assert stops == [rung.architecture for rung in RUNGS if rung.adopted]
    assert "You have built ConvNeXt-T" in explorer._story.value
    explorer._next.click()
    assert explorer.architecture == LAST_RUNG
    explorer._start.click()
    explorer._jump.click()
    assert explorer.architecture == LAST_RUNG
    assert explorer._road.value == road.road_html(Design(LAST_RUNG), buttons=False)


def test_the_changed_part_is_marked_and_a_copy_can_be_taken(explorer):
    explorer._checks[SWITCHES[1]].value = True
    assert '<g class="ax-changed" data-part="stem">' in explorer._network.value
    assert explorer._copy.value == copy.copy_html(Design(explorer.architecture))
    assert "ax-changed" not in Explorer()._network.value + Explorer()._cards.value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size", 0, "an image of 0 px is too small"),
        ("size", 100_000, "maps of 25,000 x 25,000"),
        ("width", 0, "width 0 must be a positive whole number"),
        ("depth 3", -1, "each of depths -1 must be a positive whole number"),
    ],
)
def test_an_impossible_value_gives_one_message_and_changes_nothing(explorer, name, value, message):
    before, old_value = numbers(explorer), explorer._entries[name].value
    explorer._entries[name].value = value
    alert = ElementTree.fromstring(explorer._problem.value)
    assert alert.get("role") == "alert" and message in "".join(alert.itertext())
    assert numbers(explorer) == before and explorer._entries[name].value == old_value
    assert explorer.architecture == ab.RESNET50
    explorer._checks[SWITCHES[0]].value = True
    assert "".join(ElementTree.fromstring(explorer._problem.value).itertext()) == ""


def test_a_step_or_rung_with_too_large_a_stride_gives_a_message():
    explorer = Explorer(ab.RESNET50, 20)
    assert explorer._effects[SWITCHES[-1]].value == "not possible at this image size"
    explorer._checks[SWITCHES[-1]].value = True
    assert "smallest that works is 29 px" in explorer._problem.value and not explorer._checks[SWITCHES[-1]].value
    explorer._stops[-1].click()
    assert "smallest that works is 32 px" in explorer._problem.value and explorer.architecture == ab.RESNET50
    with pytest.raises(ab.AblationError, match="too small"):
        Explorer(LAST_RUNG, 16)


def test_the_effective_field_and_the_forward_pass_run_on_demand():
    explorer = Explorer(TINY, 64)
    explorer._run_on_demand("forward")
    result = ElementTree.fromstring(explorer._results["forward"].value)
    assert result.find("b").text == "(1, 1000)" and f"{ab.cost(TINY).params:,} parameters" in "".join(result.itertext())
    state = torch.random.get_rng_state()
    explorer._run_on_demand("field")
    assert torch.equal(state, torch.random.get_rng_state()), "the global random state must not change"
    measured = ElementTree.fromstring(f"<div>{explorer._results['field'].value}</div>")
    assert "Random weights from seed 0, branches opened, 2 photographs of 160 px" in "".join(measured.itertext())
    explorer._checks[SWITCHES[0]].value = True
    assert all(result.value == "" for result in explorer._results.values()), "results of the old network are cleared"


def test_a_large_network_requires_a_confirmation(explorer, monkeypatch):
    ran = []
    monkeypatch.setattr(demand, "forward_html", lambda design: ran.append(design) or "<p>done</p>")
    explorer._run_on_demand("forward")
    assert len(ran) == 1, "ResNet-50 is not large"
    explorer._entries["width"].value = 512
    explorer._run_on_demand("forward")
    assert len(ran) == 1 and "Press again" in explorer._results["forward"].value
    explorer._run_on_demand("forward")
    assert len(ran) == 2
    explorer._run_on_demand("field")
    assert "Press again" in explorer._results["field"].value


@pytest.mark.parametrize("error", [RuntimeError("not enough memory\nat line 3"), MemoryError()])
def test_an_out_of_memory_error_gives_one_line(explorer, monkeypatch, error):
    def fail(design):
        raise error

    monkeypatch.setattr(demand, "forward_html", fail)
    explorer._run_on_demand("forward")
    alert = ElementTree.fromstring(explorer._results["forward"].value)
    assert "not enough memory" in "".join(alert.itertext()) and "line 3" not in "".join(alert.itertext())


def test_the_output_holds_the_widget_and_a_static_image(explorer, monkeypatch):
    data, metadata = explorer._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} <= set(data)
    assert len(metadata["image/png"]["alt"]) > 100 and data["text/plain"] == "Explorer(Architecture(), size=224)"
    monkeypatch.setenv("VOILA_REQUEST_URL", "http://127.0.0.1/")
    assert "image/png" not in explorer._repr_mimebundle_()[0]


def test_the_explorer_does_not_import_torch_or_matplotlib():
    program = (
        "import sys\nfrom ablation.show.explorer import Explorer\nimport ablation as ab\n"
        "Explorer().architecture = ab.convnext('tiny')\n"
        "found = {'torch', 'timm', 'matplotlib', 'seaborn', 'pandas'} & set(sys.modules)\nassert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
