"""Build the explorer's page: `python -m docs.page FOLDER` writes it there, to be opened from disk."""

from __future__ import annotations

import shutil
import sys
from html import escape
from pathlib import Path
from string import Template

from ablation.design.architecture import RESNET50
from ablation.show.explorer import field, story
from ablation.show.explorer.look import DRAWINGS_CSS
from ablation.show.explorer.state import GROUPS, SWITCHES, Design
from ablation.show.explorer.svg import DARK, variables_css
from docs.browser_python import MissingNpmError, write
from docs.fragments import CONTROLS, record
from docs.gather import ROOT
from docs.table import table_script

SOURCE = ROOT / "docs" / "explorer"
SCRIPTS = ("table.js", "python.js", "changes.js", "explorer.js")
STYLES = ("explorer.css",)


def build(folder: Path) -> None:
    """Write the page and all that it needs into a folder.

    Args:
        folder: made if it does not exist.

    Raises:
        MissingNpmError: if npm is missing or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "python")
    for name in (*SCRIPTS, *STYLES):
        shutil.copy(SOURCE / name, folder)
    (folder / "drawings.css").write_text(drawings_css())
    (folder / "data.js").write_text(table_script())
    (folder / "index.html").write_text(page())


def drawings_css() -> str:
    """Return the style sheet of the drawings and texts, which the widget has as well."""
    dark = variables_css(DARK)
    return f"{DRAWINGS_CSS}@media (prefers-color-scheme: dark) {{ .ax {{ {dark} }} }}\n"


def page() -> str:
    """Return the page as it is before its first script runs: it shows ResNet-50."""
    start = record(Design(RESNET50))
    parts = {f"view_{name}": html for name, html in start["views"].items()}
    return Template((SOURCE / "page.html").read_text()).substitute(
        parts,
        questions=story.questions_html(),
        photograph=field.photograph_symbol(),
        groups="".join(_group(index, start["effects"]) for index in range(len(GROUPS))),
        controls="".join(
            _control(name, *about, value)
            for (name, about), value in zip(CONTROLS.items(), start["values"], strict=True)
        ),
    )


def _group(index: int, effects: list[str]) -> str:
    group = GROUPS[index]
    rows = "".join(_switch(SWITCHES.index(switch), switch.label, effects) for switch in group.switches)
    return (
        f'<details class="group" open><summary><span>{escape(group.title)}</span> '
        f'<span class="quiet">section {group.section}</span></summary>{rows}</details>'
    )


def _switch(number: int, label: str, effects: list[str]) -> str:
    name, _, detail = label.partition(": ")
    detail = f'<span class="detail">{escape(detail)}</span>' if detail else ""
    return (
        f'<div class="switch"><label><input type="checkbox" role="switch" data-switch="{number}" '
        f'aria-describedby="effect{number}" disabled><span><span class="name">{escape(name)}</span> {detail}</span></label>'
        f'<span class="effect" id="effect{number}">{effects[number]}</span></div>'
    )


def _control(name: str, label: str, least: int, most: int, step: int, value: int) -> str:
    return (
        f'<label class="control"><span>{escape(label)}</span><input type="number" data-control="{name}" inputmode="numeric" '
        f'min="{least}" max="{most}" step="{step}" value="{value}" disabled></label>'
    )


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]))
    except MissingNpmError as error:
        sys.exit(str(error))
