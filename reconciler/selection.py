"""`--only` and `--exclude` address globs -> a plan of the chosen changes. Pure.

What a chosen change depends on comes with it; what depends on an excluded change is refused. A
pattern without `*`, `?` or `[` is an exact address; it also finds the live object of a manifest
that is gone, by the hash of its id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from reconciler.errors import ConfigError
from reconciler.plan import Change, Plan, ReadFailure, Refusal, RefusalKind
from reconciler.resource import ResourceKey, hash_id


@dataclass(frozen=True, slots=True)
class Selection:
    """Address patterns; no `only` pattern means every address."""

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether anything is chosen or left out at all."""
        return bool(self.only or self.exclude)

    @property
    def exact(self) -> frozenset[str]:
        """The addresses named in full by `only`: asking for one by name approves it."""
        return frozenset(pattern for pattern in self.only if not _is_glob(pattern))


def apply_selection(plan: Plan, selection: Selection) -> Plan:
    """The plan restricted to the selection. Raises `ConfigError` for a pattern without a match."""
    for pattern in (*selection.only, *selection.exclude):
        _require_match(pattern, plan)
    return narrow(plan, selection)


def chosen_addresses(plan: Plan, selection: Selection) -> frozenset[str]:
    """The addresses that the patterns choose by themselves. Raises `ConfigError` as above."""
    for pattern in (*selection.only, *selection.exclude):
        _require_match(pattern, plan)
    return frozenset(change.address for change in plan.changes if _chosen(change, selection))


def narrow(plan: Plan, selection: Selection) -> Plan:
    """The plan restricted to the selection; a pattern may match nothing any more."""
    chosen = [change for change in plan.changes if _chosen(change, selection)]
    keys = {change.key for change in chosen}
    if selection.only:
        keys |= _dependencies(chosen, plan)
    kept = tuple(change for change in plan.changes if change.key in keys)
    excluded = {change.key for change in plan.changes if change.pending and change.key not in keys}
    failures = tuple(
        replace(failure, addresses=tuple(a for a in failure.addresses if _named(a, selection)))
        for failure in plan.failures
        if _concerns(failure, chosen, selection)
    )
    return replace(
        plan,
        changes=tuple(_refuse_if_waiting(change, excluded) for change in kept),
        failures=failures,
    )


def exact_addresses(plan: Plan, selection: Selection) -> frozenset[str]:
    """The addresses, as the plan writes them, that `only` names in full."""
    return frozenset(
        change.key.address
        for change in plan.changes
        if any(_matches(change, pattern) for pattern in selection.exact)
    )


def _concerns(failure: ReadFailure, chosen: Sequence[Change], selection: Selection) -> bool:
    """Whether a system that could not be read may hold anything that was selected or is needed."""
    kinds = {pattern.partition(".")[0] for pattern in selection.only}
    if not kinds or any(fnmatchcase(kind, k) for kind in failure.kinds for k in kinds):
        return True
    needed = (key for change in chosen if change.desired for key in change.desired.depends_on)
    return any(key.kind in failure.kinds for key in needed)


def _chosen(change: Change, selection: Selection) -> bool:
    wanted = not selection.only or any(_matches(change, p) for p in selection.only)
    return wanted and not any(_matches(change, p) for p in selection.exclude)


def _named(address: str, selection: Selection) -> bool:
    wanted = not selection.only or any(fnmatchcase(address, p) for p in selection.only)
    return wanted and not any(fnmatchcase(address, p) for p in selection.exclude)


def _matches(change: Change, pattern: str) -> bool:
    if fnmatchcase(change.key.address, pattern) or change.key.address == pattern:
        return True
    kind, _, resource_id = pattern.partition(".")
    if change.desired is not None or kind != change.key.kind:
        return False
    mark = change.live.mark if change.live is not None else None
    hashed = hash_id(kind, resource_id)
    if mark is None:  # read back from a file, where an address is all that is left of the mark
        return change.key.id.endswith(f"~{hashed}")
    return hashed == mark.id_hash


def _is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")


def _require_match(pattern: str, plan: Plan) -> None:
    addresses = [change.key.address for change in plan.changes]
    unread = [address for failure in plan.failures for address in failure.addresses]
    if any(_matches(change, pattern) for change in plan.changes):
        return
    if any(fnmatchcase(address, pattern) for address in unread):
        return
    close = get_close_matches(pattern, [*addresses, *unread], n=3)
    raise ConfigError(
        f"no address matches {pattern!r}",
        fix=f"did you mean {', '.join(close)}?"
        if close
        else "an address is KIND.ID, such as RunaiEnvironment.ml-training-env; quote globs",
    )


def _dependencies(chosen: Sequence[Change], plan: Plan) -> set[ResourceKey]:
    by_key = {change.key: change for change in plan.changes if change.desired is not None}
    found: set[ResourceKey] = set()
    waiting = [change.key for change in chosen]
    while waiting:
        change = by_key.get(waiting.pop())
        for key in change.desired.depends_on if change and change.desired else ():
            if key not in found:
                found.add(key)
                waiting.append(key)
    return found


def _refuse_if_waiting(change: Change, excluded: set[ResourceKey]) -> Change:
    needs = change.desired.depends_on if change.desired and change.pending else ()
    for key in needs:
        if key in excluded:
            refusal = Refusal(
                RefusalKind.BLOCKED,
                f"it depends on {key.address}, which was excluded",
                f"leave {key.address} in, or exclude this one as well",
            )
            return replace(change, refusal=refusal)
    return change
