"""A single trial: deterministic results, a complete outcome, and errors that are found early."""

import dataclasses
import math
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import RESNET50, AblationError, Outcome, Trial, convnext, load_weights, run
from ablation import data as datasets
from ablation.design.recipes import FAMILIES, MODERN
from ablation.train.evaluation import evaluate

SHORT = FAMILIES["micro"].modern.replace(epochs=2)
TINY = convnext("atto").replace(width=4, stem_stride=1, depths=(1, 1, 1, 1), layer_scale=None)


def load_trained(folder):
    (file,) = (folder / "weights").glob("*.safetensors")
    return load_weights(file)


def test_the_same_trial_gives_the_same_weights(tmp_path):
    trial = Trial(TINY, SHORT.replace(mixup=0.2, drop_path=0.1), "digits", seed=3)
    first = run(trial, tmp_path / "first")
    random.seed(99), np.random.seed(99), torch.manual_seed(99)
    second = run(trial, tmp_path / "second")
    assert (first.accuracy, first.test_loss, first.train_losses) == (
        second.accuracy,
        second.test_loss,
        second.train_losses,
    )
    weights, again = (load_trained(tmp_path / name).state_dict() for name in ("first", "second"))
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())
    different = run(dataclasses.replace(trial, seed=4), tmp_path / "different")
    assert different.train_losses != first.train_losses


def test_the_random_states_of_the_caller_are_unchanged(tmp_path):
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    run(Trial(TINY, SHORT.replace(epochs=1, warmup_epochs=0)), tmp_path)
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_an_outcome_is_complete_and_the_saved_weights_reproduce_its_accuracy(tmp_path):
    reports = []
    outcome = run(Trial(TINY, SHORT), tmp_path, lambda *progress: reports.append(progress))
    assert outcome.status == "done" and outcome.test_images == len(datasets.load("digits").test_labels)
    assert [epoch for epoch, _, _ in reports] == [1, 2] and tuple(loss for *_, loss in reports) == outcome.train_losses
    assert outcome.accuracy > 15 and outcome.train_losses[1] < outcome.train_losses[0]
    assert {"torch", "timm", "device", "threads", "commit"} <= set(outcome.environment)
    assert Outcome.from_dict(dataclasses.asdict(outcome)) == outcome
    accuracy, loss, images = evaluate(load_trained(tmp_path), datasets.load("digits"), SHORT)
    assert (accuracy, images) == (outcome.accuracy, outcome.test_images)
    assert loss == pytest.approx(outcome.test_loss, rel=1e-6)


def test_accumulated_gradients_give_the_same_step(tmp_path):
    trial = Trial(TINY, SHORT.replace(epochs=1, warmup_epochs=0, shift_px=0))
    whole, accumulated = run(trial, tmp_path / "a"), run(trial, tmp_path / "b", accumulate=4)
    assert accumulated.train_losses == pytest.approx(whole.train_losses, rel=1e-3)
    with pytest.raises(AblationError, match="does not divide into 1 processes times 3"):
        run(trial, tmp_path / "c", accumulate=3)


def test_training_with_ema_and_mixed_precision(tmp_path):
    outcome = run(Trial(TINY, SHORT.replace(ema=0.9)), tmp_path, precision="bf16")
    assert outcome.status == "done" and outcome.train_losses[1] < outcome.train_losses[0]
    with pytest.raises(AblationError, match="precision 'fp8'"):
        run(Trial(TINY, SHORT), tmp_path, precision="fp8")


def test_a_timm_model_can_be_trained(tmp_path):
    outcome = run(Trial("timm:resnet10t", SHORT.replace(epochs=1, warmup_epochs=0)), tmp_path)
    assert outcome.status == "done"
    with pytest.raises(AblationError, match="timm could not create 'resnet5'"):
        run(Trial("timm:resnet5", SHORT), tmp_path)


def test_a_non_finite_loss_is_recorded_as_diverged(tmp_path):
    recipe = FAMILIES["micro"].original.replace(lr=1e12)
    outcome = run(Trial(TINY, recipe), tmp_path)
    assert outcome.status == "diverged" and outcome.accuracy is None
    assert not list(tmp_path.rglob("*.safetensors"))


