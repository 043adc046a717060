"""A change of the manifests -> a commit on a new branch, for review. Never the caller's work tree.

The manifests are read from a commit, not from the disk, and the new commit is built from Git's own
objects. Before a branch is made, the manifests are loaded as they would be on it: exactly the asked
resources differ from the base, or nothing is made.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from reconciler.agent.base import Base, read_base, read_state, relative
from reconciler.agent.differences import Difference, compare_manifests
from reconciler.agent.settings import AgentSettings
from reconciler.config import Config
from reconciler.errors import ConfigError
from reconciler.git.branch import (
    NewCommit,
    make_branch,
    write_tree,
)
from reconciler.git.pull_request import review_steps
from reconciler.manifest import (
    remove_document,
    replace_document,
    write_document,
)
from reconciler.resource import Resource, ResourceKey


@dataclass(frozen=True, slots=True)
class Draft:
    """A change that is worked out but not committed.

    `file` and `data` are the manifest file as it would be (None: it goes), `differences` what
    becomes of each resource; none means that the base states this already.
    """

    base: Base
    verb: str
    key: ResourceKey
    file: str
    data: bytes | None
    differences: tuple[Difference, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The resources that would differ from the base."""
        return tuple(item.key.address for item in self.differences)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A branch with one commit: what it changes, and how to hand it to people.

    `differences` are the resources that differ from the base, and how; `file` is the manifest,
    relative to `reconciler.yaml`. `existed`: the very same proposal was there before.
    """

    branch: str
    commit: str
    base: str
    file: str
    differences: tuple[Difference, ...]
    open_with: tuple[str, ...]
    existed: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """The resources that differ from the base."""
        return tuple(item.key.address for item in self.differences)


def draft_manifest(base: Base, document: Mapping[str, Any]) -> Draft:
    """Work out one manifest: a file of its own if it is new, else in place of its document.

    Raises `ManifestError` for what is wrong with it.
    """
    metadata = document["metadata"]
    key = ResourceKey(str(document["kind"]), str(metadata.get("id") or metadata["name"]))
    stated = base.find(key)
    if stated is None:
        name = _new_name(base, key)
        return _draft(base, "create", key, name, write_document(document))
    file, index, kind = base.document_of(stated)
    _require_own_document(key, kind, stated)
    return _draft(base, "change", key, file.name, replace_document(file, index, document))


def draft_removal(base: Base, address: str) -> Draft:
    """Work out that the document of an address goes, and nothing else.

    Raises `ConfigError` with close names for an address that no manifest states, and for a
    protected one.
    """
    key = ResourceKey(*address.partition(".")[::2])
    stated = base.find(key)
    if stated is None:
        close = get_close_matches(address, [item.key.address for item in base.resources], n=3)
        fix = (
            f"did you mean {' or '.join(close)}?" if close else "reconcile plan lists what there is"
        )
        raise ConfigError(f"no manifest states {address}", fix=fix)
    if stated.protect:
        raise ConfigError(
            f"{address} is protected: its manifest says metadata.protect: true",
            where=str(stated.source),
            fix="propose metadata.protect: false first; when that is applied, propose this again",
        )
    file, index, kind = base.document_of(stated)
    _require_own_document(key, kind, stated)
    return _draft(base, "remove", key, file.name, remove_document(file, index))


def commit_draft(draft: Draft, settings: AgentSettings) -> Proposal:
    """Make the branch of a draft that changes something. Raises `ConfigError`."""
    checkout, commit = draft.base.checkout, draft.base.commit
    subject = f"{draft.verb.capitalize()} {draft.key.address}"
    listed = "".join(f"- {item.key.address}: {item.word}\n" for item in draft.differences)
    why = "Proposed by the agent functions, for review. Resources that differ:"
    body = f"{subject}\n\n{why}\n{listed}"
    new = NewCommit(commit, {f"{checkout.prefix}{draft.file}": draft.data}, body, settings.author)
    tree = write_tree(checkout, new)
    _require_stated(draft, tree)
    branch = _branch_name(draft, tree)
    made, existed = make_branch(checkout, branch, new)
    steps = review_steps(checkout, branch, settings.base)
    return Proposal(branch, made, commit, draft.file, draft.differences, tuple(steps), existed)


def _require_stated(draft: Draft, tree: str) -> None:
    """Read a new tree again: its manifests are those that were worked out, or it is refused."""
    state = read_state(draft.base.config, draft.base.checkout, tree)
    wanted = draft.base.with_file(draft.file, draft.data)
    if state.files != wanted or wanted == draft.base.files or state.overlays != draft.base.overlays:
        raise ConfigError(
            "the new commit would not state what was worked out",
            where=draft.file,
            fix="make this change by hand",
        )


def propose_manifest(
    config: Config, document: Mapping[str, Any], settings: AgentSettings
) -> Proposal:
    """Propose one manifest (`kind`, `metadata`, `spec`): a new one, or the next state of its own.

    Raises `ManifestError` for what is wrong with it, `ConfigError` for what is wrong with Git, and
    where the base states exactly this already.
    """
    base = read_base(config, settings)
    return _commit_change(draft_manifest(base, document), settings)


def propose_removal(config: Config, address: str, settings: AgentSettings) -> Proposal:
    """Propose that the manifest of an address goes; other documents of its file stay as they are.

    Raises `ConfigError` with close names for an address that no manifest states.
    """
    base = read_base(config, settings)
    return _commit_change(draft_removal(base, address), settings)


def _commit_change(draft: Draft, settings: AgentSettings) -> Proposal:
    if not draft.addresses:
        raise ConfigError(f"the manifests state {draft.key.address} exactly so already")
    return commit_draft(draft, settings)


def _draft(base: Base, verb: str, key: ResourceKey, file: str, data: bytes | None) -> Draft:
    differences = compare_manifests(base.resources, base.load(file, data))
    strays = [item.key.address for item in differences if item.key.id != key.id]
    if strays:
        raise ConfigError(
            f"this would change {', '.join(strays)} as well", where=file, fix="edit it by hand"
        )
    return Draft(base, verb, key, file, data, differences)


def _require_own_document(key: ResourceKey, kind: str, stated: Resource) -> None:
    if kind != key.kind:
        raise ConfigError(
            f"{key.address} has no manifest of its own: it follows from the {kind} there",
            where=str(stated.source),
            fix=f"propose a change of that {kind} instead",
        )


def _new_name(base: Base, key: ResourceKey) -> str:
    """A file that is not there yet, directly in the manifests directory, named after the id."""
    directory = relative(base.config, base.config.manifests)
    slug = re.sub(r"[^A-Za-z0-9._-]", "-", key.id).strip(".-")[:100] or "manifest"
    taken = {name.lower() for name in base.names}
    for number in range(1, len(taken) + 2):
        ending = "" if number == 1 else f"-{number}"
        name = posixpath.join(directory, f"{slug}{ending}.yaml")
        if name.lower() not in taken:
            break
    return name


def _branch_name(draft: Draft, tree: str) -> str:
    """The same proposal on the same base has the same name."""
    slug = re.sub(r"[^a-z0-9]+", "-", draft.key.id.lower()).strip("-")[:40].strip("-") or "manifest"
    digest = hashlib.sha256(f"{draft.base.commit} {tree}".encode()).hexdigest()[:8]
    return f"reconcile/{draft.verb}-{slug}-{digest}"
