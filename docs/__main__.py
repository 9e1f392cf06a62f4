"""Build the site: `python -m docs [FOLDER]` writes `html` below docs/_build or the folder given; a warning is an error."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.gather import HERE, gather


def build(folder: Path) -> int:
    """Make `source`, `doctrees` and `html` in a folder anew; 0 if all went well."""
    source, html, doctrees = folder / "source", folder / "html", folder / "doctrees"
    for stale in (source, html, doctrees):
        shutil.rmtree(stale, ignore_errors=True)
    gather(source)
    options = ["--fail-on-warning", "--quiet", "--conf-dir", HERE, "--doctree-dir", doctrees]
    done = int(build_main([str(option) for option in (*options, source, html)]))
    print(f"Open {html / 'index.html'} in a browser." if done == 0 else "Not as it should be: see the warnings above.")
    return done


if __name__ == "__main__":
    sys.exit(build(Path(*sys.argv[1:]) if sys.argv[1:] else HERE / "_build"))
