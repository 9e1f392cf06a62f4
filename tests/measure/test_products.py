"""MACs of every operator that has a rule, by hand, by both counters; and the true reason where something is refused."""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from ablation import AblationError, count
from ablation.measure.counting_rules import chain_macs
from tests.measure.networks import Applies


def ones(*shape):
    return torch.ones(shape)


def tokens(x):
    return x.flatten(2).transpose(1, 2)


def grouped_queries(x):
    query = tokens(x).reshape(1, 16, 4, 2).transpose(1, 2)
    key = tokens(x)[..., :4].reshape(1, 16, 2, 2).transpose(1, 2)
    return F.scaled_dot_product_attention(query, key, key, enable_gqa=True)


# The input is (1, 3, 8, 8); a name with "attention" gets (1, 8, 4, 4).
CASES = {
    "matrix stacks": (lambda x: x @ x, 3 * 8**3),
    "matrices": (lambda x: x[0, 0] @ x[0, 0], 8**3),
    "broadcast stacks": (lambda x: x.unsqueeze(2) @ ones(1, 1, 5, 8, 4), 3 * 5 * 8 * 8 * 4),
    "matrix and vector": (lambda x: x[0, 0] @ x[0, 0, 0], 64),
    "vectors": (lambda x: x[0, 0, 0] @ x[0, 0, 0], 8),
    "stack and vector": (lambda x: x @ x[0, 0, 0], 3 * 64),
    "vector and stack": (lambda x: x[0, 0, 0] @ x, 3 * 64),
    "mm": (lambda x: x[0, 0].mm(x[0, 0, :, :5]), 8 * 8 * 5),
    "bmm": (lambda x: x[0].bmm(x[0, :, :, :5]), 3 * 8 * 8 * 5),
    "mv": (lambda x: torch.mv(x[0, 0], x[0, 0, 0]), 64),
    "dot": (lambda x: torch.dot(x[0, 0, 0], x[0, 0, 0]), 8),
    "vdot": (lambda x: torch.vdot(x[0, 0, 0], x[0, 0, 0]), 8),
    "inner": (lambda x: torch.inner(x[0, 0], x[0, 0, :5]), 8 * 8 * 5),
    "outer": (lambda x: torch.outer(x[0, 0, 0], x[0, 0, 0, :5]), 8 * 5),
    "addr": (lambda x: torch.addr(x[0, 0], x[0, 0, 0], x[0, 0, 0]), 64),
    "addmm": (lambda x: torch.addmm(x[0, 0], x[0, 0], x[0, 0]), 8**3),
    "addmm in place": (lambda x: ones(8, 8).addmm_(x[0, 0], x[0, 0]), 8**3),
    "addmv": (lambda x: torch.addmv(x[0, 0, 0], x[0, 0], x[0, 0, 0]), 64),
    "addbmm": (lambda x: torch.addbmm(x[0, 0], x[0], x[0]), 3 * 8**3),
    "baddbmm": (lambda x: torch.baddbmm(x[0], x[0], x[0]), 3 * 8**3),
    "multi_dot": (lambda x: torch.linalg.multi_dot([x[0, 0], x[0, 0, :, :3], x[0, 0, :3]]), 2 * 8 * 8 * 3),
    "tensordot": (lambda x: torch.tensordot(x, ones(7, 3), dims=([1], [1])), 7 * 3 * 64),
    "tensordot, broadcast": (lambda x: torch.tensordot(x, ones(7, 1), dims=([0], [1])), 7 * 3 * 64),
    "linear": (lambda x: F.linear(x, ones(5, 8), ones(5)), 3 * 8 * 8 * 5),
    "linear of a vector": (lambda x: F.linear(x[0, 0, 0], ones(5, 8), ones(5)), 8 * 5),
    "linear with a vector": (lambda x: F.linear(x, ones(8)), 3 * 8 * 8),
    "convolution": (lambda x: F.conv2d(x, ones(4, 3, 3, 3), ones(4), stride=2), 3 * 3 * 4 * 27),
    "without batch": (lambda x: F.conv2d(x[0], ones(4, 3, 3, 3)), 36 * 4 * 27),
    "grouped": (lambda x: F.conv2d(x, ones(6, 1, 3, 3), groups=3), 36 * 6 * 9),
    "dilated": (lambda x: F.conv2d(x, ones(4, 3, 3, 3), dilation=2), 16 * 4 * 27),
    "1-d": (lambda x: F.conv1d(x[0], ones(4, 8, 3)), 3 * 6 * 4 * 8 * 3),
    "3-d": (lambda x: F.conv3d(x[None], ones(2, 1, 3, 3, 3)), 36 * 2 * 27),
    "same": (lambda x: F.conv2d(x, ones(2, 3, 3, 3), padding="same"), 64 * 2 * 27),
    "same, grouped": (lambda x: F.conv2d(x, ones(6, 1, 3, 3), padding="same", groups=3), 64 * 6 * 9),
    "transposed": (lambda x: F.conv_transpose2d(x, ones(3, 4, 3, 3), stride=2), 64 * 3 * 4 * 9),
    "transposed, grouped": (lambda x: F.conv_transpose2d(x, ones(3, 2, 3, 3), stride=2, groups=3), 64 * 3 * 2 * 9),
    "attention": (lambda x: F.scaled_dot_product_attention(*[tokens(x)] * 3), 2 * 16 * 16 * 8),
    "attention, written out": (
        lambda x: (tokens(x) @ tokens(x).transpose(1, 2)).softmax(-1) @ tokens(x),
        2 * 16 * 16 * 8,
    ),
    "attention to other tokens": (
        lambda x: F.scaled_dot_product_attention(tokens(x), ones(1, 5, 8), ones(1, 5, 3)),
        16 * 5 * (8 + 3),
    ),
    "attention with broadcast queries": (
        lambda x: F.scaled_dot_product_attention(ones(1, 1, 5, 4), x, x),
        8 * 5 * 4 * 8,
    ),
    "attention with grouped queries": (grouped_queries, 4 * 16 * 16 * (2 + 2)),
}
# Torch's counter has no formulas for them.
UNKNOWN_TO_TORCH = {
    *("matrix and vector", "vectors", "stack and vector", "mv", "dot", "vdot"),
    *("outer", "addr", "addmm in place", "addmv", "addbmm", "linear with a vector"),
}


