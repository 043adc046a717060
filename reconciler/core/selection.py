"""`--only` and `--exclude` address globs -> a plan of the chosen changes. Pure.

What a chosen change depends on comes with it, and what the same manifest states beside it; what
depends on an excluded change, or is stated together with one, is refused. A pattern without `*`,
`?` or `[` is an exact address; it also finds the live object of a manifest that is gone, by the
hash of its id. An id or a name alone will do where it means one thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from reconciler.core.mark import hash_id
from reconciler.core.plan import Action, Change, Plan, ReadFailure, Refusal, RefusalKind
from reconciler.core.resource import (
    UNKNOWN,
    ResourceKey,
)
from reconciler.errors import UnknownAddressError


@dataclass(frozen=True, slots=True)
class Selection:
    """Address patterns; no `only` pattern means every address.

    `approves`: they come from a person, who by naming an address in full approves its deletion.
    """

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    approves: bool = True

    def __str__(self) -> str:
        """In words: `RunaiEnvironment.a, RunaiEnvironment.b without RunaiCompute.*`."""
        without = f" without {', '.join(self.exclude)}" if self.exclude else ""
        return f"{', '.join(self.only) or 'everything'}{without}"

    @property
    def given(self) -> bool:
        """Whether anything is chosen or left out at all."""
        return bool(self.only or self.exclude)

    @property
    def exact(self) -> frozenset[str]:
        """The addresses named in full by `only`, if asking for one by name approves it."""
        if not self.approves:
            return frozenset()
        return frozenset(pattern for pattern in self.only if not _is_glob(pattern))


def apply_selection(plan: Plan, selection: Selection) -> Plan:
    """The plan restricted to the selection. Raises `UnknownAddressError`."""
    for pattern in (*selection.only, *selection.exclude):
        _require_match(pattern, plan)
    return narrow(plan, selection)


def chosen_addresses(plan: Plan, selection: Selection) -> frozenset[str]:
    """The addresses that the patterns choose by themselves. Raises `UnknownAddressError`."""
    for pattern in (*selection.only, *selection.exclude):
        _require_match(pattern, plan)
    return frozenset(change.address for change in plan.changes if _chosen(change, selection))


def narrow(plan: Plan, selection: Selection) -> Plan:
    """The plan restricted to the selection; a pattern may match nothing any more."""
    chosen = [change for change in plan.changes if _chosen(change, selection)]
    keys = {change.key for change in chosen}
    if selection.only:
        keys |= _needed(chosen, plan, selection)
    kept = tuple(change for change in plan.changes if change.key in keys)
    excluded = {
        change.key
        for change in plan.changes
        if change.action is not Action.UNCHANGED and change.key not in keys
    }
    needed = {key.address for change in chosen for key, _ in change.needs}
    failures = tuple(
        replace(
            failure,
            addresses=tuple(a for a in failure.addresses if a in needed or _named(a, selection)),
        )
        for failure in plan.failures
        if _concerns(failure, chosen, selection)
    )
    return replace(
        plan,
        changes=tuple(_refuse_if_waiting(change, excluded) for change in kept),
        failures=failures,
        restricted=(*plan.restricted, str(selection)) if selection.given else plan.restricted,
        left_out=plan.left_out + len(plan.changes) - len(kept),
    )


def exact_addresses(plan: Plan, selection: Selection) -> frozenset[str]:
    """The addresses, as the plan writes them, that `only` names in full: an id alone does not."""
    return frozenset(
        change.key.address
        for change in plan.changes
        if any(
            pattern.startswith(f"{change.key.kind}.") and _matches(change, pattern)
            for pattern in selection.exact
        )
    )


def _concerns(failure: ReadFailure, chosen: Sequence[Change], selection: Selection) -> bool:
    """Whether a system that could not be read may hold anything that was selected or is needed."""
    kinds = {pattern.partition(".")[0] for pattern in selection.only}
    if not kinds or any(fnmatchcase(kind, k) for kind in failure.kinds for k in kinds):
        return True
    if not all(_is_address(pattern, chosen) for pattern in selection.only):
        return True  # what is called so may be what could not be read
    needed = (key for change in chosen for key, _ in change.needs)
    return any(key.kind in failure.kinds for key in needed)


def _chosen(change: Change, selection: Selection) -> bool:
    wanted = not selection.only or any(_matches(change, p) for p in selection.only)
    return wanted and not _excluded(change, selection)


def _excluded(change: Change, selection: Selection) -> bool:
    return any(_matches(change, pattern) for pattern in selection.exclude)


def _named(address: str, selection: Selection) -> bool:
    wanted = not selection.only or any(_fits(address, p) for p in selection.only)
    return wanted and not any(_fits(address, p) for p in selection.exclude)


def _fits(address: str, pattern: str) -> bool:
    return fnmatchcase(address, pattern) or address.partition(".")[2] == pattern


def _is_address(pattern: str, chosen: Sequence[Change]) -> bool:
    return _is_glob(pattern) or pattern.startswith(tuple(f"{c.key.kind}." for c in chosen))


def called(plan: Plan, word: str) -> list[Change]:
    """The changes that a whole address, an id or a name means.

    Raises `UnknownAddressError` if those are of several addresses.
    What only belongs to another one of them, such as the compute asset that an environment makes
    beside itself, is meant with that.
    """
    exact = [change for change in plan.changes if word in (change.address, change.key.address)]
    found = exact or [change for change in plan.changes if _is_called(change, word)]
    needed = {key for change in found for key in (*change.waits_for, *change.parts)}
    needed -= {change.part_of for change in found}
    meant = [change for change in found if change.key not in needed]
    addresses = list(dict.fromkeys(change.key.address for change in meant))
    if len(addresses) > 1:
        raise UnknownAddressError(
            f"{word!r} means {len(addresses)} addresses",
            word,
            known_addresses(plan),
            fix=f"name one: {', '.join(addresses)}",
        )
    return meant


def known_addresses(plan: Plan) -> list[str]:
    """Every address of a plan, with those of what could not be read."""
    unread = [address for failure in plan.failures for address in failure.addresses]
    return [*(change.key.address for change in plan.changes), *unread]


def _is_called(change: Change, word: str) -> bool:
    """Whether this is the id or the name of a change, as it is to be or as it is live."""
    sides = (side.name for side in (change.desired, change.live) if side is not None)
    return change.deposed is None and word in (change.key.id, *sides)


def _matches(change: Change, pattern: str) -> bool:
    if fnmatchcase(change.key.address, pattern) or change.key.address == pattern:
        return True
    kind, _, resource_id = pattern.partition(".")
    if kind != change.key.kind:
        return not _is_glob(pattern) and _is_called(change, pattern)
    if change.desired is not None:
        return False
    mark = change.live.mark if change.live is not None else None
    hashed = hash_id(kind, resource_id)
    if mark is None:  # read back from a file, where an address is all that is left of the mark
        return change.key.id.endswith(f"{UNKNOWN}{hashed}")
    return hashed == mark.id_hash


def _is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")


def _require_match(pattern: str, plan: Plan) -> None:
    if any(_matches(change, pattern) for change in plan.changes):
        called(plan, pattern)
        return
    unread = (address for failure in plan.failures for address in failure.addresses)
    if any(_fits(address, pattern) for address in unread):
        return
    known = known_addresses(plan)
    close = close_addresses(pattern, known)
    raise UnknownAddressError(
        f"no address matches {pattern!r}",
        pattern,
        known,
        fix=f"did you mean {', '.join(close)}?"
        if close
        else "an address is KIND.ID, such as RunaiEnvironment.ml-training-env; quote globs",
    )


def close_addresses(word: str, addresses: Sequence[str]) -> list[str]:
    """The addresses, three at most, that look like a word, or whose ids do."""
    known = {address.partition(".")[2].lower(): address for address in addresses}
    known |= {address.lower(): address for address in addresses}
    close = get_close_matches(word.lower(), known, n=3)
    return list(dict.fromkeys(known[name] for name in close))


def _needed(chosen: Sequence[Change], plan: Plan, selection: Selection) -> set[ResourceKey]:
    """What the chosen changes cannot be made without, as far as it is not excluded."""
    by_key = {change.key: change for change in plan.changes if change.deposed is None}
    found: set[ResourceKey] = set()
    waiting = [change.key for change in chosen]
    while waiting:
        change = by_key.get(waiting.pop())
        for key, _ in change.needs if change else ():
            if key not in found and key in by_key and not _excluded(by_key[key], selection):
                found.add(key)
                waiting.append(key)
    return found


def _refuse_if_waiting(change: Change, excluded: set[ResourceKey]) -> Change:
    if not change.pending or change.deposed:
        return change
    for key, words in change.needs:
        if key in excluded:
            refusal = Refusal(
                RefusalKind.BLOCKED,
                f"it {words} {key.address}, which was excluded",
                f"leave {key.address} in, or exclude this one as well",
            )
            return replace(change, refusal=refusal)
    return change
