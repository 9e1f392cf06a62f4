"""The documentation site, opened from the file system: links, search, layout, and no request to another machine."""

import re
import resource
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.gather import descriptions

ROOT = Path(__file__).parents[2]
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
    return {file: Page(file) for file in site.rglob("*.html")}


def is_local(target):
    return not urlsplit(target).scheme and not target.startswith("//")


def resolve(page, link):
    """Return the file and the anchor to which a link of a page points."""
    parts = urlsplit(link)
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page, unquote(parts.fragment)


def test_local_links_are_not_broken(pages):
    broken = []
    for page, content in pages.items():
        for link in [*content.links, *content.resources]:
            if is_local(link) and link != "#":
                file, anchor = resolve(page, link)
                if not file.exists() or (anchor and file in pages and anchor not in pages[file].anchors):
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


def test_search_finds_receptive_fields(site, page):
    page.goto((site / "index.html").as_uri())
    page.get_by_placeholder("Search").fill("receptive field")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?*")
    page.get_by_text(re.compile(r"found \d+ pages")).wait_for()
    found = page.locator("#search-results li a")
    assert any("notebooks/" in link for link in found.evaluate_all("links => links.map(link => link.href)")[:3])
    found.first.click()
    page.wait_for_url("**/notebooks/**")
    assert "receptive field" in page.locator("article").inner_text().lower()


def test_search_reports_no_result(site, page):
    page.goto(f"{(site / 'search.html').as_uri()}?q=zyzzyva")
    page.get_by_text("did not match any documents").wait_for()
