"""The header of weights files: every damaged bit is noticed, and every malformed header is refused in one message."""

import json
import random
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ablation import RESNET50, AblationError, build, load_weights, save_weights
from ablation.network import read_state_dict
from tests.laws import randomise

TINY = RESNET50.replace(width=2, depths=(1, 1, 1, 1))
IMAGES = {"mean": (0.5,), "std": (0.25,), "input_size": (1, 8, 8)}


def network():
    """Return a tiny network whose configuration knows its images and classes."""
    made = randomise(build(TINY, num_classes=3, in_chans=1))
    made.pretrained_cfg = {**IMAGES, "label_names": ("ant", "bee", "cat")}
    return made


@pytest.fixture
def file(tmp_path):
    save_weights(network(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def header_of(file):
    with safe_open(file, framework="pt") as opened:
        return json.loads(opened.metadata()["ablation"])


def write(file, state, text):
    save_file(state, file, metadata={"ablation": text})


def test_the_file_keeps_images_and_class_names(file):
    assert load_weights(file).pretrained_cfg == {**IMAGES, "label_names": ("ant", "bee", "cat")}


def test_two_writings_are_identical_and_the_tensors_are_those_of_the_network(file, tmp_path):
    save_weights(network(), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == file.read_bytes()
    expected = network().state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in load_file(file).items())


def test_every_flipped_bit_is_noticed(file):
    data, draw = file.read_bytes(), random.Random(0)
    header = 8 + struct.unpack("<Q", data[:8])[0]
    positions = [draw.randrange(len(data)) for _ in range(40)] + [draw.randrange(header) for _ in range(60)]
    for position in positions:
        damaged = bytearray(data)
        damaged[position] ^= 1 << draw.randrange(8)
        file.write_bytes(damaged)
        with pytest.raises(AblationError):
            load_weights(file)
    file.write_bytes(data)
    load_weights(file)


def test_a_changed_tensor_or_description_is_named_as_damage(file):
    state, header = load_file(file), header_of(file)
    changed = {name: value + 1 if name == "head.fc.bias" else value for name, value in state.items()}
    write(file, changed, json.dumps(header))
    with pytest.raises(AblationError, match=r"w\.safetensors is damaged.*checksum differs"):
        read_state_dict(file)
    header["images"]["mean"] = [0.6]
    write(file, state, json.dumps(header))
    with pytest.raises(AblationError, match="checksum differs"):
        load_weights(file)


def test_a_file_without_a_checksum_is_still_read(file):
    header = header_of(file)
    del header["checksum"], header["classes"]
    write(file, load_file(file), json.dumps(header))
    assert load_weights(file).architecture == TINY


@pytest.mark.parametrize("length", [640, 19280], ids=["reads as a pickle", "reads as an archive"])
def test_a_safetensors_file_is_recognised_whatever_its_length_reads_as(tmp_path, length):
    """The first bytes of a safetensors file are the length of its header, here those of other formats."""
    file, padding = tmp_path / "w.safetensors", 0
    while not file.exists() or struct.unpack("<Q", file.read_bytes()[:8])[0] != length:
        save_file({"a": torch.ones(1)}, file, metadata={"note": "x" * padding})
        padding += max(1, length - struct.unpack("<Q", file.read_bytes()[:8])[0] - 16)
    assert read_state_dict(file) == {"a": torch.ones(1)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "of type list"),
        ("3", "of type int"),
        ("null", "of type NoneType"),
        ('"text"', "of type str"),
        ("{", "not JSON"),
        ("[" * 10_000 + "]" * 10_000, "not JSON"),
        ("9" * 5_000, "not JSON"),
    ],
    ids=["list", "number", "null", "text", "no JSON", "nested", "digits"],
)
def test_a_header_that_is_no_object_is_refused(file, text, message):
    write(file, load_file(file), text)
    with pytest.raises(AblationError, match=f"header that ablation did not write, or it is damaged.*{message}"):
        load_weights(file)


CHANGES = [
    ({"num_classes": None}, "no num_classes"),
    ({"in_chans": None}, "no in_chans"),
    ({"num_classes": "3"}, "num_classes is '3'"),
    ({"num_classes": -1}, "num_classes is -1"),
    ({"num_classes": 10**80}, "num_classes is 1000"),
    ({"in_chans": 0}, "in_chans is 0"),
    ({"in_chans": True}, "in_chans is True"),
    ({"images": []}, r"images is \[\]"),
    ({"images": {"std": [1.0]}}, "images.mean and images.std belong together"),
    ({"images": {"mean": [0.5], "std": [0]}}, r"images.std is \[0\]"),
    ({"images": {"mean": ["x"], "std": [1]}}, r"images.mean is \['x'\]"),
    ({"images": {"mean": [float("nan")], "std": [1]}}, r"images.mean is \[nan\]"),
    ({"images": {"mean": 0.5, "std": 0.5}}, "images.mean is 0.5"),
    ({"images": {"input_size": [8]}}, r"images.input_size is \[8\]"),
    ({"images": {"input_size": [1, 10**6, 10**6]}}, r"images.input_size is \[1, 1000000, 1000000\]"),
    ({"images": {"crop_pct": 2.5}}, "images.crop_pct is 2.5"),
    ({"images": {"crop_mode": "centre"}}, "images.crop_mode is 'centre'"),
    ({"images": {"interpolation": []}}, r"images.interpolation is \[\]"),
    ({"images": {"maen": [0.5]}}, "unknown field images.maen; did you mean images.mean"),
    ({"classes": "abc"}, "classes is 'abc'"),
    ({"checksum": 3}, "checksum is 3"),
    ({"chacksum": "0"}, "unknown field chacksum; did you mean checksum"),
    ({"architecture": []}, r"architecture is \[\]"),
    ({"architecture": {"width": "wide"}}, "cannot be built: width 'wide'"),
    ({"architecture": {"widht": 3}}, "did you mean 'width'"),
    ({"architecture": {"norm": []}}, "cannot be built"),
    ({"architecture": {"depths": {}}}, "cannot be built: depths"),
    ({"architecture": {**TINY.to_dict(), "width": 1_000_000}}, "do not fit.*parameters"),
    ({"architecture": {**TINY.to_dict(), "depths": [1, 1, 10**4, 1]}}, "do not fit.*in 10,003 blocks"),
    ({"num_classes": 10**7}, "do not fit.*parameters"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[str(change)[:40] for change, _ in CHANGES])
def test_a_header_with_wrong_or_missing_fields_is_refused(file, change, message):
    """Without a checksum, as whoever writes a header by hand has none."""
    header = {**header_of(file), **change}
    if "checksum" not in change:
        del header["checksum"]
    write(file, load_file(file), json.dumps({name: value for name, value in header.items() if value is not None}))
    with pytest.raises(AblationError, match=message):
        load_weights(file)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["head.fc.weight", "stem.norm.running_var"])
def test_weights_that_are_not_finite_are_refused(tmp_path, name, value):
    made = network()
    made.state_dict()[name].reshape(-1)[0] = value
    save_weights(made, tmp_path / "w.safetensors")
    with pytest.raises(AblationError, match=f"not finite: {name} holds NaN or infinity"):
        load_weights(tmp_path / "w.safetensors")
