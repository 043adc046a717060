"""Asks providers for live resources; a failed read is a `ReadFailure`, never "absent".

Also binds the desired side to the live system first: each provider resolves the names that only its
system knows, and references to outputs that are known before anything is applied are replaced.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reconciler.core.plan import Action, Change, Plan, ReadFailure
from reconciler.core.references import bind
from reconciler.core.resource import LiveResource, Reference, Resource, ResourceKey
from reconciler.errors import AccessError, ManifestError, ProviderError
from reconciler.kinds.registry import KIND_NAMED
from reconciler.providers.base import Providers
from reconciler.support.threads import Executor

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the systems hold, the desired side bound to it, and what could not be read.

    A kind that the account may not view is no failure if no manifest states one: an account needs
    no right that its stack has no use for. A note says so.
    """

    desired: tuple[Resource, ...]
    live: tuple[LiveResource, ...]
    failures: tuple[ReadFailure, ...]
    notes: tuple[str, ...] = ()


def read_all(resources: Sequence[Resource], providers: Providers, executor: Executor) -> Reading:
    """Resolve the manifests and read every kind once, all systems at the same time.

    Raises `ManifestError` if a manifest names something unknown to its system, once all reads have
    ended: no connection is closed under one.
    """
    kinds = list(providers)
    reads = [_attempt(providers[kind].read) for kind in kinds]
    answers: dict[str, Sequence[LiveResource] | ProviderError] = {}
    desired: tuple[Resource, ...] = ()
    failures: dict[str, ProviderError] = {}
    wrong: ManifestError | None = None
    tasks: list[Callable[[], Any]] = [lambda: resolve_all(resources, providers), *reads]
    for index, result in executor.run(tasks):
        if index == 0:
            if isinstance(result, ManifestError):
                wrong = result
            else:
                desired, failures = result
        else:
            answers[kinds[index - 1]] = result
    if wrong is not None:
        raise wrong
    stated = {item.key.kind for item in resources}
    live: list[LiveResource] = []
    notes: list[str] = []
    for kind in kinds:
        answer = answers[kind]
        if isinstance(answer, AccessError) and kind not in stated:
            notes.append(
                f"{KIND_NAMED[kind].words} were not looked at, and no manifest states any: "
                f"{answer.what}"
            )
        elif isinstance(answer, ProviderError):
            failures.setdefault(kind, answer)
        else:
            live.extend(answer)
    broken = set(failures)
    return Reading(
        desired,
        tuple(item for item in live if item.kind not in broken),
        _group(failures, providers),
        tuple(notes),
    )


def look_up_users(plan: Plan, providers: Providers) -> Plan:
    """The plan with `used_by` filled in for every live object that is to be destroyed.

    A second read, of the chosen changes alone: a guard judges by it.
    """
    used: dict[str, tuple[str, ...]] = {}
    for kind, provider in providers.items():
        doomed = [
            change.live
            for change in plan.changes
            if change.key.kind == kind and change.destroys and change.live is not None
        ]
        if doomed:
            used.update(provider.usage(doomed))
    if not used:
        return plan
    return replace(plan, changes=tuple(_with_usage(change, used) for change in plan.changes))


def _with_usage(change: Change, used: Mapping[str, tuple[str, ...]]) -> Change:
    if change.live is None or change.action not in (Action.DELETE, Action.REPLACE):
        return change
    return replace(change, used_by=used.get(change.live.uid, ()))


def resolve_all(
    resources: Sequence[Resource], providers: Providers
) -> tuple[tuple[Resource, ...], dict[str, ProviderError]] | ManifestError:
    """Bind the manifests: the resources, and what could not be asked; or all that is wrong."""
    outputs: dict[ResourceKey, Mapping[str, str]] = {}
    resolved: list[Resource] = []
    failures: dict[str, ProviderError] = {}
    problems: list[ManifestError] = []

    def known(reference: Reference) -> str | None:
        return outputs.get(reference.key, {}).get(reference.output)

    for kind, provider in providers.items():
        mine = [bind(item, known) for item in resources if item.key.kind == kind]
        try:
            bound = provider.resolve(mine)
        except ManifestError as error:
            problems.append(error)
            continue
        except ProviderError as error:
            failures[kind] = error
            bound = mine
        outputs.update({item.key: item.outputs for item in bound if item.outputs})
        resolved.extend(bound)
    if problems:
        return ManifestError([problem for error in problems for problem in error.problems])
    return tuple(resolved), failures


def _attempt(
    read: Callable[[], Sequence[LiveResource]],
) -> Callable[[], Sequence[LiveResource] | ProviderError]:
    def attempt() -> Sequence[LiveResource] | ProviderError:
        try:
            return read()
        except ProviderError as error:
            log.debug("reading failed", exc_info=True)
            return error

    return attempt


def _group(failures: Mapping[str, ProviderError], providers: Providers) -> tuple[ReadFailure, ...]:
    """One failure per system and reason, with all kinds it took down."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for kind, error in failures.items():
        key = (
            providers[kind].system,
            f"{error.where}: {error.what}" if error.where else error.what,
            error.fix,
        )
        grouped.setdefault(key, []).append(kind)
    return tuple(
        ReadFailure(system, tuple(kinds), reason, fix)
        for (system, reason, fix), kinds in grouped.items()
    )
