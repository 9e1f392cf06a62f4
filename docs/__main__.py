"""Build the site: `python -m docs [FOLDER]` writes `html` in docs/_build or the given folder; warnings are errors."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.browser_python import MissingNpmError, install
from docs.gather import HERE, gather
from docs.page import build as build_page


def build(folder: Path) -> int:
    """Rebuild `source`, `doctrees` and `html` in a folder; return 0 on success."""
    try:
        install()  # first, so that a missing npm is told before the minutes that Sphinx takes
    except MissingNpmError as error:
        print(error, file=sys.stderr)
        return 1
    source, html, doctrees = folder / "source", folder / "html", folder / "doctrees"
    for stale in (source, html, doctrees):
        shutil.rmtree(stale, ignore_errors=True)
    gather(source)
    options = ["--fail-on-warning", "--quiet", "--conf-dir", HERE, "--doctree-dir", doctrees]
    status = int(build_main([str(option) for option in (*options, source, html)]))
    if status == 0:
        build_page(html / "explorer")
    print(f"Open {html / 'index.html'} in a browser." if status == 0 else "The build failed: see the warnings above.")
    return status


if __name__ == "__main__":
    sys.exit(build(Path(*sys.argv[1:]) if sys.argv[1:] else HERE / "_build"))
