"""Layout of a graph in columns: what needs nothing on the left, everything else one column to the right of what it needs.

The order within a column follows the barycentre method (Sugiyama, Tagawa and Toda 1981, doi:10.1109/TSMC.1981.4308636).
An arrow that passes a column has a row of its own there, so no arrow crosses a node.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import mean

from ..errors import AblationError

Needs = Mapping[str, Collection[str]]
_Stop = str | tuple[str, str, int]  # a node, or the place where an arrow passes a column
_Links = list[tuple[_Stop, _Stop]]

_SWEEPS = 8


@dataclass(frozen=True)
class Layered:
    """Places in a layered drawing.

    Args:
        places: node -> (column, row); columns count from 0 on the left, rows count from 0 at the top.
        arrows: (from, to) -> the places that the arrow passes, one in each column, its ends included.
    """

    places: dict[str, tuple[int, int]]
    arrows: dict[tuple[str, str], tuple[tuple[int, int], ...]]


def ancestors(needs: Needs) -> dict[str, set[str]]:
    """Return, for each node, all nodes that it needs, directly or through others.

    Args:
        needs: node -> the nodes that it needs; each of these is a key, too.

    Raises:
        AblationError: if a node needs itself, with the cycle.

    >>> sorted(ancestors({"a": [], "b": ["a"], "c": ["b"]})["c"])
    ['a', 'b']
    """
    found: dict[str, set[str]] = {}

    def visit(node: str, path: tuple[str, ...]) -> set[str]:
        if node in path:
            raise AblationError(f"the prerequisites form a cycle: {' needs '.join([*path[path.index(node) :], node])}")
        if node not in found:
            found[node] = set(needs[node]).union(*(visit(other, (*path, node)) for other in needs[node]))
        return found[node]

    for node in needs:
        visit(node, ())
    return found


def direct(needs: Needs) -> dict[str, list[str]]:
    """Return the needs that do not follow from others: the transitive reduction of the graph; errors as for `ancestors`.

    >>> direct({"a": [], "b": ["a"], "c": ["a", "b"]})
    {'a': [], 'b': ['a'], 'c': ['b']}
    """
    above = ancestors(needs)
    return {
        node: [one for one in named if not any(one in above[other] for other in named)] for node, named in needs.items()
    }


def arrange(needs: Needs) -> Layered:
    """Place the nodes of a graph, each in the column of its longest path, and route an arrow for each direct need.

    Args:
        needs: node -> the nodes that it needs. Nodes that nothing orders stay in this order.

    Raises:
        AblationError: if a node needs itself.
    """
    edges, above = direct(needs), ancestors(needs)
    column: dict[str, int] = {}
    for node in sorted(edges, key=lambda node: len(above[node])):  # what a node needs has fewer ancestors
        column[node] = max((column[other] + 1 for other in edges[node]), default=0)
    columns: list[list[_Stop]] = [
        [node for node in edges if column[node] == i] for i in range(max(column.values()) + 1)
    ]
    routes: dict[tuple[str, str], list[_Stop]] = {}
    for node, named in edges.items():
        for other in named:
            passed: list[_Stop] = [(other, node, i) for i in range(column[other] + 1, column[node])]
            for i, stop in enumerate(passed, column[other] + 1):
                columns[i].append(stop)
            routes[other, node] = [other, *passed, node]
    columns = _untangled(columns, [link for stops in routes.values() for link in pairwise(stops)])
    rows = _rows(columns)
    place = {stop: (i, rows[stop]) for i, stops in enumerate(columns) for stop in stops}
    return Layered(
        {node: place[node] for node in edges},
        {ends: tuple(place[stop] for stop in stops) for ends, stops in routes.items()},
    )


def _rows(columns: list[list[_Stop]]) -> dict[_Stop, int]:
    return {stop: i for stops in columns for i, stop in enumerate(stops)}


def _untangled(columns: list[list[_Stop]], links: _Links) -> list[list[_Stop]]:
    """Sort each column by the mean row of its neighbours, to and fro, and return the order with the fewest crossings."""
    best = order = columns
    for sweep in range(_SWEEPS):
        near: dict[_Stop, list[_Stop]] = {}
        for link in links:
            one, other = link if sweep % 2 else link[::-1]
            near.setdefault(one, []).append(other)
        order = [list(stops) for stops in order]
        for stops in reversed(order) if sweep % 2 else order:
            rows = _rows(order)
            stops.sort(key=lambda stop: mean(rows[other] for other in near.get(stop, [stop])))
        if _crossings(order, links) < _crossings(best, links):
            best = order
    return best


def _crossings(columns: list[list[_Stop]], links: _Links) -> int:
    rows, at = _rows(columns), {stop: i for i, stops in enumerate(columns) for stop in stops}
    return sum(
        at[a] == at[c] and (rows[a] - rows[c]) * (rows[b] - rows[d]) < 0 for (a, b), (c, d) in combinations(links, 2)
    )
