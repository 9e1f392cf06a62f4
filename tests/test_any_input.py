"""Whatever the command line or a description is given: success, or one message; never a traceback, and never for long."""

import dataclasses
import json
import math
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablation import AblationError, Architecture, Recipe, cost
from ablation.cli import app
from ablation.commands import (
    attribute,
    compare_rates,
    compare_row_rates,
    explore,
    profile_reconcile,
    profile_timing,
    run_grid,
    run_roadmap,
    run_study,
    see,
)
from ablation.design.recipes import MODERN
from ablation.design.trial import Trial
from tests.commands.running import ablation

QUICK = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SECONDS = 60  # for one command, on a busy machine
NASTY = [
    *(
        "",
        " ",
        "-1",
        "0",
        "1",
        "0.5",
        "1e9",
        "nan",
        "inf",
        "x",
        "[/red]",
        "[bold",
        "a" * 300,
        "\udcff",
        "Ä",
        "%s",
        "{}",
        "../..",
    ),
    *(
        "9" * 80,
        "9" * 5000,
        str(2**63),
        str(2**31),
        "1000000000",
        "missing/file.csv",
        "digits#-5",
        "cifar10#",
        "digits#x",
        "/dev",
    ),
    *(
        "gelu",
        "kernel_size=1e9",
        f"widen={9 * '9'}",
        "stage_ratio=1,1,1,99999999",
        "resnet18",
        "fp8",
        "timm:",
        "--",
        "imagefolder:",
    ),
]
ANYTHING = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cc", "Zl", "Zp"]), max_size=20),
    st.integers().map(str),
)
VALUES = st.one_of(
    st.sampled_from(
        [None, True, math.nan, math.inf, -math.inf, 10**80, 10**5000, -1, 0, 0.5, 1e308, "x" * 500, b"x", [], ()]
    ),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.one_of(st.integers(), st.floats(), st.none()), max_size=5),
)


class WorkBegins(Exception):  # noqa: N818  no error
    """Raised where a command starts to work, in place of the work."""


# Where the work of each command begins: after all checks of its options.
BOUNDARIES = [
    (attribute, "attribute"),
    (compare_rates, "run_with_progress"),
    (compare_row_rates, "run_with_progress"),
    (explore, "write_page"),
    (profile_timing, "breakdown"),
    (run_grid, "run_with_progress"),
    (run_roadmap, "run_with_progress"),
    (run_study, "run_with_progress"),
    (profile_reconcile, "reconcile"),
    (see, "_measure_fields"),
    (see, "_measure_layers"),
    (see, "_measure_norms"),
    (see, "_compare_weights"),
    (see, "photographs"),
]
STUDY = [
    *("--data", "--recipe", "--seeds", "--start", "--epochs", "--batch-size", "--drop-path", "--ema", "--init-gain"),
    *("--rates", "--label", "--workers", "--engine", "--cpus", "--gpus", "--device", "--precision"),
]
COMMANDS = {
    "profile": [
        *("--size", "--timing", "--batch", "--step", "--memory-format", "--precision", "--compiled", "--start"),
        "--reconcile",
    ],
    "roadmap": STUDY,
    "train": [
        *("--start", "--rung", "--model", "--init-from", "--data", "--recipe", "--seed"),
        *("--epochs", "--lr", "--batch-size", "--drop-path", "--ema", "--init-gain"),
        *("--device", "--precision", "--accumulate", "--workers", "--compile", "--validate-every", "--log-with"),
    ],
    "evaluate": ["--model", "--weights", "--data", "--recipe", "--class-order", "--averaged", "--raw", "--device"],
    "study": ["--count", "--images", "--sizes", *STUDY],
    "rates": [
        *("--data", "--recipe", "--every-row", "--original", "--modern", "--epochs", "--seeds", "--start", "--label"),
        *("--workers", "--device", "--precision"),
    ],
    "status": ["--store"],
    "export": ["--store"],
    "import": ["--store", "--same-images"],
    "power": ["--seeds", "--effect", "--steps", "--store"],
    "see": ["--what", "--start", "--model", "--weights", "--size", "--images", "--device"],
    "attribute": [
        *("--model", "--weights", "--method", "--target", "--size", "--data", "--recipe", "--start", "--count"),
        *("--rates", "--init-gain", "--device"),
    ],
    "explore": ["--port", "--no-browser"],
}
FLAGS = {"--compile", "--every-row", "--averaged", "--raw", "--timing", "--compiled", "--no-browser", "--pretrained"}
LEFT_OUT = {
    "--pretrained": "asks a hub",
    "--address": "connects to a cluster",
    "--out": "tests of folders",
    "--browser": "",
}


