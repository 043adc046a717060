"""A change of the manifests -> a commit on a new branch, for review. Never the caller's work tree.

The commit is built from Git's own objects on an index of its own: neither the files on disk, nor
the index, nor the branch that is checked out change. Before the branch is made, the manifests are
loaded as they would be on it: exactly the asked resources differ, or nothing is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.agent.settings import AgentSettings
from reconciler.config import Config


@dataclass(frozen=True, slots=True)
class Proposal:
    """A branch with one commit: what it changes, and how to hand it to people.

    `addresses` are the resources that differ from the base; `file` is the manifest, relative to
    `reconciler.yaml`. `existed`: the very same proposal was there before. An empty `branch` means
    that the base states this already.
    """

    branch: str
    commit: str
    base: str
    file: str
    addresses: tuple[str, ...]
    open_with: tuple[str, ...]
    existed: bool = False


def propose_manifest(
    config: Config, document: Mapping[str, Any], settings: AgentSettings
) -> Proposal:
    """Propose one manifest (`kind`, `metadata`, `spec`): a new one, or the next state of its own.

    Raises `ManifestError` for what is wrong with it, `ConfigError` for what is wrong with Git.
    """
    raise NotImplementedError(config, document, settings)


def propose_removal(config: Config, address: str, settings: AgentSettings) -> Proposal:
    """Propose that the manifest of an address goes; other documents of its file stay as they are.

    Raises `ConfigError` with close names for an address that no manifest states.
    """
    raise NotImplementedError(config, address, settings)
