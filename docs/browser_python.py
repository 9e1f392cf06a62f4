"""Python for the browser: the explorer's page runs the library itself under Pyodide, from files beside it.

Pyodide comes from npm, in the version of `explorer/package-lock.json`. A page from disk may run scripts but fetch no file, so
everything that Pyodide would fetch is written as a script.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

from docs.gather import ROOT
from docs.table import script

EXPLORER = ROOT / "docs" / "explorer"
MODULES = EXPLORER / "node_modules"
FILES = ("pyodide.asm.wasm", "python_stdlib.zip", "pyodide.asm.mjs")
# What the page's functions import: the design package, what draws from it, and the ground.
LIBRARY = (
    "ablation/__init__.py",
    "ablation/errors.py",
    "ablation/version.py",
    "ablation/design/*.py",
    "ablation/show/__init__.py",
    "ablation/show/front.py",
    "ablation/show/explorer/*.py",
    "ablation/show/explorer/*.csv",
    "docs/fragments.py",
)


class MissingNpmError(RuntimeError):
    """npm is not installed, or could not install the packages of the lock file."""


def install() -> None:
    """Install the packages of the lock file with npm, unless they are there in these versions.

    Raises:
        MissingNpmError: if npm is missing or fails.
    """
    if all(_installed(name) == version for name, version in locked().items()):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise MissingNpmError(
            "npm is missing; the explorer's page takes Pyodide from it. Install Node.js with npm (Debian, Ubuntu: "
            "apt-get install npm; conda: conda install nodejs; macOS: brew install node), then build the site again."
        )
    done = subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=EXPLORER, capture_output=True, text=True)
    if done.returncode != 0:
        raise MissingNpmError(f"npm ci failed in {EXPLORER}; it needs the network once:\n{done.stderr.strip()}")


def locked() -> dict[str, str]:
    """Return the version of each package that the page needs directly."""
    packages = json.loads((EXPLORER / "package-lock.json").read_text())["packages"]
    wanted = packages[""]["dependencies"] | packages[""]["devDependencies"]
    return {name: packages[f"node_modules/{name}"]["version"] for name in wanted}


def _installed(name: str) -> str | None:
    file = MODULES / name / "package.json"
    return json.loads(file.read_text())["version"] if file.exists() else None


def write(folder: Path) -> None:
    """Write Python, its notice and the library into a folder."""
    install()
    source = MODULES / "pyodide"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / f"{name}.js").write_text(script(name, (source / name).read_bytes()))
    (folder / "ablation.zip.js").write_text(script("ablation.zip", library()))
    lock = json.loads((source / "pyodide-lock.json").read_text()) | {"packages": {}}  # no package is loaded
    (folder / "lock.js").write_text(f"window.pyodideLock = {json.dumps(lock)};\n")
    shutil.copy(source / "pyodide.js", folder)
    notice = (EXPLORER / "NOTICE.txt").read_text().replace("VERSION", locked()["pyodide"])
    (folder / "NOTICE.txt").write_text(notice)


def library() -> bytes:
    """Return the modules that the browser needs, zipped; the same modules give the same bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for file in sorted(file for pattern in LIBRARY for file in ROOT.glob(pattern)):
            archive.writestr(zipfile.ZipInfo(str(file.relative_to(ROOT))), file.read_bytes())
    return data.getvalue()
