"""What Sphinx, its theme and myst-nb leave out for screen readers and keyboards, put into each page as it is written."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

LEVEL = ('role="heading"', 'role="heading" aria-level="2"')  # captions of tables of contents
LABEL = (' aria-label="Toggle hidden content"', "")  # of a closed cell, in place of its text


def connect(app: Sphinx) -> None:
    """Mend the pages after the theme has filled them; `scrollable.js` does what depends on the width of the window."""
    app.add_js_file("scrollable.js", loading_method="defer")
    app.connect("html-page-context", mend, priority=900)


def mend(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give captions the level of a heading, and let a closed cell be named by what it says."""
    for part in ("body", "furo_navigation_tree"):
        for old, new in (LEVEL, LABEL):
            context[part] = (context.get(part) or "").replace(old, new)
