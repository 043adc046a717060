"""Faults in documents -> one `ManifestError` with positions, bounded in size."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.errors import Problem
from reconciler.field_errors import Fault
from reconciler.manifest.files import ManifestFile
from reconciler.manifest.merge import Origin
from reconciler.strict_yaml import Positions
from reconciler.support.suggest import DataPath

MAX_PROBLEMS_PER_FILE = 100
MOST_SUGGESTIONS = 20
"""Names that are not known, for which similar ones are looked for: each look is at all of them."""
PLAIN_FIX = "correct the name"


def all_there_are(names: Sequence[str]) -> str:
    """The names that there are, ten at most; empty without any."""
    return f"there {'are' if len(names) > 1 else 'is'}: {', '.join(names[:10])}" if names else ""


@dataclass(frozen=True, slots=True)
class Place:
    """One document: its file, its index there, and the 1-based line on which it starts.

    `kind` and `id_path` (where the id stands) are known once its metadata is valid. `patch` tells
    what comes from an overlay.
    """

    file: ManifestFile
    index: int
    line: int
    kind: str = ""
    id_path: DataPath = ()
    patch: "Patch | None" = None

    def implies(self, kind: str) -> bool:
        """Whether a resource of this kind only follows from the document."""
        return self.kind != kind

    def origin(self, path: DataPath) -> "tuple[Place, DataPath]":
        """The document in which a value is written, and its path there."""
        if self.patch is None:
            return self, path
        for length in range(len(path), 0, -1):
            found = self.patch.origins.get(path[:length])
            if found is not None:
                written = (*found.path, *path[length:])
                return (self.patch.place if found.overlay else self), written
        return self, path


@dataclass(frozen=True, slots=True)
class Patch:
    """What an overlay, which stands at `place`, has changed; `origins` is as in `Merge`."""

    place: Place
    origins: Mapping[DataPath, Origin]


class Report:
    """Collects problems; finds positions only for what is really reported."""

    def __init__(self, problems: Sequence[Problem] = ()) -> None:
        self.problems = list(problems)
        self._faults: dict[str, int] = {}
        self._positions: dict[str, Positions] = {}

    def add(self, place: Place, faults: Iterable[Fault]) -> None:
        """Report faults of one document, the first hundred of a file."""
        for fault in faults:
            name = place.origin(fault.path)[0].file.name
            count = self._faults[name] = self._faults.get(name, 0) + 1
            if count <= MAX_PROBLEMS_PER_FILE:
                line, column = self.position(place, fault.path, at_key=fault.at_key)
                self.problems.append(
                    Problem(name, line, column, fault.message, fault.fix, rule=fault.rule)
                )

    def position(self, place: Place, path: DataPath, *, at_key: bool = False) -> tuple[int, int]:
        """The 1-based line and column of a value in the document in which it is written."""
        place, path = place.origin(path)
        positions = self._positions.get(place.file.name)
        if positions is None:
            positions = self._positions[place.file.name] = Positions(place.file.data)
        return positions.at(place.index, path, key=at_key)

    def where(self, place: Place, path: DataPath) -> str:
        """The position for people: `FILE:LINE:COLUMN`."""
        line, column = self.position(place, path)
        return f"{place.origin(path)[0].file.name}:{line}:{column}"

    def close(self) -> Sequence[Problem]:
        """All there is to report."""
        for name, count in self._faults.items():
            more = count - MAX_PROBLEMS_PER_FILE
            if more > 0:
                message = f"{more} more problem{'s' if more > 1 else ''} in this file"
                self.problems.append(Problem(name, 0, 0, message, "correct those above first"))
        return self.problems
