"""YAML documents -> resources, or what is wrong with them: at which line, once that is asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from reconciler.core.resource import Resource, ResourceKey, Source
from reconciler.errors import ManifestError, Problem
from reconciler.field_errors import Fault, explain, labelled
from reconciler.kinds.base import Document, FieldError, Kind, LoadContext, Metadata
from reconciler.kinds.registry import KINDS
from reconciler.manifest.blame import blame
from reconciler.manifest.checks import Stated, check_together
from reconciler.manifest.envelope import (
    check_ensure,
    check_envelope,
    check_id,
    key_of,
    protect_by_kind,
)
from reconciler.manifest.files import NO_FILES, ManifestFile, ReadFiles, read_directory
from reconciler.manifest.overlay import Overlays
from reconciler.manifest.report import Place, Report
from reconciler.strict_yaml import MAX_BYTES, YamlDocument
from reconciler.strict_yaml import load as load_yaml
from reconciler.support.plain_file import read_plain


class Checked(NamedTuple):
    """The resources of the documents that are sound, and the problems of the others."""

    resources: list[Resource]
    problems: Sequence[Problem]

    def sound(self) -> list[Resource]:
        """The resources, if there is no problem. Raises `ManifestError`."""
        if self.problems:
            raise ManifestError(self.problems)
        return self.resources


def check(
    directory: Path,
    context: LoadContext,
    kinds: Sequence[Kind] = KINDS,
    overlays: ReadFiles = NO_FILES,
) -> Checked:
    """What every manifest below a directory states, in the order of files and documents.

    `overlays` are those of one target, from `read_overlays`.
    """
    try:
        found = ReadFiles(*read_directory(directory, context.root))
    except ManifestError as error:
        found = ReadFiles([], list(error.problems))
    return _check(found, context, kinds, overlays)


def load(
    directory: Path,
    context: LoadContext,
    kinds: Sequence[Kind] = KINDS,
    overlays: ReadFiles = NO_FILES,
) -> list[Resource]:
    """The same, if all of it is sound. Raises `ManifestError` with every problem of every file."""
    return check(directory, context, kinds, overlays).sound()


def check_files(
    files: Iterable[ManifestFile], context: LoadContext, kinds: Sequence[Kind] = KINDS
) -> Checked:
    """What these files state, without overlays."""
    return _check(ReadFiles(list(files), []), context, kinds, NO_FILES)


def load_files(
    files: Iterable[ManifestFile],
    context: LoadContext,
    kinds: Sequence[Kind] = KINDS,
    overlays: Iterable[ManifestFile] = (),
) -> list[Resource]:
    """The resources of these files, patched with these overlays. Raises `ManifestError`."""
    found, patches = ReadFiles(list(files), []), ReadFiles(list(overlays), [])
    return _check(found, context, kinds, patches).sound()


def _check(
    found: ReadFiles, context: LoadContext, kinds: Sequence[Kind], overlays: ReadFiles
) -> Checked:
    report = Report([*found.problems, *overlays.problems])
    loading = _Loading(context, kinds, Overlays(overlays.files, report), report)
    if found.problems:
        loading.broken = None
    for file in found.files:
        loading.read(file)
    loading.overlays.close(complete=loading.broken is not None)
    check_together(loading.stated, loading.broken, kinds, report)
    return Checked([resource for resource, _ in loading.stated], report.close())


class _Loading:
    """What has been read so far.

    `stated` pairs resources with their places; `broken` holds the keys of faulty documents, and is
    None once a file could not be read: nobody knows what it states.
    """

    def __init__(
        self,
        context: LoadContext,
        kinds: Sequence[Kind],
        overlays: Overlays,
        report: Report,
    ) -> None:
        self.context = context
        self.kinds = {kind.traits.name: kind for kind in kinds}
        self.report = report
        self.stated: list[tuple[Resource, Place]] = []
        self.broken: set[ResourceKey] | None = set()
        self.overlays = overlays

    def read(self, file: ManifestFile) -> None:
        """Add what one file states."""
        try:
            documents = load_yaml(file.data, file.name)
        except ManifestError as error:
            self.report.problems.extend(error.problems)
            self.broken = None
            return
        for index, (data, line) in enumerate(documents):
            if data is not None:
                self._read_document(data, Place(file, index, line))

    def _read_document(self, written: Any, place: Place) -> None:
        data, place = self.overlays.patch(written, place)
        stated, faults = self._check(data, place)
        self.stated += stated
        if faults:
            if place.patch is not None:
                check = partial(self._faults, place=place)
                faults = blame(faults, place.patch, written, data, check)
            self.report.add(place, faults)
            key = key_of(data)
            if key is None:
                self.broken = None
            elif self.broken is not None:
                self.broken.add(key)

    def _faults(self, data: Any, place: Place) -> list[Fault]:
        return self._check(data, place)[1]

    def _check(self, data: Any, place: Place) -> tuple[Stated, list[Fault]]:
        """The resources of one document, or what is wrong with it."""
        faults = check_envelope(data, self.kinds)
        return ([], faults) if faults else self._expand(data, place)

    def _expand(self, data: Mapping[str, Any], place: Place) -> tuple[Stated, list[Fault]]:
        kind = self.kinds[data["kind"]]
        metadata, faults = self._validate(Metadata, data, "metadata")
        spec, spec_faults = self._validate(kind.model, data, "spec")
        faults += spec_faults
        if metadata is not None:
            metadata = protect_by_kind(metadata, kind.traits)
            faults += [*check_id(metadata), *check_ensure(metadata, kind.traits)]
        if faults:
            return [], faults
        document = Document(metadata, spec, Source(place.file.name, place.line))
        try:
            resources = kind.expand(document, self.context)
        except FieldError as error:
            return [], [
                Fault(at, labelled(what, at) if at[2:] else what, fix)
                for at, what, fix in error.faults
            ]
        id_path = ("metadata", "name" if metadata.id is None else "id")
        place = replace(place, kind=kind.traits.name, id_path=id_path)
        absent = metadata.ensure == "absent"
        return [(replace(resource, absent=absent), place) for resource in resources], []

    def _validate(
        self, model: type[BaseModel], data: Mapping[str, Any], part: str
    ) -> tuple[Any, list[Fault]]:
        value = data[part]
        try:
            return model.model_validate(value, context=self.context), []
        except ValidationError as error:
            return None, explain(error, value, model, (part,))


def locate(error: ManifestError, root: Path, overlays: ReadFiles = NO_FILES) -> ManifestError:
    """The same report with every `Problem.path` resolved; files are named relative to `root`.

    Call it only for an error that is shown: it reads and parses the files again. In a file that has
    changed since, a problem keeps the line of its document. `overlays` are those that the manifests
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
            self._documents = load_yaml(self._file.data, name)
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
