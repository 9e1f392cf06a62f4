"""Creating any timm model, with or without weights from a file, so that what goes wrong is one message.

Checkpoints of other programs are renamed by timm's own filter of the model's family, as when timm downloads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import timm
import torch
from timm.models import _builder
from torch import Tensor, nn

from ..errors import AblationError
from .weights import check_finite, misfits, training_images
from .weights_header import CROP_FIELDS
from .weights_reading import WeightsFile, check_memory, read_weights

_SIZES = (16, 32, 64, 96, 128, 224, 256, 299, 384)  # image sides to try, for the message about one that fails

Filter = Callable[..., Mapping[str, Tensor]]


def create_timm(
    name: str, pretrained: bool = False, drop_path: float = 0.0, size: int | None = None, **options: Any
) -> nn.Module:
    """Return a timm model.

    Args:
        name: name of the model, with or without a tag of weights.
        pretrained: download timm's weights.
        drop_path: stochastic depth rate; 0 leaves the model's own default, since many models have none.
        size: side of the images in pixels, for models that are built for one size; None for the model's own.
        options: timm's options, such as num_classes and in_chans.

    Raises:
        AblationError: if timm cannot create the model with these options.
    """
    if drop_path:
        options["drop_path_rate"] = drop_path
    try:
        cfg = timm.get_pretrained_cfg(name)
        if size is not None and cfg is not None and cfg.fixed_input_size and size != cfg.input_size[-1]:
            options["img_size"] = size
        model: nn.Module = timm.create_model(name, pretrained=pretrained, **options)
    except Exception as error:  # hubs and models raise many kinds of exceptions
        if drop_path and "drop_path_rate" in str(error):
            raise AblationError(
                f"{name} has no stochastic depth (timm's drop_path_rate), but the recipe has drop_path {drop_path}: train it "
                "with a recipe whose drop_path is 0"
            ) from error
        is_remote = pretrained and torch.get_default_device().type != "meta"
        remedy = ": where no hub can be reached, give a local file of the weights (--weights FILE)" if is_remote else ""
        raise AblationError(f"timm could not create {name!r} ({_first_line(error)}){remedy}") from error
    return model


def check_takes(model: nn.Module, name: str, in_chans: int, size: int) -> None:
    """Check with one empty image that a model takes images of that size and gives logits.

    Raises:
        AblationError: if it does not; the message says what the model was made for and which size works.
    """
    error = _failure(model, in_chans, size)
    if error is None:
        return
    cfg: Mapping[str, Any] = getattr(model, "pretrained_cfg", None) or {}
    made_for = (
        f"; it was made for {' x '.join(map(str, cfg['input_size']))} (channels x px)" if "input_size" in cfg else ""
    )
    works = None
    if not cfg.get("fixed_input_size"):
        works = next((side for side in _SIZES if side > size and _failure(model, in_chans, side) is None), None)
    smallest = f". Images of {works} px would do" if works else ""
    raise AblationError(
        f"{name} cannot be used on images of {in_chans} x {size} x {size} ({error}){made_for}{smallest}"
    ) from None


def _failure(model: nn.Module, in_chans: int, size: int) -> str | None:
    """Return why a model does not map an image to logits, or None if it does. The model ends in training mode."""
    model.eval()
    try:
        with torch.no_grad():
            output = model(torch.zeros(1, in_chans, size, size))
    except Exception as error:  # models raise many kinds of exceptions
        return _first_line(error)
    finally:
        model.train()
    if not isinstance(output, Tensor) or output.ndim != 2:
        return f"it returns {tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__} instead of logits"
    return None


def load_timm(
    name: str, file: str | Path, averaged: bool = True, size: int | None = None, **options: Any
) -> tuple[nn.Module, WeightsFile]:
    """Return a timm model with the weights of a file, and the contents of the file.

    The numbers of classes and channels are those of the file. A checkpoint of the model's authors is renamed by timm's filter.

    Args:
        name: name of the timm model.
        file: weights file, as for `read_state_dict`.
        averaged: whether to take averaged weights where the file holds averaged and raw ones.
        size: side of the images in pixels, for models that are built for one size.
        options: further options of timm.

    Raises:
        AblationError: if the file cannot be read or does not fit the model; the message names what is missing or superfluous.
    """
    contents = read_weights(file, averaged)
    state, fitted = fit_state(name, contents.state, str(file), size, options)
    check_memory(sum(value.numel() * value.element_size() for value in state.values()), f"the network of {file} takes")
    model = create_timm(name, size=size, **fitted)
    check_finite(model, state, str(file))
    model.load_state_dict(state)
    cfg: dict[str, Any] = {**(getattr(model, "pretrained_cfg", None) or {})}
    if contents.description.images:  # ours: if it does not say how its images were cropped, the recipe decides
        cfg = {key: value for key, value in cfg.items() if key not in CROP_FIELDS}
    vars(model)["pretrained_cfg"] = {**cfg, **training_images(contents.description)}
    return model, contents


def fit_state(
    name: str, state: dict[str, Tensor], origin: str, size: int | None, options: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state dict under the model's names, and the options with the classes and channels of the state dict.

    Args:
        name: name of the timm model.
        state: the tensors of a file.
        origin: the file, for messages.
        size: side of the images in pixels, for models that are built for one size.
        options: further options of timm.

    Raises:
        AblationError: if the tensors do not fit; the message names what is missing or superfluous.
    """
    skeleton, filter_of_family = _skeleton(name, size, options)
    problems = []
    for renamed in _candidates(state, skeleton, filter_of_family):
        fitted = {**_counts(renamed, skeleton), **options}
        expected = _skeleton(name, size, fitted)[0].state_dict() if fitted != options else skeleton.state_dict()
        problem = misfits(expected, renamed)
        if not problem:
            return renamed, fitted
        problems.append(problem)
    raise AblationError(
        f"the weights of {origin} do not fit {name}. Tensors: {problems[-1]}: the weights belong to another model"
    )


