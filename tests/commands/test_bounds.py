"""Options out of bounds, options that would be ignored, and what would not fit into memory: refused before any work."""

import re
from types import SimpleNamespace

import pytest

from ablation import AblationError, Trial, build, convnext, design, save_weights
from ablation.commands import room
from ablation.commands.console import data_label
from ablation.commands.networks import road_label
from ablation.commands.options import NetworkOptions, StudyOptions, TimingOptions
from ablation.data import DatasetInfo
from ablation.design.recipes import FAMILIES, MODERN
from ablation.design.trial import MAX_SEED
from ablation.measure import timing
from ablation.study.ladder import ladder_rungs
from tests.commands.running import ablation, pictures

REFUSED = [
    (["roadmap", "--seeds", "100000000"], "seeds 100000000 must be 1,000 or less"),
    (["study", "orderings", "--count", "1000000000"], "count 1000000000 must be 10,000 or less"),
    (["study", "factorial", "gelu", "--count", "3"], "--count is for the design orderings"),
    (["study", "orderings", "--count", "9000", "--seeds", "999"], "networks with 999 seeds each"),
    (["roadmap", "--workers", "9999"], "workers 9999 need 3,999.6 GB of memory"),
    (["roadmap", "--workers", "1000000"], "workers 1000000 must be 10,000 or less"),
    (["roadmap", "--label", "x" * 300], "must have 200 characters or less"),
    (["rates", "--data", "digits#500+100", "--workers", "-1"], "workers -1 must be 1 or more"),
    (["rates", "--data", "digits#500+100", "--epochs", "0"], "epochs 0 must be 1 or more"),
    (["rates", "--data", "digits#500+100", "--epochs", "9" * 80], "epochs 999"),
    (["rates", "--data", "digits#500+100", "--modern", "0.1,nan"], "must be a finite number"),
    (["rates", "--data", "digits#500+100", "--modern", ",".join(["0.1"] * 101)], "must be 100 or less"),
    (["attribute", "x.png", "--weights", "w", "--size", "0"], "size 0 must be 1 or more"),
    (["attribute", "--weights", "w"], "--weights needs image files or folders"),
    (["attribute", "x.png", "--weights", "w", "--count", "5"], "--count is for the ladder, without images"),
    (["train", "--rung", ""], "unknown rung ''"),
    (["train", "--model", ""], "timm has no model ''"),
    (["train", "--seed", str(2**63)], "seed 9223372036854775808 must be"),
    (["train", "--accumulate", "9" * 80], "accumulate 999"),
    (["train", "--model", "resnet18", "--start", "resnet200"], "--start is for steps and --rung"),
    (["train", "--epochs", "0"], "--epochs: epochs 0 must be 1 or more"),
    (["train", "--lr", "-1"], "--lr: lr -1.0 of recipe 'micro-modern' must be 0 or more"),
    (["train", "--batch-size", "9" * 80], "--batch-size: batch_size 999"),
    (["train", "--drop-path", "1"], "--drop-path: drop_path 1.0 of recipe 'micro-modern' must be"),
    (["train", "--ema", "nan"], "--ema: ema nan of recipe 'micro-modern' must be a finite number"),
    (["train", "--workers", "0"], "workers 0 must be 1 or more"),
    (["train", "--workers", "999"], "workers 999 must be 256 or less"),
    (["train", "--workers", "2"], "--workers is for image files: those of digits are held in memory"),
    (["train", "--validate-every", "-1"], "validate_every -1 must be 0 or more"),
    (["train", "--log-with", "tensorbord"], "unknown tracker 'tensorbord'; did you mean 'tensorboard'?"),
    (["train", "--init-from", "weights.pth"], "there is no weights file weights.pth"),
    (["roadmap", "--epochs", "0"], "--epochs: epochs 0 must be 1 or more"),
    (["roadmap", "--drop-path", "2"], "--drop-path: drop_path 2.0 of recipe 'micro-original' must be"),
    (["study", "factorial", "gelu", "--ema", "1"], "--ema: ema 1.0 of recipe 'micro-original' must be"),
    (["profile", "--precision", "fp8"], "--precision is for --timing"),
    (["profile", "--timing", "--precision", "fp8"], "unknown precision 'fp8'"),
    (["profile", "--timing", "--batch", "1000000000"], "batch 1000000000 must be 10,000,000 or less"),
    (["profile", "--size", "9" * 80], "size 999"),
    (["profile", "widen=" + "9" * 80], "width 999"),
    (["evaluate", "--model", "resnet18", "--weights", "w", "--pretrained"], "--weights FILE or --pretrained, not both"),
    (["see", "--what", "weights", "--model", "nope"], "it takes no steps, --model or --weights"),
    (["see", "--size", "1000000"], "size 1000000 must be 65,536 or less"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[" ".join(words)[:40] for words, _ in REFUSED])
def test_refused_before_any_work(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2 and message in error and len(error) < 500, error
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("name", "value"), [("WORLD_SIZE", "x"), ("WORLD_SIZE", "0"), ("RANK", "-1"), ("LOCAL_RANK", "²")]
)
def test_a_variable_of_torchrun_that_is_no_number(name, value, monkeypatch, capsys):
    monkeypatch.setenv(name, value)
    code, _, error = ablation("train", capsys=capsys)
    assert code == 2 and f"the environment variable {name} is '{value}'" in error


def test_python_callers_are_checked_too():
    for make in (
        lambda: StudyOptions("digits", "micro", seeds=0),
        lambda: StudyOptions("digits", "micro", workers=True),
        lambda: NetworkOptions(model=" "),
        lambda: NetworkOptions(pretrained=True),
        lambda: TimingOptions(batch=1.5),
        lambda: Trial(design.architecture.RESNET50, MODERN, seed=MAX_SEED + 1),
    ):
        with pytest.raises(AblationError):
            make()


def test_choices_are_those_of_the_timer():
    from ablation.commands import options

    for name in ("STEPS", "MEMORY_FORMATS", "PRECISIONS"):
        assert tuple(getattr(options, name)) == tuple(getattr(timing, name)), name


def test_long_labels_are_shortened_and_stay_apart():
    labels = {road_label(("gelu",) * n, "resnet50") for n in (30, 60, 61)} | {data_label("imagefolder:" + "a" * 255)}
    assert len(labels) == 4 and all(len(label) <= 120 for label in labels)


FOLDER = DatasetInfo("imagefolder:pictures", None, 2, 3)


def test_a_recipe_for_smaller_images_is_refused():
    with pytest.raises(
        AblationError, match=r"'micro' is made for images of 64 px or less.*at 224 px. Possible: --recipe paper"
    ):
        room.check_size("micro", FOLDER)
    for name in ("paper", "small32", "small64"):
        room.check_size(name, FOLDER)
    room.check_size("micro", DatasetInfo("digits", 8, 10, 1))


def test_training_that_does_not_fit_is_refused_with_what_fits(monkeypatch):
    rung = ladder_rungs("micro")[-1]
    trial = Trial(rung.architecture, FAMILIES["micro"].modern, FOLDER.name)
    needed = room.training_bytes(trial, FOLDER)
    assert needed == pytest.approx(13.0e9, rel=0.1), "measured with training_memory: 13.0 GB"
    monkeypatch.setattr(room, "available_bytes", lambda device: 8 * 10**9)
    with pytest.raises(
        AblationError,
        match=r"64 images of 224 px at a time needs about 12.* 8.0 GB.* 4\d images at a time",
    ):
        room.check_training([trial], FOLDER)
    room.check_training([trial], FOLDER, parts=2)
    with pytest.raises(AblationError, match="--workers 1"):
        room.check_training([trial], FOLDER, parts=2, at_a_time=2)


def test_a_timm_model_is_forecast_without_memory():
    recipe = FAMILIES["small32"].modern
    info = DatasetInfo("x", 64, 10, 3)
    assert room.training_bytes(Trial("timm:test_resnet", recipe), info) > 10**6
    assert room.training_bytes(Trial("timm:test_vit", recipe), DatasetInfo("x", 7, 10, 3)) is None, "its run will tell"


@pytest.mark.parametrize(
    ("arguments", "fits"),
    [
        (["see", "gelu", "--size", "8192"], "What fits: --size "),
        (["profile", "gelu", "--timing", "--batch", "500000"], "What fits: --batch "),
        (["profile", "gelu", "--timing", "--batch", "5000", "--step", "training"], "What fits: --batch "),
    ],
)
def test_what_does_not_fit_is_refused_by_the_commands(arguments, fits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(room, "available_bytes", lambda device: 4 * 10**9)
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2 and "GB of memory, of which 4.0 GB are available" in error and fits in error


@pytest.mark.parametrize(
    ("size", "fits"), [("65536", r"--size \d{4,5}\n"), ("4096", r"--size \d{3,4}\n")], ids=["the images", "the network"]
)
def test_attributions_that_do_not_fit_are_refused(size, fits, tmp_path, monkeypatch, capsys):
    network = build(convnext("atto"), 10)
    network.pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "input_size": (3, 64, 64)}
    save_weights(network, tmp_path / "w.safetensors")
    monkeypatch.setattr(room, "available_bytes", lambda device: 4 * 10**9)
    options = ("--weights", tmp_path / "w.safetensors", "--out", tmp_path)
    code, _, error = ablation("attribute", pictures(tmp_path), *options, "--size", size, capsys=capsys)
    assert code == 2 and re.search(
        f"with 2 images needs about .* of which 4.0 GB are available. What fits: {fits}", error
    )
    code, _, error = ablation("attribute", pictures(tmp_path), *options, "--method", "saliency", capsys=capsys)
    assert code == 0, error


def test_workers_are_limited_by_memory(monkeypatch):
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**9))
    assert StudyOptions("digits", "micro", workers=2).workers == 2
    with pytest.raises(AblationError, match="at most 2 fit"):
        StudyOptions("digits", "micro", workers=3)


def test_too_many_networks_are_refused_before_any_is_described(monkeypatch, capsys):
    monkeypatch.setattr("ablation.study.designs.design", lambda *_: pytest.fail("networks were described"))
    code, _, error = ablation("study", "orderings", "--count", 9000, "--seeds", 999, capsys=capsys)
    assert code == 2 and "trials 4091904 must be 100,000 or less: 4,096 networks with 999 seeds each" in error
