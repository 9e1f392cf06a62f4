"""Excerpts of pages for the search: Sphinx fetches whole pages for them, which browsers forbid to pages opened from a disk.

The text of each section is written to one script, which the page of the search loads; `search_excerpts.js` finds the query in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

DATA = "_static/excerpts.js"
LENGTH = 2500  # characters of a section
Texts = dict[str, list[tuple[list[str], str]]]


def connect(app: Sphinx) -> None:
    """Collect the texts while pages are written, and write the script at the end."""
    texts: Texts = {}

    def collect(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
        if doctree is not None:
            texts[name] = [*sections(doctree), *objects(doctree)]
        elif name == "search":
            app.add_js_file(DATA.removeprefix("_static/"))
            app.add_js_file("search_excerpts.js")

    def write(app: Sphinx, error: Exception | None) -> None:
        if error is None:
            data = json.dumps(texts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
            (Path(app.outdir) / DATA).write_text(f"var EXCERPTS = {data};\n")

    app.connect("html-page-context", collect)
    app.connect("build-finished", write)


def sections(doctree: nodes.Element) -> list[tuple[list[str], str]]:
    """Return the anchors and the text of each section, without its subsections: prose first, then code and outputs."""
    found = []
    for section in doctree.findall(nodes.section):
        inside = [child for child in section.children if not isinstance(child, nodes.section | nodes.title)]
        code = [block for child in inside for block in child.findall(nodes.literal_block)]
        prose = [
            child for child in inside if not any(child is block or block in list(child.findall()) for block in code)
        ]
        found.append((list(section["ids"]), plain([*prose, *code])))
    return found


def objects(doctree: nodes.Element) -> list[tuple[list[str], str]]:
    """Return the anchors of each documented name and the first paragraph about it."""
    found = []
    for description in doctree.findall(addnodes.desc):
        ids = [name for signature in description.findall(addnodes.desc_signature) for name in signature["ids"]]
        paragraph = next(iter(description[-1].findall(nodes.paragraph)), None)
        found.append((ids, plain([paragraph] if paragraph is not None else [])))
    return found


def plain(parts: list[nodes.Node]) -> str:
    """Return the text of nodes on one line, not too long."""
    return " ".join(" ".join(part.astext() for part in parts if not isinstance(part, nodes.raw)).split())[:LENGTH]
