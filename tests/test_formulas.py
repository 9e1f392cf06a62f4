"""The site writes every formula of the course as MathML, without a script."""

import re
from types import SimpleNamespace

import nbformat
import pytest
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

from docs import formulas
from tests.notebooks import FOLDER

FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
PAGES = [*FOLDER.glob("*.ipynb"), *FOLDER.glob("exercises/release/*/*.ipynb")]


def written(file):
    """Return the formulas of a notebook, each with whether it has a line of its own."""
    text = "\n\n".join(c.source for c in nbformat.read(file, as_version=4).cells if c.cell_type == "markdown")
    found = FORMULA.findall(re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL))
    return [(block or inline, bool(block)) for block, inline in found]


def test_every_formula_of_the_course_can_be_converted():
    found = [formula for file in PAGES for formula in written(file)]
    assert len(found) >= 50 and {block for _, block in found} == {True, False}
    converted = [formulas.tidied(tex2mathml(text, as_block=block)) for text, block in found]
    assert all("<math" in formula for formula in converted)
    assert not any("\N{REVERSE SOLIDUS OPERATOR}" in formula for formula in converted), "few fonts have this sign"


def test_a_formula_becomes_mathml():
    assert "<msqrt>" in formulas.mathml(nodes.math("", r"\sqrt{n}"), block=False)
    assert 'display="block"' in formulas.mathml(nodes.math_block("", r"r = 1"), block=True)


def test_only_the_braces_of_a_row_stretch():
    plain = formulas.mathml(nodes.math("", r"v(S \cup \{i\})"), block=False)
    assert plain.count('<mo stretchy="false">') == 4 and "<mo>{</mo>" not in plain
    for fenced in (r"\left\{a\right\}", r"\begin{cases} a & b \end{cases}"):
        assert "stretchy" not in formulas.mathml(nodes.math("", fenced), block=False)


def test_an_unknown_command_is_a_warning_of_the_build(monkeypatch):
    warnings = []
    monkeypatch.setattr(formulas.logger, "warning", lambda *given, **options: warnings.append(given))
    assert formulas.mathml(nodes.math("", r"\nosuchcommand x"), block=False) == ""
    assert len(warnings) == 1 and r"\nosuchcommand" in warnings[0][1]


@pytest.mark.parametrize("name", ["inline", "displayed"])
def test_the_formula_is_written_once(name):
    translator = SimpleNamespace(body=[])
    with pytest.raises(nodes.SkipNode):
        getattr(formulas, name)(translator, nodes.math("", "x"))
    assert "".join(translator.body).count("<math") == 1
