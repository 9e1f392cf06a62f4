"""Invalid input on the command line gives one message and exit code 2 before any work is done."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.commands.running import ablation
from tests.network.test_weights import Malicious

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
    (["train", "gelu", "--rung", "gelu"], "give only one of steps, --rung and --model"),
    (["train", "kernel_size=6"], "kernel_size 6 is even"),
    (
        ["train", "--precision", "bf61"],
        "unknown precision 'bf61'; did you mean 'bf16'? Possible: auto, fp32, bf16, fp16",
    ),
    (["train", "--device", "mps"], "device 'mps': this machine has none. Possible: auto, cpu"),
    (["train", "--device", "cpu", "--precision", "fp16"], "precision 'fp16' is not possible on a CPU"),
    (["roadmap", "--device", "gpu"], "unknown device 'gpu'; did you mean 'cpu'"),
    (["roadmap", "--device", "mps"], "device 'mps': this machine has none. Possible: auto, cpu"),
    (["study", "factorial", "gelu", "--device", "cpu", "--precision", "fp16"], "is not possible on a CPU"),
    (["rates", "--data", "digits#500+100", "--precision", "half"], "unknown precision 'half'"),
    (["evaluate"], "give --weights FILE or --model NAME"),
    (
        ["evaluate", "--model", "resnet18", "--data", "digits"],
        "resnet18 has 1000 classes and 3 channels, but digits has 10 and 1",
    ),
    (["evaluate", "--model", "resnet-18"], "did you mean 'resnet18'"),
    (["train", "--model", "convnext_tinny"], "did you mean 'convnext_tiny'"),
    (["train", "gelu", "--model", "resnet18"], "give only one of steps, --rung and --model"),
    (["rates", "--data", "digits"], "has no held-out images"),
    (["rates", "--data", "digits#500+100", "--modern", "0.1;0.2"], "must be learning rates separated by commas"),
    (["import", "missing.csv"], "cannot read"),
    (["evaluate", "--weights", "missing.safetensors"], "there is no weights file"),
    (["evaluate", "--weights", "cut.safetensors"], "not a complete weights file"),
    (["evaluate", "--weights", "foreign.pth"], "not written by ablation"),
    (["evaluate", "--weights", "poison.pth"], "was refused"),
    (["prfile"], "No such command 'prfile'"),
    (["profile", "--timing", "--step", "trainin"], "did you mean 'training'"),
    (["profile", "--timing", "--batch", "0"], "batch 0 must be 1 or more"),
    (["profile", "--timing", "--size", "16"], "smallest that works is 32 px"),
    (["profile", "--timing", "--memory-format", "NHCW"], "did you mean 'NCHW'"),
    (["see", "--what", "field"], "did you mean 'fields'"),
    (["see", "--size", "8"], "size 8 must be 32 or more"),
    (["see", "--images", "nowhere"], "there is no folder nowhere"),
    (["see", "--images", "pictures"], "note.png is not an image"),
    (["see", "--start", "resnet5"], "did you mean 'resnet50'"),
    (["see", "gelu", "--model", "resnet50"], "not both"),
    (["see", "--pretrained"], "--pretrained needs --model"),
    (["see", "--model", "resnet5O"], "did you mean 'resnet50'"),
    (["see", "--model", "resnet18", "--weights", "foreign.pth"], "the weights belong to another model"),
    (["see", "--weights", "missing.safetensors"], "there is no weights file"),
    (["attribute"], "run `ablation roadmap --data digits --recipe micro --start resnet50 --store runs` first"),
    (["attribute", "--count", "1"], "images 1 must be 2 or more"),
    (["attribute", "pictures/note.png"], "attributions of random weights are meaningless"),
    (["attribute", "pictures/note.png", "--weights", "cut.safetensors"], "note.png is not an image"),
    (["attribute", "dot.png", "--weights", "cut.safetensors"], "dot.png is 1 x 1 pixels"),
    (["attribute", "missing.png", "--weights", "cut.safetensors"], "there is no image file missing.png"),
    (["attribute", "missing.png", "--method", "grad-cam"], "did you mean 'grad_cam'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT, ids=[" ".join(arguments) for arguments, _ in BAD_INPUT])
def test_invalid_input_gives_one_message_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path(FOLDER_THAT_IS_A_FILE).touch()
    Path("cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    torch.save({"w": torch.zeros(1)}, "foreign.pth")
    torch.save({"w": Malicious("executed")}, "poison.pth")
    Path("pictures").mkdir()
    Path("pictures/note.png").write_text("not an image")
    Image.new("RGB", (1, 1)).save("dot.png")
    before = sorted(tmp_path.iterdir())
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2
    assert message in error
    assert "Traceback" not in error and len(error.splitlines()) < 12
    assert not Path("executed").exists()
    changed = [path for path in tmp_path.iterdir() if path not in before and any(path.iterdir())]
    assert not changed, "no work is done on invalid input"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("study", "lader"), "did you mean 'ladder'"),
        (("study", "ladder", "gelu"), "takes no steps"),
        (("study", "ladder", "--seeds", 0), "seeds 0 must be 1 or more"),
        (("study", "ladder", "--workers", 0), "workers 0 must be 1 or more"),
        (("export", "all.csv", "--store", "nowhere"), "nowhere holds no study"),
    ],
)
def test_invalid_studies(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2 and message in error and not list(tmp_path.iterdir())
