"""MACs of each operator that multiplies and accumulates, from the shapes in a trace.

A rule takes the values that go into and come out of an operator of a TorchScript graph. Every output element of a product
is a sum over one or more dimensions, so most rules are output elements times the length of that sum; this holds for
broadcast factors too.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from .contractions import einsum_macs

Rule = Callable[[list[Any], list[Any]], Counter[str]]

# Names of operators that multiply and accumulate, or that are opaque. Without a rule for them the count would be wrong.
PRODUCT = re.compile(
    r"^(?!aten::|prim::)|^prim::PythonOp|conv|mm|matmul|mv|einsum|attention|attn|transformer|lstm|gru|rnn|dot|cdist|fft|"
    r"^aten::(_?(bi)?linear|_trilinear|inner|matrix_power|linalg_matrix_power|linalg_matrix_exp|matrix_exp)"
)


class Tally:
    """Rules for fvcore, and what they find besides MACs.

    Attributes:
        activations: output elements of convolutions and linear layers.
        operators: names under which products are counted, also where there were none, as in an einsum that permutes.
        unlisted: operator -> number of calls, for element-wise operators that fvcore excludes without listing them.
    """

    def __init__(self) -> None:
        self.activations = 0
        self.operators: set[str] = set()
        self.unlisted: Counter[str] = Counter()
        self.rules: dict[str, Rule] = {
            **{operator: self._counted(rule, is_layer=True) for operator, rule in _LAYERS.items()},
            **{operator: self._counted(rule, is_layer=False) for operator, rule in _PRODUCTS.items()},
            **{operator: self._recorded(operator) for operator in _UNLISTED},
        }

    def _counted(self, rule: Rule, is_layer: bool) -> Rule:
        def counted(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
            if is_layer:
                self.activations += prod(_shape(outputs[0]))
            macs = rule(inputs, outputs)
            self.operators.update(macs)
            return macs

        return counted

    def _recorded(self, operator: str) -> Rule:
        def recorded(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
            self.unlisted[operator] += 1
            return Counter()

        return recorded


def conv_macs(x: Sequence[int], weight: Sequence[int], output: Sequence[int], transposed: bool) -> int:
    """Return the MACs of a convolution of any rank: each weight is used once per image and position.

    The positions are those of the output, or of the input if the convolution is transposed.
    """
    return prod(weight) * x[0] * prod((x if transposed else output)[2:])


def attention_macs(query: Sequence[int], key: Sequence[int], output: Sequence[int]) -> int:
    """Return the MACs of query times key and of weights times value: (..., L, E), (..., S, E) and output (..., L, V).

    The output has the batch dimensions to which the inputs are broadcast, and the heads of the query if there are fewer
    heads of keys (grouped queries).
    """
    *batch, width = output
    return prod(batch) * key[-2] * (query[-1] + width)


def _shape(value: Any) -> list[int]:
    sizes = value.type().sizes() if value.isCompleteTensor() else None
    if sizes is None:
        raise ValueError(f"the trace has no shape for a tensor of {value.node().kind()}")
    return list(sizes)


def _constant(value: Any) -> Any:
    """Return a constant of the graph, or a list built from constants."""
    if value.node().kind() == "prim::ListConstruct":
        return [item.toIValue() for item in value.node().inputs()]
    return value.toIValue()


def chain_macs(shapes: Sequence[Sequence[int]]) -> int:
    """Return the MACs of a product of several matrices in the cheapest order, which is the one that torch takes.

    The first factor may be a row vector and the last one a column vector.
    """
    sides = [shapes[0][0] if len(shapes[0]) > 1 else 1, *(shape[0] for shape in shapes[1:])]
    sides.append(shapes[-1][1] if len(shapes[-1]) > 1 else 1)
    cheapest = {(i, i): 0 for i in range(len(shapes))}
    for length in range(1, len(shapes)):
        for i in range(len(shapes) - length):
            j = i + length
            cheapest[i, j] = min(
                cheapest[i, cut] + cheapest[cut + 1, j] + sides[i] * sides[cut + 1] * sides[j + 1]
                for cut in range(i, j)
            )
    return cheapest[0, len(shapes) - 1]


def _conv(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    transposed = _constant(inputs[6])
    return Counter({"conv": conv_macs(_shape(inputs[0]), _shape(inputs[1]), _shape(outputs[0]), transposed)})


def _conv_same(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Padding given as a word, "same" or "valid"."""
    return Counter({"conv": conv_macs(_shape(inputs[0]), _shape(inputs[1]), _shape(outputs[0]), transposed=False)})


