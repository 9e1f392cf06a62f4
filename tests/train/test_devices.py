"""Device and precision: what is chosen on which machine, what is refused, and what is said."""

import dataclasses

import pytest
import torch

from ablation import AblationError, Trial, run
from ablation import data as datasets
from ablation.train import devices
from ablation.train.devices import Gpu, announcement, choose, choose_device
from ablation.train.evaluation import make_accelerator
from ablation.train.run import seeded
from ablation.train.trial_files import check_settings
from tests.train.small import NETWORK, RECIPE

CPU, MAC = (["cpu"], None), (["mps", "cpu"], None)
H100, A100, T4, P100 = (
    (["cuda", "cpu"], Gpu(name, capability))
    for name, capability in (("NVIDIA H100", (9, 0)), ("NVIDIA A100", (8, 0)), ("NVIDIA T4", (7, 5)), ("P100", (6, 0)))
)
SHORT = RECIPE.replace(epochs=1, warmup_epochs=0)


@pytest.mark.parametrize(
    ("machine", "device", "precision", "chosen"),
    [
        (CPU, "auto", "auto", ("cpu", "fp32", False, "cpu, fp32")),
        (CPU, "cpu", "bf16", ("cpu", "bf16", False, "cpu, bf16")),
        (CPU, "auto", "no", ("cpu", "fp32", False, "cpu, fp32")),
        (MAC, "auto", "auto", ("mps", "fp32", False, "mps, fp32")),
        (MAC, "mps", "bf16", ("mps", "bf16", False, "mps, bf16")),
        (MAC, "cpu", "auto", ("cpu", "fp32", False, "cpu, fp32")),
        (H100, "auto", "auto", ("cuda", "bf16", True, "cuda (NVIDIA H100), bf16")),
        (A100, "auto", "auto", ("cuda", "bf16", True, "cuda (NVIDIA A100), bf16")),
        (A100, "cuda", "fp32", ("cuda", "fp32", True, "cuda (NVIDIA A100), fp32")),
        (A100, "cuda", "fp16", ("cuda", "fp16", True, "cuda (NVIDIA A100), fp16")),
        (A100, "cpu", "auto", ("cpu", "fp32", False, "cpu, fp32")),
        (T4, "auto", "auto", ("cuda", "fp16", False, "cuda (NVIDIA T4), fp16: no bf16 before compute capability 8")),
        (T4, "auto", "fp32", ("cuda", "fp32", False, "cuda (NVIDIA T4), fp32")),
        (T4, "auto", "fp16", ("cuda", "fp16", False, "cuda (NVIDIA T4), fp16")),
        (
            T4,
            "auto",
            "bf16",
            ("cuda", "bf16", False, "cuda (NVIDIA T4), bf16: emulated and slow before compute capability 8"),
        ),
        (
            P100,
            "auto",
            "auto",
            ("cuda", "fp32", False, "cuda (P100), fp32: no bf16 before compute capability 8, no fast fp16 before 7"),
        ),
    ],
)
def test_choices(machine, device, precision, chosen):
    assert dataclasses.astuple(choose(device, precision, *machine)) == chosen


@pytest.mark.parametrize(
    ("machine", "device", "precision", "message"),
    [
        (CPU, "cuda", "auto", "device 'cuda': this machine has none. Possible: auto, cpu"),
        (CPU, "mps", "auto", "device 'mps': this machine has none. Possible: auto, cpu"),
        (A100, "mps", "auto", "device 'mps': this machine has none. Possible: auto, cpu, cuda"),
        (MAC, "cuda", "auto", "device 'cuda': this machine has none. Possible: auto, cpu, mps"),
        (A100, "cud", "auto", "unknown device 'cud'; did you mean 'cuda'? Possible: auto, cpu, cuda, mps"),
        (CPU, "auto", "fp16", "precision 'fp16' is not possible on a CPU. Possible: auto, fp32, bf16"),
        (MAC, "auto", "fp16", "precision 'fp16' is not possible on MPS. Possible: auto, fp32, bf16"),
        (A100, "cpu", "fp16", "precision 'fp16' is not possible on a CPU. Possible: auto, fp32, bf16"),
        (A100, "auto", "bf61", "unknown precision 'bf61'; did you mean 'bf16'? Possible: auto, fp32, bf16, fp16"),
    ],
)
def test_refusals(machine, device, precision, message):
    with pytest.raises(AblationError) as error:
        choose(device, precision, *machine)
    assert str(error.value) == message


