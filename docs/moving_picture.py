"""Record the explorer as it walks the road: `python -m docs.moving_picture FOLDER [FILE]`, by default figures/explorer.webp.

FOLDER holds the built page (`explorer` in the built site). Each frame is a screenshot after one press of "Take the next step";
it needs Playwright and Chromium. The file ending decides: .webp, or .gif with a palette of its own for each frame.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SIZE = (1120, 700)  # px of the window
STEP_MS, END_MS = 1100, 3000  # how long a frame is shown, and the first and the last
SETTLE_MS = 1300  # until the mark on what has changed has faded
MAX_STEPS = 30
MAX_BYTES = 1_500_000


def record(page: Page) -> list[Image.Image]:
    """Return a frame for the start of the road and one after each step."""
    page.wait_for_function("() => !document.querySelector('#next').disabled")
    page.evaluate("scrollTo(0, document.querySelector('.actions').getBoundingClientRect().top + scrollY - 16)")
    frames = [frame(page)]
    while page.locator("#next").is_enabled():
        if len(frames) > MAX_STEPS:
            raise RuntimeError(f"the road has not ended after {MAX_STEPS} steps")
        page.locator("#next").evaluate("button => button.click()")
        frames.append(frame(page))
    return frames


def frame(page: Page) -> Image.Image:
    """Return a screenshot of the window, taken when nothing moves on it any more."""
    page.wait_for_timeout(SETTLE_MS)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def save(frames: list[Image.Image], file: Path) -> None:
    """Write frames as an animation that repeats for ever; fail if it is too large for a page's first screen."""
    durations = [END_MS, *[STEP_MS] * (len(frames) - 2), END_MS]
    if file.suffix == ".gif":
        frames = [image.quantize(128, dither=Image.Dither.NONE) for image in frames]
    options = {"quality": 70, "method": 6} if file.suffix == ".webp" else {"optimize": True, "disposal": 1}
    file.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=durations, loop=0, **options)
    if file.stat().st_size > MAX_BYTES:
        raise RuntimeError(f"{file} has {file.stat().st_size:,} bytes, more than {MAX_BYTES:,}")


def main(folder: Path, file: Path) -> None:
    """Record the page in a folder into a file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
        page.goto((folder / "index.html").resolve().as_uri())
        frames = record(page)
        browser.close()
    save(frames, file)
    print(f"{file}: {len(frames)} frames, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(*sys.argv[2:3]) if sys.argv[2:] else Path(__file__).parents[1] / "figures" / "explorer.webp",
    )
