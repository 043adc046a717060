"""What a plan is asked for with, by the command line, a server or an agent's function."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reconciler.core.guards import Approval
from reconciler.core.selection import Selection


class ConfigLocation(Protocol):
    """Where configuration is looked for: a directory, or a file that counts instead."""

    @property
    def directory(self) -> Path:
        """The directory with `reconciler.yaml`."""
        ...

    @property
    def config(self) -> Path | None:
        """Another configuration file, if one was named."""
        ...

    def warn(self, text: str) -> None:
        """Tell a person something that stops nothing."""
        ...


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a plan is asked for with. `target` None is the default one.

    `parallelism` is the most requests at a time. `config_from` is a ref whose targets, stack and
    guards count. `allow_from_commit` and `messages` let trailers of commits approve. `repo` and
    `ref` name a repository in place of the directory. `expect_digest` is that of the only plan that
    will do. With `offline`, files alone are read, and the live side of the JSON plan `live` counts.
    `since` is a ref: whose change is it, this branch's since then? `reviewed` are files of
    earlier plans, or the digest of one: what is new? With `if_comparable`, where neither can be
    told, a warning says so.
    """

    place: ConfigLocation
    target: str | None = None
    selection: Selection = field(default_factory=Selection)
    approval: Approval = field(default_factory=Approval)
    parallelism: int = 10
    config_from: str | None = None
    allow_from_commit: bool = False
    messages: Path | None = None
    repo: str | None = None
    ref: str | None = None
    expect_digest: str | None = None
    since: str | None = None
    reviewed: tuple[str, ...] = ()
    if_comparable: bool = False
    offline: bool = False
    live: Path | None = None
