"""The cell of 04 that downloads weights runs where the hub is reachable; here timm creates the models without it."""

from pathlib import Path

import nbformat
import pytest
import timm
import torch

import ablation as ab
from ablation.measure import images
from ablation.measure.jacobian import jacobian_change
from ablation.measure.mixers import mixers
from ablation.measure.receptive_field import FieldWarning

NOTEBOOK = Path(__file__).parents[2] / "notebooks/04_large_kernels.ipynb"


@pytest.fixture
def cell():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (source,) = (cell.source for cell in cells if cell.get("id") == "imagenet-weights")
    return source


def run(source):
    def smaller(size):
        return ab.photographs(min(size, 96))

    names = {"ab": ab, "photographs": smaller, "mixers": mixers, "jacobian_change": jacobian_change}
    constants = {name: getattr(images, name) for name in ("normalise", "IMAGENET_MEAN", "IMAGENET_STD")}
    exec(source, names | constants)


def test_it_measures_pretrained_networks(cell, monkeypatch, capsys):
    create, asked = timm.create_model, []

    def without_hub(name, pretrained=False, **settings):
        asked.append((name, pretrained))
        torch.manual_seed(0)
        model = create(name, pretrained=False, **settings)
        for part, parameter in model.named_parameters():
            if parameter.ndim == 1 and not part.endswith("bias"):  # timm starts branches at zero
                torch.nn.init.ones_(parameter)
        return model

    monkeypatch.setattr(timm, "create_model", without_hub)
    with pytest.warns(FieldWarning, match="96 x 96"):  # which is smaller than the image of the cell
        run(cell.replace("DOWNLOAD = False", "DOWNLOAD = True"))
    names = ["resnet50.tv_in1k", "convnext_tiny.fb_in1k", "swin_tiny_patch4_window7_224"]
    assert asked == [(name, True) for name in names]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*names[:2], "Swin-T's"]
    assert all("px after stages 1 to 4" in line for line in lines[:2]) and lines[2].endswith(" %")


def test_it_downloads_nothing_by_default(cell, monkeypatch, capsys):
    monkeypatch.setattr(timm, "create_model", lambda *args, **settings: pytest.fail("a model was created"))
    run(cell)
    assert capsys.readouterr().out == ""
