"""Write-only values: a keyed fingerprint in the mark says that they changed, and never what. Pure.

No read gives such a value back, so that a plan cannot compare it. The mark of its object holds 40
bits of an HMAC-SHA256 over all of them, with a key that only those have who apply. Who has no key
can neither guess a value from it nor tell whether two objects have the same one.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reconciler.core.diff import FieldChange
from reconciler.core.mark import Mark, base32, hash_id
from reconciler.core.plan import Action, Change, Refusal, RefusalKind
from reconciler.core.resource import (
    KindTraits,
    LiveResource,
    Resource,
    Secret,
    reveal,
)

LENGTH = 8
"""Characters of a fingerprint, in base 32."""


def with_fingerprint(
    resource: Resource, traits: KindTraits, stack: str, key: bytes | None
) -> Resource:
    """The resource with the fingerprint of its write-only values, if it states any."""
    if not key or not traits.write_only_in(resource.spec):
        return resource
    made = _fingerprint(resource, traits, stack, hash_id(*resource.key), key)
    return replace(resource, fingerprint=made)


def write_only_changes(
    resource: Resource, live: LiveResource, traits: KindTraits, stack: str, key: bytes | None
) -> tuple[FieldChange, ...]:
    """The write-only fields, if their values are not those that the live object was given.

    Which of several it is, nobody can tell. Without a key nothing is compared.
    """
    if not key or not traits.write_only:
        return ()
    mark = live.mark or Mark(stack, "")
    names = traits.write_only_in(resource.spec)
    wanted = _fingerprint(resource, traits, stack, mark.id_hash, key) if names else ""
    if mark.fingerprint == wanted:
        return ()
    before, after = Secret(""), Secret("") if names else None
    return tuple(
        FieldChange((name,), before, after, forces_replacement=name in traits.immutable)
        for name in names or sorted(traits.write_only - traits.immutable)
    )


def _fingerprint(
    resource: Resource, traits: KindTraits, stack: str, id_hash: str, key: bytes
) -> str:
    values = {name: reveal(resource.spec[name]) for name in traits.write_only_in(resource.spec)}
    text = json.dumps([stack, traits.name, id_hash, values], sort_keys=True)
    return base32(hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256"), LENGTH)


def refuse_uncompared(
    changes: Iterable[Change], target: str, key: bytes | None
) -> tuple[list[Change], Sequence[str]]:
    """Without a key: the changes, those refused that would write such values, and a warning.

    None is an offline plan, which knows no values and writes nothing.
    """
    made = list(changes)
    uncompared = {
        item.address
        for item in made
        if key == b"" and item.desired and item.traits.write_only_in(item.desired.spec)
    }
    if not uncompared:
        return made, ()
    more = len(uncompared) - 1
    whose = f"{min(uncompared)}{f' and {more} more' if more else ''}"
    lacks = f"target {target} has no fingerprint_key"
    warning = f"write-only values of {whose} cannot be compared, and are not written: {lacks}"
    refusal = Refusal(
        RefusalKind.BLOCKED,
        f"its write-only values cannot be compared: {lacks}",
        "add fingerprint_key: {env: NAME} to the target, the same for everybody who applies",
    )
    return [
        replace(item, refusal=item.refusal or refusal)
        if item.address in uncompared and item.action is not Action.UNCHANGED
        else item
        for item in made
    ], (warning,)
