"""Closed-form costs: exact numbers for both ladders, receptive fields, and comparison with the paper."""

import pytest

from ablation import RESNET50, AblationError, Architecture, convnext, cost, register_activation, roadmap
from tests.exact import LADDERS

ROWS = [(ladder, name) for ladder, table in LADDERS.items() for name in table]


@pytest.mark.parametrize(("ladder", "name"), ROWS)
def test_params_and_macs_are_exact(ladder, name):
    rung = next(rung for rung in roadmap(ladder) if rung.name == name)
    result = cost(rung.architecture)
    assert (result.params, result.macs) == LADDERS[ladder][name]


def test_expected_values_cover_all_rungs():
    for ladder, table in LADDERS.items():
        assert [rung.name for rung in roadmap(ladder)] == list(table)


def test_macs_round_to_the_paper_s_gflops_except_for_two_rows_with_a_note():
    different = {}
    for ladder in LADDERS:
        for rung in roadmap(ladder):
            same = f"{cost(rung.architecture).macs / 1e9:.2f}" == f"{rung.published.gflops:.2f}"
            assert same == (rung.published.note == "")
            if not same:
                different[ladder, rung.name] = rung.published.gflops
    assert different == {("resnet50", "layer_norm"): 4.46, ("resnet50", "strided_downsampling"): 4.49}


def test_cost_of_separate_downsampling_alone():
    result = cost(RESNET50.replace(downsampling="separate"))
    assert (result.params, result.macs) == (34_506_792, 4_859_887_616)


def test_convnext_tiny_adds_only_layer_scale_to_the_last_rung():
    last = roadmap()[-1].architecture
    assert cost(convnext("tiny")).params == 28_589_128
    assert cost(convnext("tiny")).macs == cost(last).macs


RECEPTIVE_FIELDS = [427, 427, 507, 500, 500, 500, 500, 500, 996, 1492, 1988, 2484, 1492, 1492, 1492, 1492, 1688]


def test_receptive_fields_of_the_ladder():
    assert [cost(rung.architecture).receptive_field for rung in roadmap()] == RECEPTIVE_FIELDS


@pytest.mark.parametrize(
    ("architecture", "by_stage"), [(RESNET50, [35, 91, 267, 427]), (convnext("tiny"), [76, 224, 1096, 1688])]
)
def test_receptive_fields_by_stage(architecture, by_stage):
    assert [part.receptive_field for part in cost(architecture).stages[1:-1]] == by_stage


def test_parts_sum_to_the_total_and_have_names_sizes_and_channels():
    result = cost(RESNET50)
    assert [part.name for part in result.stages] == ["stem", "stages.0", "stages.1", "stages.2", "stages.3", "head"]
    assert [part.size for part in result.stages] == [56, 56, 28, 14, 7, 1]
    assert [part.channels for part in result.stages] == [64, 256, 512, 1024, 2048, 1000]
    for name in ("params", "macs", "activations"):
        assert sum(getattr(part, name) for part in result.stages) == getattr(result, name)


def test_num_classes_and_in_chans_change_the_parameters():
    assert cost(RESNET50).params - cost(RESNET50, num_classes=0).params == 2048 * 1000 + 1000
    assert cost(RESNET50).params - cost(RESNET50, in_chans=1).params == 2 * 64 * 7 * 7


def test_receptive_field_is_none_if_a_layer_depends_on_the_whole_image(clean_registries):
    register_activation("global", lambda channels: None, depends_on="image")
    assert cost(Architecture(activation="global")).receptive_field is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 31}, "smallest that works is 32 px"),
        ({"size": 0}, "smallest that works"),
        ({"size": 224.0}, "too small|whole"),
        ({"num_classes": -1}, "num_classes -1"),
        ({"in_chans": 0}, "in_chans 0"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(AblationError, match=message):
        cost(convnext("tiny"), **arguments)
