"""Lines for Google Colab in the first cell of each notebook: `python -m docs.colab` writes them, or removes them.

The address of the repository is `Repository` of `project.urls` in pyproject.toml; without one, no notebook has such a line.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "pyproject.toml"
MISSING = ("timm", "fvcore", "captum>=0.9", "safetensors", "accelerate")  # of what we need, what Colab may lack
MARK = "> **Colab** "


def address() -> str | None:
    """Return the address of the repository, or None if the project has none yet."""
    urls = tomllib.loads(PROJECT.read_text())["project"].get("urls", {})
    return urls.get("Repository")


def installation(folder: str = ".") -> str:
    """Return the lines that install the library from a folder where torch is there already: --no-deps keeps it."""
    return f"%pip install --no-deps -e {folder}\n%pip install {' '.join(json.dumps(name) for name in MISSING)}"


def line(notebook: str, repository: str) -> str:
    """Return the line for a notebook."""
    path = repository.removesuffix(".git").removeprefix("https://github.com/").strip("/")
    folder = path.rpartition("/")[2]
    commands = [f"!git clone {repository}", f"%cd {folder}/notebooks", *installation("..").splitlines()]
    return (
        f"{MARK}[Open this notebook](https://colab.research.google.com/github/{path}/blob/main/notebooks/{notebook}), and run"
        f" {', '.join(f'`{command}`' for command in commands)} in cells of their own. Colab's torch stays."
    )


def with_line(source: str, notebook: str, repository: str | None) -> str:
    """Return the source of a first cell with the right line at the end of its box, or without one."""
    bare = re.sub(rf"\n>\n{re.escape(MARK)}[^\n]*", "", source)
    if repository is None:
        return bare
    head, box, rest = re.match(r"(.*?)((?:^>[^\n]*\n?)+)(.*)", bare, re.S | re.M).groups()  # type: ignore[union-attr]
    return head + box.rstrip("\n") + f"\n>\n{line(notebook, repository)}\n" + rest


def main() -> None:
    """Bring every notebook of the course up to date."""
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = json.loads(file.read_text())
        cell = notebook["cells"][0]
        source = with_line("".join(cell["source"]), file.name, address())
        cell["source"] = source.splitlines(keepends=True)
        file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
