"""Nothing larger than a weights file is loaded from it, and what cannot be read is told in one message."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import psutil
import pytest
import torch

from ablation import AblationError
from ablation.network import read_state_dict, weights_reading


def state():
    return {"a": torch.arange(12.0).reshape(3, 4), "b": torch.ones(2, dtype=torch.bfloat16)}


def repacked(file, compression=zipfile.ZIP_DEFLATED, largest=None):
    """Write a PyTorch file again, compressed, or with another pickle inside."""
    with zipfile.ZipFile(file) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, largest if largest is not None and name.endswith("data.pkl") else data)


def test_a_compressed_archive_is_refused_with_both_sizes(tmp_path):
    file = tmp_path / "bomb.pth"
    torch.save({"a": torch.zeros(5_000_000)}, file)
    repacked(file)
    assert file.stat().st_size < 50_000
    with pytest.raises(
        AblationError, match=r"bomb\.pth was refused: it has \d\d,\d{3} bytes and declares 20,0\d\d,\d{3}"
    ):
        read_state_dict(file)


def test_a_pickle_that_unpacks_to_many_objects_is_refused(tmp_path, monkeypatch):
    assert weights_reading._MAX_PICKLE == 8_000_000
    monkeypatch.setattr(weights_reading, "_MAX_PICKLE", 80_000)
    many = b"\x80\x02" + b"}" * weights_reading._MAX_PICKLE + b"."
    file = tmp_path / "objects.pth"
    torch.save(state(), file)
    repacked(file, zipfile.ZIP_STORED, many)
    with pytest.raises(AblationError, match="its pickle has 80,003 bytes"):
        read_state_dict(file)
    file.write_bytes(many)
    with pytest.raises(AblationError, match="its pickle has more than 10,000 operations"):
        read_state_dict(file)


def test_sharing_memory_is_possible_and_copies_it_once(tmp_path):
    shared = torch.arange(6.0)
    torch.save({"a": shared, "b": shared[2:], "c": shared.view(2, 3).t()}, tmp_path / "shared.pth")
    loaded = read_state_dict(tmp_path / "shared.pth")
    assert loaded["b"].untyped_storage().data_ptr() == loaded["a"].untyped_storage().data_ptr()
    assert torch.equal(loaded["b"], shared[2:]) and torch.equal(loaded["c"], shared.view(2, 3).t())


@pytest.mark.parametrize("legacy", [False, True])
def test_what_was_read_does_not_change_with_the_file(tmp_path, legacy):
    file = tmp_path / "w.pth"
    torch.save(state(), file, _use_new_zipfile_serialization=not legacy)
    loaded = read_state_dict(file)
    with file.open("r+b") as opened:
        opened.write(bytes(file.stat().st_size))
    assert all(torch.equal(loaded[name], value) for name, value in state().items())


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(1).expand(100_000, 100_000),
        lambda: torch.sparse_coo_tensor([[0], [0]], [1.0], (10**5, 10**5), check_invariants=True),
        lambda: torch.zeros(3, device="meta"),
        lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8),
    ],
    ids=["expanded", "sparse", "meta", "quantised"],
)
@pytest.mark.filterwarnings("ignore")
def test_a_tensor_without_a_value_for_each_element_is_refused(tmp_path, make):
    torch.save({"a": torch.ones(1), "big": make()}, tmp_path / "w.pth")
    with pytest.raises(AblationError, match=r"the tensor big of .* does not hold a value"):
        read_state_dict(tmp_path / "w.pth")


def test_a_file_that_exceeds_the_memory_is_refused_with_what_is_free(tmp_path, monkeypatch):
    file = tmp_path / "w.pth"
    torch.save(state(), file)
    os.truncate(file, 5_000_000_000)  # sparse: it takes no room on the disk
    free = psutil.virtual_memory()._replace(available=4_000_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(AblationError, match=r"w\.pth holds 5\.0 GB, but only 4\.0 GB of memory are free"):
        read_state_dict(file)


def test_only_what_is_used_of_a_training_checkpoint_is_read(tmp_path):
    file = tmp_path / "training.pth"
    torch.save({"model": state(), "optimizer": {"state": {0: {"exp_avg": torch.zeros(4)}}}, "epoch": 3}, file)
    assert list(read_state_dict(file)) == ["a", "b"]


def test_permission_denied_a_folder_and_a_pipe_are_told(tmp_path, monkeypatch):
    file = tmp_path / "w.pth"
    torch.save(state(), file)
    with pytest.raises(AblationError, match="is not a weights file, but a folder"):
        read_state_dict(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AblationError, match="is not a weights file, but a device or pipe"):
        read_state_dict(tmp_path / "pipe")
    with pytest.raises(AblationError, match="there is no weights file"):
        read_state_dict("a\0b")
    for call in ("stat", "open"):
        with monkeypatch.context() as patched:
            target = os if call == "stat" else io
            patched.setattr(target, call, _denied)
            with pytest.raises(AblationError, match=r"cannot read .*w\.pth: Permission denied"):
                read_state_dict(file)


def _denied(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    "value", [3, [1], {}, {"a": 1}, {"epoch": 1, "w": torch.ones(1)}, OrderedDict(), {1: torch.ones(1)}]
)
def test_other_contents_are_refused(tmp_path, value):
    torch.save(value, tmp_path / "w.pth")
    with pytest.raises(AblationError, match="contains no state dict: expected names and tensors, found"):
        read_state_dict(tmp_path / "w.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_the_protocol_is_named_where_it_is_the_reason(tmp_path, legacy):
    torch.save(state(), tmp_path / "w.pth", pickle_protocol=4, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(AblationError, match="was refused: its pickle has operations of a protocol above 2"):
        read_state_dict(tmp_path / "w.pth")


def test_damage_anywhere_gives_one_message(tmp_path):
    file = tmp_path / "w.pth"
    torch.save(state(), file)
    data = file.read_bytes()
    for position in range(0, len(data), 29):
        file.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
        try:
            read_state_dict(file)
        except AblationError:
            continue
    file.write_bytes(pickle.dumps({"a": [1, 2]}))
    with pytest.raises(AblationError, match="a protocol above 2"):
        read_state_dict(file)
