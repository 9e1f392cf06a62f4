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
from ablation.show.explorer import Design, Explorer, demand, diagram, field, panels, pareto, svg
from ablation.show.explorer.state import PUBLISHED_SIZE, RUNGS, SWITCHES
from ablation.show.explorer.twin import describe, plot_design
from tests.show.looks import check_layout

LAST_RUNG = RUNGS[-1].architecture
TINY = ab.Architecture(depths=(1, 1, 1, 1), width=8, stem_stride=2)
DESIGNS = {
    "resnet200": Design(ab.RESNET200),
    "published ConvNeXt-T": Design(ab.convnext("tiny")),
    "pooled, 32 px": Design(ab.RESNET50.replace(downsampling="pool", stem_stride=1), 32),
    "tiny": Design(TINY, 64),
    "huge": Design(ab.Architecture(kernel_size=51, width=4096, depths=(99, 1, 200, 3)), 4096),
    "cheap": Design(ab.RESNET50.replace(width=16), 64),
} | {rung.name: Design(rung.architecture) for rung in RUNGS}


def render(design):
    """Render all views that depend on the design."""
    return {
        "numbers": panels.numbers_html(design),
        "rung": panels.rung_html(design),
        "table": panels.table_html(design),
        "network": diagram.network_svg(design),
        "block": diagram.block_svg(design),
        "field": field.field_svg(design),
        "pareto": pareto.pareto_svg(design),
    }


def card_texts(design, name):
    card = ElementTree.fromstring(panels.numbers_html(design)).find(f".//dd[@class='ax-{name}']")
    return card.find("b").text, card.find("span").text


@pytest.mark.parametrize("name", DESIGNS)
def test_views_are_well_formed_and_have_a_text_description(name):
    for part, text in render(DESIGNS[name]).items():
        root = ElementTree.fromstring(text)
        if root.tag.endswith("svg"):
            assert root.get("role") == "img" and len(root.get("aria-label")) > 40, part


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.step.name)
@pytest.mark.parametrize("name", DESIGNS)
def test_each_switch_gives_the_exact_cost(name, switch):
    before = DESIGNS[name]
    after = before.flip(switch)
    new = ab.cost(after.architecture, before.size)
    assert card_texts(after, "params")[1] == f"{new.params:,}" and card_texts(after, "macs")[1] == f"{new.macs:,}"
    assert card_texts(after, "field")[0] == f"{new.receptive_field:,} px"
    assert switch.is_on(after.architecture) != switch.is_on(before.architecture)
    neighbour = before.neighbours[SWITCHES.index(switch)]
    old = ab.cost(before.architecture, before.size)
    assert neighbour.design == after and neighbour.turns_on == switch.is_on(after.architecture)
    assert (neighbour.params, neighbour.macs) == (new.params - old.params, new.macs - old.macs)


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
    assert value == "81.97 ± 0.06 %" and "as published" in source and "Table 10" in source
    assert "76.13 % with the original recipe" in card_texts(Design(), "published")[1]
    assert "Table 11" in card_texts(Design(ab.RESNET200), "published")[1]
    assert card_texts(Design(LAST_RUNG.replace(width=97)), "published")[0] == "none"
    assert "the rung <b>BN to LN</b>" in panels.rung_html(Design(RUNGS[-2].architecture))
    text = panels.rung_html(Design(LAST_RUNG.replace(width=97)))
    assert "no rung" in text and "<b>separate downsampling</b>: width 96 there, 97 here" in text


def test_the_receptive_field_is_compared_with_the_image_size():
    assert "larger than the image of 224 px: 7.5 times" in field.field_text(Design(LAST_RUNG))
    assert "inside the image of 448 px" in field.field_text(Design(size=448))
    assert card_texts(Design(LAST_RUNG), "field")[1] != card_texts(Design(LAST_RUNG, 4096), "field")[1]


def test_a_layer_that_sees_the_whole_image(clean_registries):
    ab.register_activation("everywhere", lambda channels: nn.Identity(), depends_on="image")
    design = Design(ab.RESNET50.replace(activation="everywhere"))
    assert card_texts(design, "field")[0] == "whole image"
    for text in render(design).values():
        ElementTree.fromstring(text)
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
        for x in diagram.branch(a)
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
    return explorer._numbers.value


def test_checkboxes_fields_and_rung_buttons_change_the_design(explorer):
    explorer._checks[SWITCHES[1]].value = True
    assert explorer.architecture == ab.RESNET50.replace(stem="patchify")
    assert numbers(explorer) == panels.numbers_html(Design(explorer.architecture))
    explorer._entries["depth 2"].value = 9
    explorer._entries["kernel_size"].value = 9
    explorer._entries["size"].value = 128
    explorer._entries["stem_stride"].value = 2
    assert explorer.architecture == ab.Architecture((3, 4, 9, 3), stem="patchify", kernel_size=9, stem_stride=2)
    assert explorer.size == 128
    explorer._rung_buttons[-1].click()
    assert explorer.architecture == LAST_RUNG and explorer.size == 128
    assert all(check.value for check in explorer._checks.values())
    assert explorer._entries["width"].value == 96
    here = [i for i, button in enumerate(explorer._rung_buttons) if "you are here" in button.description]
    assert here == [len(RUNGS) - 1]
    explorer._neighbour_buttons[0].click()
    assert explorer.architecture.depths == ab.RESNET50.depths and not explorer._checks[SWITCHES[0]].value
    explorer.architecture = ab.convnext("tiny")
    assert "layer scale None there, 1e-06 here" in explorer._rung.value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size", 0, "an image of 0 px is too small"),
        ("kernel_size", 4, "kernel_size 4 is even"),
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
    last = explorer._neighbour_buttons[-1]
    assert last.disabled and "not possible at this image size" in last.description
    explorer._checks[SWITCHES[-1]].value = True
    assert "smallest that works is 29 px" in explorer._problem.value and not explorer._checks[SWITCHES[-1]].value
    explorer._rung_buttons[-1].click()
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