def test_every_option_of_every_command_is_tried():
    from typer.main import get_command

    for name, command in get_command(app).commands.items():
        options = {text for parameter in command.params for text in parameter.opts if text.startswith("--")}
        assert options - {"--help", "--store", *LEFT_OUT} <= set(COMMANDS[name]) | {"--store"}, name


@pytest.fixture
def stubbed(monkeypatch, tmp_path):
    """Replace the work of every command, in an empty folder."""

    def work(*arguments, **options):
        raise WorkBegins

    monkeypatch.chdir(tmp_path)
    for module, name in BOUNDARIES:
        monkeypatch.setattr(module, name, work)
    monkeypatch.setattr("ablation.train.run.run", work)
    monkeypatch.setattr("ablation.train.evaluation.evaluate", work)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_with_success_or_one_message(command, stubbed, capsys):
    @settings(QUICK, max_examples=12)
    @given(st.data())
    def check(data):
        arguments = [command]
        for option in data.draw(st.lists(st.sampled_from(COMMANDS[command]), max_size=3, unique=True)):
            arguments += [option] if option in FLAGS else [option, data.draw(ANYTHING, label=option)]
        given_words = data.draw(st.lists(ANYTHING, max_size=2), label="arguments")
        start = time.monotonic()
        try:
            code, _, error = ablation(*arguments, *given_words, capsys=capsys)
        except WorkBegins:
            capsys.readouterr()
            code, error = 0, ""
        assert code in (0, 2) and "Traceback" not in error, (arguments, given_words, error)
        assert code == 0 or 0 < len(error.splitlines()) < 12, error
        assert time.monotonic() - start < SECONDS

    check()
    assert not [path for path in Path.cwd().rglob("*") if path.is_file() and path.suffix in (".png", ".safetensors")]


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Architecture)])
def test_any_field_of_an_architecture_is_valid_or_one_message(field):
    @settings(QUICK, max_examples=40)
    @given(VALUES)
    def check(value):
        try:
            architecture = Architecture(**{field: value})
        except AblationError as error:
            assert len(str(error)) < 400
            return
        assert Architecture.from_json(architecture.to_json()) == architecture and cost(architecture).params > 0

    check()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Recipe)])
def test_any_field_of_a_recipe_is_valid_or_one_message(field):
    @settings(QUICK, max_examples=40)
    @given(VALUES)
    def check(value):
        try:
            recipe = MODERN.replace(**{field: value})
        except AblationError as error:
            assert len(str(error)) < 400
            return
        assert Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe
        assert math.isfinite(recipe.effective_lr) and len(Trial(Architecture(), recipe).key("")) == 20

    check()


@QUICK
@given(VALUES)
def test_any_seed_is_valid_or_one_message(seed):
    try:
        Trial(Architecture(), MODERN, seed=seed)
    except AblationError as error:
        assert "seed" in str(error) and len(str(error)) < 400


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@QUICK
@given(JSON)
def test_any_json_is_an_architecture_or_one_message(value):
    try:
        Architecture.from_json(json.dumps(value))
    except AblationError as error:
        assert len(str(error)) < 400
