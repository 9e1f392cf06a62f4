"""Weights to start from: all of them are taken but a classifier with another number of classes, or none."""

import pytest
import timm
import torch

from ablation import RESNET50, AblationError, build, convnext, save_weights, to_timm
from ablation.network.starting_weights import load_start, read_start
from tests.laws import randomise
from tests.network.test_checkpoints_of_others import as_the_authors_name_them

SMALL = RESNET50.replace(width=4, depths=(1, 1, 1, 1))
NEW_HEAD = "its head is new: the file has 3 classes, and the data 5"


def started(network, file, **options):
    """Load a file into a network; return what is said, and the names of tensors that stayed as they were."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    said = load_start(network, read_start(file), **options)
    return said, {name for name, value in network.state_dict().items() if torch.equal(value, before[name])}


def small(classes, architecture=SMALL, in_chans=1):
    return randomise(build(architecture, num_classes=classes, in_chans=in_chans), seed=classes)


def test_our_own_file_is_taken_with_or_without_its_head(tmp_path):
    source = small(3)
    save_weights(source, tmp_path / "w.safetensors")
    network = build(SMALL, num_classes=3, in_chans=1)
    said, _ = started(network, tmp_path / "w.safetensors")
    assert said == "" and all(torch.equal(v, network.state_dict()[n]) for n, v in source.state_dict().items())
    network = small(5)
    said, kept = started(network, tmp_path / "w.safetensors")
    assert said == NEW_HEAD and kept - {n for n in kept if "num_batches" in n} == {"head.fc.weight", "head.fc.bias"}
    assert torch.equal(network.stem.conv.weight, source.stem.conv.weight)


def test_a_file_without_a_head_gives_a_new_one(tmp_path):
    torch.save({n: v for n, v in small(3).state_dict().items() if not n.startswith("head.")}, tmp_path / "w.pth")
    said, kept = started(small(5), tmp_path / "w.pth")
    assert (
        said == "its head is new: the file has 0 classes, and the data 5" and {"head.fc.weight", "head.fc.bias"} <= kept
    )


@pytest.mark.parametrize("architecture", [SMALL, convnext("atto").replace(width=4, depths=(1, 1, 1, 1))])
def test_weights_with_the_names_of_timm_are_taken(architecture, tmp_path):
    source = small(3, architecture)
    torch.save(to_timm(source), tmp_path / "w.pth")
    network = small(5, architecture)
    assert started(network, tmp_path / "w.pth")[0] == NEW_HEAD
    assert all(torch.equal(v, network.state_dict()[n]) for n, v in source.state_dict().items() if "head.fc" not in n)


def test_a_checkpoint_of_the_authors_is_taken(tmp_path):
    theirs = randomise(timm.create_model("convnext_atto", num_classes=3))
    torch.save({"model": as_the_authors_name_them(theirs.state_dict())}, tmp_path / "atto.pth")
    network = build(convnext("atto"), num_classes=5)
    assert started(network, tmp_path / "atto.pth")[0] == NEW_HEAD
    assert torch.equal(network.stem.conv.weight, theirs.stem[0].weight)


def test_a_model_of_timm_takes_its_own_weights(tmp_path):
    source = randomise(timm.create_model("test_resnet", num_classes=3, in_chans=1))
    torch.save(source.state_dict(), tmp_path / "w.pth")
    network = timm.create_model("test_resnet", num_classes=5, in_chans=1)
    said, kept = started(network, tmp_path / "w.pth", model="test_resnet")
    assert said == NEW_HEAD and {"fc.weight", "fc.bias"} <= kept
    assert torch.equal(network.conv1[0].weight, source.conv1[0].weight)
    with pytest.raises(AblationError, match=r"do not fit test_resnet. Tensors: 1 of a different shape"):
        load_start(timm.create_model("test_resnet", num_classes=5), read_start(tmp_path / "w.pth"), "test_resnet")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (SMALL.replace(kernel_size=5), "do not fit Architecture.*of a different shape, such as stages.0.blocks.0"),
        (SMALL.replace(depths=(1, 1, 1, 2)), "Tensors: 15 missing, such as stages.3.blocks.1"),
    ],
)
def test_other_networks_are_refused_and_nothing_is_changed(other, message, tmp_path):
    save_weights(small(3), tmp_path / "w.safetensors")
    network = small(5, other)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(AblationError, match=message):
        load_start(network, read_start(tmp_path / "w.safetensors"))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_weights_that_are_not_finite_are_refused(tmp_path):
    source = small(3)
    source.stem.conv.weight.data[0] = torch.nan
    torch.save(source.state_dict(), tmp_path / "w.pth")
    with pytest.raises(AblationError, match=r"not finite: stem.conv.weight"):
        load_start(small(3), read_start(tmp_path / "w.pth"))


def test_the_digest_is_of_what_the_tensors_hold(tmp_path):
    source = small(3)
    save_weights(source, tmp_path / "a.safetensors")
    torch.save(source.state_dict(), tmp_path / "b.pth")
    one, other = (read_start(tmp_path / name).digest for name in ("a.safetensors", "b.pth"))
    assert one == other and len(one) == 16
    source.stem.conv.weight.data[0, 0, 0, 0] += 1
    save_weights(source, tmp_path / "a.safetensors")
    assert read_start(tmp_path / "a.safetensors").digest != one
