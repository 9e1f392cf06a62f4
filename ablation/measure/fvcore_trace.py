"""Counts of operators in a trace of a module, taken with fvcore.

fvcore uses private functions of torch's tracer and has had no release since 2022, so it may not import or trace; both
raise a TraceError with the reason.

fvcore: Facebook Research, https://github.com/facebookresearch/fvcore, `fvcore.nn.jit_analysis`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..errors import first_line
from .counting_rules import Rule
from .modes import restoring_hooks

_import_error = ""
with warnings.catch_warnings():
    # On import, fvcore compiles a loss (unused here) with torch.jit.script, which torch has since deprecated.
    warnings.filterwarnings("ignore", message=".*torch.jit.script")
    try:
        from fvcore.nn.jit_analysis import JitModelAnalysis
    except Exception as error:  # a missing package, or a private name that torch removed
        JitModelAnalysis = None
        _import_error = f"fvcore could not be imported ({type(error).__name__}: {error})"


class TraceError(Exception):
    """fvcore could not import or trace; the message gives the reason."""


@dataclass(frozen=True)
class Trace:
    """What a trace of a module contains.

    Args:
        by_operator: operator -> MACs.
        by_module: module name -> MACs within it; "" is the whole module.
        uncounted: operator -> number of calls without a rule.
    """

    by_operator: dict[str, int]
    by_module: dict[str, int]
    uncounted: dict[str, int]


def trace(module: nn.Module, image: Tensor, rules: Mapping[str, Rule]) -> Trace:
    """Trace a module on an image and apply a rule to each operator.

    Raises:
        TraceError: if fvcore cannot be imported or cannot trace the module.
    """
    if JitModelAnalysis is None:
        raise TraceError(_import_error)
    with restoring_hooks(module):
        try:
            analysis: Any = JitModelAnalysis(module, image).set_op_handle(**rules)
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
            return Trace(
                by_operator={operator: int(macs) for operator, macs in analysis.by_operator().items()},
                by_module={part: int(macs) for part, macs in analysis.by_module().items()},
                uncounted=dict(analysis.unsupported_ops()),
            )
        except Exception as error:  # the tracer may raise anything
            reason = first_line(error)
            raise TraceError(f"fvcore could not trace it ({reason})") from error
