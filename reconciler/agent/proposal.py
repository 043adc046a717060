"""A change of the manifests -> a commit on a new branch, for review. Never the caller's work tree.

The manifests are read from a commit, not from the disk, and the new commit is built from Git's own
objects. Before a branch is made, the manifests are loaded as they would be on it: exactly the asked
resources differ from the base, or nothing is made.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.agent.base_commit import Base, read_base, read_commit
from reconciler.agent.settings import AgentSettings
from reconciler.config import Config
from reconciler.core.resource import Resource, ResourceKey
from reconciler.errors import ConfigError, ReconcileError
from reconciler.git.branch import NewCommit, make_branch, review_steps, write_tree
from reconciler.manifest import remove_document, replace_document, write_document
from reconciler.support.suggest import similar


@dataclass(frozen=True, slots=True)
class Draft:
    """A change that is prepared but not committed.

    `file` and `data` are the new manifest file (None: removed), `resources` what all manifests
    would then state. `differing` are the keys that differ from the base; none if the base states
    this already.
    """

    base: Base
    verb: str
    key: ResourceKey
    file: str
    data: bytes | None
    resources: tuple[Resource, ...]
    differing: tuple[ResourceKey, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(key.address for key in self.differing)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A branch with one commit, and how to hand it to people.

    `addresses` are the resources that differ from the base; `file` is relative to
    `reconciler.yaml`. `existed`: the same proposal was there before.
    """

    branch: str
    commit: str
    base: str
    file: str
    addresses: tuple[str, ...]
    open_with: tuple[str, ...]
    existed: bool = False


def draft_manifest(base: Base, document: Mapping[str, Any]) -> Draft:
    """Prepare one manifest: a file of its own if it is new, else in place of its document.

    Raises `ManifestError`.
    """
    metadata = document["metadata"]
    key = ResourceKey(str(document["kind"]), str(metadata.get("id") or metadata["name"]))
    stated = base.find(key)
    if stated is None:
        name = _new_name(base, key)
        return _draft(base, "create", key, name, write_document(document))
    file, index, present = base.document_of(stated)
    _require_own_document(key, str(present["kind"]), stated)
    return _draft(base, "change", key, file.name, replace_document(file, index, document))


def draft_removal(base: Base, address: str) -> Draft:
    """Prepare the removal of one document.

    Raises `ConfigError` for an unknown address, with close ones, and for a protected one.
    """
    key = ResourceKey(*address.partition(".")[::2])
    stated = base.find(key)
    if stated is None:
        known = [item.key.address for item in base.resources]
        fix = similar(address, known, "reconcile plan lists what there is")
        raise ConfigError(f"no manifest states {address}", fix=fix)
    if stated.protect:
        raise ConfigError(
            f"{address} is protected: its manifest says metadata.protect: true",
            where=str(stated.source),
            fix="propose metadata.protect: false first; when that is applied, propose this again",
        )
    file, index, document = base.document_of(stated)
    _require_own_document(key, str(document["kind"]), stated)
    return _draft(base, "remove", key, file.name, remove_document(file, index))


def commit_draft(draft: Draft, settings: AgentSettings) -> Proposal:
    """Make the branch of a draft that changes something. Raises `ConfigError`."""
    base = draft.base
    path = f"{base.repository.prefix}{draft.file}"
    subject = f"{draft.verb.capitalize()} {draft.key.address}"
    listed = "".join(f"- {address}\n" for address in draft.addresses)
    why = "Proposed by the agent functions, for review. Resources that differ:"
    body = f"{subject}\n\n{why}\n{listed}"
    new = NewCommit(base.commit, {path: draft.data}, body, settings.author)
    tree = write_tree(base.repository, new)
    _require_as_meant(draft, tree)
    branch = _branch_name(draft, tree)
    commit, existed = make_branch(base.repository, branch, new)
    steps = review_steps(base.repository, branch, settings.base)
    return Proposal(branch, commit, base.commit, draft.file, draft.addresses, tuple(steps), existed)


def _require_as_meant(draft: Draft, tree: str) -> None:
    """Load the manifests from the written tree: they must state what the draft says."""
    written = read_commit(draft.base.config, draft.base.repository, tree)
    strays = _differing(draft.resources, written.resources)
    if strays:
        raise ReconcileError(
            f"the manifests of the new commit state something else: {strays[0].address}",
            where=draft.file,
            fix="commit it by hand; this is a defect: please report it",
        )


def propose_manifest(
    config: Config, document: Mapping[str, Any], settings: AgentSettings
) -> Proposal:
    """Propose one manifest (`kind`, `metadata`, `spec`), new or changed.

    Raises `ManifestError`; `ConfigError` for a problem with Git, and if the base states exactly
    this already.
    """
    base = read_base(config, settings)
    return _commit_change(draft_manifest(base, document), settings)


def propose_removal(config: Config, address: str, settings: AgentSettings) -> Proposal:
    """Propose the removal of a manifest; other documents of its file stay as they are.

    Raises `ConfigError` for an unknown address, with close ones.
    """
    base = read_base(config, settings)
    return _commit_change(draft_removal(base, address), settings)


def _commit_change(draft: Draft, settings: AgentSettings) -> Proposal:
    if not draft.addresses:
        raise ConfigError(f"the manifests state {draft.key.address} exactly so already")
    return commit_draft(draft, settings)


def _draft(base: Base, verb: str, key: ResourceKey, file: str, data: bytes | None) -> Draft:
    after = base.load(file, data)
    differing = _differing(base.resources, after)
    strays = [item.address for item in differing if item.id != key.id]
    if strays:
        raise ConfigError(
            f"this would change {', '.join(strays)} as well", where=file, fix="edit it by hand"
        )
    return Draft(base, verb, key, file, data, after, differing)


def _differing(before: Iterable[Resource], after: Iterable[Resource]) -> tuple[ResourceKey, ...]:
    old = {item.key: _without_place(item) for item in before}
    new = {item.key: _without_place(item) for item in after}
    return tuple(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))


def _without_place(resource: Resource) -> tuple[Any, ...]:
    return (resource.spec, resource.protect, resource.adopt, resource.moved_from)


def _require_own_document(key: ResourceKey, kind: str, stated: Resource) -> None:
    if kind != key.kind:
        raise ConfigError(
            f"{key.address} has no manifest of its own: it follows from the {kind} there",
            where=str(stated.source),
            fix=f"propose a change of that {kind} instead",
        )


def _new_name(base: Base, key: ResourceKey) -> str:
    """A name that nothing has yet, directly in the manifests directory, made of the id."""
    slug = re.sub(r"[^A-Za-z0-9._-]", "-", key.id).strip(".-")[:100] or "manifest"
    for number in range(1, len(base.taken) + 2):
        ending = "" if number == 1 else f"-{number}"
        name = posixpath.join(base.directory, f"{slug}{ending}.yaml")
        if name.lower() not in base.taken:
            break
    return name


def _branch_name(draft: Draft, tree: str) -> str:
    """The same proposal on the same base has the same name."""
    slug = re.sub(r"[^a-z0-9]+", "-", draft.key.id.lower()).strip("-")[:40].strip("-") or "manifest"
    digest = hashlib.sha256(f"{draft.base.commit} {tree}".encode()).hexdigest()[:8]
    return f"reconcile/{draft.verb}-{slug}-{digest}"
