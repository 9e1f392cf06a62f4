"""The hard exercises name the mistake that an answer makes, and their references are those of others."""

import nbformat
import numpy as np
import pytest
import torch
from timm.models.swin_transformer import WindowAttention, window_partition, window_reverse
from torch import nn
from torch.nn import functional as F

from ablation import data
from ablation.course import AnswerError, check
from ablation.course.mistakes import Without
from ablation.course.training_loop import digits, network, rates
from ablation.course.window_attention import Projections, attend
from tests.course.answers.every import WRONG
from tests.course.answers.roadmap import row
from tests.exercises import COURSE

NAMED = {
    "published_row": {
        0: "list of steps",
        1: "not a single step",
        3: "not those of the row",
        6: "differs in activation",
    },
    "depthwise_by_loops": {
        0: "calls torch's conv2d",
        1: "added up",
        2: "flipped",
        5: "behind the last",
        7: "stride is ignored",
    },
    "window_attention": {
        0: "not scaled",
        1: "all channels",
        3: "over the queries",
        5: "mix rows",
        6: "not put back",
        8: "next to",
    },
    "effective_map": {
        0: "absolute value",
        2: "output is not rectified",
        4: "another position",
        5: "evaluation mode",
        6: "hook",
    }
    | {7: "adds up", 10: "left with gradients", 11: "images are changed", 12: "training mode", 13: "last map"},
    "three_bugs": {
        1: "wrong steps",
        2: "norms or biases",
        3: "depends on the batch",
        7: "does not shrink",
        8: "loss 3 of 12",
    }
    | {10: "smoothed targets", 11: "first loss"},
}


def reason(name, answer):
    with pytest.raises(AnswerError) as caught:
        check(name, answer)
    return str(caught.value).splitlines()[0]


@pytest.mark.parametrize(
    ("name", "i", "words"), [(name, i, words) for name, said in NAMED.items() for i, words in said.items()]
)
def test_the_reason_names_the_mistake(name, i, words):
    assert words in reason(name, WRONG[name][i])


def test_layer_scale_may_be_left_out():
    check("published_row", row())


@pytest.mark.parametrize("call", [nn.Conv2d(2, 2, 3), lambda x: F.conv_transpose2d(x, torch.ones(2, 2, 3, 3))])
def test_every_convolution_of_torch_is_noticed(call):
    with Without("conv"), pytest.raises(AnswerError, match="it calls torch's conv"):
        call(torch.ones(1, 2, 5, 5))


@pytest.mark.parametrize(("heads", "window"), [(1, 2), (3, 4)])
def test_the_reference_of_window_attention_is_timms(heads, window):
    torch.manual_seed(0)
    layer = WindowAttention(12, heads, window_size=(window, window), qkv_bias=False).double().eval()
    x = torch.randn(2, 8, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        layer.relative_position_bias_table.zero_()
        layer.proj.weight.copy_(torch.eye(12))
        layer.proj.bias.zero_()
        theirs = layer(window_partition(x, (window, window)).flatten(1, 2)).unflatten(1, (window, window))
        ours = attend(x, (window, window), Projections(*layer.qkv.weight.chunk(3)), heads)
    torch.testing.assert_close(ours, window_reverse(theirs, (window, window), 8, 12))


@pytest.fixture(scope="module")
def buggy():
    """The loop with three bugs, as the notebook prints it, and the namespace in which it ran."""
    cells = nbformat.read(COURSE / "source" / "07_training" / "07_training.ipynb", as_version=4).cells
    space = {"np": np, "torch": torch, "nn": nn, "F": F, "data": data}
    for cell in cells:
        if cell.id in ("digits-and-network", "buggy"):
            exec(cell.source, space)
    return space


def test_the_three_bugs_are_silent(buggy):
    losses = buggy["losses"]
    assert np.isfinite(losses).all() and np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    assert np.isfinite(buggy["test_loss"])


def test_all_three_bugs_are_found(buggy):
    assert "3 parts still differ" in reason("three_bugs", buggy["buggy"])


def test_the_exercises_network_is_small_and_its_rates_start_at_zero():
    assert sum(p.numel() for p in network(0).parameters()) < 2000 and rates()[0] == 0 < max(rates())
    assert len(digits().images) == 256 and digits().images.dtype == torch.float64
