"""The landing page: a hero, three findings with numbers read from the files of `figures`, and a card for each notebook."""

from __future__ import annotations

import csv
import json
import re
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIGURES, NOTEBOOKS = ROOT / "figures", ROOT / "notebooks"
MARK = "<!-- landing -->\n"
TOUR_ROW = re.compile(r"^\| \[([^\]]+)\]\((\w+)\.ipynb\) \| ([^|]+) \| \d+ \| \w+ \|$", re.M)
EXPLORER = "explorer/index.html"
PICTURES = "_static/landing"  # written by `docs.landing_pictures`


def add_landing(page: Path) -> None:
    """Replace the mark in a copy of `index.md` by the hero, the findings and the cards."""
    html = "\n".join([hero(), finding_cards(), notebook_cards()])
    page.write_text(page.read_text().replace(MARK, f"```{{raw}} html\n{html}\n```\n"))


def hero() -> str:
    """Return the HTML of the hero: a sentence, three buttons and the picture of the explorer."""
    return f"""<section class="hero" aria-label="What this is">
<div>
<p class="lead">ConvNeXt-T is a ResNet-50 after twelve changes. Switch each of them on or off, and see at once
what it costs, what the network can see, and what it gained.</p>
<p class="buttons"><a class="button primary" href="{EXPLORER}">Explore</a>
<a class="button" href="notebooks/00_start_here.html">Start the course</a>
<a class="button" href="install.html">Install</a></p>
<p class="note">The explorer opens in this browser and needs no installation. Everything here works without a network.</p>
</div>
<a class="picture" href="{EXPLORER}"><picture>
<source media="(prefers-reduced-motion: reduce)" srcset="{PICTURES}/still.webp">
<img src="{PICTURES}/hero.webp" alt="{escape(hero_text())}"></picture></a>
</section>"""


def hero_text() -> str:
    """Return the alternative text of the picture in the hero."""
    if recording() is None:
        return "Accuracy of the rows of the ladder on CIFAR-10, beside those published on ImageNet"
    return "The explorer walks the road: at each step the diagram, the cost and the receptive field change"


def recording() -> Path | None:
    """Return the moving picture of the explorer, which `docs.moving_picture` records, if there is one."""
    return next((file for file in sorted(FIGURES.glob("explorer.*")) if file.suffix in (".webp", ".gif")), None)


def table(name: str, key: str) -> dict[str, dict[str, str]]:
    """Return the rows of a file of `figures`, by the value of a column."""
    with (FIGURES / name).open(newline="") as opened:
        return {row[key]: row for row in csv.DictReader(opened)}


def findings() -> list[tuple[str, str, str, str]]:
    """Return the findings as (number, title, sentence, page), with every number read from a file of `figures`."""
    speed = table("speed-resnet50.csv", "title")
    ladder = table("roadmap-cifar10-10k.csv", "rung")

    def change(column: str, before: str, after: str) -> float:
        return 100 * (float(speed[after][column]) / float(speed[before][column]) - 1)

    def accuracy(rung: str, column: str = "accuracy") -> float:
        return float(ladder[rung][column])

    start, top, end = "enhanced_recipe", "inverted_bottleneck", "strided_downsampling"
    gain = accuracy(end, "published_accuracy") - accuracy(start, "published_accuracy")
    loss = accuracy(end) - accuracy(start)
    macs, seconds = (
        change("macs", "patchify stem", "depthwise conv"),
        change("seconds", "patchify stem", "depthwise conv"),
    )
    counted, printed = float(speed["BN to LN"]["macs"]) / 1e9, float(ladder["layer_norm"]["published_gmacs"])
    convnext = "ResNet-50", "separate downsampling"
    return [
        (
            f"{signed(loss)}, not {signed(gain, 2)}",
            "The road does not rise on few small images",
            f"On ImageNet it gains {gain:.2f} points. On 10,000 images of CIFAR-10 it climbs to {accuracy(top):.1f} % at"
            f" inverting dimensions and ends at {accuracy(end):.1f} %, below ResNet-50 with the same recipe"
            f" ({accuracy(start):.1f} %).",
            "small_scale.html",
        ),
        (
            f"{signed(seconds, 0)} %, not {signed(macs, 0)} %",
            "Multiply-accumulates are not time",
            f"The depthwise step takes {-macs:.0f} % of the MACs away, but {-seconds:.0f} % of the time of a forward pass on"
            f" two CPU cores. ConvNeXt-T has {change('macs', *convnext):.0f} % more MACs than ResNet-50 and takes"
            f" {change('seconds', *convnext):.0f} % longer.",
            "notebooks/08_cost_and_speed.html",
        ),
        (
            f"{counted:.2f} G, not {printed:.2f} G",
            "Two printed counts do not follow",
            f"For BN to LN the paper prints {printed:.2f} GFLOPs, where the network has {counted:.2f} G: another norm adds"
            " no multiply-accumulates. All rows of both tables but two agree with our exact counts.",
            "exactness.html",
        ),
    ]


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign, a minus and not a hyphen."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def finding_cards() -> str:
    """Return the HTML of the findings."""
    cards = [  # a number stays with its unit
        f'<a class="finding" href="{page}"><strong>{number}</strong><h3>{title}</h3><p>{sentence}</p></a>'
        for number, title, sentence, page in findings()
    ]
    html = re.sub(r"(?<=\d) (?=%|G\b)", "&nbsp;", "\n".join(cards))
    return f'<section class="findings" aria-label="Three findings">\n{html}\n</section>'


def tour() -> list[tuple[str, str, str]]:
    """Return (title, name, question) of every notebook, from the table in the first."""
    cells = json.loads((NOTEBOOKS / "00_start_here.ipynb").read_text())["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return TOUR_ROW.findall(text)


def notebook_cards() -> str:
    """Return the HTML of a card for each notebook: its picture, title and question."""
    cards = []
    for title, name, question in tour():
        plain = re.sub(r"[*`]", "", question.strip())
        cards.append(
            f'<a class="card" href="notebooks/{name}.html"><img src="{PICTURES}/{name}.webp"'
            f' alt="{escape(f"A picture from the notebook {title}")}">'
            f"<h3>{escape(title)}</h3><p>{escape(plain[0].upper() + plain[1:])}</p></a>"
        )
    return '<h2>The course</h2>\n<section class="cards" aria-label="Notebooks">\n' + "\n".join(cards) + "\n</section>"
