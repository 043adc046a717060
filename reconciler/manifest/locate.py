"""Problems that name a document and a path in it -> the same problems with line and column."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.errors import ManifestError, Problem
from reconciler.manifest.files import NO_FILES, ManifestFile, ReadFiles
from reconciler.manifest.overlay import Overlays
from reconciler.manifest.report import Place, Report
from reconciler.strict_yaml import MAX_BYTES, YamlDocument, load
from reconciler.support.plain_file import read_plain


def locate(error: ManifestError, root: Path, overlays: ReadFiles = NO_FILES) -> ManifestError:
    """The same report with every `Problem.path` resolved; files are named relative to `root`.

    Only for an error that is about to be shown: the files are read and parsed once more. A file
    that has changed meanwhile keeps the line of its document. `overlays` are what the manifests
    were patched with.
    """
    files = {problem.file for problem in error.problems if problem.path}
    found = {name: _File(root / name, name, overlays) for name in files}
    return ManifestError(
        [
            found[problem.file].place(problem) if problem.path else problem
            for problem in error.problems
        ]
    )


class _File:
    """One manifest file: where its documents and their values stand."""

    def __init__(self, path: Path, name: str, overlays: ReadFiles) -> None:
        self._documents: Sequence[YamlDocument] = ()
        self._report = Report()
        self._overlays = Overlays(overlays.files, self._report)
        try:
            self._file = ManifestFile(name, read_plain(path, MAX_BYTES))
            self._documents = load(self._file.data, name)
        except (OSError, ManifestError):
            return  # it was readable when it was loaded: its problems keep what they have

    def place(self, problem: Problem) -> Problem:
        """The problem with the position of its value."""
        for index, document in enumerate(self._documents):
            if document.line == problem.line:
                _, place = self._overlays.patch(
                    document.data, Place(self._file, index, document.line)
                )
                line, column = self._report.position(place, problem.path)
                name = place.origin(problem.path)[0].file.name
                return replace(problem, file=name, line=line, column=column, path=())
        return problem
