"""Counts of a module by torch's own counter, `torch.utils.flop_counter`, and where it found them.

Torch's counter sees the operators that torch dispatches and reports two FLOPs per multiply-accumulate. It has no formulas for
products of a matrix and a vector, for outer products and for einsums without a sum, so rules for these are added here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .counting_rules import PRODUCT
from .features import run
from .recording import Recorder


@dataclass(frozen=True)
class TorchCount:
    """What torch's counter finds.

    Args:
        by_operator: operator -> MACs.
        by_module: module name -> MACs within it; "" is the whole module.
        activations: output elements of convolutions and linear layers.
        uncounted: operator -> number of calls without a rule.
        missing: those of them that multiply and accumulate.
    """

    by_operator: dict[str, int]
    by_module: dict[str, int]
    activations: int
    uncounted: dict[str, int]
    missing: tuple[str, ...]


def torch_macs(module: nn.Module, image: Tensor) -> dict[str, int]:
    """Return MACs by operator according to torch's own counter alone."""
    with FlopCounterMode(display=False) as counter:
        run(module, image)
    return _by_operator(counter.get_flop_counts().get("Global", {}))


def torch_count(module: nn.Module, image: Tensor) -> TorchCount:
    """Count with torch's counter and our additional rules, in two runs: one for the MACs, one for all operators."""
    with unfused_layers():
        with FlopCounterMode(display=False) as counter:
            run(module, image)
        with Recorder() as recorder:
            run(module, image)
    tables = {name: Counter(_by_operator(table)) for name, table in counter.get_flop_counts().items()}
    uncounted: Counter[str] = Counter()
    activations = 0
    formulas = {f"{packet}".removeprefix("aten.") for packet in counter.flop_registry}
    for call in recorder.calls:
        for kernel in call.kernels:
            macs = call.macs_of(kernel)
            if macs and call.is_layer(kernel):
                activations += prod(kernel.output)
            if kernel.name in formulas:
                continue
            if macs:
                for name in call.modules:
                    tables.setdefault(name, Counter())[call.name] += macs
            else:
                uncounted[kernel.name] += 1
    by_operator = tables.get("Global", Counter())
    root = type(module).__name__
    by_module = {
        name: sum(tables.get(f"{root}.{name}" if name else root, Counter()).values())
        for name, _ in module.named_modules()
    }
    missing = sorted(name for name in uncounted if PRODUCT.search(name if "::" in name else f"aten::{name}"))
    return TorchCount(
        dict(by_operator), by_module | {"": sum(by_operator.values())}, activations, dict(uncounted), tuple(missing)
    )


def why_untraced(module: nn.Module, image: Tensor, found: int, uncounted: Mapping[str, int]) -> str:
    """Return a sentence on why torch's counter finds MACs that the trace of a module lacks.

    Args:
        module: the module.
        image: its input.
        found: MACs that torch's counter found in its first call.
        uncounted: operators of the trace without a rule.
    """
    with Recorder() as recorder:
        run(module, image)
    calls = [call for call in recorder.calls if call.macs]
    without_rule = sorted({call.name for call in calls if f"aten::{call.name}" in uncounted})
    if without_rule:
        return f"There is no rule for {', '.join(without_rule)}"
    if sum(call.macs for call in calls) < found:
        return "Called again it computes less, as a network does that keeps results: count a fresh one that keeps none"
    if not all(call.is_function for call in calls):
        return "A scripted function or an extension hides them: count the function that it was made from"
    return (
        f"Each of {', '.join(sorted({call.name for call in calls}))} has a rule, so the result of one does not reach the "
        "output, or the network does something else while it is traced"
    )


@contextmanager
def unfused_layers() -> Iterator[None]:
    """Run nn.MultiheadAttention and nn.TransformerEncoderLayer as separate operators, not as one that no counter knows."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _by_operator(table: Mapping[Any, int]) -> dict[str, int]:
    return {str(operator).removeprefix("aten."): flops // 2 for operator, flops in table.items()}
