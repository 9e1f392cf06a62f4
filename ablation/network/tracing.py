"""Whether something other than a plain run of the network follows its operators."""

from __future__ import annotations

import torch


def is_traced() -> bool:
    """Return whether a tracer or compiler records the operators that run now."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def is_recorded() -> bool:
    """Return whether a tracer records the operators that run now, for others to read; a compiler only runs its result."""
    return torch.jit.is_tracing() or torch.compiler.is_exporting()
