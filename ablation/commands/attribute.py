"""`ablation attribute`: attributions of one network, or of every trained rung, with scores of their faithfulness."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .. import data as datasets
from ..design.recipe import Recipe
from ..design.recipe_limits import MAX_SIZE
from ..environment import describe_environment
from ..errors import AblationError, check_number, unknown
from ..evidence.intervals import mean_intervals
from ..files import writable_folder
from ..measure.attribution import AttributionWarning, attribute
from ..measure.faithfulness import Curves, completeness_gap, insertion_deletion
from ..measure.images import denormalise, normalisation, normalise, read_folder, read_picture
from ..measure.methods import METHODS
from ..measure.targets import targets
from ..train.arithmetic import float32_products
from ..train.run import weights_file
from .attribute_tables import curve_table, score_rows, score_table
from .console import data_label, make_console, say, track_steps, write_figure
from .measuring_device import measuring_device
from .networks import load_network, short_title
from .options import NetworkOptions, StudyOptions
from .room import check_fields
from .trained_ladder import find_ladder

DEFAULT_METHODS = ("saliency", "integrated_gradients", "smoothgrad", "grad_cam", "occlusion")
_LADDER_STEPS = 300  # of integrated gradients; enough for a completeness gap below 1 % if the activations are smooth
_SHOWN_IMAGES = 6
_MAX_IMAGES = 10_000  # on one core, a day for the smallest ladder
_SHOWN_TITLES = ("ResNet-50", "kernel size 7", "separate downsampling")


@dataclass(frozen=True)
class ImageOptions:
    """Which attributions of one network to compute.

    Args:
        files: image files, or folders of them.
        network: the network, with trained weights.
        methods: names of methods.
        target: class to explain, or None for the predicted one.
        size: side of the images in pixels, or None for the size that the network was built for.
        out: folder for the figure and its numbers.
        device: "auto", "cpu" or "cuda".

    Raises:
        AblationError: if a value is invalid, or there are no trained weights.
    """

    files: Sequence[Path]
    network: NetworkOptions
    methods: Sequence[str]
    target: int | None = None
    size: int | None = None
    out: Path = Path("figures")
    device: str = "auto"

    def __post_init__(self) -> None:
        for method in self.methods:
            if method not in METHODS:
                raise unknown("method", method, METHODS)
        if self.size is not None:
            check_number("size", self.size, 1, MAX_SIZE, whole=True, reason=": it is the side of the images in pixels")
        if self.network.weights is None and not self.network.pretrained:
            raise AblationError(
                "attributions of random weights are meaningless: give --weights FILE, or "
                "--model NAME --pretrained where a hub can be reached"
            )


def attribute_images(options: ImageOptions) -> None:
    """Attribute the predictions of one trained network to the pixels of each image, with several methods."""
    methods, target, size, out = options.methods, options.target, options.size, options.out
    pictures = [
        picture for file in options.files for picture in (read_folder(file) if file.is_dir() else [read_picture(file)])
    ]
    device = measuring_device(options.device)
    writable_folder(out)
    if size is not None:  # before a network is built for it
        check_fields([], size, len(pictures), maps=len(methods), device=device.type)
    label, module = load_network(options.network, size)
    in_chans, default_size = _input_shape(module)
    mean, std = normalisation(module, in_chans)
    side = default_size if size is None else size
    check_fields([module], side, len(pictures), in_chans, len(methods), device=device.type)
    module = module.to(device)
    console = make_console()
    for picture in pictures:
        for note in picture.notes:
            say(console, f"{picture.file}: {note}")
    pixels = torch.stack([picture.square(side, in_chans) for picture in pictures]).to(device)
    images = normalise(pixels, mean, std)
    classes = targets(module, images, target)
    normalised: dict[str, Any] = {"mean": mean, "std": std}
    maps: dict[str, Tensor] = {}
    rows: list[dict[str, Any]] = []
    with float32_products(device, tf32=False), track_steps(console, "attributions", len(methods)) as end_step:
        for method in methods:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", AttributionWarning)
                maps[method] = attribute(module, images, classes, method, **normalised)
            curves = insertion_deletion(module, images, maps[method], classes, **normalised)
            gap = completeness_gap(module, images, maps[method], classes, **normalised)
            rows += score_rows(method, pictures, classes, curves, gap if method == "integrated_gradients" else None)
            end_step(METHODS[method].title)
            for warning in caught:
                say(console, f"note: {warning.message}")
    table = pd.DataFrame(rows)
    console.print(score_table(table, f"{label}, baseline black, class {'predicted' if target is None else target}"))
    from ..show.attribution_maps import plot_attributions

    source = "the predicted class" if target is None else f"class {target}"
    figure = plot_attributions(
        _to_arrays(pixels),
        {METHODS[method].title: values.double().cpu().numpy() for method, values in maps.items()},
        {METHODS[method].title: METHODS[method].signed for method in maps},
        [f"{picture.file.stem[:14]}: {int(c)}" for picture, c in zip(pictures, classes, strict=True)],
        note=f"{label}; above each image its name and {source}; baseline black",
    )
    environment = describe_environment(str(images.device.type))
    write_figure(out / f"attributions-{label}", figure, table.assign(network=label, **environment), console)


def attribute_ladder(options: StudyOptions, count: int) -> None:
    """Compute and score integrated gradients of every adopted rung that a study trained, on the first test images.

    Args:
        options: options of the study that trained the ladder; see `find_ladder`.
        count: number of test images.
    """
    from ..network import load_weights
    from ..show.attribution_maps import plot_attributions
    from ..show.attributions import plot_curves, plot_gaps

    device = measuring_device(options.device)
    data_name, recipe, start, store, out = options.data, options.recipe, options.start, options.store, options.out
    check_number(
        "images",
        count,
        2,
        _MAX_IMAGES,
        whole=True,
        reason=": medians and intervals are computed over so many test images",
    )
    data: Any = datasets.load(data_name)
    ladder = find_ladder(options, data.checksum)
    trials = ladder.rungs
    files = {trial: weights_file(store, trial.key(data.checksum)) for trial in trials}
    writable_folder(out)
    console = make_console()
    if ladder.chosen:
        say(console, f"takes the ladder with {ladder.title}, the only one in {store} that is trained to the end")
    images, labels = (part.to(device) for part in _cycle_classes(data, next(iter(trials)).recipe, count))
    check_number("images", count, 2, len(images), whole=True, reason=f": {data_name} has so many test images")
    normalised: dict[str, Any] = {"mean": data.mean, "std": data.std}
    maps: dict[str, np.ndarray] = {}
    curves: dict[str, Curves] = {}
    predictions: dict[str, list[str]] = {}
    rows: list[dict[str, Any]] = []
    with float32_products(device, tf32=False), track_steps(console, "attributions", len(trials)) as end_step:
        for trial, rung in trials.items():
            network = load_weights(files[trial]).to(device).eval()
            values = attribute(network, images, labels, "integrated_gradients", steps=_LADDER_STEPS, **normalised)
            gap = completeness_gap(network, images, values, labels, **normalised)
            scores = insertion_deletion(network, images, values, labels, **normalised)
            title = rung.title if rung.recipe == "original" else short_title(rung)
            maps[title], curves[title] = values.double().cpu().numpy(), scores
            predictions[title] = _predictions(network, images[:_SHOWN_IMAGES])
            rows += [
                {
                    "title": title,
                    "image": i,
                    "label": int(labels[i]),
                    "gap": float(gap[i]),
                    "insertion_area": scores.insertion_area[i],
                    "deletion_area": scores.deletion_area[i],
                }
                for i in range(len(images))
            ]
            median, largest = 100 * float(gap.median()), 100 * float(gap.max())
            end_step(f"{title:28} completeness gap: median {median:.2g} %, largest {largest:.2g} %")
    order = torch.rand(len(images), *images.shape[-2:], generator=torch.Generator().manual_seed(0))
    last = load_weights(files[list(trials)[-1]]).to(device).eval()
    titles = [title for title in _SHOWN_TITLES if title in maps] or list(maps)[:1] + list(maps)[1:][-1:]
    chosen = {title: curves[title] for title in titles}
    chosen["random order, last row"] = insertion_deletion(last, images, order.to(device), labels, **normalised)
    setting: dict[str, Any] = {"ladder": ladder.title} if ladder.title else {}
    setting |= {
        "data": data_name,
        "recipe": recipe,
        "seed": 0,
        "baseline": "black",
        **describe_environment(device.type),
    }
    table = pd.DataFrame(rows).assign(method="integrated_gradients", steps=_LADDER_STEPS, **setting)
    label = data_label(data_name, start) + ladder.suffix
    shown = _to_arrays(denormalise(images, data.mean, data.std)[:_SHOWN_IMAGES])
    figure = plot_attributions(
        shown,
        {title: maps[title][:_SHOWN_IMAGES] for title in titles},
        signed=True,
        titles=[f"class {int(c)}" for c in labels[:_SHOWN_IMAGES]],
        labels={title: predictions[title] for title in titles},
        note=f"{data_name}, {recipe}, seed 0; integrated gradients of the true class, baseline black; below each map: prediction",
    )
    write_figure(out / f"attributions-{label}", figure, table, console)
    write_figure(
        out / f"completeness-{label}",
        plot_gaps(table).figure,
        table.drop(columns=["insertion_area", "deletion_area"]),
        console,
    )
    figure = plot_curves(chosen, mean_intervals)
    write_figure(out / f"curves-{label}", figure, curve_table(chosen).assign(**setting), console)


def _predictions(network: nn.Module, images: Tensor) -> list[str]:
    """Return the class that a network predicts for each image, with its probability."""
    with torch.no_grad():
        probabilities, classes = network(images).softmax(1).max(1)
    return [f"{int(c)} ({100 * float(p):.0f} %)" for c, p in zip(classes, probabilities, strict=True)]


def _cycle_classes(data: Any, recipe: Recipe, count: int) -> tuple[Tensor, Tensor]:
    """Return the first test images and their labels, ordered so that the classes take turns."""
    batches = list(data.test_batches(recipe, 0, 1))
    images, labels = (torch.cat(part) for part in zip(*batches, strict=True))
    rank = torch.zeros_like(labels)  # position of an image among those of its class
    for c in labels.unique():
        inside = labels == c
        rank[inside] = torch.arange(int(inside.sum()))
    order = (rank * (int(labels.max()) + 1) + labels).argsort()[:count]
    return images[order], labels[order]


def _to_arrays(pixels: Tensor) -> np.ndarray:
    """Convert (N, C, H, W) to (N, H, W) for one channel, or to (N, H, W, 3)."""
    array = pixels.clamp(0, 1).double().cpu().numpy()
    return array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)


def _input_shape(module: nn.Module) -> tuple[int, int]:
    """Return the channels and the side of the images that a network was built for."""
    cfg: Any = getattr(module, "pretrained_cfg", None) or {}
    if "input_size" in cfg:
        return int(cfg["input_size"][0]), int(cfg["input_size"][-1])
    return int(getattr(module, "in_chans", 3)), 224
