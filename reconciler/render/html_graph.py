"""The graph of what changes and its neighbours -> SVG: boxes in columns, arrows to who needs them.

Connected parts are laid out by depth and packed on shelves, those with destroys and refusals first,
then the largest, so that a thousand objects stay readable; beyond `MOST_NODES` those that matter
most to a reviewer are drawn.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from reconciler.core.plan import Change, Plan
from reconciler.render.escape import visible
from reconciler.render.graph import changes_and_edges, state_of
from reconciler.render.text import symbol_of

MOST_NODES = 300
_WIDTH, _HEIGHT = 232, 42
_GAP_X, _GAP_Y = 48, 10
_SHELF = 1140
"""Pixels after which the next part goes below."""
_ROWS = 40
_LETTERS = 25
_WEIGHT = {"delete": 0, "refused": 1, "replace": 2, "update": 3, "adopt": 4, "create": 5}
_MOST_URGENT = _WEIGHT["replace"]

Edges = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The SVG element, and how many of the objects it shows."""

    svg: str
    shown: int
    total: int


def draw(plan: Plan, anchors: Mapping[int, str]) -> Drawing:
    """Draw a plan; `anchors` leads from `id()` of a change to the id of its element."""
    changes, edges = changes_and_edges(plan)
    kept = _most_important(changes, edges)
    inner = [(start, end) for start, end in edges if start in kept and end in kept]
    urgent = {at for at in kept if _WEIGHT.get(state_of(changes[at]), 9) <= _MOST_URGENT}
    parts = sorted(_parts(sorted(kept), inner), key=urgent.isdisjoint)
    places = _pack(parts, inner)
    arrows = "".join(_arrow(places[start], places[end]) for start, end in inner)
    boxes = "".join(
        _box(changes[at], places[at], anchors.get(id(changes[at]), "")) for at in sorted(kept)
    )
    width = max((x for x, _ in places.values()), default=0) + _WIDTH + _GAP_Y
    height = max((y for _, y in places.values()), default=0) + _HEIGHT + _GAP_Y
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="group" aria-label="Dependencies of what changes">'
        f"<g>{arrows}</g>{boxes}</svg>"
    )
    return Drawing(svg, len(kept), len(changes))


def _most_important(changes: Sequence[Change], edges: Edges) -> set[int]:
    if len(changes) <= MOST_NODES:
        return set(range(len(changes)))
    joined = {at for edge in edges for at in edge}
    ranked = sorted(
        range(len(changes)),
        key=lambda at: (_WEIGHT.get(state_of(changes[at]), 9), at not in joined, at),
    )
    return set(ranked[:MOST_NODES])


def _parts(nodes: Sequence[int], edges: Edges) -> list[list[int]]:
    """Connected parts, the largest first."""
    leader = {node: node for node in nodes}

    def find(node: int) -> int:
        while leader[node] != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for start, end in edges:
        leader[find(end)] = find(start)
    parts: dict[int, list[int]] = {}
    for node in nodes:
        parts.setdefault(find(node), []).append(node)
    return sorted(parts.values(), key=lambda part: (-len(part), part[0]))


def _pack(parts: Sequence[list[int]], edges: Edges) -> dict[int, tuple[int, int]]:
    """Where the upper left corner of every node is, in pixels."""
    needs: dict[int, list[int]] = {}
    for start, end in edges:
        needs.setdefault(end, []).append(start)
    places: dict[int, tuple[int, int]] = {}
    left = top = _GAP_Y
    shelf = 0
    for part in parts:
        inside = _columns(part, needs)
        width = (1 + max(column for column, _ in inside.values())) * (_WIDTH + _GAP_X)
        height = (1 + max(row for _, row in inside.values())) * (_HEIGHT + _GAP_Y) + _GAP_Y
        if left > _GAP_Y and left + width - _GAP_X > _SHELF:
            left, top, shelf = _GAP_Y, top + shelf, 0
        for node, (column, row) in inside.items():
            places[node] = (left + column * (_WIDTH + _GAP_X), top + row * (_HEIGHT + _GAP_Y))
        left += width if len(part) > 1 else _WIDTH + _GAP_Y
        shelf = max(shelf, height if len(part) > 1 else _HEIGHT + _GAP_Y)
    return places


def _columns(part: Sequence[int], needs: Mapping[int, Sequence[int]]) -> dict[int, tuple[int, int]]:
    """Column and row of every node of a part: by depth, long columns broken into several."""
    members = set(part)
    depth: dict[int, int] = {}

    def deep(node: int, above: frozenset[int] = frozenset()) -> int:
        if node not in depth:
            below = [item for item in needs.get(node, ()) if item in members - above - {node}]
            depth[node] = 1 + max((deep(item, above | {node}) for item in below), default=-1)
        return depth[node]

    layers: dict[int, list[int]] = {}
    for node in part:
        layers.setdefault(deep(node), []).append(node)
    found: dict[int, tuple[int, int]] = {}
    column = 0
    for _, nodes in sorted(layers.items()):
        rows = max(_ROWS, -(-len(nodes) // 3))
        for at, node in enumerate(nodes):
            found[node] = (column + at // rows, at % rows)
        column += -(-len(nodes) // rows)
    return found


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + _WIDTH, start[1] + _HEIGHT // 2
    x2, y2 = end[0], end[1] + _HEIGHT // 2
    bend = max(24, (x2 - x1) // 2)
    head = f"M{x2 - 6} {y2 - 4}L{x2} {y2}L{x2 - 6} {y2 + 4}"
    return f'<path d="M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}{head}"/>'


def _box(change: Change, place: tuple[int, int], anchor: str) -> str:
    x, y = place
    state = state_of(change)
    address, kind = visible(change.address, 200), visible(change.key.kind, _LETTERS)
    name = _short(address.removeprefix(f"{kind}."))
    mark = "!" if state == "refused" else symbol_of(change)
    inside = (
        f"<title>{escape(address)}: {state}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5"/>'
        f'<text class="mark" x="{x + 10}" y="{y + 26}">{escape(mark)}</text>'
        f'<text x="{x + 40}" y="{y + 18}">{escape(name)}</text>'
        f'<text class="kind" x="{x + 40}" y="{y + 33}">{escape(kind)}</text>'
    )
    if not anchor:
        return f'<g class="{state}">{inside}</g>'
    return f'<a class="{state}" href="#{anchor}" data-change="{anchor}">{inside}</a>'


def _short(name: str) -> str:
    """A name that fits into a box: its middle is left out, since beginnings and ends differ."""
    if len(name) <= _LETTERS:
        return name
    half = _LETTERS // 2
    return f"{name[:half]}…{name[-half:]}"


def importance(changes: Iterable[Change]) -> list[Change]:
    """What a reviewer has to look at first: destroys, refusals, replacements, then the rest."""
    return sorted(changes, key=lambda change: _WEIGHT.get(state_of(change), 9))
