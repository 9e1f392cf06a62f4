"""Multiply-accumulates of einsums: by hand, and for random equations against the operators that torch runs."""

import random
from math import prod

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ablation import AblationError, count
from ablation.measure.contractions import einsum_macs
from tests.measure.networks import Applies

V, W = torch.ones(5), torch.ones(7, 3)
BY_HAND = {
    "pointwise": (lambda x: torch.einsum("nchw,oc->nohw", x, W), 33, 7 * 3 * 33 * 33),
    "outer": (lambda x: torch.einsum("nchw,k->nchwk", x, V), 32, 15_360),
    "three from left to right": (
        lambda x: torch.einsum("nchw,oc,po->nphw", x, W, torch.ones(4, 7)),
        8,
        (7 * 3 + 4 * 7) * 64,
    ),
    "summed first": (lambda x: torch.einsum("nchw,oc->noh", x, W), 8, 7 * 3 * 8),
    "ellipsis": (lambda x: torch.einsum("...w,wk->...k", x, torch.ones(8, 5)), 8, 3 * 8 * 8 * 5),
    "ellipsis summed": (lambda x: torch.einsum("...w,wk->k", x, torch.ones(8, 5)), 8, 8 * 5),
    "ellipsis of several lengths": (lambda x: torch.einsum("...hw,...w->...h", x, x[0, :, 0]), 8, 3 * 8 * 8),
    "diagonal": (lambda x: torch.einsum("ncii,cj->nij", x, torch.ones(3, 5)), 8, 3 * 8 * 5),
    "implicit output": (lambda x: torch.einsum("nchw,oc", x, W), 8, 7 * 3 * 64),
    "sublists": (lambda x: torch.einsum(x, [0, 1, 2, 3], W, [4, 1], [0, 4, 2, 3]), 8, 7 * 3 * 64),
    "a sum over a broadcast index": (lambda x: torch.einsum("nchw,oc->nohw", x, torch.ones(7, 1)), 8, 7 * 64),
    "element by element": (lambda x: torch.einsum("nchw,nchw->nchw", x, x), 8, 3 * 64),
    "dot": (lambda x: torch.einsum("i,i->", x[0, 0, 0], x[0, 0, 0]), 8, 8),
    "a path": (
        lambda x: torch.ops.aten.einsum("ij,jk,k->i", [x[0, 0], x[0, 0], x[0, 0, 0]], path=[1, 2, 0, 1]),
        8,
        2 * 64,
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_einsums_by_hand(case):
    function, size, macs = BY_HAND[case]
    counted = count(Applies(function), size=size)
    assert (counted.macs, counted.by_operator) == (macs, {"einsum": macs})


@pytest.mark.parametrize("equation", ["nchw->nhwc", "nchw->n"])
def test_one_operand_has_no_products(equation):
    permuted = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), Applies(lambda x: torch.einsum(equation, x)))
    assert count(permuted, size=8).by_operator == {"conv": 3 * 4 * 64, "einsum": 0}
    with pytest.raises(AblationError, match=r"nothing to count\. Operators found: einsum"):
        count(Applies(lambda x: torch.einsum(equation, x)), size=8)


class Products(TorchDispatchMode):
    """Counts the products in the operators to which torch reduces an einsum."""

    macs = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.bmm.default:
            self.macs += output.numel() * args[0].shape[-1]
        elif func is torch.ops.aten.mul.Tensor:
            self.macs += output.numel()
        return output


def random_einsum(draw: random.Random):
    """Return an equation, shapes and perhaps a path; some indices are broadcast, repeated or behind an ellipsis."""
    size = {index: draw.randint(2, 4) for index in "abcdE"}
    hidden = [draw.randint(2, 3) for _ in range(2)]
    terms, shapes = [], []
    for _ in range(draw.choice([1, 2, 2, 3, 4])):
        letters = draw.choices("abcdE", k=draw.randint(0, 3))
        shape = [size[index] if letters.count(index) > 1 or draw.random() > 0.15 else 1 for index in letters]
        if draw.random() < 0.3:
            place, depth = draw.randint(0, len(letters)), draw.randint(0, 2)
            shape[place:place] = [side if draw.random() > 0.2 else 1 for side in hidden[2 - depth :]]
            letters.insert(place, "...")
        terms.append("".join(letters))
        shapes.append(shape)
    equation = ",".join(terms)
    if draw.random() < 0.7:
        output = [index for index in sorted(set(equation) - {".", ","}) if draw.random() < 0.5]
        draw.shuffle(output)
        equation += "->" + "..." * ("..." in equation and draw.random() < 0.7) + "".join(output)
    path = [place for n in range(len(terms), 1, -1) for place in draw.sample(range(n), 2)]
    return equation, shapes, path if len(terms) > 2 and draw.random() < 0.5 else None


def test_random_einsums_have_the_products_that_torch_computes():
    draw, ran = random.Random(0), 0
    for _ in range(500):
        equation, shapes, path = random_einsum(draw)
        operands = [torch.ones(shape) for shape in shapes]
        try:
            with Products() as products:
                torch.ops.aten.einsum(equation, operands, path=path)
        except RuntimeError:  # an ellipsis that the output lacks in a way that torch rejects
            continue
        ran += 1
        assert einsum_macs(equation, shapes, path) == products.macs, (equation, shapes, path)
    assert ran > 300


def test_an_einsum_of_nothing():
    assert einsum_macs("ij,jk->ik", [(0, 3), (3, 4)]) == 0
    assert einsum_macs("ij,->ij", [(2, 3), ()]) == prod((2, 3))
