"""Multiply-accumulates of an einsum, from its equation and the shapes of its operands, as torch contracts them.

Torch contracts two operands at a time: the first two, then the result with the third, and so on, or in the order of a
path that opt_einsum chose. Before each contraction it sums out indices that no other operand and not the output has.
Every element of the union of the remaining indices is one product, so an outer product counts although nothing is
summed. A dimension of size 1 is broadcast and counts as absent. One operand alone has no products.

Source: `aten/src/ATen/native/Linear.cpp` of PyTorch, function `einsum`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod

Sizes = dict[str, int]  # size of each index of an operand, without those of size 1


def einsum_macs(equation: str, shapes: Sequence[Sequence[int]], path: Sequence[int] | None = None) -> int:
    """Return the multiply-accumulates of an einsum.

    Args:
        equation: as torch receives it, such as "bij,bjk->bik", with or without ellipsis, repeated indices and output.
        shapes: shape of each operand.
        path: positions of the operands to contract, in pairs; None for from left to right.

    >>> einsum_macs("nchw,oc->nohw", [(1, 3, 33, 33), (7, 3)])
    22869
    >>> einsum_macs("i,j->ij", [(4,), (5,)]), einsum_macs("ij->ji", [(4, 5)])
    (20, 0)
    """
    operands, summed = _parse(equation, shapes)
    uses = Counter(index for operand in operands for index in operand if index in summed)
    order = iter(path or ())
    macs = 0
    while len(operands) > 1:
        i, j = sorted((next(order), next(order))) if path else (0, 1)
        second, first = operands.pop(j), operands.pop(i)
        ready = {index for index in {**first, **second} if uses[index] == 1 + (index in first and index in second)}
        for operand, other in ((first, second), (second, first)):
            for index in ready - set(other):
                operand.pop(index, None)
        union = {**first, **second}
        macs += prod(union.values())
        for index in set(first) & set(second):
            uses[index] -= 1
        result = {index: size for index, size in union.items() if index not in ready}
        operands.insert(len(operands) if path else 0, result)
    return macs


def _parse(equation: str, shapes: Sequence[Sequence[int]]) -> tuple[list[Sizes], set[str]]:
    """Return the indices of each operand with their sizes, and the indices that the output lacks."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    hidden = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    depth = max((count for term, count in zip(terms, hidden, strict=True) if "..." in term), default=0)
    ellipsis = [f".{position}" for position in range(depth)]  # aligned at the last dimension
    written = [
        _indices(term, ellipsis[depth - count :] if "..." in term else [])
        for term, count in zip(terms, hidden, strict=True)
    ]
    every = Counter(index for indices in written for index in indices)
    once = [index for index, times in every.items() if times == 1]
    kept = set(_indices(output, ellipsis) if arrow else [*once, *ellipsis])
    operands = [
        {index: size for index, size in zip(indices, shape, strict=True) if size != 1}
        for indices, shape in zip(written, shapes, strict=True)
    ]
    return operands, set(every) - kept


def _indices(term: str, ellipsis: Sequence[str]) -> list[str]:
    """Return the indices of a term in order, with its ellipsis written out."""
    before, _, after = term.partition("...")
    return [*before, *ellipsis, *after] if "..." in term else [*term]