@pytest.mark.parametrize("case", CASES)
def test_products_by_hand(case):
    function, macs = CASES[case]
    counted = count(Applies(function), **({"size": 4, "in_chans": 8} if "attention" in case else {"size": 8}))
    assert (counted.macs, counted.counter) == (macs, "fvcore")
    theirs = sum(counted.torch_by_operator.values())
    assert theirs == (0 if case in UNKNOWN_TO_TORCH else macs)
    (row,) = counted.cross_check()
    assert bool(row.reason) == (theirs != macs)


def attention_layer_macs(length, width, hidden=0):
    return length * width * (4 * width + 2 * hidden) + 2 * length**2 * width


class SelfAttention(nn.Module):
    def __init__(self, need_weights):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.need_weights = need_weights

    def forward(self, x):
        return self.attention(*[tokens(x)] * 3, need_weights=self.need_weights)[0]


@pytest.mark.parametrize("need_weights", [True, False])
def test_multi_head_attention_is_counted_operator_by_operator(need_weights):
    """Without this it runs as one operator that neither counter knows, and only in eval mode."""
    counted = count(SelfAttention(need_weights), size=4, in_chans=8)
    assert counted.macs == sum(counted.torch_by_operator.values()) == attention_layer_macs(16, 8)
    assert counted.activations == 16 * (3 * 8 + 8)
    assert torch.backends.mha.get_fastpath_enabled()


def test_transformer_encoder_layer():
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=20, batch_first=True)
    counted = count(nn.Sequential(nn.Flatten(2), Applies(lambda x: x.transpose(1, 2)), layer), size=4, in_chans=8)
    assert counted.macs == attention_layer_macs(16, 8, 20)


def test_mvitv2():
    counted = count(timm.create_model("mvitv2_tiny"))
    assert counted.macs == sum(counted.torch_by_operator.values()) == 4_676_957_952


class WithToken(nn.Module):
    """Passes a parameter to a layer as its input, as CaiT does."""

    def __init__(self):
        super().__init__()
        self.token, self.norm, self.head = nn.Parameter(ones(1, 8)), nn.LayerNorm(8), nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.norm(self.token) + x.mean((1, 2)))


def test_a_parameter_may_be_the_input_of_a_layer():
    network = WithToken()
    network.token.requires_grad_(False)
    assert count(network, size=8).macs == 8 * 2
    network.token.requires_grad_(True)
    network.norm.weight.requires_grad_(False)
    assert count(network, size=8).macs == 8 * 2
    assert network.token.requires_grad and not network.norm.weight.requires_grad


def test_the_cheapest_order_of_a_chain():
    assert chain_macs([(10, 30), (30, 5), (5, 60)]) == 10 * 30 * 5 + 10 * 5 * 60
    assert chain_macs([(30,), (30, 5), (5,)]) == 30 * 5 + 5


def dropped_product(x):
    _ = x @ x
    return x + 1


class Keeping(nn.Module):
    kept = None

    def forward(self, x):
        if self.kept is None:
            self.kept = x @ x
        return self.kept + F.conv2d(x, ones(3, 3, 1, 1))


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Applies(dropped_product), "matmul has a rule, so the result of one does not reach the output"),
        (Keeping(), "keeps results"),
        (Applies(lambda x: torch.matrix_power(x, 3)), "no rule to count aten::linalg_matrix_power"),
    ],
    ids=["dropped", "kept", "no rule"],
)
def test_the_reason_why_products_are_missing_is_the_true_one(module, reason):
    with pytest.raises(AblationError, match=reason):
        count(module, size=8)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")
def test_a_scripted_function_is_named_as_the_reason():
    scripted = torch.jit.trace(lambda x: x @ x, ones(1, 3, 8, 8))
    with pytest.raises(AblationError, match="A scripted function or an extension hides them"):
        count(Applies(lambda x: scripted(x)), size=8)
