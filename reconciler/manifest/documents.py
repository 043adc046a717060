"""YAML documents -> resources: envelope, metadata, spec, and the expansion by the kind."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.errors import ManifestError, Problem
from reconciler.kinds.base import ID_PATTERN, Document, FieldError, Kind, LoadContext, Metadata
from reconciler.kinds.registry import KINDS
from reconciler.manifest.checks import check_together
from reconciler.manifest.files import ManifestFile, read_directory
from reconciler.manifest.report import MAX_PROBLEMS_PER_FILE, Place, Report
from reconciler.resource import Resource, ResourceKey, Source
from reconciler.strict_yaml import load as load_yaml
from reconciler.wording import (
    Fault,
    did_you_mean,
    explain,
    field_names,
    missing_field,
    nearest,
    shorten,
    without_misspelt,
)

API_VERSION = "reconciler/v1"
_ENVELOPE = ("apiVersion", "kind", "metadata", "spec")
_ENVELOPE_KEYS = dict.fromkeys(_ENVELOPE).keys()
_VALID_ID = re.compile(ID_PATTERN)


def load(directory: Path, context: LoadContext, kinds: Sequence[Kind] = KINDS) -> list[Resource]:
    """The resources of every manifest below a directory, in the order of files and documents.

    Raises `ManifestError` with every problem of every file.
    """
    files, problems = read_directory(directory, context.root)
    return load_files(files, context, kinds, problems)


def load_files(
    files: Iterable[ManifestFile],
    context: LoadContext,
    kinds: Sequence[Kind] = KINDS,
    problems: Sequence[Problem] = (),
) -> list[Resource]:
    """The resources of these files; `problems` are reported along with what is found here."""
    loading = _Loading(context, kinds, Report(problems))
    for file in files:
        loading.read(file)
    check_together(loading.stated, loading.broken, kinds, loading.report)
    loading.report.close()
    return [resource for resource, _ in loading.stated]


class _Loading:
    """What has been read so far.

    `stated` pairs resources with their places; `broken` holds the keys of documents with faults,
    and is None once a file could not be read at all: nobody knows what it states.
    """

    def __init__(self, context: LoadContext, kinds: Sequence[Kind], report: Report) -> None:
        self.context = context
        self.kinds = {kind.traits.name: kind for kind in kinds}
        self.report = report
        self.stated: list[tuple[Resource, Place]] = []
        self.broken: set[ResourceKey] | None = None if report.problems else set()

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

    def _read_document(self, data: Any, place: Place) -> None:
        faults = _check_envelope(data, self.kinds) or self._expand(data, place)
        if faults:
            self.report.add(place, faults)
            key = _key_of(data)
            if key is None:
                self.broken = None
            elif self.broken is not None:
                self.broken.add(key)

    def _expand(self, data: Mapping[str, Any], place: Place) -> list[Fault]:
        """Add the resources of one document, or say what is wrong with it."""
        kind = self.kinds[data["kind"]]
        metadata, faults = self._validate(Metadata, data, "metadata")
        spec, spec_faults = self._validate(kind.model, data, "spec")
        faults += spec_faults
        if metadata is not None:
            faults += _check_id(metadata)
        if faults:
            return faults
        document = Document(metadata, spec, Source(place.file.name, place.line))
        try:
            resources = kind.expand(document, self.context)
        except FieldError as error:
            return [Fault(*fault) for fault in error.faults]
        id_path = ("metadata", "name" if metadata.id is None else "id")
        place = Place(place.file, place.index, place.line, kind.traits.name, id_path)
        self.stated.extend((resource, place) for resource in resources)
        return []

    def _validate(
        self, model: type[BaseModel], data: Mapping[str, Any], part: str
    ) -> tuple[Any, list[Fault]]:
        value = data[part]
        try:
            return model.model_validate(value, context=self.context), []
        except ValidationError as error:
            return None, explain(error, value, model, (part,))


def _check_envelope(data: Any, kinds: Mapping[str, Kind]) -> list[Fault]:
    """What is wrong with the four fields around every manifest."""
    if not isinstance(data, dict):
        fix = f"a manifest is a mapping of {', '.join(_ENVELOPE)}"
        return [Fault((), "this document is no manifest", fix)]
    if data.keys() == _ENVELOPE_KEYS and data["apiVersion"] == API_VERSION:
        return _check_kind(data["kind"], kinds)
    absent = [name for name in _ENVELOPE if name not in data]
    faults = [missing_field((name,), _envelope_fix(name, kinds)) for name in absent]
    if "apiVersion" in data and data["apiVersion"] != API_VERSION:
        fix = f"write `apiVersion: {API_VERSION}`"
        faults.append(Fault(("apiVersion",), "this apiVersion is not known", fix))
    if "kind" in data:
        faults += _check_kind(data["kind"], kinds)
    fields = {name for kind in kinds.values() for name in field_names(kind.model)}
    unknown = [name for name in data if name not in _ENVELOPE_KEYS]
    for name in unknown[:MAX_PROBLEMS_PER_FILE]:
        meant = None if name in fields else nearest(name, absent)
        fix = f"did you mean `{meant}`?" if meant else "put the fields of the object under `spec:`"
        faults.append(Fault((name,), f"unknown field `{shorten(name)}`", fix, at_key=True))
    return without_misspelt(faults)


def _envelope_fix(name: str, kinds: Mapping[str, Kind]) -> str:
    if name == "apiVersion":
        return f"add `apiVersion: {API_VERSION}`"
    if name == "kind":
        return f"add `kind: ...`, one of {', '.join(kinds)}"
    return "add `metadata: {name: ...}`" if name == "metadata" else "add `spec:`"


def _check_kind(kind: Any, kinds: Mapping[str, Kind]) -> list[Fault]:
    if not isinstance(kind, str):
        return [Fault(("kind",), "`kind` must be text", f"it may be: {', '.join(kinds)}")]
    if kind not in kinds:
        fix = did_you_mean(kind, list(kinds), "it may be")
        return [Fault(("kind",), f"unknown kind `{shorten(kind)}`", fix)]
    return []


def _check_id(metadata: Metadata) -> list[Fault]:
    if metadata.id is None and not _VALID_ID.fullmatch(metadata.name):
        words = re.findall(r"[A-Za-z0-9]+", metadata.name)
        suggestion = "-".join(words)[:64].lower().strip("-") or "..."
        fix = f"add `id: {suggestion}` to the metadata; the name stays as it is"
        return [Fault(("metadata", "name"), "this name cannot be an address in the stack", fix)]
    return []


def _key_of(data: Any) -> ResourceKey | None:
    """What a faulty document states, as far as it can be told."""
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if not isinstance(metadata, dict):
        return None
    name = metadata.get("id") or metadata.get("name")
    return ResourceKey(str(data.get("kind")), str(name)) if name else None
