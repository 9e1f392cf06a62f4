"""Training with fewer copies of the maps, where nobody can tell.

Every activation here is a module that is not in place, so that hooks see what went in and what came out. That costs a
copy of each map: without this file a training step of ResNet-50 takes 3 to 7 % longer than timm's, whose activations are
in place (CPU, channels-last, float32, November 2026). But what batch normalisation puts out is not needed again once the
addition or the ReLU after it is done. So while training, and as long as no hook, trace or compiler looks at the modules
involved, the result is written over it. The numbers are the same, bit for bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.nn.modules.module import _has_any_global_hook


def is_unseen(x: Tensor, *modules: nn.Module) -> bool:
    """Whether nothing can tell if x, which these modules put out, is overwritten: they train, with no hook on them.

    A trace passes something else than a plain tensor, or says that it is one; so does a compiler, which knows better anyway.
    """
    if type(x) is not Tensor or torch.jit.is_tracing() or torch.compiler.is_compiling() or _has_any_global_hook():
        return False
    return all(module.training and not (module._forward_hooks or module._backward_hooks) for module in modules)


def is_plain_on_cpu(x: Tensor) -> bool:
    """Whether x is a map on a CPU, and nothing that traces, compiles or transforms functions and should see one convolution."""
    if type(x) is not Tensor or x.device.type != "cpu" or x.ndim != 4 or torch.is_autocast_enabled("cpu"):
        return False
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return False
    return not torch._C._are_functorch_transforms_active() and forward_ad._current_level < 0


def activate(act: nn.Module, x: Tensor) -> Tensor:
    """`act(x)`, over x where the activation is a ReLU that nobody looks at. Only for an x that nobody else holds."""
    if type(act) is nn.ReLU and is_unseen(x, act) and not act._forward_pre_hooks and not act._backward_pre_hooks:
        return F.relu_(x)
    return act(x)


class Lean(nn.Sequential):
    """A sequence in which a ReLU after batch normalisation writes over its input where nobody can tell."""

    def forward(self, x: Tensor) -> Tensor:
        before: nn.Module | None = None
        for module in self:
            spare = isinstance(before, nn.BatchNorm2d) and is_unseen(x, before)
            x = activate(module, x) if spare else module(x)
            before = module
        return x
