"""Every error the reconciler raises on purpose, in one tree.

    ReconcileError                  says what, where and what to do next
    |-- ConfigError                 reconciler.yaml or the command line
    |   `-- UnknownAddressError     nothing, or more than one thing, is called so
    |-- PluginError                 a kind of another package cannot be used
    |-- ManifestError               all problems of all manifests, reported together
    |-- ProviderError               a live system answered badly or not at all
    |   |-- UnreachableError        no connection, no answer in time, TLS
    |   |-- AccessError             401 or 403: who we are, or what we may
    |   |-- ConflictError           the object is there already, or changed under us
    |   |-- AmbiguousWriteError     a write was sent and its answer was lost
    |   `-- NotConvergedError       the object is not what was asked for after the write
    |-- StalePlanError              a saved plan no longer fits what is there
    |-- BuildError                  an image could not be built or pushed
    |-- RayfineError                a rayfine environment; see reconciler.rayfine.runtime.errors
    `-- SandboxError                the embedded control plane could not start or answer
        `-- SeedError               its seed is wrong

Only `reconciler.cli` prints these and turns them into exit codes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_PLACE = re.compile(r"(?P<file>(?![-/])[^\s]+?)(?::(?P<line>[0-9]+))?(?::(?P<column>[0-9]+))?")
"""A file, its line and column; options, directories by their whole path and sentences are none."""


LONGEST = 4_000
"""Characters of `what`: a live system may say anything."""


def shortened(text: str, limit: int = LONGEST) -> str:
    """The text, or its beginning and how much more there was."""
    left = len(text) - limit
    return text if left <= 0 else f"{text[:limit]} [and {left:,} more characters]"


class ReconcileError(Exception):
    """An error with words for a person: `what`, `where` (file:line or address) and `fix`."""

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        what = shortened(what)
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.fix}" if self.fix else head


def shown(text: str) -> str:
    """The same lines, with what a terminal may obey or hide escaped, as `repr` does it."""
    if text.isprintable():
        return text
    return "\n".join(
        line if line.isprintable() else "".join(map(_escaped, line)) for line in text.split("\n")
    )


def _escaped(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


class ConfigError(ReconcileError):
    """`reconciler.yaml`, a variable that it names, or a command-line option is wrong.

    `problems` holds the faults in the file one by one, where it is about those.
    """

    problems: "tuple[Problem, ...]" = ()


class UnknownAddressError(ConfigError):
    """No address, or more than one, is meant by a word; `known` are all that there are."""

    def __init__(self, what: str, word: str, known: Sequence[str], *, fix: str) -> None:
        super().__init__(what, fix=fix)
        self.word = word
        self.known = tuple(known)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault in one file. `line` and `column` count from 1; 0 means the whole file.

    `path` leads from the document that starts on `line` to the value at fault, where only that is
    known: a provider sees the file no more. `rule` names the sort of fault and never changes: one
    of `reconciler.render.sarif.RULES`.
    """

    file: str
    line: int
    column: int
    message: str
    fix: str = ""
    path: tuple[str | int, ...] = field(default=(), compare=False)
    rule: str = field(default="invalid-value", compare=False)

    def __post_init__(self) -> None:
        """Cut what quotes a long value."""
        object.__setattr__(self, "message", shortened(self.message))
        object.__setattr__(self, "fix", shortened(self.fix))

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}\n  {self.fix}" if self.fix else text


class PluginError(ReconcileError):
    """A kind of another package cannot be loaded, or is not what it has to be."""


class ManifestError(ReconcileError):
    """All problems found in all manifests, sorted by file and position."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the manifests")

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def problems_of(error: ReconcileError) -> Sequence[Problem]:
    """The faults of an error one by one, with what is known of where they are."""
    if isinstance(error, ManifestError | ConfigError) and error.problems:
        return error.problems
    found = _PLACE.fullmatch(error.where)
    if found is None or "://" in error.where:
        what = f"{error.where}: {error.what}" if error.where else error.what
        return [Problem("", 0, 0, what, error.fix)]
    line, column = int(found["line"] or 0), int(found["column"] or 0)
    return [Problem(found["file"], line, column, error.what, error.fix)]


class ProviderError(ReconcileError):
    """A live system answered with an error."""


class UnreachableError(ProviderError):
    """A live system gave no (usable) answer."""


class AccessError(ProviderError):
    """A live system refused our credentials or rights (401, 403)."""


class ConflictError(ProviderError):
    """The object exists already, or is no longer the one that was planned."""


class AmbiguousWriteError(ProviderError):
    """A write was sent, its answer was lost, and reading again did not settle what happened."""


class NotConvergedError(ProviderError):
    """The object differs from what was asked for, after the write was accepted."""


class StalePlanError(ReconcileError):
    """What was reviewed is no longer what would be done.

    `names` are the addresses that its lines may name.
    """

    names: frozenset[str] = frozenset()


class BuildError(ReconcileError):
    """An image could not be built, tagged or pushed."""


class RayfineError(ReconcileError):
    """A rayfine environment could not be loaded, set up or called.

    It may quote what env.py says, so that its text has no control characters; `what` may.
    """

    def __str__(self) -> str:
        return shown(super().__str__())


class SandboxError(ReconcileError):
    """The embedded control plane could not start, or its database or seed is unusable."""


class SeedError(SandboxError):
    """The seed of a sandbox is wrong: `where`, or each line of it, says at which line."""
