"""Designs: their networks and their trials."""

import itertools
import subprocess
import sys

import pytest

from ablation import RESNET50, AblationError, roadmap
from ablation.design import roadmap as roads
from ablation.design import steps
from ablation.study import designs
from ablation.study.design_sizes import count_networks
from ablation.study.designs import Design, Point, design, trials

CHOSEN = ("patchify_stem", "depthwise", "kernel_size=7", "layer_norm")
FIELDS = {"patchify_stem": {"stem": "patchify"}, "depthwise": {"depthwise": True}}
FIELDS |= {"kernel_size=7": {"kernel_size": 7}, "layer_norm": {"norm": "layer"}}


def resnet_with(*names):
    """Return ResNet-50 with some of the chosen steps, built field by field."""
    return RESNET50.replace(**{field: value for name in names for field, value in FIELDS[name].items()})


@pytest.mark.parametrize("start", ["resnet50", "resnet200"])
def test_the_default_steps_are_the_adopted_steps_of_the_road(start):
    kept = [rung.architecture for rung in roadmap(start) if rung.adopted]
    assert design("leave-one-out", start=start).points[0].architecture == kept[-1]
    for i in range(1, len(kept)):
        taken = designs.default_steps(start)[: i - 1]
        names = [part for step in taken for part in step.split("+")]
        assert roads.road(names, start)[-1].architecture == kept[i]
    assert len(designs.default_steps(start)) == len(kept) - 2


def test_leave_one_out():
    chosen = design("leave-one-out", CHOSEN)
    assert [point.name for point in chosen] == ["end", *(f"without {step}" for step in CHOSEN)]
    assert chosen.points[0].architecture == resnet_with(*CHOSEN) and chosen.points[0].previous is None
    for step, point in zip(CHOSEN, chosen.points[1:], strict=True):
        assert point.architecture == resnet_with(*(other for other in CHOSEN if other != step))
        assert point.previous == "end"
    assert chosen.points[2].title == "without depthwise conv"


def test_one_at_a_time():
    chosen = design("one-at-a-time", CHOSEN)
    assert [point.name for point in chosen] == ["start", *CHOSEN]
    assert chosen.points[0].architecture == RESNET50 and chosen.points[0].title == "ResNet-50"
    for step, point in zip(CHOSEN, chosen.points[1:], strict=True):
        assert point.architecture == resnet_with(step) and point.previous == "start"
    assert [point.name for point in design("one-at-a-time", ["gelu"])] == ["start", "gelu"]


def test_a_factorial_has_every_subset_once():
    chosen = design("factorial", CHOSEN)
    expected = {subset for size in range(5) for subset in itertools.combinations(CHOSEN, size)}
    assert len(chosen) == 16 and {point.steps for point in chosen} == expected
    assert all(point.architecture == resnet_with(*point.steps) for point in chosen)
    names = {point.name: point for point in chosen}
    assert names["start"].steps == () and names["end"].steps == CHOSEN
    for point in chosen.points[1:]:
        assert names[point.previous].steps == point.steps[:-1]


def test_a_factorial_with_too_many_steps_is_refused_with_its_number_of_trials():
    assert len(design("factorial", designs.default_steps()[:10])) == 1024
    with pytest.raises(AblationError, match=r"11 steps needs 2,048 trials per seed; the maximum is 10 steps"):
        design("factorial", designs.default_steps()[:11])


def test_the_points_of_orderings_are_the_prefixes_of_random_orders():
    chosen = design("orderings", CHOSEN, count=7, seed=3)
    assert len(chosen.orders) == 7 and all(sorted(order) == sorted(CHOSEN) for order in chosen.orders)
    prefixes = {frozenset(order[:size]) for order in chosen.orders for size in range(5)}
    assert {frozenset(point.steps) for point in chosen} == prefixes and len(chosen) == len(prefixes)
    assert all(point.architecture == resnet_with(*point.steps) for point in chosen)
    assert len({point.architecture for point in chosen}) == len(chosen)
    names = {point.name: set(point.steps) for point in chosen}
    for point in chosen.points[1:]:
        assert names[point.previous] < set(point.steps) and len(names[point.previous]) == len(point.steps) - 1


def test_orders_depend_only_on_the_seed_and_can_be_extended():
    first = design("orderings", CHOSEN, count=5, seed=1)
    assert first == design("orderings", CHOSEN, count=5, seed=1)
    more = design("orderings", CHOSEN, count=9, seed=1)
    assert more.orders[:5] == first.orders and more.points[: len(first)] == first.points
    assert design("orderings", CHOSEN, count=5, seed=2).orders != first.orders
    firsts = [order[0] for order in design("orderings", CHOSEN, count=2000).orders]
    assert all(400 < firsts.count(step) < 600 for step in CHOSEN), "each step comes first equally often"


