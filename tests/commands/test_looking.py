"""The commands that analyse networks: see, attribute and profile --timing."""

from ablation import RESNET50, build, save_weights
from ablation.commands import attribute
from ablation.measure import timing
from ablation.study.ladder import ladder_trials
from ablation.train.run import run
from tests.commands.running import ablation, pictures, rows_of


def test_see_writes_the_fields_of_a_road_and_their_numbers(tmp_path, capsys):
    arguments = ("see", "patchify_stem", "--size", 64, "--images", pictures(tmp_path), "--out", tmp_path / "figures")
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "The weights are random" in out and "2/2" in out and "reach the edge of the 64 px images" in out
    rows = rows_of(tmp_path / "figures" / "fields-resnet50-patchify_stem.csv")
    assert [row["theoretical_px"] for row in rows] == ["427", "420"] and rows[0]["images"] == "2"
    assert all(int(row["side_px_20_linear"]) <= int(row["side_px_99_linear"]) for row in rows)
    assert (tmp_path / "figures" / "fields-resnet50-patchify_stem.png").read_bytes().startswith(b"\x89PNG")


def test_see_accepts_a_timm_model_and_a_weights_file(tmp_path, capsys):
    save_weights(build(RESNET50.replace(width=8), 10, 1), tmp_path / "grey.safetensors")
    options = ("--size", 64, "--images", pictures(tmp_path), "--out", tmp_path)
    code, _, error = ablation("see", "--weights", tmp_path / "grey.safetensors", *options, capsys=capsys)
    assert code == 2 and "give mean and std" in error
    network = build(RESNET50.replace(width=8), 10, 1)
    network.pretrained_cfg = {"mean": (0.5,), "std": (0.25,), "input_size": (1, 64, 64)}
    save_weights(network, tmp_path / "grey.safetensors")
    code, out, error = ablation("see", "--weights", tmp_path / "grey.safetensors", *options, capsys=capsys)
    assert code == 0 and "The weights are random" not in out, error
    assert rows_of(tmp_path / "fields-grey.csv")[0]["weights"] == "trained"
    code, _, error = ablation("see", "--model", "timm:resnet18", "--what", "norms", *options, capsys=capsys)
    assert code == 0 and len(rows_of(tmp_path / "norms-resnet18.csv")) == 20, error


def test_see_marks_the_layers_that_start_at_the_whole_image(tmp_path, capsys):
    code, out, error = ablation("see", "stage_ratio", "--what", "layers", "--out", tmp_path, capsys=capsys)
    # The fields of the third stage's blocks are 107, 139, 171, 203, 235 and 267 px: 1 + 3 layers start after 235, then 10 more.
    expected = "14 of 54 layers start at the whole image of 224 px, from stages.2.blocks.4.branch.conv3 on"
    assert code == 0 and expected in " ".join(out.split()), error
    rows = rows_of(tmp_path / "layers-resnet50-stage_ratio.csv")
    assert {row["status"] for row in rows} == {"productive", "critical"}
    assert (tmp_path / "layers-resnet50-stage_ratio.png").read_bytes().startswith(b"\x89PNG")
    code, out, error = ablation("see", "--model", "test_resnet", "--what", "layers", "--out", tmp_path, capsys=capsys)
    assert code == 0 and "Conv2d 3x3, stride 2" in out and "shortest path, px" in out, error


def test_see_compares_static_and_dynamic_weights(tmp_path, capsys):
    code, out, error = ablation("see", "--what", "weights", "--size", 224, "--out", tmp_path, capsys=capsys)
    assert code == 0 and "depthwise convolution: the Jacobian changes by 0.0 %" in out, error
    rows = rows_of(tmp_path / "weights-static-dynamic.csv")
    assert {row["layer"] for row in rows if float(row["change"]) > 0.2} == {"7 x 7 window attention"}


