"""`ablation see`: receptive fields, layers, norms or signals of a ladder or network; static compared with dynamic weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from torch import Tensor, nn

from ..design.recipe_limits import MAX_SIZE
from ..environment import describe_environment
from ..errors import AblationError, check_number, unknown
from ..files import writable_folder
from ..measure.images import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PHOTOGRAPHS,
    normalisation,
    normalise,
    photographs,
    read_folder,
)
from ..measure.jacobian import jacobian_change
from ..measure.layer_fields import CRITICAL, UNPRODUCTIVE, LayerField, receptive_fields
from ..measure.norms import norm_statistics, take_statistics
from ..measure.receptive_field import (
    SCALES,
    SHARES,
    FieldWarning,
    effective_receptive_field,
    open_branches,
)
from ..measure.support import theoretical_receptive_field
from ..train.arithmetic import float32_products
from .console import make_console, say, track_steps, write_figure
from .layer_table import print_layers
from .measuring_device import measuring_device
from .networks import load_network, road_label, rungs_of, short_title
from .options import NetworkOptions
from .room import check_fields
from .see_signal import measure_signals

WHAT = ("fields", "layers", "norms", "signal", "weights")
_MIN_SIZE = 32  # px; smaller photographs show nothing
_USUAL_SIZE = 512  # px
_SIZES = {"layers": 224, "signal": 64}  # px, for others than _USUAL_SIZE
_RANDOM = (
    "The weights are random (initialised from seed 0), with closed branches opened and batch statistics taken from these images. "
    "The results describe the architecture, not a trained network; use --weights FILE for trained weights."
)


@dataclass(frozen=True)
class SeeOptions:
    """What to measure, and on which networks.

    Args:
        what: one of `WHAT`.
        steps, start: a road of steps and the ResNet it starts from; without steps, the whole ladder.
        network: a single network instead.
        size: side of the images in pixels; by default 512, 224 for layers and 64 for signal.
        images: folder of images, or None for the bundled photographs.
        out: folder for the figure and its numbers.
        device: "auto", "cpu" or "cuda".

    Raises:
        AblationError: if a value is invalid, or options contradict each other.
    """

    what: str = "fields"
    steps: tuple[str, ...] = ()
    start: str = "resnet50"
    network: NetworkOptions = field(default_factory=NetworkOptions)
    size: int | None = None
    images: Path | None = None
    out: Path = Path("figures")
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise unknown("value of --what:", self.what, WHAT)
        chosen = self.network.model is not None or self.network.weights is not None
        if self.steps and chosen:
            raise AblationError("give steps or one network (--model, --weights), not both")
        if self.what == "weights" and (self.steps or chosen):
            raise AblationError(
                "--what weights compares one depthwise convolution with one window attention: it takes no steps, --model or "
                "--weights"
            )
        if self.what == "signal" and chosen:
            raise AblationError(
                "--what signal compares a description at full width and at a quarter of it: it takes no --model or --weights"
            )
        if self.what == "layers" and self.images is not None:
            raise AblationError(
                "--what layers needs no images: it computes what every image of --size px passes through"
            )
        if self.size is not None:
            check_number(
                "size", self.size, _MIN_SIZE, MAX_SIZE, whole=True, reason=": it is the side of the images in pixels"
            )


def see(options: SeeOptions) -> None:
    """Measure receptive fields, layers, norms or weights, and write the figure and its numbers."""
    what, model, weights = options.what, options.network.model, options.network.weights
    steps, start, out = options.steps, options.start, options.out
    device = measuring_device(options.device)
    writable_folder(out)
    console = make_console()
    size = options.size if options.size is not None else _SIZES.get(what, _USUAL_SIZE)
    count = len(PHOTOGRAPHS) if options.images is None else len(list(options.images.glob("*")))
    if what != "layers":
        check_fields([], size, count, device=device.type)
    if what == "weights":
        _compare_weights(_load_images(options.images, size), device, out, console)
        return
    single = load_network(options.network, size) if model is not None or weights is not None else None
    networks: list[tuple[str, Any]]
    trained = weights is not None or options.network.pretrained
    if single:
        label, networks = single[0], [single]
        if size > _USUAL_SIZE:
            check_fields([single[1]], size, count, device=device.type)
    else:
        rungs = rungs_of(steps, start)
        label = road_label(steps, start)
        networks = [(short_title(rung), rung.architecture) for rung in rungs]
        for rung in rungs:
            rung.architecture.sizes(size)
    if what == "layers":
        _measure_layers(networks, size, label, device, out, console)
        return
    if not single:
        check_fields([network for _, network in networks], size, count, device=device.type)
    pixels = _load_images(options.images, size).to(device)
    if what == "signal":
        measure_signals(networks, normalise(pixels, IMAGENET_MEAN, IMAGENET_STD), label, out, console)
        return
    if not trained:
        say(console, _RANDOM)
    measure = _measure_fields if what == "fields" else _measure_norms
    with float32_products(device, tf32=False):
        measure(networks, pixels, label, trained, out, console)


def _load_images(images: Path | None, size: int) -> Tensor:
    """Return (N, 3, size, size) from 0 to 1: the images of a folder, or the bundled photographs."""
    if images is None:
        return photographs(size)
    return torch.stack([picture.square(size) for picture in read_folder(images)])


def _prepare(network: Any, pixels: Tensor, trained: bool) -> tuple[nn.Module, Tensor]:
    """Return a network, built if it is given as a description, and the images, normalised for it."""
    from ..network import build

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module: nn.Module = network if isinstance(network, nn.Module) else build(network)
    module = module.to(pixels.device)
    in_chans = _in_chans(module)
    images = pixels if in_chans == 3 else pixels.mean(1, keepdim=True)
    images = normalise(images, *normalisation(module, in_chans))
    if not trained:
        take_statistics(open_branches(module), images)
    return module, images


def _in_chans(module: nn.Module) -> int:
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    return first.in_channels if first is not None else 3


def _measure_fields(
    networks: Sequence[tuple[str, Any]], pixels: Tensor, label: str, trained: bool, out: Path, console: Console
) -> None:
    from ..show.fields import NetworkField, plot_fields

    size = pixels.shape[-1]
    fields, rows = [], []
    with track_steps(console, "receptive fields", len(networks)) as end_step:
        for title, network in networks:
            module, images = _prepare(network, pixels, trained)
            theory = theoretical_receptive_field(module, in_chans=images.shape[1])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FieldWarning)  # reported below, once for all networks
                field = effective_receptive_field(module, images)
            fields.append(NetworkField(title, field, theory))
            row = {"title": title, "theoretical_px": int(theory), "whole_image": theory.whole_image, "cut": field.cut}
            for scale in SCALES:
                for share in SHARES:
                    row[f"side_px_{100 * share:.0f}_{scale}"] = field.side(share, scale)
                    row[f"area_{100 * share:.0f}_{scale}"] = round(field.area(share, scale), 6)
            row["centroid_row"], row["centroid_column"] = (round(value, 2) for value in field.centroid)
            rows.append(row)
            end_step(f"{title:28} theory {theory!r:>8}, half of the effective field within {field.side(0.5)} px")
    if any(row["cut"] for row in rows):
        say(
            console,
            f"The fields marked `cut` in the table reach the edge of the {size} px images; anything beyond is not measured.",
        )
    table = pd.DataFrame(rows).assign(size=size, images=len(pixels), weights="trained" if trained else "random, seed 0")
    write_figure(
        out / f"fields-{label}", plot_fields(fields), table.assign(**describe_environment(pixels.device.type)), console
    )


def _measure_layers(
    networks: Sequence[tuple[str, Any]], size: int, label: str, device: torch.device, out: Path, console: Console
) -> None:
    """Print the layers that start when their input sees the whole image, and write the figure and all layers."""
    from ..network import build
    from ..show.layer_plots import plot_layer_fields

    layers: dict[str, tuple[LayerField, ...]] = {}
    with track_steps(console, "fields of layers", len(networks)) as end_step:
        for title, network in networks:
            module: nn.Module = network if isinstance(network, nn.Module) else build(network)
            layers[title] = receptive_fields(module.to(device), size, _in_chans(module))
            late = [layer for layer in layers[title] if layer.status in (CRITICAL, UNPRODUCTIVE)]
            start = f", from {late[0].layer} on" if late else ""
            end_step(
                f"{title:28} {len(late)} of {len(layers[title])} layers start at the whole image of {size} px{start}"
            )
    rows = [
        {"title": title, "order": i, **vars(layer), "status": layer.status}
        for title, found in layers.items()
        for i, layer in enumerate(found, start=1)
    ]
    if len(networks) == 1:
        print_layers(layers[networks[0][0]], console)
    table = pd.DataFrame(rows).assign(**describe_environment(device.type))
    write_figure(out / f"layers-{label}", plot_layer_fields(layers), table, console)


def _measure_norms(
    networks: Sequence[tuple[str, Any]], pixels: Tensor, label: str, trained: bool, out: Path, console: Console
) -> None:
    from ..show.inside import plot_norms

    statistics, rows = {}, []
    with track_steps(console, "norms", len(networks)) as end_step:
        for title, network in networks:
            module, images = _prepare(network, pixels, trained)
            statistics[title] = norm_statistics(module, images)
            rows += [{"title": title, "order": i, **vars(row)} for i, row in enumerate(statistics[title], start=1)]
            end_step(f"{title:28} {len(statistics[title])} norms")
    table = pd.DataFrame(rows).assign(
        size=pixels.shape[-1], images=len(pixels), weights="trained" if trained else "random, seed 0"
    )
    write_figure(
        out / f"norms-{label}",
        plot_norms(statistics),
        table.assign(**describe_environment(pixels.device.type)),
        console,
    )


def _compare_weights(pixels: Tensor, device: torch.device, out: Path, console: Console) -> None:
    """Compare Jacobians of a 7x7 depthwise convolution and Swin's window attention on the input of Swin's first block."""
    from ..measure.mixers import mixers
    from ..show.inside import plot_jacobians

    pair = mixers(pixels)
    middle = pair.maps.shape[1] // 2
    changes = {}
    with track_steps(console, "Jacobians", len(pair.layers)) as end_step:
        for name, (layer, maps, layout) in pair.layers.items():
            changes[name] = jacobian_change(layer.to(device), maps.to(device), layout, position=(middle, middle))
            title = name.replace("\n", " ")
            end_step(f"{title}: the Jacobian changes by {100 * changes[name].mean:.1f} % from image to image")
    rows = [
        {"layer": name.replace("\n", " "), "image": i + 1, "change": value}
        for name, change in changes.items()
        for i, value in enumerate(change.change)
    ]
    table = pd.DataFrame(rows).assign(
        size=pixels.shape[-1], weights="random, seed 0", **describe_environment(device.type)
    )
    write_figure(out / "weights-static-dynamic", plot_jacobians(changes), table, console)
