"""Sphinx configuration of the site: notebooks with their saved outputs, exercises, figures and API reference.

`docs.gather` collects the sources. All files that a page needs are part of the site, so the site works from the file system,
without scripts, fonts or formulas from the network.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from ablation import __version__
from docs import accessible, excerpts, formulas
from docs.gather import HERE, descriptions
from docs.landing_pictures import write_pictures

project = "ablation"
author = "the authors of ablation"
copyright = "course text and figures CC BY 4.0, code MIT"
release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docs.formulas"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["figures/*-presence.md"]  # tables for papers and slides, not pages
suppress_warnings = ["ref.python"]  # a type in a signature that matches classes of two modules

# Show the saved outputs of the notebooks, and for a widget its static HTML version.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, Any] = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_heading_slug_func = "docs.gather.jupyter_anchor"

napoleon_google_docstring = True
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_math_renderer = formulas.RENDERER
html_title = "ablation"
html_static_path = ["_static"]
html_last_updated_fmt = None
html_css_files = ["site.css", "landing.css"]
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0068a3",
        "color-brand-content": "#0068a3",
    },  # the blue of the figures
    "dark_css_variables": {"color-brand-primary": "#5ab6ea", "color-brand-content": "#5ab6ea"},
}
html_show_sphinx = False
html_copy_source = False
html_show_search_summary = False  # its script fetches pages, which browsers do not allow for files: see docs.excerpts
html_search_scorer = str(HERE / "scorer.js")
html_domain_indices = False


def add_alt_texts(app: Sphinx, doctree: nodes.document) -> None:
    """Set the alternative text of each image of a notebook to the saved one; the image files are named by their hash."""
    texts = descriptions(app.env.doc2path(app.env.docname))
    for image in doctree.findall(nodes.image):
        stem = image["uri"].rpartition("/")[2].partition(".")[0]
        if not image.get("alt") and stem in texts:
            image["alt"] = texts[stem]


def escape_docstring(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Escape the characters of a docstring that docutils treats as markup; docstrings here are plain text with `code`."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(`[^`]*`)", line)
            parts[::2] = [re.sub(r"([*|]|_(?!\w))", r"\\\1", part) for part in parts[::2]]
            parts[1::2] = [f"`{part}`\\ " for part in parts[1::2]]
            lines[number] = "".join(parts)


def setup(app: Sphinx) -> None:
    """Connect the handlers above."""
    app.connect("autodoc-process-docstring", escape_docstring, priority=100)  # before napoleon
    app.connect("doctree-read", add_alt_texts)
    app.connect("build-finished", lambda app, error: None if error else write_pictures(Path(app.outdir)))
    accessible.connect(app)
    excerpts.connect(app)
