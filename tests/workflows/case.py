"""The table of events: one file a case, of what happens on GitHub and what is wanted of it.

In every text `{NAME}` is the commit of that name, `{NAME:7}` its first letters, `{url}` the address
of the control plane, and `{place}` a directory for the case alone.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reconciler import strict_yaml

PLACE = Path(__file__).parent / "cases"
NAMES = sorted(path.stem for path in PLACE.iterdir())

_NAME = re.compile(r"\{([a-z]+)(?::(\d))?\}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Commit(_Part):
    """One commit; each starts from the tip of its branch."""

    name: str
    branch: str = "main"
    start: str = ""
    """The commit that a new branch starts from; main's tip by default."""
    merges: str = ""
    """A commit that is merged with it; nothing else is stated then."""
    states: dict[str, str] | None = None
    """All environments with their images; as before by default."""
    files: dict[str, str | None] = {}
    """What else is written; null removes a file."""
    guards: str = ""
    """The guards in reconciler.yaml, from this commit on."""
    says: str = "Go on"
    """Its message; `{allow}` is the line that the plan of this commit asks for."""
    applied: list[str] = []
    """The targets that it has been applied to."""


class Artifact(_Part):
    """What a run has kept, and for which commit."""

    name: str
    made_for: str
    files: dict[str, str]


class Lacks(_Part):
    """A text that must not be there."""

    lacks: str


Texts = list[str | Lacks]


class Wants(_Part):
    """What a run has to do, and all of it where a list or mapping says nothing else."""

    jobs: dict[str, int]
    """Every job that runs, with the exit code of its first step that fails, or 0."""
    annotations: list[str] = []
    """Every annotation in turn: LEVEL FILE:LINE TITLE: TEXT, or how it begins."""
    requests: list[str] = []
    """Every request that changes something on GitHub."""
    live: Literal["read", "not asked"] | dict[str, str] = "read"
    """What became of the control plane: every environment with its image, where it is written."""
    comment: str | Texts = []
    """The one comment that it writes: all of it, or parts."""
    issue: Texts = []
    """The last issue: its state and title, and below its text."""
    summary: Texts = []
    log: Texts = []
    outputs: dict[str, dict[str, str]] = {}
    """Some of the outputs of each job's steps."""


class Run(_Part):
    """One run of a workflow."""

    event: str
    base: str = "base"
    head: str = "head"
    payload: dict[str, Any] = {}
    """What differs from events/EVENT.json."""
    workflow: str = "reconcile"
    actor: str = "ada"
    vars: dict[str, str] = {}
    secrets: dict[str, str] = {}
    github: dict[str, Any] = {}
    """What changes on GitHub before."""
    artifacts: list[Artifact] = []
    """Besides those of earlier runs of the case, which GitHub knows."""
    live: dict[str, dict[str, Any] | None] = {}
    """Environments that somebody edits by hand before, or deletes."""
    meanwhile: dict[str, str] | None = None
    """What somebody applies while the job `apply` waits."""
    wants: Wants


class Case(_Part):
    """One case: `about` says in a line what it shows."""

    about: str
    commits: Annotated[list[Commit], Field(min_length=1)]
    edits: dict[str, str] = {}
    """What this repository has replaced in its copy of reconcile.yml."""
    behaviour: dict[str, Any] = {}
    """How the control plane behaves, see `Behaviour`."""
    github: dict[str, Any] = {}
    """Fields of `Repository` of the fake."""
    runs: Annotated[list[Run], Field(min_length=1)]


def load(name: str) -> Case:
    """Read a case; an unknown key is an error."""
    path = PLACE / f"{name}.yaml"
    (document,) = strict_yaml.load(path.read_bytes(), path.name)
    return Case.model_validate(document.data)


def filled(value: Any, names: dict[str, str]) -> Any:
    """The value with every placeholder in its texts and keys replaced."""
    match value:
        case str():
            return _NAME.sub(lambda found: names[found[1]][: int(found[2] or 999)], value)
        case list():
            return [filled(item, names) for item in value]
        case dict():
            return {filled(key, names): filled(item, names) for key, item in value.items()}
        case _:
            return value
