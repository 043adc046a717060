"""Live objects that belong to no stack -> manifests that import them without a change.

Each object becomes a document, by the names that people know. The documents are loaded and planned
like any other manifest: what the plan would import as it is, is *ready*; where it would change
something, the object *differs*; where no manifest can say what the object holds, it *cannot be
expressed*. Nothing is assumed about a kind that this round trip does not prove.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from reconciler import manifest
from reconciler.config import variables_for_manifests
from reconciler.core.planner import PlanInput
from reconciler.core.resource import LiveResource
from reconciler.errors import ConfigError, ReconcileError
from reconciler.kinds.base import SCOPES
from reconciler.kinds.registry import KIND_NAMED
from reconciler.kinds.runai_asset import AssetKind
from reconciler.strict_yaml import MAX_BYTES
from reconciler.support.plain_file import os_errors_as, read_plain
from reconciler.support.suggest import did_you_mean
from reconciler.workflow.export_drafts import (
    DraftWriter,
    Place,
    Secrets,
    Taken,
    Variables,
)
from reconciler.workflow.export_trial import Exported, Fate, Trial
from reconciler.workflow.live_objects import place_of, scope_name
from reconciler.workflow.planning import compare, read_world
from reconciler.workflow.session import Session, manifests_of


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Which objects are exported, and how. What is empty chooses everything.

    `addresses` are KIND.NAME or ids, each of one object, `only` globs of names or of KIND.NAME,
    `scopes` such as `project/vision`. Without a
    `directory`, files go to that of the manifests; `file` is one for all. See `Place`.
    """

    only: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    secrets: Secrets = Secrets.ENV
    grouped: bool = False
    directory: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """What was found.

    `variables` names what has to be set, `counts` what was left out and why; `notes` say which
    kinds could not be looked at. `elsewhere`: a file is where no plan looks for manifests.
    """

    items: tuple[Exported, ...]
    files: Mapping[str, bytes]
    variables: Mapping[str, str] = field(repr=False)
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()
    elsewhere: bool = False

    def of(self, fate: Fate) -> list[Exported]:
        """The documents of one fate."""
        return [item for item in self.items if item.fate is fate]


def export(session: Session, request: ExportRequest) -> Export:
    """Manifests for what belongs to no stack; nothing is written.

    Raises `ReconcileError`, with close names for an address that means no object, or several.
    """
    for scope in request.scopes:
        _require_scope(scope)
    if request.file and not request.file.endswith(manifest.SUFFIXES):
        fix = f"name one that ends in {' or '.join(manifest.SUFFIXES)}"
        raise ConfigError("manifests are read from no such file", where=request.file, fix=fix)
    world = _read_all_of(session)
    found, counts = _unmanaged(world)
    named = {_find(address, found).uid for address in request.addresses}
    chosen = [
        item for item in found if (not named or item.uid in named) and _is_chosen(item, request)
    ]
    counts["not chosen"] = len(found) - len(chosen)
    place = Place(
        session.config.root,
        request.directory or manifests_of(session.config),
        request.file,
        request.grouped,
    )
    secrets = Variables(request.secrets, variables_for_manifests(session.config, os.environ))
    taken = Taken.by(world.desired, (item.mark for item in world.live), world.stack)
    writer = DraftWriter(place, secrets, taken)
    drafts = writer.drafts(chosen)
    items = Trial(session, world, writer.secrets.values).judge(drafts)
    ready = [item for item in items if item.fate is Fate.READY]
    used = {name: text for name, text in writer.secrets.values.items() if _names(ready, name)}
    files = _files(ready, session.config.root)
    left_out = {why: number for why, number in counts.items() if number}
    elsewhere = any(not _is_below(session.config.manifests, session.config.root / n) for n in files)
    return Export(tuple(items), files, used, left_out, tuple(world.notes), elsewhere)


def _is_below(directory: Path, file: Path) -> bool:
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(directory))


def _require_scope(text: str) -> None:
    scope, slash, name = text.partition("/")
    if scope not in SCOPES:
        fix = did_you_mean(scope, SCOPES, "it may be")
        raise ConfigError(f"there is no scope {scope!r}", where=f"--scope {text}", fix=fix)
    if slash and not name:
        fix = f"write {scope}/NAME, or {scope} for all of them"
        raise ConfigError("there is no name behind the slash", where=f"--scope {text}", fix=fix)


