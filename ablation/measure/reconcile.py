"""One network's count under several conventions, side by side, each difference explained by operator.

Published numbers of one network differ by factors of 0.01 to 2 because counters differ in what they call an operation. The
totals here are computed by our own rules (`conventions`), not by the other counters, which need not be installed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..errors import AblationError
from . import conventions, hook_conventions
from .conventions import DOUBLE, OPERATORS, Amounts, Recording, StopsError
from .counting import count
from .features import run
from .modes import device_and_dtype, evaluating, frozen
from .recording import Recorder
from .sizes import Size, image_shape
from .torch_counter import unfused_layers

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Convention:
    """A way to count operations.

    Args:
        name: short name.
        unit: "MACs" or "FLOPs"; a FLOP is half a multiply-accumulate.
        counts: what it counts, in a sentence.
        rule: amounts by operator; twice that if the unit is FLOPs.
    """

    name: str
    unit: str
    counts: str
    rule: Callable[[Recording], Amounts]


CONVENTIONS = (
    Convention(
        "paper",
        "MACs",
        "convolutions, linear layers, attention and other products: `ablation.count`, the paper's FLOPs",
        conventions.paper,
    ),
    Convention(
        "fvcore",
        "MACs",
        "default total of FlopCountAnalysis: adds norms (1 to 5 per element), adaptive pooling and upsampling; lacks fused "
        "attention; einsums to four digits",
        conventions.fvcore,
    ),
    Convention("torch", "FLOPs", "FlopCounterMode: two per multiply-accumulate", conventions.torch_flops),
    Convention(
        "thop",
        "MACs",
        "modules of torch's own classes, with norms, pooling and softmax; no function or subclass, so no attention products",
        hook_conventions.thop,
    ),
    Convention(
        "ptflops",
        "MACs",
        "default backend (aten): biases of convolutions, but not of linear layers; no fused attention. Rules from its source, "
        "not checked here",
        conventions.ptflops,
    ),
    Convention(
        "ptflops modules",
        "MACs",
        "backend pytorch without functions: modules of torch's own classes with bias, norms, pooling and activations. Rules "
        "from its source, not checked here",
        hook_conventions.ptflops_modules,
    ),
    Convention(
        "torchinfo",
        "MACs",
        "weights and biases times positions for convolutions; those of linear layers and norms once per image, however many "
        "positions; no attention products",
        conventions.torchinfo,
    ),
    Convention(
        "timm",
        "MACs",
        "timm's benchmark tables: fvcore's total with attention written out and a mean for global pooling",
        conventions.timm,
    ),
)


@dataclass(frozen=True)
class Reconciled:
    """A network's count under one convention.

    Args:
        convention: its name.
        unit: "MACs" or "FLOPs".
        total: the count; None if this counter stops with an error on the network.
        differences: operator -> amount by which the count differs from the paper's convention. They add up to the whole
            difference. "x2" is the doubling of a count in FLOPs.
        counts: what the convention counts; or why there is no total.
    """

    convention: str
    unit: str
    total: int | None
    differences: dict[str, int]
    counts: str


@dataclass(frozen=True)
class Reconciliation:
    """A network's count under each convention.

    Args:
        rows: one per convention; the first is the paper's.
        size: (height, width) of the image in pixels.
    """

    rows: tuple[Reconciled, ...]
    size: tuple[int, int]

    def __getitem__(self, convention: str) -> Reconciled:
        """Return the row of a convention by name."""
        return next(row for row in self.rows if row.convention == convention)

    @property
    def operators(self) -> tuple[str, ...]:
        """Operators in which any convention differs from the paper's, in the order of OPERATORS."""
        found = {operator for row in self.rows for operator in row.differences}
        return tuple(operator for operator in OPERATORS if operator in found)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame: convention, unit, total, difference to the paper's, and that difference by operator."""
        import pandas as pd

        paper = self.rows[0].total
        assert paper is not None
        return pd.DataFrame(
            {
                "convention": row.convention,
                "unit": row.unit,
                "total": row.total,
                "difference": None if row.total is None else row.total - paper,
                **{
                    operator: None if row.total is None else row.differences.get(operator, 0)
                    for operator in self.operators
                },
                "counts": row.counts,
            }
            for row in self.rows
        ).astype(dict.fromkeys(("total", "difference", *self.operators), "Int64"))


def reconcile(module: nn.Module, size: Size = 224, in_chans: int = 3) -> Reconciliation:
    """Return one network's count under the conventions of the paper, fvcore, torch, thop, ptflops, torchinfo and timm.

    None of these counters needs to be installed: the counts are computed by our own rules.

    Args:
        module: takes (1, in_chans, height, width). Its modes, device and gradients are left unchanged.
        size: side of the square image in pixels, or (height, width).
        in_chans: channels of the image.

    Returns:
        One row per convention, with the difference to the paper's convention by operator.

    Raises:
        AblationError: if the module cannot be counted.

    >>> found = reconcile(nn.Conv2d(3, 8, kernel_size=3, padding=1), size=10)
    >>> found["paper"].total, found["torch"].total, found["torchinfo"].differences
    (21600, 43200, {'bias': 800})
    """
    channels, height, width = image_shape(size, in_chans)
    counted = count(module, size, in_chans)
    device, dtype = device_and_dtype(module)
    image = torch.zeros(1, channels, height, width, device=device, dtype=dtype)
    with evaluating(module), frozen(module), torch.no_grad(), unfused_layers(), Recorder() as recorder:
        run(module, image)
    recording = Recording(module, tuple(recorder.calls), tuple(recorder.layers))
    paper = conventions.paper(recording)
    if sum(paper.values()) != counted.macs:
        raise AblationError(
            f"{type(module).__name__} cannot be reconciled: its count is {counted.macs:,} MACs, and {sum(paper.values()):,} "
            "when it runs without a trace, so it does other things from call to call"
        )
    rows = [_row(convention, recording, paper) for convention in CONVENTIONS]
    if counted.counter == "torch":  # what fvcore cannot trace has no total of fvcore's
        rows = [_stopped(row, counted.reason) if row.convention in ("fvcore", "timm") else row for row in rows]
    return Reconciliation(tuple(rows), (height, width))


def _row(convention: Convention, recording: Recording, paper: Amounts) -> Reconciled:
    try:
        amounts = convention.rule(recording)
    except StopsError as error:
        return _stopped(Reconciled(convention.name, convention.unit, None, {}, ""), f"stops with an error at {error}")
    differences = {operator: amounts[operator] - paper[operator] for operator in OPERATORS}
    total = sum(amounts.values())
    if convention.unit == "FLOPs":
        differences[DOUBLE] = total
        total *= 2
    nonzero = {operator: amount for operator, amount in differences.items() if amount}
    return Reconciled(convention.name, convention.unit, total, nonzero, convention.counts)


def _stopped(row: Reconciled, reason: str) -> Reconciled:
    return Reconciled(row.convention, row.unit, None, {}, reason)
