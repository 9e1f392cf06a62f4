"""The site, opened from the file system: landing page, links, search, answers, layout, and no request to another machine."""

import json
import re
import resource
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
from PIL import Image

from docs.examples import QUICK
from docs.gather import descriptions

ROOT = Path(__file__).parents[2]
COURSE = sorted((ROOT / "notebooks").glob("*.ipynb"))
AXE = ROOT / "docs/explorer/node_modules/axe-core/axe.min.js"
NOTEBOOKS = [*(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "notebooks/exercises/release").glob("*/*.ipynb")]


class Page(HTMLParser):
    """Anchors of a page, and targets of its links, images, scripts and style sheets."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag == "img":
            self.images.append(found)
        if tag in ("img", "script", "iframe", "source") and found.get("src"):
            self.resources.append(found["src"])
        if tag == "link" and found.get("href"):
            self.resources.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site once and return its folder; the CPU seconds are printed."""
    folder = tmp_path_factory.mktemp("site")
    start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([sys.executable, "-m", "docs", folder], cwd=ROOT, capture_output=True, text=True)
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start
    print(f"building the site took {seconds:.0f} CPU seconds")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    """Every page but the explorer, which has tests of its own."""
    return {file: Page(file) for file in site.rglob("*.html") if file.parent != site / "explorer"}


def is_local(target):
    return not urlsplit(target).scheme and not target.startswith("//")


def resolve(page, link):
    """Return the file and the anchor to which a link of a page points."""
    parts = urlsplit(link)
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page, unquote(parts.fragment)


def is_explorer(file):
    """Return whether a link leads to the explorer in a site that was built without it."""
    return file.name == "index.html" and file.parent.name == "explorer" and not file.parent.exists()


def test_local_links_are_not_broken(pages):
    broken = []
    for page, content in pages.items():
        for link in [*content.links, *content.resources]:
            if is_local(link) and link != "#":
                file, anchor = resolve(page, link)
                missing = not file.exists() and not is_explorer(file)
                if missing or (anchor and file in pages and anchor not in pages[file].anchors):
                    broken.append(f"{page.name}: {link}")
    assert broken == []
    assert sum(len(content.links) for content in pages.values()) > 1000


def test_pages_load_only_local_resources(pages):
    for page, content in pages.items():
        assert all(is_local(url) or url.startswith("data:") for url in content.resources), page.name


def test_every_image_has_its_saved_alt_text(site, pages):
    for page, content in pages.items():
        for image in content.images:
            assert len(image.get("alt") or "") >= 20, f"{page.name}: {image}"
    for notebook in NOTEBOOKS:
        shown = pages[(site / notebook.relative_to(ROOT)).with_suffix(".html")].images
        assert set(descriptions(notebook).values()) <= {image["alt"] for image in shown}, notebook.name


def test_the_site_holds_all_notebooks_and_no_solutions(site, pages):
    for notebook in NOTEBOOKS:
        assert (site / notebook.relative_to(ROOT)).with_suffix(".html") in pages
    assert not list(site.glob("notebooks/exercises/source*"))
    assert not any("BEGIN SOLUTION" in page.read_text() for page in pages)


def test_the_front_page_links_to_all_notebooks(site, page):
    page.goto((site / "index.html").as_uri())
    listed = page.locator(".sidebar-tree a").evaluate_all("links => links.map(link => link.href)")
    assert {(site / file.relative_to(ROOT)).with_suffix(".html").as_uri() for file in NOTEBOOKS} <= set(listed)
    page.locator(".sidebar-tree a", has_text="The roadmap").first.click()
    page.wait_for_url("**/01_roadmap.html")
    assert page.locator("h1").inner_text().startswith("01")
    page.locator(".next-page").click()
    page.wait_for_url("**/02_*.html")


@pytest.mark.parametrize("width", [1280, 768])
def test_all_pages_open_and_fit_the_window(pages, page, width):
    page.set_viewport_size({"width": width, "height": 900})
    for file in pages:
        page.goto(file.as_uri())
        assert page.title()
        widths = page.evaluate(
            "[document.documentElement, document.querySelector('.content') ?? document.body].map(one => one.scrollWidth)"
        )
        assert max(widths) <= width, f"{file.name} is too wide"
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth)"), file.name


def search(site, page, query):
    """Search, and return the addresses and the excerpts of the results in order."""
    page.goto((site / "index.html").as_uri())
    page.get_by_placeholder("Search").first.fill(query)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?*")
    page.get_by_text(re.compile(r"found (\d+ pages|one page)")).wait_for()
    results = page.locator("#search-results li")
    links = results.locator("a").evaluate_all("links => links.map(link => link.href)")
    return links, results.evaluate_all("all => all.map(one => one.querySelector('.context')?.textContent || '')")


def test_search_finds_the_reference_first_and_then_the_course(site, page):
    links, excerpts = search(site, page, "receptive field")
    kinds = ["api" if "/api/" in link else "course" if "/notebooks/" in link else "other" for link in links]
    first = kinds.index("course")
    assert 2 <= first <= 6 and set(kinds[:first]) == {"api"} and kinds[first : first + 3] == ["course"] * 3
    assert links[0].endswith("ablation.html#ablation.effective_receptive_field")
    assert sum("receptive field" in excerpt.lower() for excerpt in excerpts[:8]) >= 5 and all(excerpts[:8])
    assert page.locator("#search-results mark").first.inner_text().lower() in "receptive field"
    page.locator("#search-results li a").nth(first).click()
    page.wait_for_url("**/notebooks/**")
    assert "receptive field" in page.locator("article").inner_text().lower()


