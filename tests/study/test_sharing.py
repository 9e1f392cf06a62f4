"""How many trials run at the same time, by table, on invented machines."""

import pytest
import torch

from ablation import AblationError, Trial, convnext, cost
from ablation.data import DatasetInfo
from ablation.design.recipes import FAMILIES
from ablation.study import forecast as forecasts
from ablation.study.engines import sharing
from ablation.study.engines.sharing import Machine, place, this_machine, trials_per_gpu
from ablation.study.ladder import ladder_rungs
from ablation.train.step_cost import step_macs, training_bytes
from tests.study.samples import SHORT, TINY, TRIALS

GB = 10**9
SIZES = {"digits": (8, 1), "cifar10": (32, 3), "imagenette": (64, 3), "pictures": (None, 3)}


def invented_info(name):
    """Describe a data set whose files are not here; a name that is not in `SIZES` does not exist."""
    if name not in SIZES:
        raise AblationError("no such data set")
    size, in_chans = SIZES[name]
    return DatasetInfo(name, size, 10, in_chans)


@pytest.fixture
def machine(monkeypatch):
    """Return a function that makes this machine one with some GPUs."""

    def make(gpus=1, cores=16, device="cuda", free=80 * GB):
        invented = Machine(device, cores, tuple(map(str, range(gpus))))
        monkeypatch.setattr(sharing, "this_machine", lambda device="auto": invented)
        monkeypatch.setattr(sharing, "free_gpu_bytes", lambda: free)

    return make


def last_rung(family, data):
    return Trial(ladder_rungs(family)[-1].architecture, FAMILIES[family].modern, data)


@pytest.mark.parametrize(
    ("family", "data", "gpu_bytes", "cores", "expected"),
    [
        ("micro", "digits", 80 * GB, 16, 8),
        ("small32", "cifar10", 80 * GB, 16, 8),
        ("small32", "cifar10", 80 * GB, 5, 5),
        ("small32", "cifar10", 80 * GB, 0, 1),
        ("small32", "cifar10", 4 * GB, 16, 4),
        ("small32", "cifar10", GB // 2, 16, 1),
        ("small64", "imagenette", 80 * GB, 16, 3),
        ("small64", "imagenette", 15 * GB, 16, 2),
        ("paper", "pictures", 80 * GB, 16, 1),
    ],
)
def test_trials_per_gpu(family, data, gpu_bytes, cores, expected, monkeypatch):
    monkeypatch.setattr("ablation.data.info", invented_info)
    assert trials_per_gpu([last_rung(family, data)], gpu_bytes, cores) == expected


def test_the_largest_trial_decides_and_invalid_ones_do_not(monkeypatch):
    monkeypatch.setattr("ablation.data.info", invented_info)
    small, large = last_rung("small32", "cifar10"), last_rung("small64", "imagenette")
    assert trials_per_gpu([small, large, small], 80 * GB, 16) == 3
    assert trials_per_gpu([small, Trial(TINY, SHORT, "nowhere")], 80 * GB, 16) == 8
    with_timm = [small, Trial("timm:test_resnet", FAMILIES["small32"].modern, "cifar10")]
    assert trials_per_gpu(with_timm, 80 * GB, 16) == 8
    assert trials_per_gpu([*with_timm, Trial("timm:no_such_model", SHORT, "cifar10")], 80 * GB, 16) == 1


def test_a_step_costs_three_passes_over_the_batch():
    import timm

    from ablation import count

    info, recipe = DatasetInfo("x", 64, 10, 3), FAMILIES["small32"].modern
    macs = cost(convnext("atto"), 64, 10).macs
    assert step_macs(Trial(convnext("atto"), recipe, "x"), info) == 3 * recipe.batch_size * macs
    counted = count(timm.create_model("test_resnet", num_classes=10), 64).macs
    assert step_macs(Trial("timm:test_resnet", recipe, "x"), info) == 3 * recipe.batch_size * counted
    assert training_bytes(Trial(convnext("atto"), recipe, "x"), info) > 4 * 4 * cost(convnext("atto"), 64, 10).params


@pytest.mark.parametrize(
    ("made", "trials", "workers", "expected"),
    [
        ({"gpus": 1}, 20, None, ("8 trials at a time on 1 GPU", 8, 2)),
        ({"gpus": 1}, 5, None, ("5 trials at a time on 1 GPU", 5, 3)),
        ({"gpus": 2, "cores": 8}, 20, None, ("8 trials at a time on 2 GPUs", 4, 1)),
        ({"gpus": 8, "cores": 8}, 20, None, ("8 trials at a time on 8 GPUs", 1, 1)),
        ({"gpus": 1, "cores": 2}, 20, 12, ("12 trials at a time on 1 GPU", 12, 1)),
        ({"gpus": 2}, 20, 3, ("3 trials at a time on 2 GPUs", 2, 5)),
        ({"gpus": 4}, 1, None, ("1 trial at a time on 1 GPU", 1, 16)),
        ({"gpus": 0, "device": "mps"}, 20, None, ("1 trial at a time", 1, 16)),
        ({"gpus": 0, "device": "mps"}, 20, 2, ("2 trials at a time", 2, 8)),
        ({"gpus": 0, "device": "cpu", "cores": 4}, 20, None, ("4 trials at a time", 4, 1)),
    ],
)
def test_places(made, trials, workers, expected, machine):
    machine(**made)
    found = place([Trial(TINY, SHORT, "digits", seed) for seed in range(trials)], workers)
    assert (str(found), found.per_device, found.threads) == expected


def test_no_context_is_opened_on_a_gpu_where_memory_does_not_decide(machine, monkeypatch):
    machine(gpus=2)
    monkeypatch.setattr(sharing, "free_gpu_bytes", lambda: pytest.fail("opens a context"))
    assert place(TRIALS, 4).at_a_time == 4
    assert place(TRIALS[:1]).at_a_time == 1


def test_devices_are_those_of_this_machine(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,3")
    assert this_machine().gpus == this_machine("cuda").gpus == ("5", "3")
    assert (this_machine("cpu").device, this_machine("cpu").gpus) == ("cpu", ())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert this_machine().gpus == ("0", "1")
    with pytest.raises(AblationError, match=r"'mps': this machine has none. Possible: auto, cpu, cuda$"):
        this_machine("mps")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(AblationError, match=r"'cuda': this machine has none. Possible: auto, cpu$"):
        this_machine("cuda")
    with pytest.raises(AblationError, match="unknown device 'gpu'; did you mean 'cpu'"):
        this_machine("gpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert this_machine().device == this_machine("mps").device == "mps"


def test_a_shared_gpu_is_forecast_by_the_speed_at_that_sharing(machine, monkeypatch):
    machine(gpus=2, cores=8)
    measured = []

    def slowdown(prepare, arguments, processes, gpu, threads):
        measured.append((processes, gpu, threads))
        return 1.5

    monkeypatch.setattr(forecasts, "_trial_seconds", lambda trial, run_options: 1000.0)
    monkeypatch.setattr(forecasts, "slowdown", slowdown)
    trials = [Trial(TINY, SHORT, "digits", seed) for seed in range(16)]
    assert forecasts.forecast(trials) == 16 * 1000 * 1.5 / 8 and measured == [(4, "0", 1)]
    assert forecasts.forecast(trials, workers=2) == 16 * 1000 / 2 and len(measured) == 1, "nothing is shared"
