"""The ladders: their rungs, adopted and side branches, and scaling."""

import pytest

from ablation import RESNET50, RESNET200, AblationError, chain, convnext, roadmap
from ablation.design import published
from ablation.design.roadmap import find, road

LADDERS = ("resnet50", "resnet200")


def test_the_ladders_have_34_rungs_and_32_architectures():
    rungs = [rung for ladder in LADDERS for rung in roadmap(ladder)]
    assert len(rungs) == 34
    assert len({rung.architecture for rung in rungs}) == 32


@pytest.mark.parametrize("ladder", LADDERS)
def test_each_rung_applies_its_step_to_the_previous_adopted_rung(ladder):
    rungs = {rung.name: rung for rung in roadmap(ladder)}
    for rung in list(rungs.values())[1:]:
        previous = rungs[rung.previous]
        assert previous.adopted
        assert rung.step(previous.architecture) == rung.architecture
    side_branches = [name for name, rung in rungs.items() if not rung.adopted]
    assert side_branches == ["kernel_size_5", "kernel_size_9", "kernel_size_11"]


def test_first_and_last_architectures_and_recipes():
    for ladder, start, end in (("resnet50", RESNET50, "tiny"), ("resnet200", RESNET200, "base")):
        rungs = roadmap(ladder)
        assert rungs[0].architecture == rungs[1].architecture == start
        assert rungs[0].step == rungs[1].step == chain()
        assert rungs[-1].architecture.replace(layer_scale=1e-6) == convnext(end)
        assert [rung.recipe for rung in rungs] == ["original"] + ["modern"] * 16


def test_rungs_have_the_published_results_of_the_paper_s_tables():
    for ladder, table in (("resnet50", published.RESNET50), ("resnet200", published.RESNET200)):
        assert {rung.name: rung.published for rung in roadmap(ladder)} == table


def test_scaling_changes_every_rung_and_removes_the_published_results():
    for full, small in zip(roadmap("resnet50"), roadmap("resnet50", width_divisor=8, stem_stride=1), strict=True):
        assert small.architecture == full.architecture.replace(width=full.architecture.width // 8, stem_stride=1)
        assert full.published and small.published is None
    assert roadmap("resnet200", width_divisor=2)[2].architecture.width == 42


def test_invalid_arguments_are_refused():
    with pytest.raises(AblationError, match="did you mean 'resnet50'"):
        roadmap("resnet5")
    with pytest.raises(AblationError, match="divides every width"):
        roadmap("resnet50", width_divisor=5)
    with pytest.raises(AblationError, match="divides every width"):
        roadmap("resnet50", width_divisor=-1)
    with pytest.raises(AblationError, match="did you mean 'depthwise'"):
        find("depthwis")


def test_custom_ladder():
    rungs = road(["gelu", "kernel_size=5"])
    assert [rung.architecture for rung in rungs] == [
        RESNET50,
        RESNET50.replace(activation="gelu"),
        RESNET50.replace(activation="gelu", kernel_size=5),
    ]