def test_emulated_bf16_is_not_taken_for_bf16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert choose().said == "cuda (Tesla T4), fp16: no bf16 before compute capability 8"
    assert announcement("auto", "auto") == choose().said
    assert choose("cpu").said == announcement("cpu", "auto") == "cpu, fp32"
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")  # as `accelerate launch --cpu` sets it
    assert choose().said == "cpu, fp32"
    assert announcement("auto", "auto") == ""
    assert announcement("auto", "no") == "cpu, fp32" and announcement("auto", "bf16") == "cpu, bf16"


def test_a_gpu_is_not_woken_for_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: pytest.fail("asked for a GPU"))
    assert choose("cpu", "auto").device == choose_device("cpu").type == "cpu"


def test_an_accelerator_of_another_device_replaces_the_previous_one(monkeypatch):
    from accelerate.state import PartialState

    make_accelerator()
    PartialState._shared_state["device"] = torch.device("cuda", 0)  # as an earlier trial on a GPU leaves it
    accelerator = make_accelerator("bf16", "cpu")
    assert accelerator.device.type == "cpu" and accelerator.mixed_precision == "bf16"
    assert make_accelerator("no").mixed_precision == make_accelerator("fp32").mixed_precision == "no"


def test_an_outcome_tells_how_it_was_trained(tmp_path):
    outcome = run(Trial(NETWORK, SHORT, "digits#320"), tmp_path, device="cpu")
    told = {name: outcome.environment[name] for name in ("device", "precision", "tf32", "memory_format", "steps")}
    assert told == {
        "device": "cpu",
        "precision": "fp32",
        "tf32": False,
        "memory_format": "channels_last",
        "steps": "eager",
    }


@pytest.mark.parametrize(("stored", "now"), [("no", "fp32"), ("fp32", "no"), ("fp32", "fp32")])
def test_no_is_another_name_of_fp32(tmp_path, stored, now):
    check_settings(tmp_path, {"precision": stored}, {"precision": now})
    with pytest.raises(AblationError, match="trained with precision fp32, not with precision bf16"):
        check_settings(tmp_path, {"precision": stored}, {"precision": "bf16"})


def test_trials_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "present_devices", lambda: ["cpu"])
    monkeypatch.setattr(datasets, "load", lambda name: pytest.fail("data were loaded"))
    for options, message in (
        ({"device": "cuda"}, "device 'cuda': this machine has none"),
        ({"precision": "fp16"}, "precision 'fp16' is not possible on a CPU"),
    ):
        with pytest.raises(AblationError, match=message):
            run(Trial(NETWORK, SHORT, "digits"), tmp_path, **options)


def test_the_generators_of_all_gpus_are_named_so_that_torch_does_not_warn(monkeypatch):
    named = []
    fork = torch.random.fork_rng
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: named.append(devices) or fork([]))
    with seeded(0):
        assert named == [[0, 1]]


@pytest.mark.parametrize("said", ["", "cuda (Tesla T4), fp16: no bf16 before compute capability 8"])
def test_the_command_says_what_was_chosen_once_before_training(tmp_path, monkeypatch, capsys, said):
    from ablation.commands import train as command

    trial = Trial(NETWORK, SHORT, "digits#320")
    monkeypatch.setattr(command, "_trial", lambda options: trial)
    monkeypatch.setattr(command, "announcement", lambda device, precision: said)
    monkeypatch.setattr(
        "ablation.train.run.run", lambda *arguments, **options: pytest.fail(f"{options['device']} asked")
    )
    with pytest.raises(pytest.fail.Exception, match="cpu asked"):
        command.train(command.TrainOptions(data=trial.data, store=tmp_path, device="cpu"))
    assert capsys.readouterr().out.splitlines()[2:] == [said] * bool(said)
