"""Base images -> the digests that their registries have for them now, for `reconciler.lock`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.resource import Resource
from reconciler.errors import BuildError, UnreachableError
from reconciler.providers.docker.desired import resolve_images
from reconciler.providers.docker.registry import Registries
from reconciler.rayfine.image.build_input import Surroundings
from reconciler.rayfine.image.hashcache import user_cache
from reconciler.rayfine.image.lockfile import LOCAL, LOCK_FILE, LockFile
from reconciler.rayfine.image.reference import parse_reference


@dataclass(frozen=True, slots=True)
class LockChange:
    """One base whose entry is not what the registry says. Empty text: not locked."""

    reference: str
    before: str
    after: str


def base_references(
    resources: Iterable[Resource], root: Path, default_base: str
) -> Mapping[str, tuple[str, ...]]:
    """The bases of these unresolved images that can be locked, and the addresses that use them.

    Raises one `ManifestError` with the faults of all images.
    """
    around = Surroundings(default_base=default_base, cache_directory=user_cache())
    found: dict[str, list[str]] = {}
    for desired in resolve_images(list(resources), root, around).values():
        for base in desired.build.bases:
            if not base.digest:
                found.setdefault(base.reference, []).append(desired.resource.key.address)
    return {reference: tuple(sorted(users)) for reference, users in sorted(found.items())}


def resolve_reference(text: str, registries: Registries) -> str:
    """The digest that a registry has for a reference. Raises `BuildError` if it has none."""
    reference = parse_reference(text)
    text = reference.text
    by_hand = f'if it exists only on engines, state it in {LOCK_FILE}: "{text}": "{LOCAL}"'
    try:
        digest = registries.digest(reference)
    except UnreachableError as error:
        what = f"no digest for {text}: {error.what}"
        raise UnreachableError(what, where=error.where, fix=f"{error.fix}; {by_hand}") from error
    if digest is None:
        what = f"{reference.host} has no image {text}, so there is no digest to lock"
        raise BuildError(what, fix=by_hand)
    return digest


def check_lock(
    lock: LockFile, references: Sequence[str], registries: Registries
) -> tuple[LockChange, ...]:
    """The bases that have moved on or are not locked. Images stated as local are left alone."""
    changes = []
    for text in sorted(set(references)):
        before = lock.bases.get(text, "")
        if before == LOCAL:
            continue
        after = resolve_reference(text, registries)
        if after != before:
            changes.append(LockChange(text, before, after))
    return tuple(changes)


def update_lock(lock: LockFile, references: Sequence[str], registries: Registries) -> LockFile:
    """The lock for exactly these bases: as their registries have them now."""
    changed = {item.reference: item.after for item in check_lock(lock, references, registries)}
    return LockFile({text: changed.get(text) or lock.bases[text] for text in sorted(references)})
