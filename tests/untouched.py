"""A context manager that fails if a module's modes, flags, gradients, hooks, values or memory layout change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Fail if anything about the module or any of its submodules has changed on exit."""
    attributes, tensors = _attributes(module), _tensors(module)
    yield
    attributes_after, tensors_after = _attributes(module), _tensors(module)
    changed = [name for name in attributes | attributes_after if attributes.get(name) != attributes_after.get(name)]
    assert not changed, f"attributes have changed: {', '.join(changed)}"
    assert tensors_after.keys() == tensors.keys()
    for name, (*properties, value, grad) in tensors.items():
        assert list(tensors_after[name][:-2]) == properties, f"{name} is a different tensor or its flags have changed"
        assert torch.equal(tensors_after[name][-2], value), f"the values of {name} have changed"
        assert grad is None or torch.equal(tensors_after[name][-1], grad), f"the gradient of {name} has changed"


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Return every attribute of every submodule, with the contents of hook tables; tensors and modules by identity."""
    return {
        f"{name}.{key}": _comparable(value)
        for name, part in module.named_modules()
        for key, value in vars(part).items()
    }


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
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
