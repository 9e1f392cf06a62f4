"""Collect the sources of the site in one folder, from `notebooks`, `figures`, `ablation` and this folder.

The copies keep the folder structure of the originals, so links between pages stay valid. Links to targets that are not on the
site (folders and source files) are changed to the corresponding page, or replaced by their text.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
from pathlib import Path
from typing import Any

import ablation
from docs.answers import close_discussions
from docs.examples import add_examples
from docs.landing import add_landing

ROOT = Path(__file__).parents[1]
HERE = ROOT / "docs"

PACKAGES = ("design", "network", "measure", "data", "train", "study", "evidence", "show", "course")
FILES = ("figures", "LICENSE-CC-BY-4.0", "CITATION.cff")  # copied next to the pages; a link to such a file downloads it
MOVED_PAGES = {  # folders and files whose page is elsewhere on the site
    "README.md": "index.md",
    "docs": "index.md",
    "notebooks": "index.md",
    "notebooks/exercises": "index.md",
    "figures": "figures/README.md",
}
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\](?:\([^)]*\))?)*)\]\(([^)\s]+)\)")  # [text or image](target)
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
PROMPTS = {"hide-output": "Show the answer", "hide-input": "Show the code"}  # what myst-nb prints above a closed cell


def jupyter_anchor(title: str) -> str:
    """Return the anchor that JupyterLab generates for a heading, so that links work both in JupyterLab and on the site."""
    return title.replace(" ", "-")


def descriptions(file: str | Path) -> dict[str, str]:
    """Return the alternative text of each image in a notebook, by the hash of the image."""
    if Path(file).suffix != ".ipynb":
        return {}
    outputs = [output for cell in json.loads(Path(file).read_text())["cells"] for output in cell.get("outputs", [])]
    found = {}
    for output in outputs:
        alt = output.get("metadata", {}).get("image/png", {}).get("alt")
        if alt and "image/png" in output["data"]:
            image = base64.b64decode("".join(output["data"]["image/png"]))
            found[hashlib.sha256(image).hexdigest()] = alt
    return found


def gather(source: Path) -> None:
    """Write the sources of the site to a new folder."""
    source.mkdir(parents=True)
    for name in FILES[1:]:
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / FILES[0], source / FILES[0])
    for page in pages():
        target = source / place(page)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = page.read_text()
        if page.suffix == ".ipynb":
            notebook = json.loads(text)
            for cell in notebook["cells"]:
                prepare(cell, page)
            notebook["cells"] = close_discussions(notebook["cells"])
            text = json.dumps(notebook)
        else:
            text = relink(text, page)
        target.write_text(text)
    add_landing(source / "index.md")
    add_examples(source / "commands.md")
    write_reference(source / "api")


def prepare(cell: dict[str, Any], page: Path) -> None:
    """Change a cell of a notebook for the site: its links, and what stands above code and outputs that are closed at first."""
    if cell["cell_type"] == "markdown":
        cell["source"] = relink("".join(cell["source"]), page)
    for tag in set(PROMPTS) & set(cell["metadata"].get("tags", [])):
        cell["metadata"]["mystnb"] = {
            "code_prompt_show": PROMPTS[tag],
            "code_prompt_hide": PROMPTS[tag].replace("Show", "Hide"),
        }


def pages() -> list[Path]:
    """Return the files that become pages of the site; for the exercises, the student version."""
    notebooks = ROOT / "notebooks"
    found = [*notebooks.glob("*.md"), *notebooks.glob("*.ipynb"), *notebooks.glob("exercises/release/*/*.ipynb")]
    return [*sorted(HERE.glob("*.md")), ROOT / "figures" / "README.md", *sorted(found)]


def place(file: Path) -> Path:
    """Return where a file of the repository lies on the site; the pages of this folder are at the top."""
    return file.relative_to(HERE if file.parent == HERE else ROOT)


def relink(markdown: str, page: Path) -> str:
    """Replace the links of a page that are not valid on the site by links to the corresponding pages, or by their text."""

    def moved(path: Path) -> str:
        return os.path.relpath(place(path), place(page).parent)

    def link(match: re.Match[str]) -> str:
        text, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match.group(0)
        name, hash_, anchor = target.partition("#")
        path = (page.parent / name).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return match.group(0)  # Sphinx warns about it
        relative = path.relative_to(ROOT)
        if relative.parts[0] == "ablation":
            documented = relative.parts[1:2] == () or relative.parts[1] in PACKAGES
            return f"[{text}](/{reference(relative)})" if documented else text
        if str(relative) in MOVED_PAGES:
            return f"[{text}](/{MOVED_PAGES[str(relative)]})"
        on_site = relative.parts[0] in FILES or path in pages()
        return f"[{text}]({moved(path)}{hash_}{anchor})" if on_site else text

    def image(match: re.Match[str]) -> str:
        text, target = match.groups()
        return f"![{text}]({moved((page.parent / target).resolve())})"

    return LINK.sub(link, IMAGE.sub(image, markdown))


def reference(source: Path) -> str:
    """Return the place in the reference that documents a source file or folder of the library."""
    module = ".".join(source.with_suffix("").parts)
    package = ".".join(source.with_suffix("").parts[:2])
    return f"api/{package}.rst" + (f"#{module}" if module != package else "")


def write_reference(folder: Path) -> None:
    """Write a page for the public names, and one for each package with a section for each of its modules."""
    folder.mkdir()
    (folder / "ablation.rst").write_text(public_page())
    for name in PACKAGES:
        package = importlib.import_module(f"ablation.{name}")
        lines = [*heading(package.__name__, "="), *module_lines(package.__name__)]
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            lines += [f".. _{module.name}:", "", *heading(module.name, "-"), *module_lines(module.name)]
        (folder / f"{package.__name__}.rst").write_text("\n".join(lines))


def heading(title: str, underline: str) -> list[str]:
    """Return the lines of a heading in reStructuredText."""
    return [title, underline * len(title), ""]


def module_lines(name: str) -> list[str]:
    """Return the lines that document a module, without the names that are documented on the page of public names."""
    public = [key for key in ablation.__all__ if getattr(getattr(ablation, key), "__module__", "") == name]
    lines = [f".. automodule:: {name}", "   :members:", "   :ignore-module-all:", "   :show-inheritance:"]
    if public:
        links = ", ".join(f":py:obj:`ablation.{key}`" for key in public)
        lines += [f"   :exclude-members: {', '.join(public)}", "", f"Public: {links}."]
    return [*lines, ""]


def public_page() -> str:
    """Return the page that documents every name in `ablation.__all__`, grouped by package."""
    lines = [
        *heading("ablation", "="),
        ".. automodule:: ablation",
        "   :no-members:",
        "",
        ".. py:currentmodule:: ablation",
        "",
    ]
    for package in ("", *PACKAGES):
        names = [name for name in ablation.__all__ if name != "__version__" and package_of(name) == package]
        if names:
            title = f"From ablation.{package}" if package else "Errors"
            lines += heading(title, "-")
        for name in names:
            lines += [*public_lines(name, getattr(ablation, name)), ""]
    return "\n".join(lines)


def package_of(name: str) -> str:
    """Return the package that a public name comes from, or "" if its module is not in a package."""
    package = ablation._HOME[name].partition(".")[0]
    return package if package in PACKAGES else ""


def public_lines(name: str, value: Any) -> list[str]:
    """Return the lines that document a public name."""
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
