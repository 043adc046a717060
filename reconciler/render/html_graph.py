"""The graph of what changes and its neighbours -> drawings: boxes in columns, arrows to who needs.

Each connected part is a drawing of its own, those with destroys and refusals first, then the
largest; the page sets them beside one another. So a thousand objects stay readable; beyond
`MOST_NODES` those that matter most to a reviewer are drawn.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from reconciler.core.plan import Change, Plan
from reconciler.render.escape import visible
from reconciler.render.graph import changes_and_edges, state_of
from reconciler.render.summary import WORDS

MOST_NODES = 300
_WIDTH, _HEIGHT = 232, 42
_GAP_X, _GAP_Y = 48, 10
_ROWS = 40
_LETTERS = 25
_WEIGHT = {"delete": 0, "refused": 1, "replace": 2, "update": 3, "adopt": 4, "create": 5}
_MOST_URGENT = _WEIGHT["replace"]

Edges = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """The SVG elements, and how many of the objects they show."""

    svg: str
    shown: int
    total: int


def draw(plan: Plan, anchors: Mapping[int, str]) -> Drawing:
    """Draw a plan; `anchors` leads from `id()` of a change to the id of its element."""
    changes, edges = changes_and_edges(plan)
    kept = _most_important(changes, edges)
    inner = [(start, end) for start, end in edges if start in kept and end in kept]
    urgent = {at for at in kept if _WEIGHT.get(state_of(changes[at]), 9) <= _MOST_URGENT}
    parts = sorted(_parts(sorted(kept), inner), key=lambda part: urgent.isdisjoint(part[0]))
    boxes = {at: (changes[at], anchors.get(id(changes[at]), "")) for at in kept}
    return Drawing("".join(_svg(*part, boxes) for part in parts), len(kept), len(changes))


def _most_important(changes: Sequence[Change], edges: Edges) -> set[int]:
    if len(changes) <= MOST_NODES:
        return set(range(len(changes)))
    joined = {at for edge in edges for at in edge}
    ranked = sorted(
        range(len(changes)),
        key=lambda at: (_WEIGHT.get(state_of(changes[at]), 9), at not in joined, at),
    )
    return set(ranked[:MOST_NODES])


def _parts(nodes: Sequence[int], edges: Edges) -> list[tuple[list[int], Edges]]:
    """Connected parts with their edges, the largest first."""
    leader = {node: node for node in nodes}

    def find(node: int) -> int:
        while leader[node] != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for start, end in edges:
        leader[find(end)] = find(start)
    parts: dict[int, tuple[list[int], list[tuple[int, int]]]] = {}
    for node in nodes:
        parts.setdefault(find(node), ([], []))[0].append(node)
    for start, end in edges:
        parts[find(start)][1].append((start, end))
    return sorted(parts.values(), key=lambda part: (-len(part[0]), part[0][0]))


def _svg(part: Sequence[int], edges: Edges, boxes: Mapping[int, tuple[Change, str]]) -> str:
    places = _places(part, edges)
    arrows = "".join(_arrow(places[start], places[end]) for start, end in edges)
    drawn = "".join(_box(*boxes[at], places[at]) for at in part)
    width = max(x for x, _ in places.values()) + _WIDTH + 2
    height = max(y for _, y in places.values()) + _HEIGHT + 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="-1 -1 {width} {height}" role="group" aria-label="Dependencies">'
        f"<g>{arrows}</g>{drawn}</svg>"
    )


def _places(part: Sequence[int], edges: Edges) -> dict[int, tuple[int, int]]:
    """The upper left corner of every node: columns by depth, long columns broken into several."""
    depth = dict.fromkeys(part, 0)
    for _ in part:  # as often as the longest way needs; in a circle, which is forged, no more
        before = dict(depth)
        for start, end in edges:
            depth[end] = max(depth[end], depth[start] + 1)
        if depth == before:
            break
    layers: dict[int, list[int]] = {}
    for node in part:
        layers.setdefault(depth[node], []).append(node)
    found: dict[int, tuple[int, int]] = {}
    column = 0
    for _, nodes in sorted(layers.items()):
        rows = max(_ROWS, -(-len(nodes) // 3))
        for at, node in enumerate(nodes):
            x, y = column + at // rows, at % rows
            found[node] = (x * (_WIDTH + _GAP_X), y * (_HEIGHT + _GAP_Y))
        column += -(-len(nodes) // rows)
    return found


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + _WIDTH, start[1] + _HEIGHT // 2
    x2, y2 = end[0], end[1] + _HEIGHT // 2
    bend = max(24, (x2 - x1) // 2)
    head = f"M{x2 - 6} {y2 - 4}L{x2} {y2}L{x2 - 6} {y2 + 4}"
    return f'<path d="M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}{head}"/>'


def _box(change: Change, anchor: str, place: tuple[int, int]) -> str:
    x, y = place
    state = state_of(change)
    address, kind = visible(change.address, 200), visible(change.key.kind, _LETTERS)
    name = _short(address.removeprefix(f"{kind}."))
    mark = "!" if state == "refused" else WORDS[change.action].symbol
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
