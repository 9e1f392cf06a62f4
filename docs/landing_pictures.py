"""The pictures of the landing page, made small from the saved outputs of the notebooks and from `figures`."""

from __future__ import annotations

import base64
import io
import json
import shutil
from pathlib import Path

from PIL import Image, ImageChops

from docs.landing import FIGURES, NOTEBOOKS, PICTURES, recording, tour

SIZE = (640, 360)  # px of a card's picture
MARGIN = 18  # px of white around it
# A picture for each notebook: a figure by name, or the notebook and the cell of one of its pictures; then the part that is
# shown (left, top, right, bottom, as shares of the picture).
CHOICES: dict[str, tuple[str, str | None, tuple[float, float, float, float]]] = {
    "00_start_here": ("roadmap-cifar10-10k", None, (0, 0, 1, 1)),
    "01_roadmap": ("02_macro_design", "cell-07", (0, 0, 1, 1)),
    "02_macro_design": ("02_macro_design", "cell-21", (0, 0, 1, 1)),
    "03_depthwise_and_inverted": ("03_depthwise_and_inverted", "cell-13", (0, 0, 1, 1)),
    "04_large_kernels": ("04_large_kernels", "cell-14", (0, 0, 1, 1)),
    "05_micro_design": ("05_micro_design", "norm-cube", (0, 0, 1, 1)),
    "06_downsampling": ("06_downsampling", "cell-13", (0, 0, 1, 1)),
    "07_training": ("07_training", "cell-19", (0, 0, 1, 1)),
    "08_cost_and_speed": ("08_cost_and_speed", "cell-15", (0, 0, 1, 1)),
    "09_attributions": ("09_attributions", "cell-16", (0, 0, 1, 1)),
    "10_your_own_step": ("10_your_own_step", "cell-26", (0, 0, 1, 1)),
    "explorer": ("explorer", "cell-01", (0, 0, 1, 1)),
}


def write_pictures(site: Path) -> None:
    """Write the pictures to the folder of the built site."""
    folder = site / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    for _, name, _ in tour():
        card(name).save(folder / f"{name}.webp", quality=82, method=6)
    moving = recording() or FIGURES / "roadmap-cifar10-10k.png"
    with Image.open(moving) as image:
        image.save(folder / "still.webp", method=6)  # for readers who want nothing to move
        if moving.suffix == ".webp":
            shutil.copy(moving, folder / "hero.webp")
        else:
            image.save(folder / "hero.webp", save_all=True, method=6)


def card(name: str) -> Image.Image:
    """Return the picture on the card of a notebook: cut, without its margins, and fitted on white."""
    source, cell, box = CHOICES[name]
    image = (Image.open(FIGURES / f"{source}.png") if cell is None else saved_pictures(source)[cell]).convert("RGB")
    width, height = image.size
    image = image.crop(tuple(round(share * side) for share, side in zip(box, (width, height) * 2, strict=True)))
    image = image.crop(ImageChops.difference(image, Image.new("RGB", image.size, "white")).getbbox())
    image.thumbnail((SIZE[0] - 2 * MARGIN, SIZE[1] - 2 * MARGIN), Image.Resampling.LANCZOS)
    shown = Image.new("RGB", SIZE, "white")
    shown.paste(image, ((SIZE[0] - image.width) // 2, (SIZE[1] - image.height) // 2))
    return shown


def saved_pictures(notebook: str) -> dict[str, Image.Image]:
    """Return the picture among the saved outputs of each cell of a notebook that has one, by the cell's id."""
    cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text())["cells"]
    encoded = {
        cell["id"]: "".join(output["data"]["image/png"])
        for cell in cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    }
    return {name: Image.open(io.BytesIO(base64.b64decode(text))) for name, text in encoded.items()}