def _find(address: str, unmanaged: Sequence[LiveResource]) -> LiveResource:
    found = [item for item in unmanaged if address in (f"{item.kind}.{item.name}", item.uid)]
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(f"{item.uid} in {place_of(item)}" for item in found)
        raise ConfigError(f"{len(found)} objects are named {address}", fix=f"name one: {named}")
    close = get_close_matches(address, [f"{item.kind}.{item.name}" for item in unmanaged], n=3)
    meant = f"did you mean {' or '.join(close)}?"
    raise ConfigError(
        f"no live object {address} is outside of a stack",
        fix=meant if close else "reconcile export --check lists those that are",
    )


def require_ready(found: Export) -> None:
    """Raise `ConfigError` for an object that cannot be imported as it is."""
    for item in found.items:
        if item.fate is not Fate.READY:
            raise ConfigError(
                f"{item.live[0].kind}.{item.live[0].name} {item.fate.value}: "
                f"{'; '.join(item.reasons)}",
                fix="change the live object, or write a manifest with metadata.adopt: true",
            )


def _read_all_of(session: Session) -> PlanInput:
    if not any(isinstance(KIND_NAMED[kind], AssetKind) for kind in session.providers):
        raise ConfigError(
            f"target {session.target.name!r} has no control plane whose objects could be exported",
            fix="choose another target with --target",
        )
    world = read_world(session)
    stated = {item.key.kind for item in session.resources}
    for failure in world.failures:
        if any(kind in stated or isinstance(KIND_NAMED[kind], AssetKind) for kind in failure.kinds):
            raise ReconcileError(failure.reason, where=failure.system, fix=failure.fix)
    return world


def _names(items: Iterable[Exported], variable: str) -> bool:
    return any(f"env: {variable}\n".encode() in item.text for item in items)


def _unmanaged(world: PlanInput) -> tuple[list[LiveResource], Counter[str]]:
    """The live objects of kinds that manifests can state, and how many others there are."""
    stated = {id(change.live) for change in compare(world).changes if change.desired is not None}
    found: list[LiveResource] = []
    counts: Counter[str] = Counter()
    for item in world.live:
        if not isinstance(KIND_NAMED[item.kind], AssetKind):
            continue
        if id(item) in stated:
            counts["stated by a manifest"] += 1
        elif item.mark is not None:
            own = item.mark.stack == world.stack
            counts["of this stack" if own else "of another stack"] += 1
        else:
            found.append(item)
    return sorted(found, key=_order), counts


def _order(item: LiveResource) -> tuple[Any, ...]:
    scope = item.spec["scope"]
    return (SCOPES.index(scope), scope_name(item), item.name, item.kind, item.uid)


def _is_chosen(item: LiveResource, request: ExportRequest) -> bool:
    names = (item.name, f"{item.kind}.{item.name}", item.uid)
    scope, unit = item.spec["scope"], item.spec.get("scope_id", "")
    scopes = (scope, f"{scope}/{scope_name(item)}", f"{scope}/{unit}")
    return (
        (not request.kinds or item.kind in request.kinds)
        and (not request.scopes or any(wanted in scopes for wanted in request.scopes))
        and (not request.only or any(_matches(n, glob) for n in names for glob in request.only))
    )


def _matches(name: str, glob: str) -> bool:
    return name == glob or fnmatchcase(name, glob)


def _files(items: Iterable[Exported], root: Path) -> dict[str, bytes]:
    """The new text of each file: documents come behind those that it has."""
    texts: dict[str, list[bytes]] = {}
    for item in items:
        texts.setdefault(item.file, []).append(item.text)
    return {
        file: manifest.add_documents(
            manifest.ManifestFile(file, _content(root / file)), b"---\n".join(documents)
        )
        for file, documents in texts.items()
    }


def _content(path: Path) -> bytes:
    if not path.exists():
        return b""
    fix = "name another file, or make this one readable"
    with os_errors_as(ConfigError, "cannot read the file", path, fix):
        return read_plain(path, MAX_BYTES)
