"""Weights of a file that training starts from: ours, timm's, or those of a network's authors, for the same network.

Only the classifier may be another one: with another number of classes, the network keeps its new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..design.trial import INIT_DIGITS
from ..errors import AblationError
from .build import ConvNet
from .timm_creation import fit_state
from .timm_weights import TIMM_MODELS, our_names
from .weights import check_finite, misfits
from .weights_header import checksum
from .weights_reading import read_weights


@dataclass(frozen=True)
class StartingWeights:
    """The weights of a file.

    Args:
        origin: the file, for messages.
        state: tensors by name, as in the file.
        digest: of names and values of the tensors, for `Trial.init`.
        note: which weights are used, if the file holds averaged and raw ones; else "".
    """

    origin: str
    state: dict[str, Tensor]
    digest: str
    note: str = ""


def read_start(file: str | Path) -> StartingWeights:
    """Return the weights of a file to start from; errors as for `read_state_dict`."""
    contents = read_weights(file)
    return StartingWeights(str(file), contents.state, checksum({}, contents.state)[:INIT_DIGITS], contents.note)


def load_start(network: nn.Module, start: StartingWeights, model: str = "", size: int | None = None) -> str:
    """Load weights into a network, except a classifier with another number of classes.

    Args:
        network: a `ConvNet`, or a model of timm. It is changed, and its classifier stays as it is where the file has another.
        start: the weights.
        model: name of the model of timm.
        size: side of the images in pixels, for models of timm that are built for one size.

    Returns:
        What is not from the file, for a line of text; "" if all is.

    Raises:
        AblationError: if the weights do not fit, or hold NaN or infinity; the network is then unchanged.
    """
    expected = network.state_dict()
    classifier = _classifier(network)
    problems = []
    for candidate in _candidates(network, start, model, size):
        new_head = _has_other_classes(expected, candidate, classifier)
        given = {name: value for name, value in candidate.items() if not (new_head and name in classifier)}
        kept = {name: expected[name] for name in classifier} if new_head else {}
        problem = misfits(expected, {**given, **kept})
        if problem:
            problems.append((len(expected.keys() - candidate.keys()), problem))
            continue
        check_finite(network, given, start.origin)
        network.load_state_dict(given, strict=False)
        if not new_head:
            return ""
        classes = [len(state[classifier[0]]) if classifier[0] in state else 0 for state in (candidate, expected)]
        return f"its head is new: the file has {classes[0]} classes, and the data {classes[1]}"
    what = repr(network.architecture) if isinstance(network, ConvNet) else model
    raise AblationError(f"the weights of {start.origin} do not fit {what}. Tensors: {min(problems)[1]}")


def _candidates(
    network: nn.Module, start: StartingWeights, model: str, size: int | None
) -> Iterator[Mapping[str, Tensor]]:
    """Yield the weights under the names of the network, for each kind of file that they may be from."""
    if not isinstance(network, ConvNet):
        yield fit_state(model, start.state, start.origin, size, {})[0]
        return
    yield start.state
    with suppress(AblationError):  # no model of timm has this architecture
        yield our_names(network, start.state)
    for name, architecture in TIMM_MODELS.items():
        if architecture == network.architecture:
            with suppress(AblationError):  # nor are they the authors'
                yield our_names(network, fit_state(name, start.state, start.origin, None, {})[0])


def _classifier(network: nn.Module) -> list[str]:
    """Return the names of the tensors of the classifier, weight first."""
    cfg: Mapping[str, Any] = {} if isinstance(network, ConvNet) else getattr(network, "pretrained_cfg", None) or {}
    named = "head.fc" if isinstance(network, ConvNet) else cfg.get("classifier") or ()
    layers = [named] if isinstance(named, str) else list(named)
    return [name for layer in layers for name in network.state_dict() if name.startswith(f"{layer}.")]


def _has_other_classes(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], classifier: list[str]) -> bool:
    """Return whether a file has no classifier, or one that differs in nothing but its number of classes."""
    if not classifier or not any(name in given for name in classifier):
        return bool(classifier)
    shapes = [(expected[name].shape, given[name].shape) for name in classifier if name in given]
    return all(ours[1:] == theirs[1:] for ours, theirs in shapes) and any(ours != theirs for ours, theirs in shapes)
