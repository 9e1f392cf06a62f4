"""Weights files: round trips, and refusal of damaged, foreign and malicious files."""

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from ablation import RESNET50, AblationError, build, convnext, load_weights, save_weights
from ablation.network import read_state_dict
from tests.laws import randomise

SMALL = RESNET50.replace(width=8)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(randomise(build(SMALL, num_classes=4, in_chans=1)), path)
    return path


def test_load_weights_rebuilds_the_network_from_the_file_alone(file):
    network = load_weights(file)
    assert (network.architecture, network.num_classes, network.in_chans) == (SMALL, 4, 1)
    expected = randomise(build(SMALL, num_classes=4, in_chans=1)).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())


def test_channels_last_weights_are_unchanged_after_a_round_trip(tmp_path):
    network = randomise(build(SMALL, num_classes=4)).to(memory_format=torch.channels_last)
    save_weights(network, tmp_path / "w.safetensors")
    loaded = load_weights(tmp_path / "w.safetensors").state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_file_is_refused(file, share):
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(AblationError, match="not a complete weights file"):
        load_weights(file)


def test_a_truncated_pytorch_file_is_refused(tmp_path):
    file = tmp_path / "w.pth"
    torch.save(build(SMALL).state_dict(), file)
    file.write_bytes(file.read_bytes()[:50_000])
    with pytest.raises(AblationError, match="not a complete weights file"):
        read_state_dict(file)


def test_foreign_files_are_refused(tmp_path, file):
    text = tmp_path / "notes.txt"
    text.write_text("not a weights file")
    with pytest.raises(AblationError, match="not a complete weights file"):
        load_weights(text)
    with pytest.raises(AblationError, match="no weights file"):
        load_weights(tmp_path / "missing")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(AblationError, match="not written by ablation"):
        load_weights(tmp_path / "other.safetensors")
    torch.save({"epoch": 3}, tmp_path / "no-state.pth")
    with pytest.raises(AblationError, match="no state dict"):
        read_state_dict(tmp_path / "no-state.pth")


class Malicious:
    """Object that runs a command when it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("kind", ["torch zip", "torch legacy", "plain pickle"])
def test_a_malicious_pickle_is_refused_and_nothing_is_executed(tmp_path, kind):
    file, target = tmp_path / "malicious.pth", tmp_path / "executed"
    if kind == "plain pickle":
        file.write_bytes(pickle.dumps(Malicious(str(target)), protocol=2))
    else:
        torch.save({"w": Malicious(str(target))}, file, _use_new_zipfile_serialization=kind == "torch zip")
    with pytest.raises(AblationError, match=r"was refused.*Nothing in it was executed"):
        read_state_dict(file)
    assert not target.exists()
    torch.load(file, weights_only=False) if kind != "plain pickle" else pickle.loads(file.read_bytes())
    assert target.exists(), "unpickling the file without protection must execute the command"


def test_weights_of_another_architecture_are_refused(file, tmp_path):
    from ablation.network.weights import load_state

    network = build(convnext("atto"))
    with pytest.raises(AblationError, match=r"do not fit.*missing.*not in the network"):
        load_state(network, read_state_dict(file), str(file))
    with pytest.raises(AblationError, match=r"do not fit.*of a different shape, such as head\.fc\.weight"):
        load_state(build(SMALL, num_classes=5, in_chans=1), read_state_dict(file), str(file))


def test_an_unwritable_path_is_refused(file):
    with pytest.raises(AblationError, match="cannot write"):
        save_weights(build(SMALL), file / "below-a-file")
