"""`ablation attribute`, as the command line gives it: of image files, or without any of the trained ladder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from .options import NetworkOptions, StudyOptions
from .parameters import refuse_options

_LADDER = ("data", "recipe", "start", "store", "count", "rates", "init_gain")
_NETWORK = ("model", "weights", "pretrained", "method", "target", "size")


def attribute_chosen(
    context: typer.Context,
    images: Sequence[Path],
    network: tuple[str | None, Path | None, bool],
    ladder: StudyOptions,
    methods: Sequence[str],
    target: int | None,
    size: int | None,
    count: int,
) -> None:
    """Attribute images, or the ladder of a store where there are none; refuse the options of the other.

    Args:
        context: context of the command.
        images: image files or folders.
        network: values of `NetworkOptions`: the network that attributes images.
        ladder: the ladder that is attributed otherwise, the folder for figures, and the device.
        methods: names of methods; empty for the default ones.
        target, size: class to explain and side of the images in pixels, or None.
        count: test images for the ladder.
    """
    if images:
        refuse_options(context, _LADDER, "is for the ladder, without images")
    else:
        reason = "needs image files or folders: without them, the ladder in --store is attributed"
        refuse_options(context, _NETWORK, reason)
    from .attribute import DEFAULT_METHODS, ImageOptions, attribute_images, attribute_ladder

    if images:
        attribute_images(
            ImageOptions(
                images, NetworkOptions(*network), methods or DEFAULT_METHODS, target, size, ladder.out, ladder.device
            )
        )
    else:
        attribute_ladder(ladder, count)
