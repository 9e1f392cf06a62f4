"""The command: the jobs end to end, and every mistake as one message on one screen with exit code 2."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from ablation.cli import main
from tests.network.test_weights import Malice


def ablation(*arguments, capsys):
    """Run the command in this process: (exit code, standard output, standard error)."""
    argv, sys.argv = sys.argv, ["ablation", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
            raise SystemExit(0)
    finally:
        sys.argv = argv
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_profile_prints_both_ladders_and_the_two_rows_that_disagree(capsys):
    code, out, _ = ablation("profile", capsys=capsys)
    assert code == 0
    for exact in ("25,557,032", "4,089,184,256", "28,582,504", "4,455,531,264", "88,573,416", "15,354,729,472"):
        assert exact in out
    assert out.count("4.46 (!)") == 1 and out.count("4.49 (!)") == 1 and out.count("(!)") == 4
    assert "(!) BN to LN: the paper prints 4.46, we count 4.15" in out
    assert "(!) separate downsampling: the paper prints 4.49, we count 4.46" in out


def test_profile_of_a_road_of_one_s_own(capsys):
    code, out, _ = ablation("profile", "depthwise", "kernel_size=7", "--size", "64", capsys=capsys)
    assert code == 0 and "kernel size 7" in out and "paper" not in out


def test_help_and_version_need_no_torch():
    program = (
        "import sys; sys.argv = ['ablation', *sys.argv[1:]]\nfrom ablation.cli import main\ntry:\n main()\nfinally:\n"
    )
    program += (
        " heavy = {'torch', 'timm', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)\n assert not heavy, heavy"
    )
    for option in ("--help", "--version", "profile"):
        done = subprocess.run([sys.executable, "-c", program, option], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout


FOLDER_THAT_IS_A_FILE = "a file, not a folder"
BAD_INPUT = [
    (["profile", "gleu"], "did you mean 'gelu'"),
    (["profile", "kernel_size=4"], "kernel_size 4 is even"),
    (["profile", "kernel_size=-3"], "kernel_size -3"),
    (["profile", "stage_ratio=3,3,9"], "must have 4 entries"),
    (["profile", "--start", "resnet5"], "did you mean 'resnet50'"),
    (["profile", "gelu", "--start", "resnet5"], "did you mean 'resnet50'"),
    (["profile", "--size", "16"], "smallest that works is 32 px"),
    (["profile", "strided_downsampling", "--size", "20"], "smallest that works is 29 px"),
    (["profile", "--size", "large"], "Invalid value for '--size'"),
    (["roadmap", "--data", "digist"], "did you mean 'digits'"),
    (["roadmap", "--data", "imagefolder:/nowhere"], "has no folder"),
    (["roadmap", "--recipe", "mirco"], "did you mean 'micro'"),
    (["roadmap", "--recipe", "paper"], "smallest that works is 32 px"),
    (["roadmap", "--seeds", "-1"], "seeds -1 must be 1 or more"),
    (["roadmap", "--seeds", "0"], "seeds 0 must be 1 or more"),
    (["roadmap", "--workers", "0"], "workers 0 must be 1 or more"),
    (["roadmap", "--start", "resnet20"], "did you mean 'resnet200'"),
    (["roadmap", "--out", FOLDER_THAT_IS_A_FILE], "cannot write to the folder"),
    (["roadmap", "--out", "/proc/figures"], "cannot write to the folder"),
    (["roadmap", "--store", FOLDER_THAT_IS_A_FILE], "cannot write to the folder"),
    (["train", "gelu", "--seed", "-2"], "seed -2 must be a whole number, 0 or more"),
    (["train", "--rung", "depthwize"], "did you mean 'depthwise'"),
    (["train", "gelu", "--rung", "gelu"], "not two of them"),
    (["train", "kernel_size=6"], "kernel_size 6 is even"),
    (["train", "--precision", "fp8"], "precision 'fp8'"),
    (["evaluate"], "give --weights FILE or --model NAME"),
    (
        ["evaluate", "--model", "resnet18", "--data", "digits"],
        "is for 1000 classes and 3 channels, but digits has 10 and 1",
    ),
    (["evaluate", "--model", "resnet-18"], "did you mean 'resnet18'"),
    (["train", "--model", "convnext_tinny"], "did you mean 'convnext_tiny'"),
    (["train", "gelu", "--model", "resnet18"], "not two of them"),
    (["rates", "--data", "digits"], "holds nothing out"),
    (["rates", "--data", "digits#500+100", "--modern", "0.1;0.2"], "must be learning rates with commas"),
    (["import", "missing.csv"], "cannot read"),
    (["evaluate", "--weights", "missing.safetensors"], "there is no weights file"),
    (["evaluate", "--weights", "cut.safetensors"], "not a whole weights file"),
    (["evaluate", "--weights", "foreign.pth"], "not written by ablation"),
    (["evaluate", "--weights", "poison.pth"], "was refused"),
    (["prfile"], "No such command 'prfile'"),
    (["profile", "--timing", "--step", "trainin"], "did you mean 'training'"),
    (["profile", "--timing", "--batch", "0"], "batch 0 must be 1 or more"),
    (["profile", "--timing", "--size", "16"], "smallest that works is 32 px"),
    (["profile", "--timing", "--memory-format", "NHCW"], "did you mean 'NCHW'"),
    (["see", "--what", "field"], "did you mean 'fields'"),
    (["see", "--size", "8"], "size 8 must be 32 pixels or more"),
    (["see", "--images", "nowhere"], "there is no folder nowhere"),
    (["see", "--images", "pictures"], "note.png is not an image"),
    (["see", "--start", "resnet5"], "did you mean 'resnet50'"),
    (["see", "gelu", "--model", "resnet50"], "not both"),
    (["see", "--pretrained"], "--pretrained needs --model"),
    (["see", "--model", "resnet5O"], "did you mean 'resnet50'"),
    (["see", "--model", "resnet18", "--weights", "foreign.pth"], "the weights are another model's"),
    (["see", "--weights", "missing.safetensors"], "there is no weights file"),
    (["attribute"], "run `ablation roadmap --data digits --recipe micro --start resnet50 --store runs` first"),
    (["attribute", "--count", "1"], "images 1 must be 2 or more"),
    (["attribute", "pictures/note.png"], "attributions of random weights mean nothing"),
    (["attribute", "pictures/note.png", "--weights", "cut.safetensors"], "note.png is not an image"),
    (["attribute", "dot.png", "--weights", "cut.safetensors"], "dot.png is 1 x 1 pixels"),
    (["attribute", "missing.png", "--weights", "cut.safetensors"], "there is no image file missing.png"),
    (["attribute", "missing.png", "--method", "grad-cam"], "did you mean 'grad_cam'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT, ids=[" ".join(arguments) for arguments, _ in BAD_INPUT])
def test_bad_input_is_one_clear_message_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path(FOLDER_THAT_IS_A_FILE).touch()
    Path("cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    torch.save({"w": torch.zeros(1)}, "foreign.pth")
    torch.save({"w": Malice("executed")}, "poison.pth")
    Path("pictures").mkdir()
    Path("pictures/note.png").write_text("no picture")
    Image.new("RGB", (1, 1)).save("dot.png")
    before = sorted(tmp_path.iterdir())
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2
    assert message in error
    assert "Traceback" not in error and len(error.splitlines()) < 12
    assert not Path("executed").exists()
    made = [path for path in tmp_path.iterdir() if path not in before and any(path.iterdir())]
    assert not made, "nothing was done before the mistake was found"


@pytest.fixture
def quick(monkeypatch):
    """The micro family at one epoch, for this process and, by the environment, for none other."""
    from ablation.design import recipe

    pair = recipe.FAMILIES["micro"]
    short = recipe.Family(
        pair.original.replace(epochs=1),
        pair.modern.replace(epochs=1, warmup_epochs=0),
        pair.width_divisor,
        pair.stem_stride,
    )
    monkeypatch.setitem(recipe.FAMILIES, "micro", short)


def test_roadmap_trains_every_rung_once_and_writes_figure_and_numbers(tmp_path, quick, capsys):
    arguments = ("roadmap", "--seeds", 1, "--out", tmp_path / "figures", "--store", tmp_path / "runs")
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "17 trials to train, 0 done before" in out and "17/17" in out
    assert "carry no evidence about large kernels" in out
    with (tmp_path / "figures" / "roadmap-digits.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 17 and all(float(row["accuracy"]) > 5 for row in rows)
    assert all(row["n"] == "1" and row["seeds"] == "0" and row["torch"] and row["device"] == "cpu" for row in rows)
    assert rows[0]["recipe"] != rows[1]["recipe"]
    assert (tmp_path / "figures" / "roadmap-digits.png").read_bytes().startswith(b"\x89PNG")
    numbers = (tmp_path / "figures" / "roadmap-digits.csv").read_bytes()
    code, out, _ = ablation(*arguments, capsys=capsys)
    assert code == 0 and "0 trials to train, 17 done before" in out
    assert (tmp_path / "figures" / "roadmap-digits.csv").read_bytes() == numbers


def test_train_then_evaluate_gives_the_same_accuracy(tmp_path, quick, capsys):
    code, out, _ = ablation("train", "patchify_stem", "gelu", "--store", tmp_path, capsys=capsys)
    assert code == 0 and "epoch 1/1" in out
    trained = next(line for line in out.splitlines() if line.startswith("top-1")).split()[1]
    (weights,) = (tmp_path / "weights").glob("*.safetensors")
    code, out, _ = ablation("evaluate", "--weights", weights, capsys=capsys)
    assert code == 0 and f"top-1 {trained} %" in out


def test_a_study_is_run_once_shown_and_exported(tmp_path, quick, capsys):
    store, figures = tmp_path / "runs", tmp_path / "figures"
    arguments = ("study", "one-at-a-time", "gelu", "depthwise", "--seeds", 2, "--store", store, "--out", figures)
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "6 trials to train, 0 done before" in out and "6/6" in out
    points = {row["point"]: row for row in rows_of(figures / "study-one-at-a-time-digits-points.csv")}
    effects = rows_of(figures / "study-one-at-a-time-digits-one-at-a-time.csv")
    assert len(points) == 3 and {row["step"] for row in effects} == {"gelu", "depthwise"}
    code, out, _ = ablation(*arguments, capsys=capsys)
    assert code == 0 and "0 trials to train, 6 done before" in out
    code, out, _ = ablation("status", "--store", store, capsys=capsys)
    assert code == 0 and "6 done, 0 diverged, 0 failed, 0 missing; 0 not learning" in out and "no driver" in out
    code, out, _ = ablation("export", tmp_path / "all.csv", "--store", store, capsys=capsys)
    rows = rows_of(tmp_path / "all.csv")
    assert code == 0 and len(rows) == 6 and {row["status"] for row in rows} == {"done"}
    start = [float(row["accuracy"]) for row in rows if row["label"] == points["start"]["title"]]
    assert sum(start) / 2 == pytest.approx(float(points["start"]["accuracy_percent"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("study", "lader"), "did you mean 'ladder'"),
        (("study", "ladder", "gelu"), "takes no steps"),
        (("study", "ladder", "--seeds", 0), "seeds 0 must be 1 or more"),
        (("study", "ladder", "--workers", 0), "workers 0 must be 1 or more"),
        (("status", "--store", "nowhere"), "nowhere holds no study"),
        (("export", "all.csv", "--store", "nowhere"), "nowhere holds no study"),
    ],
)
def test_studies_that_are_not_possible(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2 and message in error and not list(tmp_path.iterdir())


def rows_of(file):
    with file.open() as opened:
        return list(csv.DictReader(opened))


def test_see_writes_the_fields_of_a_road_beside_their_numbers(tmp_path, capsys):
    arguments = ("see", "patchify_stem", "--size", 64, "--images", pictures(tmp_path), "--out", tmp_path / "figures")
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "Weights are random" in out and "2/2" in out and "reach the edge of the 64 px images" in out
    rows = rows_of(tmp_path / "figures" / "fields-resnet50-patchify_stem.csv")
    assert [row["theoretical_px"] for row in rows] == ["427", "420"] and rows[0]["images"] == "2"
    assert all(int(row["side_px_20_linear"]) <= int(row["side_px_99_linear"]) for row in rows)
    assert (tmp_path / "figures" / "fields-resnet50-patchify_stem.png").read_bytes().startswith(b"\x89PNG")


def test_see_takes_a_model_of_timm_and_a_file_of_weights(tmp_path, capsys):
    from ablation import RESNET50, build, save_weights

    save_weights(build(RESNET50.replace(width=8), 10, 1), tmp_path / "grey.safetensors")
    options = ("--size", 64, "--images", pictures(tmp_path), "--out", tmp_path)
    code, _, error = ablation("see", "--weights", tmp_path / "grey.safetensors", *options, capsys=capsys)
    assert code == 2 and "give mean and std" in error
    network = build(RESNET50.replace(width=8), 10, 1)
    network.pretrained_cfg = {"mean": (0.5,), "std": (0.25,), "input_size": (1, 64, 64)}
    save_weights(network, tmp_path / "grey.safetensors")
    code, out, error = ablation("see", "--weights", tmp_path / "grey.safetensors", *options, capsys=capsys)
    assert code == 0 and "Weights are random" not in out, error
    assert rows_of(tmp_path / "fields-grey.csv")[0]["weights"] == "trained"
    code, _, error = ablation("see", "--model", "timm:resnet18", "--what", "norms", *options, capsys=capsys)
    assert code == 0 and len(rows_of(tmp_path / "norms-resnet18.csv")) == 20, error


def test_see_shows_static_and_dynamic_weights(tmp_path, capsys):
    code, out, error = ablation("see", "--what", "weights", "--size", 224, "--out", tmp_path, capsys=capsys)
    assert code == 0 and "depthwise convolution: the Jacobian changes by 0.0 %" in out, error
    rows = rows_of(tmp_path / "weights-static-dynamic.csv")
    assert {row["layer"] for row in rows if float(row["change"]) > 0.2} == {"7 x 7 window attention"}


def test_attribute_tells_what_it_changed_and_scores_each_method(tmp_path, capsys):
    from ablation import RESNET50, build, save_weights

    network = build(RESNET50.replace(width=8), 10)
    network.pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "input_size": (3, 64, 64)}
    save_weights(network, tmp_path / "trained.safetensors")
    methods = ("--method", "saliency", "--method", "integrated_gradients", "--method", "guided_backprop")
    arguments = (
        "attribute",
        pictures(tmp_path),
        "--weights",
        tmp_path / "trained.safetensors",
        *methods,
        "--out",
        tmp_path,
    )
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "grey taken as three equal channels" in out and "transparency laid on white" in out
    assert "note: guided gradients hardly depend on the weights" in out
    rows = rows_of(tmp_path / "attributions-trained.csv")
    assert [row["method"] for row in rows[::2]] == ["saliency", "integrated_gradients", "guided_backprop"]
    assert [bool(row["completeness_gap"]) for row in rows] == [False] * 2 + [True] * 2 + [False] * 2
    code, _, error = ablation(*arguments, "--target", 10, capsys=capsys)
    assert code == 2 and "target 10 is no class of ConvNet: it has 10, 0 to 9" in error


def pictures(folder):
    """A folder with a grey picture and one with transparency."""
    place = folder / "pictures"
    place.mkdir(exist_ok=True)
    Image.linear_gradient("L").save(place / "grey.png")
    Image.radial_gradient("L").convert("RGBA").rotate(30).save(place / "clear.png")
    return place


def test_attribute_takes_every_rung_that_a_roadmap_trained(tmp_path, quick, capsys):
    from ablation.study.ladder import ladder_trials
    from ablation.train.run import run

    trials = [trial for trial, rung in ladder_trials("micro", "digits", [0]).items() if rung.adopted]
    for trial in trials:
        run(trial, tmp_path / "weights")
    code, out, error = ablation("attribute", "--store", tmp_path, "--count", 3, "--out", tmp_path, capsys=capsys)
    assert code == 0 and "14/14" in out, error
    rows = rows_of(tmp_path / "attributions-digits.csv")
    assert len(rows) == 14 * 3 and [row["label"] for row in rows[:3]] == ["0", "1", "2"]
    assert len(rows_of(tmp_path / "curves-digits.csv")) == 4 * 2 * 21
    assert all((tmp_path / f"{name}-digits.png").exists() for name in ("attributions", "completeness", "curves"))


def test_timing_a_road_writes_where_the_time_goes(tmp_path, capsys, monkeypatch):
    from ablation.measure import timing

    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 64})
    options = ("--timing", "--size", 32, "--batch", 2, "--out", tmp_path)
    code, out, error = ablation("profile", "depthwise", *options, capsys=capsys)
    assert code == 0 and "ms an image" in out and "2/2" in out, error
    rows = rows_of(tmp_path / "operators-resnet50-depthwise.csv")
    assert {row["title"] for row in rows} == {"ResNet-50", "depthwise conv"}
    assert not (tmp_path / "speed-resnet50-depthwise.png").exists(), "no published accuracies, no front"


def test_an_interrupted_roadmap_keeps_what_had_ended(tmp_path):
    import signal

    options = ["--out", str(tmp_path / "figures"), "--store", str(tmp_path)]
    command = [sys.executable, "-m", "ablation", "roadmap", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes) as job:
        while not job.stdout.readline().strip().startswith("1/51"):
            assert job.poll() is None
        os.killpg(job.pid, signal.SIGINT)  # as a terminal does
        _, error = job.communicate(timeout=300)
    assert job.returncode == 130 and "interrupted" in error and "Traceback" not in error
    from ablation.study.ladder import ladder_trials
    from ablation.study.study import Study

    assert 1 <= len(Study(ladder_trials("micro", "digits", range(3)), tmp_path).outcomes()) <= 3
