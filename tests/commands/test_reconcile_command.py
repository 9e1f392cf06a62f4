"""`ablation profile --reconcile`: a timm model or a rung, one message for anything else."""

import pytest

from tests.commands.running import ablation


def test_a_timm_model_and_a_rung(capsys):
    code, out, _ = ablation("profile", "--reconcile", "timm:resnet10t", "--size", "64", capsys=capsys)
    assert code == 0 and "resnet10t, 64 px" in out
    for convention in ("paper", "fvcore", "torch", "thop", "ptflops", "torchinfo", "timm"):
        assert f"\n  {convention} " in out and f"\n{convention}: " in out
    assert "FLOPs" in out and " x2" in out and "not checked here" in out

    code, out, _ = ablation("profile", "--reconcile", "gelu", "--size", "64", capsys=capsys)
    assert code == 0 and "ReLU to GELU, 64 px" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reconcile", "convnext_tin"], "did you mean 'convnext_tiny'"),
        (["--reconcile", ""], "--reconcile '' names no network"),
        (["--reconcile", "resnet18", "--size", "0"], "size 0 must be the side"),
        (["--reconcile", "resnet18", "--size", "-5"], "size -5 must be the side"),
        (["--reconcile", "resnet18", "--start", "resnet5"], "did you mean 'resnet50'"),
        (["gelu", "--reconcile", "resnet18"], "give no steps"),
        (["--timing", "--reconcile", "resnet18"], "no --timing"),
        (["--size", "0"], "an image of 0 px is too small"),
        (["--size", "-5"], "an image of -5 px is too small"),
    ],
    ids=str,
)
def test_bad_input(arguments, message, capsys):
    code, _, err = ablation("profile", *arguments, capsys=capsys)
    assert code == 2 and message in err and "Traceback" not in err