def _sum_over_last_of(position: int, operator: str) -> Rule:
    """Each output element is a sum over the last dimension of this input."""

    def rule(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        return Counter({operator: prod(_shape(outputs[0])) * _shape(inputs[position])[-1]})

    return rule


def _addbmm(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """A product of stacks that is summed over the stack, too."""
    return Counter({"matmul": prod(_shape(inputs[1])) * _shape(inputs[2])[-1]})


def _inner(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """A scalar factor leaves nothing to sum."""
    length = _shape(inputs[0])[-1] if _shape(inputs[0]) and _shape(inputs[1]) else 1
    return Counter({"matmul": prod(_shape(outputs[0])) * length})


def _outer(position: int) -> Rule:
    """One product per element; the two vectors start at this position."""

    def rule(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        return Counter({"outer": prod(_shape(inputs[position])) * prod(_shape(inputs[position + 1]))})

    return rule


def _tensordot(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """The einsum in which the listed dimensions of both factors share an index."""
    shapes = [_shape(value) for value in inputs[:2]]
    letters = string.ascii_letters
    first = list(letters[: len(shapes[0])])
    second = list(letters[len(first) : len(first) + len(shapes[1])])
    for i, j in zip(_constant(inputs[2]), _constant(inputs[3]), strict=True):
        second[j] = first[i]
    output = [index for index in first + second if (index in first) != (index in second)]
    return Counter({"matmul": einsum_macs(f"{''.join(first)},{''.join(second)}->{''.join(output)}", shapes)})


def _chain(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    return Counter({"matmul": chain_macs([_shape(value) for value in inputs[0].node().inputs()])})


def _einsum(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    shapes = [_shape(value) for value in inputs[1].node().inputs()]
    path = _constant(inputs[2]) if len(inputs) > 2 else None
    return Counter({"einsum": einsum_macs(_constant(inputs[0]), shapes, path)})


def _attention(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    return Counter({"attention": attention_macs(_shape(inputs[0]), _shape(inputs[1]), _shape(outputs[0]))})


# Convolutions and linear layers: their output elements are the activations.
_LAYERS: dict[str, Rule] = {
    "aten::_convolution": _conv,
    "aten::convolution": _conv,
    "aten::_convolution_mode": _conv_same,
    "aten::linear": _sum_over_last_of(0, "linear"),
    "aten::addmm": _sum_over_last_of(1, "addmm"),
    "aten::addmm_": _sum_over_last_of(1, "addmm"),
}
_PRODUCTS: dict[str, Rule] = {
    **{f"aten::{name}": _sum_over_last_of(0, "matmul") for name in ("mm", "bmm", "mv", "dot", "vdot", "matmul")},
    **{f"aten::{name}": _sum_over_last_of(1, "matmul") for name in ("baddbmm", "baddbmm_", "addmv", "addmv_")},
    "aten::addbmm": _addbmm,
    "aten::addbmm_": _addbmm,
    "aten::inner": _inner,
    "aten::outer": _outer(0),
    "aten::addr": _outer(1),
    "aten::addr_": _outer(1),
    "aten::tensordot": _tensordot,
    "aten::chain_matmul": _chain,
    "aten::linalg_multi_dot": _chain,
    "aten::einsum": _einsum,
    "aten::scaled_dot_product_attention": _attention,
}
# Element-wise operators that fvcore excludes without listing them.
_UNLISTED = ("aten::relu", "aten::relu_", "aten::clamp", "aten::clamp_", "aten::max")
