"""Put the site's sources together in one folder: they live where they are used, in `notebooks`, `figures` and `ablation`.

The copies lie as the originals do, so links between them hold. What the site does not show (folders, source files) is
linked to the reference, or left as plain text.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import inspect
import json
import pkgutil
import re
import shutil
from pathlib import Path
from typing import Any

import ablation

ROOT = Path(__file__).parents[1]
HERE = ROOT / "docs"

ROOMS = ("design", "network", "measure", "study", "show", "course")
SHOWN = ("figures", "LICENSE-CC-BY-4.0", "CITATION.cff")  # beside the pages; a link to such a file downloads it
FOLDERS = {"notebooks": "index.md", "notebooks/exercises": "index.md", "figures": "figures/README.md"}  # their pages
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\](?:\([^)]*\))?)*)\]\(([^)\s]+)\)")  # [text, maybe a picture](target)


def jupyter_anchor(title: str) -> str:
    """The anchor that JupyterLab gives a heading, so that one link serves there and here."""
    return title.replace(" ", "-")


def descriptions(file: str | Path) -> dict[str, str]:
    """The alternative text of each picture in a notebook, by the hash of the picture."""
    if Path(file).suffix != ".ipynb":
        return {}
    outputs = [output for cell in json.loads(Path(file).read_text())["cells"] for output in cell.get("outputs", [])]
    found = {}
    for output in outputs:
        alt = output.get("metadata", {}).get("image/png", {}).get("alt")
        if alt and "image/png" in output["data"]:
            picture = base64.b64decode("".join(output["data"]["image/png"]))
            found[hashlib.sha256(picture).hexdigest()] = alt
    return found


def gather(source: Path) -> None:
    """Make the folder of sources."""
    source.mkdir(parents=True)
    for name in SHOWN[1:]:
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / SHOWN[0], source / SHOWN[0])
    for page in pages():
        target = source / page.relative_to(HERE if page.parent == HERE else ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = page.read_text()
        if page.suffix == ".ipynb":
            notebook = json.loads(text)
            for cell in notebook["cells"]:
                if cell["cell_type"] == "markdown":
                    cell["source"] = relink("".join(cell["source"]), page)
            text = json.dumps(notebook)
        else:
            text = relink(text, page)
        target.write_text(text)
    write_reference(source / "api")


def pages() -> list[Path]:
    """What the site shows as pages; of the exercises the students' version."""
    notebooks = ROOT / "notebooks"
    found = [*notebooks.glob("*.md"), *notebooks.glob("*.ipynb"), *notebooks.glob("exercises/release/*/*.ipynb")]
    return [HERE / "index.md", ROOT / "README.md", ROOT / "figures" / "README.md", *sorted(found)]


def relink(text: str, page: Path) -> str:
    """Lead the links of a page that the site cannot follow to where it has the same."""

    def led(match: re.Match[str]) -> str:
        words, target = match.groups()
        if re.match(r"[a-z]+:|#", target) or page.parent == HERE:
            return match.group(0)
        path = (page.parent / target.partition("#")[0]).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return match.group(0)  # Sphinx complains of it
        there = path.relative_to(ROOT)
        if there.parts[:1] == ("ablation",):
            return f"[{words}](/{reference(there)})"
        if str(there) in FOLDERS:
            return f"[{words}](/{FOLDERS[str(there)]})"
        return match.group(0) if there.parts[0] in SHOWN or path in pages() else words

    return LINK.sub(led, text)


def reference(source: Path) -> str:
    """Where the reference speaks of a source file or folder of the library."""
    module = ".".join(source.with_suffix("").parts)
    room = ".".join(source.with_suffix("").parts[:2])
    return f"api/{room}.rst" + (f"#{module}" if module != room else "")


def write_reference(folder: Path) -> None:
    """A page for the public names, and one for each room with a section for each of its modules."""
    folder.mkdir()
    (folder / "ablation.rst").write_text(public_page())
    for room in ROOMS:
        package = importlib.import_module(f"ablation.{room}")
        lines = [*heading(package.__name__, "="), *module_lines(package.__name__)]
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            lines += [f".. _{module.name}:", "", *heading(module.name, "-"), *module_lines(module.name)]
        (folder / f"{package.__name__}.rst").write_text("\n".join(lines))


def heading(title: str, line: str) -> list[str]:
    return [title, line * len(title), ""]


def module_lines(name: str) -> list[str]:
    """A module's own names; those that are public stand on the public page."""
    public = [key for key in ablation.__all__ if getattr(getattr(ablation, key), "__module__", "") == name]
    lines = [f".. automodule:: {name}", "   :members:", "   :ignore-module-all:", "   :show-inheritance:"]
    if public:
        shown = ", ".join(f":py:obj:`ablation.{key}`" for key in public)
        lines += [f"   :exclude-members: {', '.join(public)}", "", f"Public: {shown}."]
    return [*lines, ""]


def public_page() -> str:
    """Every name of `ablation.__all__`, by room, with its docstring."""
    lines = [
        *heading("ablation", "="),
        ".. automodule:: ablation",
        "   :no-members:",
        "",
        ".. py:currentmodule:: ablation",
        "",
    ]
    for room in ("", *ROOMS):
        names = [name for name in ablation.__all__ if name != "__version__" and home(name) == room]
        if names:
            title = f"From ablation.{room}" if room else "Errors"
            lines += heading(title, "-")
        for name in names:
            lines += [*public_lines(name, getattr(ablation, name)), ""]
    return "\n".join(lines)


def home(name: str) -> str:
    """The room that a public name comes from; empty where it is none."""
    room = ablation._HOME[name].partition(".")[0]
    return room if room in ROOMS else ""


def public_lines(name: str, value: Any) -> list[str]:
    if inspect.isclass(value):
        return [f".. autoclass:: ablation.{name}", "   :members:", "   :show-inheritance:"]
    if inspect.isfunction(value):
        return [f".. autofunction:: ablation.{name}"]
    if inspect.ismodule(value):
        return [
            f".. py:data:: {name}",
            "   :no-index-entry:",
            "",
            f"   See :ref:`{value.__name__} <{value.__name__}>`.",
        ]
    return [f".. py:data:: {name}", f"   :type: {type(value).__name__}", f"   :value: {value!r}"]
