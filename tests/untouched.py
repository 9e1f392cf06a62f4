"""Looking changes nothing: a guard under which a module's modes, flags, gradients, hooks, values and layout must stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Fail if anything about the module, or any part of it, is other than before."""
    attributes, tensors = _attributes(module), _tensors(module)
    yield
    now, after = _attributes(module), _tensors(module)
    changed = [name for name in attributes | now if attributes.get(name) != now.get(name)]
    assert not changed, f"other attributes than before: {', '.join(changed)}"
    assert after.keys() == tensors.keys()
    for name, (*kept, value, grad) in tensors.items():
        assert list(after[name][:-2]) == kept, f"{name} is another tensor or has another flag"
        assert torch.equal(after[name][-2], value), f"{name} has other values"
        assert grad is None or torch.equal(after[name][-1], grad), f"{name} has another gradient"


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Every attribute of every part, tables of hooks with what they hold; tensors and modules as which they are."""
    return {
        f"{name}.{key}": _plain(value) for name, part in module.named_modules() for key, value in vars(part).items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, set | list):
        return tuple(value) if isinstance(value, list) else frozenset(value)
    return id(value) if isinstance(value, Tensor | nn.Module) else value


def _tensors(module: nn.Module) -> dict[str, tuple[Any, ...]]:
    return {
        name: (
            tensor.requires_grad,
            tensor.dtype,
            tensor.stride(),
            tensor.data_ptr(),
            None if tensor.grad is None else id(tensor.grad),
            tensor.detach().clone(),
            None if tensor.grad is None else tensor.grad.clone(),
        )
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    }
