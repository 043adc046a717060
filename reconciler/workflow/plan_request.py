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

    `parallelism` is the most requests at a time. `config_from`: the ref whose targets, stack and
    guards count. `allow_from_commit`, `messages`: trailers of commits may approve. `repo`, `ref`: a
    repository in place of the directory. `expect_digest`: only this plan will do. `offline`: read
    files alone; `live` is a JSON plan whose live side counts. `since`: a ref; tell this branch's
    changes since then from drift. `reviewed`: files of earlier plans, or the digest of one; tell
    what is new. `if_comparable`: if neither can be told, only warn.
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
