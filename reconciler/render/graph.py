"""Manifests or a plan -> who needs whom, and that as DOT, Mermaid or drawings for a page.

Labels hold data: in DOT they are quoted strings, in Mermaid every character that is not plain is
written as a character code, so that neither has a meaning in the language of the graph.

On a page, each connected part is an SVG of its own, those with destroys and refusals first, then
the largest; the page sets them beside one another. So a thousand objects stay readable; beyond
`MOST_NODES` those that matter most to a reviewer are drawn.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import Resource, ResourceKey
from reconciler.render.escape import visible
from reconciler.render.summary import words_of

_MOST_CHARACTERS = 80
_PLAIN = re.compile(r"[^A-Za-z0-9 ._/-]")
_COLOURS = {
    "create": "#1a7f37",
    "update": "#9a6700",
    "replace": "#bc4c00",
    "delete": "#cf222e",
    "adopt": "#0969da",
    "refused": "#8250df",
    "unchanged": "#6e7781",
}


@dataclass(frozen=True, slots=True)
class Node:
    """`state` is the name of an action, `refused`, or empty where there is no plan."""

    label: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes, and edges (from what is needed, to who needs it) as indices of nodes."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]


def manifest_graph(resources: Sequence[Resource], plan: Plan | None = None) -> Graph:
    """Every resource of the manifests; with a plan, its states and what it deletes as well."""
    changes = {change.address: change for change in plan.changes} if plan is not None else {}
    found = sorted(resources, key=lambda item: item.key)
    stated = {item.key.address for item in found}
    nodes = [
        Node(item.key.address, state_of(changes[item.key.address]))
        if item.key.address in changes
        else Node(item.key.address)
        for item in found
    ]
    nodes += [
        Node(address, state_of(changes[address]))
        for address in sorted(changes)
        if address not in stated
    ]
    return Graph(tuple(nodes), _edges([(item.key, item.depends_on) for item in found]))


def plan_graph(plan: Plan) -> Graph:
    """What changes, and its neighbours: everything that it needs or that needs it."""
    changes, edges = changes_and_edges(plan)
    return Graph(tuple(Node(change.address, state_of(change)) for change in changes), edges)


def changes_and_edges(plan: Plan) -> tuple[tuple[Change, ...], tuple[tuple[int, int], ...]]:
    """The changes of `plan_graph` in its order, and its edges."""
    place = {change.key: at for at, change in enumerate(plan.changes) if not change.deposed}
    moving = {at for at, change in enumerate(plan.changes) if change.action is not Action.UNCHANGED}
    pairs = [
        (place[needed], at)
        for at, change in enumerate(plan.changes)
        for needed in (change.desired.depends_on if change.desired else ())
        if needed in place
    ]
    pairs = [pair for pair in pairs if moving.intersection(pair)]
    kept = sorted(moving.union(*pairs))
    index = {at: number for number, at in enumerate(kept)}
    return (
        tuple(plan.changes[at] for at in kept),
        tuple((index[start], index[end]) for start, end in pairs),
    )


def state_of(change: Change) -> str:
    """What colours a change: its action, or that it is refused."""
    return "refused" if change.refusal is not None else change.action.value


def dot(graph: Graph) -> str:
    lines = ["digraph reconcile {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for number, node in enumerate(graph.nodes):
        colour = f', color="{_COLOURS[node.state]}", penwidth=2' if node.state else ""
        state = f"\\n{node.state}" if node.state else ""
        lines.append(f'  n{number} [label="{_quoted(node.label)}{state}"{colour}];')
    lines += [f"  n{start} -> n{end};" for start, end in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(graph: Graph) -> str:
    lines = ["graph LR"]
    for number, node in enumerate(graph.nodes):
        suffix = f":::{node.state}" if node.state else ""
        state = f"<br/>{node.state}" if node.state else ""
        lines.append(f'  n{number}["{_coded(node.label)}{state}"]{suffix}')
    lines += [f"  n{start} --> n{end}" for start, end in graph.edges]
    states = sorted({node.state for node in graph.nodes} - {""})
    lines += [f"  classDef {state} stroke:{_COLOURS[state]},stroke-width:2px" for state in states]
    return "\n".join(lines) + "\n"


def _edges(
    needs: Iterable[tuple[ResourceKey, Iterable[ResourceKey]]],
) -> tuple[tuple[int, int], ...]:
    stated = list(needs)
    place = {key: at for at, (key, _) in enumerate(stated)}
    return tuple(
        (place[needed], place[key])
        for key, all_of in stated
        for needed in all_of
        if needed in place
    )


def _quoted(text: str) -> str:
    return visible(text, _MOST_CHARACTERS).replace("\\", "\\\\").replace('"', '\\"')


def _coded(text: str) -> str:
    return _PLAIN.sub(lambda found: f"#{ord(found.group())};", visible(text, _MOST_CHARACTERS))


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
    mark = "!" if state == "refused" else words_of(change).symbol
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
