"""What an account has to be able to read for a plan of these manifests, to be tried one by one.

Only reading can be tried without a change. What no manifest needs is tried as well, and its refusal
is no failure.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from reconciler.core.resource import Resource
from reconciler.kinds.field_paths import values_at
from reconciler.kinds.registry import ASSET_KINDS
from reconciler.providers.base import Provider
from reconciler.providers.runai.organisation import UnitLists
from reconciler.providers.runai.server import new_fields


class Right(NamedTuple):
    """A right, how to try it (the answer says what is seen), and when it is needed.

    `needed` says whether these manifests do.
    """

    name: str
    attempt: Callable[[], Sequence[str]]
    when: str
    needed: bool


def rights(
    units: UnitLists, providers: Sequence[Provider], resources: Sequence[Resource]
) -> Iterator[Right]:
    """The rights that a plan may need, in the order in which it needs them."""
    for provider in reversed(providers):
        name = _ASSETS[provider.traits.name].words
        yield Right(f"view {name}", partial(_count, provider), "every plan", needed=True)
    mine = [item for item in resources if item.key.kind in _ASSETS]
    scopes = {str(item.spec.get("scope")) for item in mine}
    if any("/" in str(item.spec.get("scope_id")) for item in mine) or any(map(_is_new, mine)):
        scopes.add("cluster")
    for scope, read in (
        ("cluster", units.clusters),
        ("department", units.departments),
        ("project", units.projects),
    ):
        names = _namer(read)
        yield Right(f"view {scope}s", names, f"`scope: {scope}`", scope in scopes)
    named = any(map(_names_credentials, mine))
    yield Right("view credentials", _namer(units.credentials), "a credential by its name", named)


def _count(provider: Provider) -> Sequence[str]:
    found = provider.read()
    ours = sum(item.mark is not None for item in found)
    return (f"{len(found)} seen, {ours} with a mark of ownership",)


def _namer(read: Callable[[], Sequence[object]]) -> Callable[[], Sequence[str]]:
    def names() -> Sequence[str]:
        found = sorted(str(getattr(item, "name", "")) for item in read())
        shown = found[:_SHOWN] + ([f"and {len(found) - _SHOWN} more"] if found[_SHOWN:] else [])
        return (", ".join(shown) or "none",)

    return names


_SHOWN = 10
_ASSETS = {kind.traits.name: kind for kind in ASSET_KINDS}


def _is_new(resource: Resource) -> bool:
    return next(new_fields(resource, _ASSETS[resource.key.kind]), None) is not None


def _names_credentials(resource: Resource) -> bool:
    patterns = _ASSETS[resource.key.kind].credentials
    return any(any(values_at(resource.spec, pattern)) for pattern in patterns)
