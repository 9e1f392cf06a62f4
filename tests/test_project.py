"""The house: imports one way, what is listed is importable and documented, conda and pip users get the same."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import ablation

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [requirement for extra in PROJECT["optional-dependencies"].values() for requirement in extra]

# Each room and the rooms it may import from. The files beside the rooms at the bottom are open to all.
GROUND = {"allocator", "errors", "files", "version"}
ARROWS = {
    "design": set(),
    "measure": set(),
    "network": {"design"},
    "study": {"design", "network"},
    "show": {"design", "measure", "network", "study"},
    "course": {"design", "measure", "network", "study", "show", "__init__"},
    "jobs": {"design", "measure", "network", "study", "show"},
    "cli": {"design", "measure", "network", "study", "show", "jobs"},
    "__main__": {"cli"},
    "__init__": {"design", "measure", "network", "study"},
    **{name: {"errors"} for name in GROUND},
}


def imports(file: Path) -> list[str]:
    """Modules of this library that a file imports anywhere, dotted below `ablation`."""
    package = file.relative_to(ROOT / "ablation").parts[:-1]
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            face = set() if base else {name for name in names if name in ablation.__all__}
            found += ["__init__"] * bool(face) + [".".join([*base, name]) for name in names if name not in face]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ablation."):
            found.append(str(node.module).removeprefix("ablation."))
        elif isinstance(node, ast.Import):
            found += [
                alias.name.removeprefix("ablation.") for alias in node.names if alias.name.startswith("ablation.")
            ]
    return found


FILES = sorted((ROOT / "ablation").rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file):
    room = file.relative_to(ROOT / "ablation").parts[0].removesuffix(".py")
    for module in imports(file):
        target = module.split(".")[0]
        assert target == room or target in ARROWS[room] | GROUND, f"{room} may not import {module}"


def test_no_circle_inside_a_room():
    graph = {
        ".".join(file.relative_to(ROOT / "ablation").with_suffix("").parts).removesuffix(".__init__"): imports(file)
        for file in FILES
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module in graph and module not in done:
            for target in graph[module]:
                visit(target, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_design_and_the_bare_import_need_no_torch():
    modules = [
        f"ablation.design.{file.stem}" for file in (ROOT / "ablation/design").glob("*.py") if file.stem != "__init__"
    ]
    program = (
        f"import sys, ablation, {', '.join(modules)}\n"
        "ablation.cost(ablation.roadmap()[-1].architecture)\n"
        "assert not {'torch', 'timm', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_only_looks_and_what_checks_a_command_needs_no_torch():
    """So that `ablation status` is there at once, and a mistake is told before any weight is loaded."""
    program = (
        "import sys, ablation.jobs.stores, ablation.jobs.training, ablation.study.study\n"
        "found = {'torch', 'timm', 'pandas', 'ray'} & set(sys.modules)\n"
        "assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ablation.__all__)
def test_listed_is_importable_and_documented(name):
    value = getattr(ablation, name)
    assert name in dir(ablation)
    if inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value):
        assert value.__doc__ and len(value.__doc__) > 20
        assert value.__doc__.lstrip()[:30] != f"{name}("[:30], "a docstring that dataclass made up"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such"):
        _ = ablation.no_such


def test_public_functions_give_arguments_and_errors():
    for name in ablation.__all__:
        value = getattr(ablation, name)
        if inspect.isfunction(value) and inspect.signature(value).parameters:
            assert "Args:" in value.__doc__ or len(inspect.signature(value).parameters) == 1, name


# conda-forge's names where they are not PyPI's.
CONDA = {"torch": "pytorch", "ray[default]": "ray-default", "playwright": "playwright-python"}


def test_environment_yml_equals_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    wanted = [f"python{PROJECT['requires-python']}", "pip"]
    for requirement in [*PROJECT["dependencies"], *EXTRAS]:
        name, bound = re.fullmatch(r"([^>=<]+)(.*)", requirement).groups()
        wanted.append(CONDA.get(name, name) + bound)
    listed = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert sorted(listed) == sorted(wanted)
    assert environment["dependencies"][-1] == {"pip": ["-e ."]}
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_the_lock_holds_every_requirement_and_no_address():
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9_.-]+==\S+( ; .+)?", line) for line in lock)
    locked = {line.split("==")[0] for line in lock}
    for requirement in [*PROJECT["dependencies"], *EXTRAS]:
        assert re.split(r"[>=\[]", requirement)[0].lower() in locked


def test_typed_and_tidy():
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
