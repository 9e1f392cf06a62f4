"""Silhouettes of blocks: order, widths and cost of the convolutions."""

import pytest
from matplotlib.colors import to_rgb
from torch import nn

from ablation import RESNET50, build, count, roadmap
from ablation.show.hourglass import passages, plot_blocks
from ablation.show.style import ORANGE
from tests.show.looks import check_layout

RUNGS = {rung.name: rung.architecture for rung in roadmap(width_divisor=8)}


def block_of(name, index=1):
    block = build(RUNGS[name]).stages[0].blocks[index]
    return block, block.branch.conv1.in_channels


@pytest.mark.parametrize("name", ["depthwise", "inverted_bottleneck", "move_up_depthwise"])
def test_costs_agree_with_count(name):
    block, channels = block_of(name)
    steps = passages(block, channels, 14)
    assert sum(step.macs for step in steps) == count(block, 14, channels).macs
    norms = sum(p.numel() for part in block.modules() if isinstance(part, nn.BatchNorm2d) for p in part.parameters())
    assert sum(step.params for step in steps) + norms == sum(p.numel() for p in block.parameters())


def test_convolutions_are_listed_in_forward_order_with_their_widths():
    block, channels = block_of("move_up_depthwise")
    assert [(s.kernel, s.depthwise, s.in_chs, s.out_chs) for s in passages(block, channels, 8)] == [
        (3, True, 12, 12), (1, False, 12, 48), (1, False, 48, 12),
    ]  # fmt: skip


def test_passages_removes_its_hooks_and_restores_the_mode():
    block, channels = block_of("depthwise")
    block.train()
    passages(block, channels, 8)
    assert block.training and not any(part._forward_hooks for part in block.modules())


def test_a_full_convolution_is_not_labelled_depthwise():
    block = build(RESNET50.replace(width=8)).stages[0].blocks[1]
    assert [step.depthwise for step in passages(block, 32, 8)] == [False, False, False]


def test_silhouettes_are_as_wide_as_the_channels_and_texts_do_not_overlap():
    blocks = {name: passages(*block_of(name), 14) for name in ("depthwise", "inverted_bottleneck", "move_up_depthwise")}
    figure = plot_blocks(blocks)
    check_layout(figure)
    shapes = figure.axes[1].patches
    assert [max(shape.get_xy()[:, 0]) for shape in shapes] == [24, 24, 24]
    assert [to_rgb(shape.get_edgecolor()) == ORANGE for shape in shapes] == [False, True, False]
    assert plot_blocks(blocks, figure.__class__(figsize=(9, 4), layout="constrained")).axes
