"""Attributions of one network on images, or of every rung that a study trained; with scores that say whether to believe them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich import box
from rich.table import Table
from torch import Tensor, nn

from ..errors import AblationError, unknown
from ..files import writable_folder
from ..measure.attribution import AttributionWarning, attribute, targets
from ..measure.faithfulness import Curves, completeness_gap, insertion_deletion
from ..measure.images import Picture, denormalise, normalisation, normalise, read_folder, read_picture
from ..measure.methods import METHODS
from ..study import data as datasets
from ..study.environment import describe_environment
from ..study.ladder import ladder_trials
from ..study.recipe import Recipe
from .networks import one_network, short_title
from .saying import data_label, new_console, steps, write_figure

DEFAULT_METHODS = ("saliency", "integrated_gradients", "smoothgrad", "grad_cam", "occlusion")
_LADDER_STEPS = 300  # of integrated gradients: enough for a gap under 1 % wherever the activations are smooth
_SHOWN_IMAGES = 8
_CURVES = ("ResNet-50", "kernel size 7", "separate downsampling")


def attribute_images(
    files: Sequence[Path],
    model: str | None,
    weights: Path | None,
    pretrained: bool,
    methods: Sequence[str],
    target: int | None,
    size: int | None,
    out: Path,
) -> None:
    """What one trained network rests on in each image, by several methods."""
    for method in methods:
        if method not in METHODS:
            raise unknown("method", method, METHODS)
    if weights is None and not pretrained:
        raise AblationError(
            "attributions of random weights mean nothing: give --weights FILE, or --model NAME --pretrained where a hub can be "
            "reached"
        )
    pictures = [picture for file in files for picture in (read_folder(file) if file.is_dir() else [read_picture(file)])]
    writable_folder(out)
    label, module = one_network(model, weights, pretrained, size)
    in_chans, own = _input_of(module)
    mean, std = normalisation(module, in_chans)
    console = new_console()
    for picture in pictures:
        for note in picture.notes:
            console.print(f"{picture.file}: {note}", highlight=False, soft_wrap=True)
    pixels = torch.stack([picture.square(size or own, in_chans) for picture in pictures])
    images = normalise(pixels, mean, std)
    classes = targets(module, images, target)
    options: dict[str, Any] = {"mean": mean, "std": std}
    maps: dict[str, Tensor] = {}
    rows: list[dict[str, Any]] = []
    with steps(console, "attributions", len(methods)) as end:
        for method in methods:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", AttributionWarning)
                maps[method] = attribute(module, images, classes, method, **options)
            curves = insertion_deletion(module, images, maps[method], classes, **options)
            gap = completeness_gap(module, images, maps[method], classes, **options)
            rows += _rows(method, pictures, classes, curves, gap if method == "integrated_gradients" else None)
            end(METHODS[method].title)
            for warning in caught:
                console.print(f"note: {warning.message}", highlight=False, soft_wrap=True)
    table = pd.DataFrame(rows)
    console.print(_scores(table, f"{label}, baseline black, class {'predicted' if target is None else target}"))
    from ..show.attributions import plot_attributions

    figure = plot_attributions(
        _shown(pixels),
        {METHODS[method].title: values.double().cpu().numpy() for method, values in maps.items()},
        {METHODS[method].title: METHODS[method].signed for method in maps},
        [f"{picture.file.stem[:14]}: {int(c)}" for picture, c in zip(pictures, classes, strict=True)],
    )
    about = describe_environment(str(images.device.type))
    write_figure(out / f"attributions-{label}", figure, table.assign(network=label, **about), console)


def attribute_ladder(data_name: str, recipe: str, start: str, store: Path, count: int, out: Path) -> None:
    """Integrated gradients of every kept rung that was trained on a data set, on its first test images, with their scores."""
    from ..network import load_weights
    from ..show.attributions import plot_attributions, plot_curves, plot_gaps

    if count < 2:
        raise AblationError(f"images {count} must be 2 or more: medians and intervals are taken over them")
    trials = {trial: rung for trial, rung in ladder_trials(recipe, data_name, [0], start).items() if rung.adopted}
    data: Any = datasets.load(data_name)
    files = {trial: store / "weights" / f"{trial.key(data.checksum)}.safetensors" for trial in trials}
    missing = [trials[trial].title for trial, file in files.items() if not file.is_file()]
    if missing:
        raise AblationError(
            f"{len(missing)} of {len(trials)} rungs are not trained in {store}, such as {missing[0]}: run `ablation roadmap "
            f"--data {data_name} --recipe {recipe} --start {start} --store {store}` first"
        )
    writable_folder(out)
    console = new_console()
    images, labels = _classes_in_turn(data, next(iter(trials)).recipe, count)
    options: dict[str, Any] = {"mean": data.mean, "std": data.std}
    maps: dict[str, np.ndarray] = {}
    curves: dict[str, Curves] = {}
    rows: list[dict[str, Any]] = []
    with steps(console, "attributions", len(trials)) as end:
        for trial, rung in trials.items():
            network = load_weights(files[trial]).eval()
            values = attribute(network, images, labels, "integrated_gradients", steps=_LADDER_STEPS, **options)
            gap = completeness_gap(network, images, values, labels, **options)
            entry = insertion_deletion(network, images, values, labels, **options)
            title = rung.title if rung.recipe == "original" else short_title(rung)
            maps[title], curves[title] = values.double().numpy(), entry
            rows += [
                {
                    "title": title,
                    "image": i,
                    "label": int(labels[i]),
                    "gap": float(gap[i]),
                    "insertion_area": entry.insertion_area[i],
                    "deletion_area": entry.deletion_area[i],
                }
                for i in range(len(images))
            ]
            median = float(gap.median())
            end(f"{title:28} completeness gap: median {100 * median:.2g} %, largest {100 * float(gap.max()):.2g} %")
    order = torch.rand(len(images), *images.shape[-2:], generator=torch.Generator().manual_seed(0))
    last = load_weights(files[list(trials)[-1]]).eval()
    chosen = {title: curves[title] for title in _CURVES if title in curves}
    chosen["random order, last row"] = insertion_deletion(last, images, order, labels, **options)
    about = {"data": data_name, "recipe": recipe, "seed": 0, "baseline": "black", **describe_environment("cpu")}
    table = pd.DataFrame(rows).assign(method="integrated_gradients", steps=_LADDER_STEPS, **about)
    label = data_label(data_name, start)
    some = slice(0, _SHOWN_IMAGES)
    shown = _shown(denormalise(images, data.mean, data.std)[some])
    figure = plot_attributions(shown, {title: values[some] for title, values in maps.items()}, signed=True)
    write_figure(out / f"attributions-{label}", figure, table, console)
    write_figure(
        out / f"completeness-{label}",
        plot_gaps(table).figure,
        table.drop(columns=["insertion_area", "deletion_area"]),
        console,
    )
    write_figure(out / f"curves-{label}", plot_curves(chosen), _curve_table(chosen).assign(**about), console)


def _classes_in_turn(data: Any, recipe: Recipe, count: int) -> tuple[Tensor, Tensor]:
    """Test images, the classes in turn."""
    batches = list(data.test_batches(recipe, 0, 1))
    images, labels = (torch.cat(part) for part in zip(*batches, strict=True))
    turn = torch.zeros_like(labels)
    for c in labels.unique():
        inside = labels == c
        turn[inside] = torch.arange(int(inside.sum()))
    order = (turn * (int(labels.max()) + 1) + labels).argsort()[:count]
    return images[order], labels[order]


def _rows(
    method: str, pictures: Sequence[Picture], classes: Tensor, curves: Curves, gap: Tensor | None
) -> list[dict[str, Any]]:
    return [
        {
            "image": str(picture.file),
            "class": int(classes[i]),
            "method": method,
            "probability": curves.insertion[i, -1],
            "insertion_area": curves.insertion_area[i],
            "deletion_area": curves.deletion_area[i],
            "completeness_gap": None if gap is None else float(gap[i]),
        }
        for i, picture in enumerate(pictures)
    ]


def _scores(table: pd.DataFrame, title: str) -> Table:
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("method", no_wrap=True)
    for heading in ("insertion, higher is better", "deletion, lower is better", "completeness gap %"):
        shown.add_column(heading, justify="right")
    for method, rows in table.groupby("method", sort=False):
        gap = rows["completeness_gap"].astype(float).median()
        shown.add_row(
            METHODS[str(method)].title,
            f"{rows['insertion_area'].mean():.3f}",
            f"{rows['deletion_area'].mean():.3f}",
            "" if gap != gap else f"{100 * gap:.3g}",
        )
    return shown


def _curve_table(curves: dict[str, Curves]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"network": name, "curve": kind, "share": share, "probability": value, "images": len(entry.insertion)}
            for name, entry in curves.items()
            for kind in ("insertion", "deletion")
            for share, value in zip(entry.shares, getattr(entry, kind).mean(0), strict=True)
        ]
    )


def _shown(pixels: Tensor) -> np.ndarray:
    """(N, H, W) or (N, H, W, 3) from (N, C, H, W)."""
    array = pixels.clamp(0, 1).double().cpu().numpy()
    return array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)


def _input_of(module: nn.Module) -> tuple[int, int]:
    """Channels and side of the images that a network was made for."""
    cfg: Any = getattr(module, "pretrained_cfg", None) or {}
    if "input_size" in cfg:
        return int(cfg["input_size"][0]), int(cfg["input_size"][-1])
    return int(getattr(module, "in_chans", 3)), 224
