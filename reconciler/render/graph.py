"""Manifests or a plan -> who needs whom, and that as DOT or Mermaid.

Labels hold data: in DOT they are quoted strings, in Mermaid every character that is not plain is
written as a character code, so that neither has a meaning in the language of the graph.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import Resource, ResourceKey
from reconciler.render.escape import visible

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