def test_a_set_of_steps_is_one_network_in_every_order():
    """Of two kernel sizes, the later in the design is used in any order; otherwise Shapley values would not add up."""
    chosen = design("orderings", ["kernel_size=5", "kernel_size=7"], count=20)
    assert len(set(chosen.orders)) == 2
    assert {point.name: point.architecture.kernel_size for point in chosen} == {
        "start": 3,
        "kernel_size=5": 5,
        "kernel_size=7": 7,
        "end": 7,
    }


def test_equal_networks_share_a_trial():
    chosen = design("factorial", ["kernel_size=5", "kernel_size=7"], "resnet50", 8, 1)
    runs = trials(chosen, "micro", "digits", range(2))
    assert len(chosen) == 4 and len(runs) == 6
    assert [(trial.seed, point.name) for trial, point in runs.items()] == [
        (seed, name) for seed in range(2) for name in ("start", "kernel_size=5", "kernel_size=7")
    ]


def test_every_point_is_scaled_for_its_recipe_family():
    for name in designs.DESIGNS:
        for point in design(name, None if name == "orderings" else CHOSEN, "resnet50", 4, 2):
            assert point.architecture.width in (16, 24) and point.architecture.stem_stride == 2


def test_joined_steps_are_varied_together():
    chosen = design("one-at-a-time", ["gelu+fewer_activations", "widen=96"])
    assert chosen.steps == ("gelu+fewer_activations", "widen")
    assert chosen.points[1].architecture == RESNET50.apply(steps.gelu, steps.fewer_activations)
    assert chosen.points[1].title == "ReLU to GELU and fewer activations"


def test_invalid_arguments_are_refused_when_the_design_is_made():
    with pytest.raises(AblationError, match="unknown design 'factorail'; did you mean 'factorial'"):
        design("factorail")
    for name in ("leave-one-out", "one-at-a-time", "factorial", "orderings"):
        with pytest.raises(AblationError, match="unknown step 'gleu'; did you mean 'gelu'"):
            design(name, ["gleu"])
        with pytest.raises(AblationError, match="step 'widen' is given twice"):
            design(name, ["widen", "widen=96"])
        with pytest.raises(AblationError, match="at least one step"):
            design(name, [])
        with pytest.raises(AblationError, match="unknown roadmap 'resnet51'; did you mean 'resnet50'"):
            design(name, CHOSEN, "resnet51")
    for count in (0, 1.5):
        with pytest.raises(AblationError, match=f"count {count}"):
            design("orderings", CHOSEN, count=count)
    point = Point("a", "a", (), RESNET50)
    with pytest.raises(AblationError, match="two points named 'a'"):
        Design("custom", (point, point), ())


def test_an_invalid_set_of_steps_is_named(clean_registries):
    def requires_bottleneck(architecture):
        if architecture.block == "inverted":
            raise AblationError("needs a bottleneck")
        return architecture.replace(expansion=2)

    steps.register_step(steps.Step("half_expansion", requires_bottleneck))
    assert len(design("one-at-a-time", ["inverted_bottleneck", "half_expansion"])) == 3
    with pytest.raises(
        AblationError, match=r"with inverted_bottleneck \+ half_expansion is not a valid network: needs a bottleneck"
    ):
        design("factorial", ["inverted_bottleneck", "half_expansion"])
    with pytest.raises(AblationError, match="with widen=100 is not a valid network: width_divisor 8"):
        design("one-at-a-time", ["gelu", "widen=100"], width_divisor=8)


def test_trials_are_checked_before_anything_runs():
    chosen = design("one-at-a-time", CHOSEN, "resnet50", 8, 4)
    small = design("one-at-a-time", ["gelu", "patchify_stem+strided_downsampling"], "resnet50", 8, 4)
    with pytest.raises(AblationError, match=r"^patchify_stem\+strided_downsampling: .*smallest that works is 32 px"):
        trials(small, "micro", "digits", [0])
    with pytest.raises(AblationError, match="did you mean 'digits'"):
        trials(chosen, "micro", "digist", [0])
    with pytest.raises(AblationError, match="unknown recipe 'mirco'"):
        trials(chosen, "mirco", "digits", [0])


def test_designs_do_not_import_torch():
    program = (
        "import sys\n"
        "from ablation.study.designs import design, trials\n"
        "trials(design('factorial', ['gelu'], 'resnet50', 8, 1), 'micro', 'digits', range(2))\n"
        "assert not {'torch', 'timm'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", designs.DESIGNS)
@pytest.mark.parametrize("steps", [["gelu"], ["gelu", "depthwise", "widen", "layer_norm"]])
def test_the_number_of_networks_is_known_before_they_are_described(name, steps):
    for count in (1, 5):
        assert count_networks(name, steps, count) == len(designs.design(name, steps, count=count))
