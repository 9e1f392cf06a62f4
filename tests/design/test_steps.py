"""Laws that every step obeys, held over one table of all of them."""

import itertools

import pytest

from ablation import RESNET50, AblationError, Architecture, Step, chain, convnext, steps
from ablation.design.convnext import SIZES
from tests.laws import ALL_STEPS, TABLE, random_subset

STARTS = [RESNET50, RESNET50.replace(width=16, norm="layer", downsampling="separate"), convnext("tiny")]


def test_the_table_holds_every_step():
    assert list(TABLE) == list(steps.STEPS) == list(steps.PAPER_STEPS)
    assert len(TABLE) == 12
    made = {name for name, value in vars(steps).items() if isinstance(value, Step)}
    factories = {name for name, value in steps.STEPS.items() if not isinstance(value, Step)}
    assert made | factories == set(TABLE)


@pytest.mark.parametrize("step", ALL_STEPS, ids=str)
@pytest.mark.parametrize("start", STARTS)
def test_laws_of_a_step(step, start):
    before = start.to_dict()
    after = step(start)
    assert start.to_dict() == before, "the input is left unchanged"
    assert isinstance(after, Architecture)
    assert step(after) == after, "taken twice is taken once"
    assert chain(step)(start) == after == start.apply(step)
    assert Architecture.from_dict(after.to_dict()) == after


@pytest.mark.parametrize("step", ALL_STEPS, ids=str)
def test_a_step_changes_something_and_only_its_own_field(step):
    changed = {name for start in STARTS for name in start.diff(step(start))}
    assert len(changed) == 1


def test_chain_is_the_identity_and_composition_equals_doing_it_by_hand():
    assert chain()(RESNET50) is RESNET50
    for seed in range(50):
        some = random_subset(seed)
        by_hand = RESNET50
        for step in some:
            by_hand = step(by_hand)
        assert chain(*some)(RESNET50) == by_hand == RESNET50.apply(*some)
        half = len(some) // 2
        assert chain(chain(*some[:half]), chain(*some[half:]))(RESNET50) == by_hand


def test_order_does_not_matter_where_the_fields_do_not_meet():
    pairs = 0
    for one, other in itertools.combinations(ALL_STEPS, 2):
        fields = [{name for start in STARTS for name in start.diff(step(start))} for step in (one, other)]
        if fields[0].isdisjoint(fields[1]):
            pairs += 1
            for start in STARTS:
                assert start.apply(one, other) == start.apply(other, one)
    assert pairs > 100


def test_steps_say_what_they_are():
    for step in ALL_STEPS:
        assert step.title and step.section.startswith("2.")
        assert repr(step) == step.name
        assert steps.parse(step.name) == step, "a step's name is what the command line takes"


def test_resnet200_second_row_is_a_chain():
    row = chain(steps.stage_ratio((3, 3, 27, 3)), steps.widen(84))
    assert RESNET50.apply(row) == RESNET50.replace(depths=(3, 3, 27, 3), width=84)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depthwize", "did you mean 'depthwise'"),
        ("kernel_size=8", "kernel_size 8 is even"),
        ("kernel_size=-7", "kernel_size -7"),
        ("kernel_size", "needs a value"),
        ("kernel_size=big", "whole numbers"),
        ("kernel_size=3,5", "one number"),
        ("stage_ratio=3,3,9", "4 entries"),
        ("gelu=1", "takes no value"),
    ],
)
def test_parse_says_what_is_wrong(text, message):
    with pytest.raises(AblationError, match=message):
        steps.parse(text)


def test_a_step_must_return_a_description():
    with pytest.raises(AblationError, match="returned 'relu'"):
        Step("wrong", lambda architecture: architecture.activation)(RESNET50)


def test_register_step(clean_registries):
    mine = steps.register_step(Step("half_width", lambda a: a.replace(width=a.width // 2)))
    assert steps.parse("half_width")(RESNET50).width == 32
    assert mine.title == "half width"
    with pytest.raises(AblationError, match="the paper's"):
        steps.register_step(Step("gelu", lambda a: a))
    with pytest.raises(AblationError, match="identifier"):
        steps.register_step(Step("half width", lambda a: a))


@pytest.mark.parametrize("size", SIZES)
def test_convnext_differs_from_tiny_in_depths_and_width_only(size):
    assert set(convnext("tiny").diff(convnext(size))) <= {"depths", "width"}


def test_unknown_convnext_offers_the_nearest():
    with pytest.raises(AblationError, match="did you mean 'tiny'"):
        convnext("tny")
