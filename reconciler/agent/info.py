"""`runailabs_environment_info`: the words of a message -> lists of what the control plane has."""

from collections.abc import Callable, Mapping, Sequence

from reconciler.agent import headings, messages
from reconciler.agent.workplace import PARALLELISM, Workplace
from reconciler.core.resource import LiveResource
from reconciler.kinds.compute import COMPUTE
from reconciler.kinds.environment import ENVIRONMENT
from reconciler.providers.base import Provider
from reconciler.providers.runai import RunaiSystem, open_runai
from reconciler.render.model_text import NOTICE, one_line, quoted

Rows = Sequence[tuple[str, str]]
_TOPICS: Mapping[str, tuple[str, ...]] = {
    "Clusters": ("cluster",),
    "Departments": ("department",),
    "Projects": ("project",),
    "Environments": ("environment", "template", "asset"),
    "Compute Assets": ("compute", "asset"),
}
"""Title of a list -> words that ask for it."""


def describe(place: Workplace, message: str) -> str:
    """The lists that the message asks for, all of them if it names none. Reads only."""
    words = message.lower()
    topics = [title for title, asked in _TOPICS.items() if any(word in words for word in asked)]
    with open_runai(place.target, PARALLELISM) as system:
        read = _readers(system, place.stack)
        parts = [messages.listing(title, read[title]()) for title in topics or _TOPICS]
    target = f"Target: {one_line(place.description)}"
    hint = "" if topics else f"To see one list, name it: {', '.join(_TOPICS).lower()}."
    return headings.block(headings.INFORMATION, target, *parts, hint, NOTICE)


def _readers(system: RunaiSystem, stack: str) -> dict[str, Callable[[], Rows]]:
    units, assets = system.units, {provider.traits.name: provider for provider in system}

    def clusters() -> dict[str, str]:
        return {unit.id: unit.name for unit in units.clusters()}

    def members(scope: str) -> Rows:
        names = clusters()
        return [
            (unit.name, f"id {quoted(unit.id)}, cluster {quoted(names.get(unit.cluster_id, '?'))}")
            for unit in units.of_scope(scope)
        ]

    return {
        "Clusters": lambda: [(name, f"id {quoted(uid)}") for uid, name in clusters().items()],
        "Departments": lambda: members("department"),
        "Projects": lambda: members("project"),
        "Environments": lambda: _assets(assets[ENVIRONMENT.name], stack),
        "Compute Assets": lambda: _assets(assets[COMPUTE.name], stack),
    }


def _assets(provider: Provider, stack: str) -> Rows:
    found = sorted(provider.read_alone(), key=lambda item: (item.name, item.uid))
    return [
        (item.name, f"scope {quoted(item.spec['scope'])}, {_owner(item, stack)}") for item in found
    ]


def _owner(live: LiveResource, stack: str) -> str:
    if live.mark is None:
        return "managed by nobody that is known"
    return "made here" if live.mark.stack == stack else f"stack {live.mark.stack}"
