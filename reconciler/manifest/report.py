"""Faults in documents -> one `ManifestError` with positions, bounded in size."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.errors import ManifestError, Problem
from reconciler.manifest.files import ManifestFile
from reconciler.strict_yaml import Positions
from reconciler.wording import DataPath, Fault

MAX_PROBLEMS_PER_FILE = 100


@dataclass(frozen=True, slots=True)
class Place:
    """One document: its file, its index there, and the 1-based line on which it starts.

    `kind` and `id_path` (where the id stands) are known once its metadata was found valid.
    """

    file: ManifestFile
    index: int
    line: int
    kind: str = ""
    id_path: DataPath = ()

    def implies(self, kind: str) -> bool:
        """Whether a resource of this kind only follows from the document."""
        return self.kind != kind


class Report:
    """Collects problems; finds positions only for what is really reported."""

    def __init__(self, problems: Sequence[Problem] = ()) -> None:
        self.problems = list(problems)
        self._faults: dict[str, int] = {}
        self._positions: dict[str, Positions] = {}

    def add(self, place: Place, faults: Iterable[Fault]) -> None:
        """Report faults of one document, the first hundred of a file."""
        name = place.file.name
        for fault in faults:
            count = self._faults[name] = self._faults.get(name, 0) + 1
            if count <= MAX_PROBLEMS_PER_FILE:
                line, column = self.position(place, fault.path, at_key=fault.at_key)
                self.problems.append(Problem(name, line, column, fault.message, fault.fix))

    def position(self, place: Place, path: DataPath, *, at_key: bool = False) -> tuple[int, int]:
        """The 1-based line and column of a value in a document."""
        positions = self._positions.get(place.file.name)
        if positions is None:
            positions = self._positions[place.file.name] = Positions(place.file.data)
        return positions.at(place.index, path, key=at_key)

    def close(self) -> None:
        """Raise `ManifestError` if there is anything to report."""
        for name, count in self._faults.items():
            more = count - MAX_PROBLEMS_PER_FILE
            if more > 0:
                message = f"{more} more problem{'s' if more > 1 else ''} in this file"
                self.problems.append(Problem(name, 0, 0, message, "correct those above first"))
        if self.problems:
            raise ManifestError(self.problems)
