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

# Each package and the packages it may import from. The modules beside the packages are open to all.
GROUND = {"environment", "errors", "files", "pictures", "version"}
BELOW_TRAIN = {"design", "measure", "network", "data"}
BELOW_EVIDENCE = BELOW_TRAIN | {"train", "study"}
ARROWS = {
    "design": set(),
    "measure": set(),
    "network": {"design"},
    "data": {"design"},
    "train": BELOW_TRAIN,
    "study": BELOW_TRAIN | {"train"},
    "evidence": BELOW_EVIDENCE,
    "show": {"design", "measure", "network"},
    "course": BELOW_EVIDENCE | {"evidence", "show", "__init__"},
    "commands": BELOW_EVIDENCE | {"evidence", "show"},
    "cli": {"commands"},
    "__main__": {"cli"},
    "__init__": BELOW_EVIDENCE,
    **{name: set() for name in GROUND},
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


def forbidden(file: Path) -> list[str]:
    """Imports of a file that its package may not have."""
    package = file.relative_to(ROOT / "ablation").parts[0].removesuffix(".py")
    allowed = ARROWS[package] | GROUND | {package}
    return [module for module in imports(file) if module.split(".")[0] not in allowed]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file):
    assert not forbidden(file)


@pytest.mark.parametrize("package", [name for name in ARROWS if (ROOT / "ablation" / name).is_dir()])
def test_a_forbidden_import_is_found(package, tmp_path, monkeypatch):
    """One import per package that points the wrong way."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / "ablation" / package / "new.py"
    file.parent.mkdir(parents=True)
    for other in sorted({name for name in ARROWS if not name.startswith("__")} - GROUND - ARROWS[package] - {package}):
        file.write_text(f"def late():\n    from ..{other}.some import thing\n")
        assert forbidden(file) == [f"{other}.some"]
    assert other


def test_the_arrows_are_those_of_the_packages():
    packages = {path.parent.name for path in (ROOT / "ablation").glob("*/__init__.py")}
    files = {path.stem for path in (ROOT / "ablation").glob("*.py")}
    assert set(ARROWS) == packages | files


def test_no_two_modules_have_one_name():
    names = [file.name for file in FILES if file.name != "__init__.py"]
    assert sorted(set(names)) == sorted(names), {name for name in names if names.count(name) > 1}


@pytest.mark.parametrize(
    "file", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda file: str(file.relative_to(ROOT))
)
def test_files_are_short(file):
    assert len(file.read_text().splitlines()) <= 300


def test_no_circular_imports():
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


BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Blocker())
"""
HEAVY = {"torch", "torchvision", "timm", "numpy", "scipy", "pandas", "matplotlib", "seaborn", "PIL", "ipywidgets"}


def run_blocked(program: str, blocked: set[str]) -> None:
    """Run a program in which some packages cannot be imported."""
    command = [sys.executable, "-c", BLOCKER.format(blocked=blocked) + program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_design_and_what_the_explorer_draws_from_it_need_only_the_standard_library():
    modules = [f"ablation.design.{file.stem}" for file in (ROOT / "ablation/design").glob("*.py")]
    needed_by_widget = {"demand", "layout", "twin", "widget", "__init__"}
    files = sorted(file.stem for file in (ROOT / "ablation/show/explorer").glob("*.py"))
    modules += [f"ablation.show.explorer.{name}" for name in files if name not in needed_by_widget]
    names = ", ".join(name.removesuffix(".__init__") for name in modules)
    program = f"""
import ablation, ablation.errors, ablation.version, {names}
from ablation import Recipe, Trial, MODERN
from ablation.show.explorer import Design, cards, compared, diagram, field, pareto, story
ablation.cost(ablation.roadmap()[-1].architecture)
assert Trial(ablation.RESNET50, MODERN).key("checksum")
design = Design(ablation.RESNET50)
for draw in (diagram.network_svg, compared.compared_svg, field.field_svg, pareto.pareto_svg):
    assert "<svg" in draw(design)
assert story.story_html(design) and cards.cards_html(design)
"""
    run_blocked(program, HEAVY)
    with pytest.raises(AssertionError, match="ipywidgets is blocked"):
        run_blocked("from ablation.show.explorer import Explorer", {"ipywidgets"})


def test_what_only_looks_and_what_checks_a_command_needs_no_torch():
    """So that `ablation status` is there at once, and a mistake is told before any weight is loaded."""
    program = (
        "import sys, ablation.commands.status, ablation.commands.train, ablation.study.study\n"
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


# conda-forge's names where they are not PyPI's, and what conda-forge does not have.
PIP_ONLY = {"thop"}
CONDA = {"torch": "pytorch", "ray[default]": "ray-default", "playwright": "playwright-python"}


def test_environment_yml_equals_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    wanted = [f"python{PROJECT['requires-python']}", "pip"]
    from_pip = ["-e ."]
    for requirement in [*PROJECT["dependencies"], *EXTRAS]:
        name, bound = re.fullmatch(r"([^>=<]+)(.*)", requirement).groups()
        (from_pip if name in PIP_ONLY else wanted).append(CONDA.get(name, name) + bound)
    listed = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    assert sorted(listed) == sorted(wanted)
    assert environment["dependencies"][-1] == {"pip": from_pip}
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_the_lock_holds_every_requirement_and_no_address():
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9_.-]+==\S+( ; .+)?", line) for line in lock)
    locked = {line.split("==")[0] for line in lock}
    for requirement in [*PROJECT["dependencies"], *EXTRAS]:
        assert re.split(r"[>=\[]", requirement)[0].lower() in locked


def test_types_are_skipped_only_of_what_is_not_used():
    overrides = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    skipped = [
        name.removesuffix(".*") for entry in overrides if entry.get("follow_imports") for name in entry["module"]
    ]
    assert skipped
    for file in FILES:
        assert not [name for name in skipped if re.search(rf"\b{re.escape(name)}\b", file.read_text())], file


def test_typed_and_tidy():
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