def _candidates(state: dict[str, Tensor], skeleton: nn.Module, renaming: Filter | None) -> list[dict[str, Tensor]]:
    """Return the state dict as it is and, if its names need it, as timm's filter of the family renames it."""
    candidates = [dict(state)]  # a plain dict: with torch's metadata, older checkpoints of BatchNorm would be refused
    arguments: tuple[tuple[Any, ...], ...] = ((dict(state), skeleton), (dict(state),))  # some filters take one
    for given in arguments if renaming is not None else ():
        with suppress(Exception):  # a filter that meets names of another family can raise anything
            candidates.append(dict(renaming(*given)))  # type: ignore[misc]
            break
    return candidates


def _skeleton(name: str, size: int | None, options: dict[str, Any]) -> tuple[nn.Module, Filter | None]:
    """Return the model without memory for its weights, and the filter with which timm renames its checkpoints, if any."""
    filters: list[Filter | None] = []

    def keep_filter(model: nn.Module, *, filter_fn: Filter | None = None, **_: Any) -> None:
        filters.append(filter_fn)

    # The filter is known only inside timm's creation of a pretrained model, which would then load weights.
    with mock.patch.object(_builder, "load_pretrained", keep_filter), torch.device("meta"):
        model = create_timm(name, pretrained=True, size=size, **options)
    return model, filters[0] if filters else None


def _counts(state: Mapping[str, Tensor], skeleton: nn.Module) -> dict[str, int]:
    """Return the classes and channels of a state dict with timm's names, read from the classifier and the first layer."""
    cfg: Mapping[str, Any] = getattr(skeleton, "pretrained_cfg", None) or {}
    expected, counts = skeleton.state_dict(), {}
    for option, key, axis, default in (
        ("num_classes", "classifier", 0, cfg.get("num_classes", 1000)),
        ("in_chans", "first_conv", 1, (cfg.get("input_size") or (3,))[0]),
    ):
        layers = [cfg[key]] if isinstance(cfg.get(key), str) else list(cfg.get(key) or ())
        name = f"{layers[0]}.weight" if layers else ""
        if name in state and name in expected and state[name].ndim > axis:
            given, usual = state[name].shape[axis], expected[name].shape[axis]
            if given != usual:  # a first layer may hold several weights per channel of the image
                counts[option] = given * default // usual if option == "in_chans" else given
    return counts


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0]}"
