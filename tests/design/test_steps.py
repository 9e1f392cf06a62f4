"""Properties that every step must have, checked for a table of all steps."""

import itertools

import pytest

from ablation import RESNET50, AblationError, Architecture, Step, chain, convnext, steps
from ablation.design.convnext import SIZES
from tests.laws import ALL_STEPS, TABLE, random_subset

STARTS = [RESNET50, RESNET50.replace(width=16, norm="layer", downsampling="separate"), convnext("tiny")]


def test_the_table_contains_every_step():
    assert list(TABLE) == list(steps.STEPS) == list(steps.PAPER_STEPS)
    assert len(TABLE) == 12
    constants = {name for name, value in vars(steps).items() if isinstance(value, Step)}
    factories = {name for name, value in steps.STEPS.items() if not isinstance(value, Step)}
    assert constants | factories == set(TABLE)


@pytest.mark.parametrize("step", ALL_STEPS, ids=str)
@pytest.mark.parametrize("start", STARTS)
def test_a_step_is_pure_and_idempotent(step, start):
    before = start.to_dict()
    after = step(start)
    assert start.to_dict() == before, "the argument is unchanged"
    assert isinstance(after, Architecture)
    assert step(after) == after, "applying the step twice is the same as applying it once"
    assert chain(step)(start) == after == start.apply(step)
    assert Architecture.from_dict(after.to_dict()) == after


@pytest.mark.parametrize("step", ALL_STEPS, ids=str)
def test_a_step_changes_exactly_one_field(step):
    changed = {name for start in STARTS for name in start.diff(step(start))}
    assert len(changed) == 1


def test_empty_chain_is_the_identity_and_chain_composes():
    assert chain()(RESNET50) is RESNET50
    for seed in range(50):
        subset = random_subset(seed)
        expected = RESNET50
        for step in subset:
            expected = step(expected)
        assert chain(*subset)(RESNET50) == expected == RESNET50.apply(*subset)
        half = len(subset) // 2
        assert chain(chain(*subset[:half]), chain(*subset[half:]))(RESNET50) == expected


def test_steps_on_different_fields_commute():
    pairs = 0
    for one, other in itertools.combinations(ALL_STEPS, 2):
        fields = [{name for start in STARTS for name in start.diff(step(start))} for step in (one, other)]
        if fields[0].isdisjoint(fields[1]):
            pairs += 1
            for start in STARTS:
                assert start.apply(one, other) == start.apply(other, one)
    assert pairs > 100


def test_steps_have_titles_sections_and_parsable_names():
    for step in ALL_STEPS:
        assert step.title and step.section.startswith("2.")
        assert repr(step) == step.name
        assert steps.parse(step.name) == step, "the command line accepts the name of the step"


def test_chain_of_the_first_step_of_the_resnet200_ladder():
    row = chain(steps.stage_ratio((3, 3, 27, 3)), steps.widen(84))
    assert RESNET50.apply(row) == RESNET50.replace(depths=(3, 3, 27, 3), width=84)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depthwize", "did you mean 'depthwise'"),
        ("kernel_size=8", "kernel_size 8 is even"),
        ("kernel_size=-7", "kernel_size -7"),
        ("kernel_size", "requires a value"),
        ("kernel_size=big", "whole numbers"),
        ("kernel_size=3,5", "one number"),
        ("stage_ratio=3,3,9", "4 entries"),
        ("gelu=1", "takes no value"),
    ],
)
def test_parse_refuses_invalid_text(text, message):
    with pytest.raises(AblationError, match=message):
        steps.parse(text)


def test_a_step_must_return_an_architecture():
    with pytest.raises(AblationError, match="returned 'relu'"):
        Step("wrong", lambda architecture: architecture.activation)(RESNET50)


def test_register_step(clean_registries):
    step = steps.register_step(Step("half_width", lambda a: a.replace(width=a.width // 2)))
    assert steps.parse("half_width")(RESNET50).width == 32
    assert step.title == "half width"
    with pytest.raises(AblationError, match="a step of the paper"):
        steps.register_step(Step("gelu", lambda a: a))
    with pytest.raises(AblationError, match="identifier"):
        steps.register_step(Step("half width", lambda a: a))


@pytest.mark.parametrize("size", SIZES)
def test_convnext_differs_from_tiny_in_depths_and_width_only(size):
    assert set(convnext("tiny").diff(convnext(size))) <= {"depths", "width"}


def test_the_error_for_an_unknown_convnext_suggests_the_closest_name():
    with pytest.raises(AblationError, match="did you mean 'tiny'"):
        convnext("tny")
