"""Problems that name a document and a path in it -> the same problems with line and column."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.errors import ManifestError, Problem
from reconciler.strict_yaml import Positions, load


def locate(error: ManifestError, root: Path) -> ManifestError:
    """The same report with every `Problem.path` resolved; files are named relative to `root`.

    Only for an error that is about to be shown: the files are read and parsed once more. A file
    that has changed meanwhile keeps the line of its document.
    """
    files = {problem.file for problem in error.problems if problem.path}
    found = {name: _File(root / name, name) for name in files}
    return ManifestError(
        [
            found[problem.file].place(problem) if problem.path else problem
            for problem in error.problems
        ]
    )


class _File:
    """One manifest file: where its documents and their values stand."""

    def __init__(self, path: Path, name: str) -> None:
        self._lines: Sequence[int] = ()
        try:
            data = path.read_bytes()
            self._lines = [document.line for document in load(data, name)]
        except (OSError, ManifestError):
            return  # it was readable when it was loaded: its problems keep what they have
        self._positions = Positions(data)

    def place(self, problem: Problem) -> Problem:
        """The problem with the position of its value."""
        if problem.line not in self._lines:
            return problem
        index = self._lines.index(problem.line)
        line, column = self._positions.at(index, problem.path)
        return replace(problem, line=line, column=column, path=())
