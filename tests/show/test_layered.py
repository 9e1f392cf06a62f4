"""Layers of a graph: longest paths, direct needs, a row for each arrow that passes a column, few crossings, cycles."""

import itertools

import pytest

from ablation.errors import AblationError
from ablation.show.layered import ancestors, arrange, direct

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c", "a"]}
LONG = {"a": [], "b": ["a"], "c": ["b"], "x": [], "d": ["c", "x"]}  # x -> d passes two columns


def test_ancestors_and_direct_needs():
    assert ancestors(DIAMOND) == {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"a", "b", "c"}}
    assert direct(DIAMOND) == {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


@pytest.mark.parametrize("needs", [DIAMOND, LONG], ids=["diamond", "long"])
def test_a_node_is_one_column_after_the_last_that_it_needs(needs):
    places = arrange(needs).places
    for node, named in needs.items():
        assert places[node][0] == max((places[other][0] + 1 for other in named), default=0)
    assert len(set(places.values())) == len(needs)


def test_an_arrow_has_a_place_of_its_own_in_each_column_that_it_passes():
    layout = arrange(LONG)
    assert set(layout.arrows) == {("a", "b"), ("b", "c"), ("c", "d"), ("x", "d")}
    stops = layout.arrows["x", "d"]
    assert [column for column, _ in stops] == [0, 1, 2, 3]
    assert not set(stops[1:-1]) & set(layout.places.values())
    for (source, target), stops in layout.arrows.items():
        assert (stops[0], stops[-1]) == (layout.places[source], layout.places[target])


def test_arrows_do_not_cross_where_they_need_not():
    layout = arrange({"a": [], "b": [], "c": [], "p": ["c"], "q": ["b"], "r": ["a"], "s": ["p"]})
    links = [(one[0], one[-1]) for one in layout.arrows.values()]
    pairs = [(f, g) for f, g in itertools.combinations(links, 2) if f[0][0] == g[0][0]]
    assert all((f[0][1] - g[0][1]) * (f[1][1] - g[1][1]) > 0 for f, g in pairs)


def test_a_cycle_is_shown():
    with pytest.raises(AblationError, match="a needs b needs a"):
        arrange({"a": ["b"], "b": ["a"]})