def test_weights_that_the_last_step_broke_are_recorded_as_diverged(tmp_path, monkeypatch):
    from ablation.train.loop import Training

    run_to_end = Training.run_to_end

    def broken(self, *arguments):
        completed = run_to_end(self, *arguments)
        for parameter in self.network.parameters():
            parameter.data /= 0
        return completed

    monkeypatch.setattr(Training, "run_to_end", broken)
    outcome = run(Trial(TINY, SHORT), tmp_path)
    assert all(map(math.isfinite, outcome.train_losses))
    assert outcome.status == "diverged" and outcome.accuracy is None and not list(tmp_path.rglob("*.safetensors"))


def test_errors_are_found_before_the_first_step(tmp_path):
    with pytest.raises(AblationError, match="smallest that works is 32 px"):
        run(Trial(convnext("atto"), SHORT), tmp_path)
    with pytest.raises(AblationError, match="uses crop_scale"):
        run(Trial(TINY, MODERN), tmp_path)
    with pytest.raises(AblationError, match="cannot write to the folder"):
        (tmp_path / "file").touch()
        run(Trial(TINY, SHORT), tmp_path / "file")
    with pytest.raises(AblationError, match="seed -1"):
        Trial(TINY, SHORT, seed=-1)
    with pytest.raises(AblationError, match="timm:NAME"):
        Trial("resnet50", SHORT)


def test_the_key_of_a_trial_depends_on_its_content():
    trial = Trial(RESNET50, SHORT)
    assert Trial.from_dict(trial.to_dict()) == trial
    assert trial.key("a") == Trial.from_dict(trial.to_dict()).key("a")
    changed = [dataclasses.replace(trial, seed=1), dataclasses.replace(trial, recipe=SHORT.replace(lr=1.0))]
    assert len({trial.key("a"), trial.key("b"), *(other.key("a") for other in changed)}) == 4


def test_two_processes_train_one_network_on_a_folder_of_images(tmp_path):
    """The torchrun command of the README at a small size: the paper's recipe on image files, with gloo."""
    generator = np.random.default_rng(0)
    for split, n in (("train", 16), ("val", 5)):
        for label, name in enumerate(("dark", "light")):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(n):
                pixels = generator.integers(0, 100, (40, 40, 3), dtype=np.uint8) + np.uint8(150 * label)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i}.png")
    program = tmp_path / "small.py"
    program.write_text(
        "from ablation.design import recipes\n"
        "small = recipes.MODERN.replace(epochs=2, warmup_epochs=1, batch_size=16, size=32)\n"
        "recipes.FAMILIES['paper'] = recipes.Family(recipes.ORIGINAL, small, width_divisor=8)\n"
        "from ablation.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29517", str(program)]
    command += ["train", "--rung", "depthwise", "--data", f"imagefolder:{tmp_path}", "--recipe", "paper"]
    command += ["--accumulate", "2", "--validate-every", "2", "--store", str(tmp_path / "runs")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("effective batch 16 = 2 (devices) x 4 (images) x 2 (accumulated parts)") == 1, (
        result.stdout
    )
    assert result.stdout.count("on 10 test images") == 1, result.stdout
    assert len(re.findall(r"epoch 2/2 .* top-1 [0-9.]+ %  [0-9,]+ images/s", result.stdout)) == 1, result.stdout
    assert len(list((tmp_path / "runs" / "weights").glob("*.safetensors"))) == 1


def test_a_trial_that_does_not_learn_is_flagged_and_trained_to_the_end(tmp_path):
    outcome = run(Trial(TINY, SHORT.replace(lr=1e-12)), tmp_path)
    assert outcome.not_learning and outcome.status == "done" and len(outcome.train_losses) == SHORT.epochs
    assert not run(Trial(TINY, SHORT), tmp_path).not_learning


def test_clipped_gradients_have_at_most_the_given_norm(tmp_path, monkeypatch):
    norms = []
    step = torch.optim.AdamW.step

    def recording_step(self, *arguments):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", recording_step)
    run(Trial(TINY, SHORT.replace(clip_grad=0.01)), tmp_path)
    assert norms and max(norms) < 0.0101
