"""Whatever the header of a weights file says: the file is loaded, or refused in one line, and never for long."""

import copy
import dataclasses
import json
import math
import struct
import time

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from ablation import RESNET50, AblationError, Architecture, build, load_weights
from ablation.network.weights_header import describe
from tests.laws import randomise

QUICK = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SECONDS = 10  # for one file of 20 kB, on a busy machine
TINY = RESNET50.replace(width=2, depths=(1, 1, 1, 1))
IMAGES = {
    "mean": [0.5],
    "std": [0.25],
    "input_size": [1, 8, 8],
    "crop_pct": 0.9,
    "crop_mode": "center",
    "interpolation": "bicubic",
}
DROPPED = "~dropped~"
RAW = {
    "~deep~": "[" * 5000 + "]" * 5000,
    "~digits~": "9" * 5000,
    "~overflow~": "1e999",
}  # not as json.dumps writes them
FIELDS = [
    *[(name,) for name in ("architecture", "num_classes", "in_chans", "images", "classes", "checksum", "more")],
    *[("images", name) for name in (*IMAGES, "more")],
    *[("architecture", field.name) for field in dataclasses.fields(Architecture)],
]
NUMBERS = [math.nan, math.inf, -math.inf, 10**80, -(2**63), 2**31, 1e308, 1e-308, -1, -0.0, 0, 0.5, 1, 3]
TEXTS = ["", "x" * 5000, "\x00", "a\nb", "\u2028", "\udcff", "Ä", "batch", "relu", "0" * 64]
SIMPLE = st.one_of(
    st.sampled_from([None, True, False, *NUMBERS, *TEXTS, *RAW, DROPPED]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)
VALUES = st.one_of(
    SIMPLE,
    st.recursive(
        SIMPLE,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.one_of(st.sampled_from(TEXTS), st.sampled_from(list(IMAGES))), inner, max_size=3),
        ),
        max_leaves=8,
    ),
)


def network():
    """Return a tiny network whose configuration has everything that a header can say."""
    made = randomise(build(TINY, num_classes=3, in_chans=1))
    made.pretrained_cfg = {**IMAGES, "label_names": ["ant", "bee", "cat"]}
    return made


@pytest.fixture(scope="module")
def valid():
    """Return the tensors and the description of a valid file, without a checksum, which alone would refuse any change."""
    made = network()
    return {name: value.contiguous() for name, value in made.state_dict().items()}, describe(made)


def as_json(value):
    """Return a value as JSON, with what stands in `RAW`."""
    text = json.dumps(value)
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text


def changed(description, path, value):
    """Return a description in which one field has another value, or is not there."""
    result = copy.deepcopy(description)
    inside = result
    for name in path[:-1]:
        inside = inside[name]
    if isinstance(value, str) and value == DROPPED:
        inside.pop(path[-1], None)
    else:
        inside[path[-1]] = value
    return result


def load_or_one_line(file):
    """Load a file, and return whether that was possible; everything else than one line is an error of the test."""
    start = time.monotonic()
    try:
        network = load_weights(file)
    except AblationError as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) < 1000 + len(str(file)), str(error)
        return False
    finally:
        assert time.monotonic() - start < SECONDS
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    return True


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
def test_any_field_of_a_header_is_read_or_refused_in_one_line(path, valid, tmp_path):
    tensors, description = valid
    file = tmp_path / "w.safetensors"

    @settings(QUICK, max_examples=12)
    @given(VALUES)
    @example(DROPPED)
    @example("~deep~")
    @example(10**80)
    @example(TEXTS[-1])
    def check(value):
        file.write_bytes(save(tensors, metadata={"ablation": as_json(changed(description, path, value))}))
        load_or_one_line(file)

    file.write_bytes(save(tensors, metadata={"ablation": as_json(description)}))
    assert load_or_one_line(file)
    check()


def test_any_json_in_place_of_a_header_is_refused_in_one_line(valid, tmp_path):
    file = tmp_path / "w.safetensors"

    @settings(QUICK, max_examples=40)
    @given(VALUES)
    def check(value):
        file.write_bytes(save(valid[0], metadata={"ablation": as_json(value)}))
        assert not load_or_one_line(file)

    check()


TYPES = ["F32", "F64", "F16", "BF16", "F8_E4M3", "F4", "C64", "I64", "U8", "BOOL", "f32", "Ä", "", None, 3]


@pytest.mark.parametrize("field", ["dtype", "shape", "data_offsets", "name", "whole", "metadata"])
def test_any_table_of_tensors_is_read_or_refused_in_one_line(field, valid, tmp_path):
    file = tmp_path / "w.safetensors"
    data = save(valid[0], metadata={"ablation": as_json(valid[1])})
    start = 8 + struct.unpack("<Q", data[:8])[0]
    table = json.loads(data[8:start])
    names = [name for name in table if name != "__metadata__"]
    small = st.lists(st.integers(-1, 40), max_size=4)

    @settings(QUICK, max_examples=40)
    @given(st.sampled_from(names), st.one_of(VALUES, small, st.sampled_from(TYPES)))
    def check(name, value):
        if field == "metadata":
            result = changed(table, ("__metadata__",), value)
        elif field == "whole":
            result = changed(table, (name,), value)
        elif field == "name":
            result = {(str(value) if key == name else key): entry for key, entry in table.items()}
        else:
            result = changed(table, (name, field), value)
        text = as_json(result).encode(errors="surrogatepass")
        file.write_bytes(struct.pack("<Q", len(text)) + text + data[start:])
        load_or_one_line(file)

    check()


def test_a_long_name_is_cut(valid, tmp_path):
    file = tmp_path / "w.safetensors"
    file.write_bytes(save(valid[0] | {"x" * 5000: torch.zeros(1)}, metadata={"ablation": as_json(valid[1])}))
    with pytest.raises(AblationError, match=r"1 not in the network, such as 'x+\.\.\. "):
        load_weights(file)
