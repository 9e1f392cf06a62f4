"""Drawings for notebooks: each step frames exactly what it changes, and the road holds the paper's numbers."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import ablation as ab
from ablation.errors import AblationError
from ablation.show.explorer import notebook_drawing
from ablation.show.explorer.branches import unit
from ablation.show.explorer.compared import side_by_side
from ablation.show.explorer.course_road import course_road
from ablation.show.explorer.step_pictures import before_and_after, changed_places
from ablation.show.explorer.svg import LIGHT

FRAME = 'fill="var(--ax-warm'
RUNGS = {rung.name: rung for rung in ab.roadmap()}
# Slots of a block: 0, 3 and 6 are its convolutions, 1, 4 and 7 its norms, 2, 5 and 8 its activations.
BLOCKS = {
    "depthwise": {3},
    "widen": {0, 3, 6},
    "inverted_bottleneck": {0, 3, 6},
    "move_up_depthwise": {0, 3},
    "kernel_size_7": {0},
    "gelu": {2, 5, 8},
    "fewer_activations": {2, 8},
    "fewer_norms": {4, 7},
    "layer_norm": {1},
}
NETWORKS = {"stage_ratio": (4, 2), "patchify_stem": (1, 1), "strided_downsampling": (3, 3)}  # tiles, framed ones


def parsed(drawing):
    return ElementTree.fromstring(f"<div>{drawing.markup}</div>")


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_before_and_after_a_step_frames_what_changes(name):
    rung = RUNGS[name]
    before, after = unit(RUNGS[rung.previous].architecture), unit(rung.architecture)
    assert changed_places(before, after) == changed_places(after, before) == BLOCKS[name]
    drawing = before_and_after(name)
    assert len(parsed(drawing).findall(".//*[@role='img']")) == 2
    assert drawing.markup.count(FRAME) == 2 * len(BLOCKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_between_the_blocks_frames_parts_of_the_network(name):
    tiles, frames = NETWORKS[name]
    drawing = before_and_after(name)
    assert len(parsed(drawing).findall(".//{*}svg")) == 2 * tiles and drawing.markup.count(FRAME) == 2 * frames


def test_every_step_that_changes_the_network_has_a_picture():
    for name in set(RUNGS) - {"original_recipe", "enhanced_recipe"}:
        drawing = before_and_after(name)
        assert f"section {RUNGS[name].step.section} of the paper" in drawing.markup
        assert "<" not in repr(drawing) and len(repr(drawing)) > 40
    with pytest.raises(AblationError, match="widen"):
        before_and_after("width")
    with pytest.raises(AblationError, match="enhanced_recipe"):
        before_and_after("enhanced_recipe")


def test_a_drawing_is_light_or_dark_as_the_page_and_has_no_small_text():
    shown = side_by_side(ab.convnext("tiny"), "Mine")._repr_html_()
    assert ">Mine</text>" in shown and shown.count("<svg") == 3
    for page in ('data-theme="dark"', 'data-theme="auto"', "vscode-dark", 'data-jp-theme-light="false"'):
        assert page in shown
    used = set(re.findall(r"var\(--ax-([\w-]+)", shown + course_road()._repr_html_())) - {"rise", "tiles", "name"}
    assert used <= set(LIGHT)
    assert not re.findall(r"font-size: (?:[0-9]|10)px", notebook_drawing._CSS)


def test_the_road_lists_every_change_with_the_papers_accuracy_and_the_notebook_that_draws_it():
    root = parsed(course_road())
    rows = [["".join(part.itertext()) for part in row] for row in root.findall(".//li")]
    assert [float(row[2]) for row in rows] == [rung.published.accuracy for rung in RUNGS.values()]
    dots = [float(dot.get("style").split(":")[1].rstrip("%")) for dot in root.findall(".//li/span[@style]")]
    order = sorted(range(len(dots)), key=lambda i: rows[i][2])
    assert [dots[i] for i in order] == sorted(dots) and min(dots) > 0 and max(dots) < 100
    assert rows[1][3] == "07"
    for row, rung in list(zip(rows, RUNGS.values(), strict=True))[2:]:
        (notebook,) = (Path(__file__).parents[2] / "notebooks").glob(f"{row[3]}_*.ipynb")
        drawn = rung if rung.adopted else RUNGS["kernel_size_7"]
        assert f'before_and_after(\\"{drawn.name}\\")' in notebook.read_text(), (notebook.name, drawn.name)
