"""The self-test of the course passes on this machine and reports each kind of problem."""

import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import pytest

from ablation.course import self_test as tested


def lines(capsys):
    printed = capsys.readouterr().out.splitlines()
    return {line.split()[1]: line for line in printed if line.startswith(("OK", "problem"))}, printed[-1]


def test_it_passes_on_this_machine(capsys):
    assert tested.self_test()
    found, last = lines(capsys)
    assert len(found) == 8 and all(line.startswith("OK") for line in found.values())
    assert last == "This machine can run the course."


def no_package(name):
    raise PackageNotFoundError(name)


def broken(*args, **options):
    raise RuntimeError("no kernel for this")


@pytest.mark.parametrize(
    ("check", "module", "name", "value", "message"),
    [
        ("python", sys, "version_info", (3, 10), "too old: 3.11"),
        ("packages", tested, "version", no_package, "pip install"),
        ("memory", __import__("psutil"), "virtual_memory", lambda: SimpleNamespace(total=2e9), "2.0 GB"),
        ("disk", tested.shutil, "disk_usage", lambda path: SimpleNamespace(free=2e8), "0.2 GB free"),
        ("disk", tested.os, "access", lambda path, mode: False, "not writable"),
        ("count", tested, "cost", lambda *a, **o: SimpleNamespace(params=1, macs=2), "2 in closed form"),
        ("training", __import__("torch").optim, "SGD", broken, "no kernel for this. Set up the environment again"),
    ],
)
def test_it_reports_a_problem_and_continues(check, module, name, value, message, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(module, name, value)
        passed = tested.self_test()
    found, last = lines(capsys)
    assert not passed and found[check].startswith("problem") and message in found[check]
    assert sum(line.startswith("problem") for line in found.values()) == 1 and last == "1 of 8 need attention"


def test_a_loss_that_does_not_decrease_is_a_problem(monkeypatch, capsys):
    import torch

    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: None)
    assert not tested.self_test()
    assert "it should decrease" in capsys.readouterr().out


def test_it_reports_the_accelerator(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    assert "CUDA, a card" in tested._device()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert "MPS" in tested._device()


def test_the_random_state_of_the_caller_is_preserved():
    import torch

    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    tested._training()
    assert torch.rand(1) == expected