def test_see_compares_what_branches_pass_on_at_less_width(tmp_path, capsys):
    options = ("--size", 32, "--images", pictures(tmp_path), "--out", tmp_path)
    code, out, error = ablation("see", "fewer_norms", "--what", "signal", *options, capsys=capsys)
    assert code == 0 and "2/2" in out, error
    rows = [row for row in rows_of(tmp_path / "signal-resnet50-fewer_norms.csv") if row["title"] == "fewer norms"]
    gains = {}
    for row in rows:
        gains.setdefault((row["kind"], row["width"], float(row["init_gain"])), []).append(float(row["gain"]))
    full, narrow, carried = (sum(found) / len(found) for found in gains.values())
    assert list(gains) == [("full", "64", 1.0), ("narrow", "16", 1.0), ("carried", "16", 2.0)]
    assert all(len(found) == 16 for found in gains.values())
    assert narrow < 0.5 * full and 0.75 * full < carried < 1.25 * full
    code, _, error = ablation("see", "--what", "signal", "--model", "resnet18", "--out", tmp_path, capsys=capsys)
    assert code == 2 and "takes no --model" in error


def test_attribute_reports_image_conversions_and_scores_each_method(tmp_path, capsys):
    network = build(RESNET50.replace(width=8), 10)
    network.pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "input_size": (3, 64, 64)}
    save_weights(network, tmp_path / "trained.safetensors")
    methods = ("--method", "saliency", "--method", "integrated_gradients", "--method", "guided_backprop")
    options = ("--weights", tmp_path / "trained.safetensors", *methods, "--out", tmp_path)
    arguments = ("attribute", pictures(tmp_path), *options)
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "greyscale copied to three channels" in out and "transparency composited on white" in out
    assert "note: guided gradients hardly depend on the weights" in out
    rows = rows_of(tmp_path / "attributions-trained.csv")
    assert [row["method"] for row in rows[::2]] == ["saliency", "integrated_gradients", "guided_backprop"]
    assert [bool(row["completeness_gap"]) for row in rows] == [False] * 2 + [True] * 2 + [False] * 2
    code, _, error = ablation(*arguments, "--target", 10, capsys=capsys)
    assert code == 2 and "target 10 is not a class of ConvNet, which has 10 classes, 0 to 9" in error


def test_attribute_covers_every_adopted_rung_that_a_roadmap_trained(tmp_path, one_epoch, monkeypatch, capsys):
    monkeypatch.setattr(attribute, "_LADDER_STEPS", 20)
    trials = [trial for trial, rung in ladder_trials("micro", "digits#320", [0]).items() if rung.adopted]
    for trial in trials:
        run(trial, tmp_path)
    options = ("--data", "digits#320", "--store", tmp_path, "--count", 3, "--out", tmp_path)
    code, out, error = ablation("attribute", *options, capsys=capsys)
    assert code == 0 and "14/14" in out, error
    rows = rows_of(tmp_path / "attributions-digits-320.csv")
    assert len(rows) == 14 * 3 and [row["label"] for row in rows[:3]] == ["0", "1", "2"]
    assert len(rows_of(tmp_path / "curves-digits-320.csv")) == 4 * 2 * 21
    assert all((tmp_path / f"{name}-digits-320.png").exists() for name in ("attributions", "completeness", "curves"))


def test_timing_a_road_writes_the_time_per_kind_of_layer(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 64})
    options = ("--timing", "--size", 32, "--batch", 2, "--out", tmp_path)
    code, out, error = ablation("profile", "depthwise", *options, capsys=capsys)
    assert code == 0 and "ms per image" in out and "2/2" in out, error
    rows = rows_of(tmp_path / "operators-resnet50-depthwise.csv")
    assert {row["title"] for row in rows} == {"ResNet-50", "depthwise conv"}
    assert not (tmp_path / "speed-resnet50-depthwise.png").exists(), (
        "there is no Pareto front without published accuracies"
    )