@pytest.mark.parametrize(("query", "first"), [("attribute", "ablation.attribute"), ("power", "power")])
def test_search_finds_a_name_first(site, page, query, first):
    assert first in search(site, page, query)[0][0]


def test_search_reports_no_result(site, page):
    page.goto(f"{(site / 'search.html').as_uri()}?q=zyzzyva")
    page.get_by_text("did not match any documents").wait_for()


def test_the_landing_page_shows_findings_from_the_files(site, page):
    page.goto((site / "index.html").as_uri())
    found = [text.replace("\N{NO-BREAK SPACE}", " ") for text in page.locator(".finding strong").all_inner_texts()]
    ladder = pd.read_csv(ROOT / "figures/roadmap-cifar10-10k.csv").set_index("rung")
    speed = pd.read_csv(ROOT / "figures/speed-resnet50.csv").set_index("title")
    road = (
        ladder.loc["strided_downsampling"][["accuracy", "published_accuracy"]]
        - ladder.loc["enhanced_recipe"][["accuracy", "published_accuracy"]]
    )
    change = (
        100 * (speed.loc["depthwise conv"] / speed.loc["patchify stem"][["macs", "seconds"]] - 1)[["seconds", "macs"]]
    )
    counted, printed = speed.loc["BN to LN", "macs"] / 1e9, ladder.loc["layer_norm", "published_gmacs"]
    expected = [
        f"{road['accuracy']:+.1f}, not {road['published_accuracy']:+.2f}",
        f"{change['seconds']:+.0f} %, not {change['macs']:+.0f} %",
        f"{counted:.2f} G, not {printed:.2f} G",
    ]
    assert found == [text.replace("-", "\N{MINUS SIGN}") for text in expected]


def test_the_landing_page_leads_into_the_site(site, page):
    page.goto((site / "index.html").as_uri())
    buttons = page.locator(".hero a.button").evaluate_all("links => links.map(link => [link.text, link.href])")
    targets = {
        "Explore": "explorer/index.html",
        "Start the course": "notebooks/00_start_here.html",
        "Install": "install.html",
    }
    assert dict(buttons) == {text: f"{site.as_uri()}/{target}" for text, target in targets.items()}
    cards = page.locator(".card").evaluate_all("links => links.map(link => link.href)")
    assert cards == [(site / "notebooks" / f"{file.stem}.html").as_uri() for file in COURSE]
    assert page.locator(".card p").evaluate_all("all => all.every(one => one.textContent.endsWith('?'))")
    assert page.locator(".toctree-wrapper .toctree-l2").count() == 0


@pytest.mark.parametrize("width", [390, 768])
def test_the_first_screen_says_what_it_is_and_shows_the_buttons(site, page, width):
    page.set_viewport_size({"width": width, "height": 844})
    page.goto((site / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for shown in (page.locator("h1"), page.locator(".lead"), *page.locator(".hero a.button").all()):
        box = shown.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= 844


def test_the_cards_have_pictures_of_the_saved_outputs(site):
    for file in [*(f"{notebook.stem}.webp" for notebook in COURSE), "hero.webp", "still.webp"]:
        with Image.open(site / "_static/landing" / file) as image:
            assert image.width >= 600 and len(image.convert("RGB").resize((64, 36)).getcolors(64 * 36)) > 20, file


def test_answers_are_closed_until_opened(site, page):
    notebook = json.loads((ROOT / "notebooks/01_roadmap.ipynb").read_text())
    guesses = sum("hide-output" in cell["metadata"].get("tags", []) for cell in notebook["cells"])
    page.goto((site / "notebooks/01_roadmap.html").as_uri())
    answers = page.locator("details.hide", has=page.get_by_text("Show the answer"))
    assert answers.count() == guesses > 5
    output = answers.first.locator(".cell_output")
    assert not output.is_visible()
    answers.first.locator("summary").click()
    assert output.is_visible() and "25,557,032" in output.inner_text()
    assert page.locator("details.hide", has=page.get_by_text("Show the code")).count() >= 2


def test_the_discussion_of_an_answer_opens_with_it(site, page):
    page.goto((site / "notebooks/03_depthwise_and_inverted.html").as_uri())
    assert page.locator("div.discussion").count() > 5
    discussion = page.get_by_text("For a 3 x 3 kernel the saving")
    assert not discussion.is_visible() and page.get_by_text("Which width would have").is_visible()
    assert page.get_by_role("heading", name="Which inputs influence which outputs").is_visible()
    page.locator("details.below-input summary").first.click()
    assert discussion.is_visible()


def test_the_commands_show_what_they_print(site):
    text = (site / "commands.html").read_text()
    assert all(f'id="{name}"' in text and f"Options of {name}" in text for name in QUICK)
    assert "67 done, 0 diverged" in text and "Usage: ablation profile" in text


def test_the_site_is_small(site):
    assert sum(file.stat().st_size for file in site.rglob("*") if file.is_file()) < 30_000_000


if AXE.exists():

    @pytest.mark.parametrize("name", ["index.html", "notebooks/01_roadmap.html", "commands.html"])
    def test_axe_finds_no_serious_fault(site, page, name):
        page.goto((site / name).as_uri())
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run({preload: false})")["violations"]
        serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
        assert [(fault["id"], [node["target"] for node in fault["nodes"]][:5]) for fault in serious] == []
