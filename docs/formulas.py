"""Write formulas as MathML, which browsers display without scripts, fonts or requests to another machine."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

RENDERER = "mathml"
_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
logger = logging.getLogger(__name__)


def mathml(node: nodes.Element, block: bool) -> str:
    """Return the MathML of a formula; an unknown command is a warning of the build."""
    try:
        return tidied(str(tex2mathml(node.astext(), as_block=block)))
    except MathError as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node)
        return ""


def tidied(formula: str) -> str:
    """Return MathML whose braces are as high as the text unless they are the fences of a row, and whose signs fonts have."""
    ElementTree.register_namespace("", _NAMESPACE)
    root = ElementTree.fromstring(re.sub(r"&(?!amp;|lt;|gt;|quot;)\w+;", lambda name: unescape(name[0]), formula))
    for parent in root.iter():
        fences = (parent[0], parent[-1]) if parent.tag == f"{{{_NAMESPACE}}}mrow" and len(parent) else ()
        for child in parent:
            if child.text in ("{", "}") and child not in fences:
                child.set("stretchy", "false")  # as docutils does for all other brackets
            elif child.text == "\N{REVERSE SOLIDUS OPERATOR}":
                child.text = "\N{SET MINUS}"
    return ElementTree.tostring(root, encoding="unicode")


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    translator.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def displayed(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, which scrolls where the page is narrower."""
    translator.body.append(f'<div class="formula">{mathml(node, block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer(RENDERER, inline_renderers=(inline, None), block_renderers=(displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
