"""Overlays: what one target states otherwise. Patches documents by address before they are checked.

An overlay is a manifest of which only a part is written: `kind` and `metadata` say which one is
meant, `spec` is merged over its spec, and `metadata` may set `protect` and `adopt`. It never makes
a resource, removes one or gives it another identity.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from reconciler.core.resource import ResourceKey
from reconciler.errors import ManifestError, Problem
from reconciler.field_errors import Fault, missing_field
from reconciler.manifest.envelope import API_VERSION, key_of
from reconciler.manifest.files import (
    NO_FILES,
    SUFFIXES,
    ManifestFile,
    ReadFiles,
    read_directory,
)
from reconciler.manifest.merge import Merge, Origin
from reconciler.manifest.report import (
    MOST_SUGGESTIONS,
    PLAIN_FIX,
    Patch,
    Place,
    Report,
    all_there_are,
)
from reconciler.strict_yaml import load as load_yaml
from reconciler.support.suggest import DataPath, did_you_mean, nearest, shorten, similar

_FIELDS = ("apiVersion", "kind", "metadata", "spec")
_SETTABLE = ("protect", "adopt")
_METADATA = ("name", "id", *_SETTABLE)


def read_overlays(directory: Path, target: str, root: Path) -> ReadFiles:
    """The overlay files of a target, if it has any, and what could not be read.

    Raises `ManifestError` if the target's directory leads out of the directory of overlays.
    """
    place = directory / target
    if not place.is_dir():
        return NO_FILES
    real, boundary = os.path.realpath(place), os.path.realpath(directory)
    if os.path.commonpath((real, boundary)) != boundary:
        name = place.relative_to(root) if place.is_relative_to(root) else place
        _refuse(name, "this link leads out of the overlays directory", "make it a directory")
    return read_directory(place, root)


def check_overlay_names(directory: Path, targets: Iterable[str], root: Path) -> None:
    """Raise `ManifestError` for whatever is among the overlays and belongs to no target."""
    if not directory.is_dir():
        return
    known = dict.fromkeys(targets)
    for path in sorted(directory.iterdir()):
        if path.name in known or path.name.startswith("."):
            continue
        name = path.relative_to(root) if path.is_relative_to(root) else path
        if path.is_dir():
            meant = nearest(path.name, known)
            fix = f"did you mean `{meant}`?" if meant else f"the targets are: {', '.join(known)}"
            _refuse(name, "there is no target of this name", fix)
        if path.name.endswith(SUFFIXES):
            place = f"{directory.name}/{next(iter(known))}"
            fix = f"move it into the directory of a target, such as {place}"
            _refuse(name, "an overlay of no target", fix)


def _refuse(name: Path, message: str, fix: str) -> NoReturn:
    shown = os.fsencode(name.as_posix()).decode("utf-8", "backslashreplace")
    raise ManifestError([Problem(shown, 0, 0, message, fix)])


@dataclass(frozen=True, slots=True)
class _Overlay:
    data: Mapping[str, Any]
    place: Place
    id_path: DataPath


class Overlays:
    """The overlays of one target, by the address that each patches."""

    def __init__(self, files: Iterable[ManifestFile], report: Report) -> None:
        self._report = report
        self._by_key: dict[ResourceKey, _Overlay] = {}
        self._known: set[ResourceKey] = set()
        for file in files:
            self._read(file)

    def patch(self, data: Any, place: Place) -> tuple[Any, Place]:
        """A manifest's document and place, with its overlay merged in if there is one."""
        key = key_of(data)
        if key is None:
            return data, place
        self._known.add(key)
        overlay = self._by_key.get(key)
        if overlay is None:
            return data, place
        merged, patch, faults = _merge(data, overlay)
        if faults:
            self._report.add(overlay.place, faults)
        return merged, replace(place, patch=patch)

    def close(self, *, complete: bool) -> None:
        """Report overlays of what does not exist; `complete` says that all manifests were read."""
        strays = [key for key in self._by_key if complete and key not in self._known]
        for number, key in enumerate(strays):
            what = f"there is no {key.address} to patch"
            fix = self._nearest(key) if number < MOST_SUGGESTIONS else PLAIN_FIX
            overlay = self._by_key[key]
            self._report.add(overlay.place, [Fault(overlay.id_path, what, fix)])

    def _read(self, file: ManifestFile) -> None:
        try:
            documents = load_yaml(file.data, file.name)
        except ManifestError as error:
            self._report.problems.extend(error.problems)
            return
        for index, (data, line) in enumerate(documents):
            if data is not None:
                self._add(data, Place(file, index, line))

    def _add(self, data: Any, place: Place) -> None:
        faults = _check(data)
        if faults:
            self._report.add(place, faults)
            return
        key = key_of(data)
        assert key is not None
        id_path = ("metadata", "id" if data["metadata"].get("id") else "name")
        overlay = _Overlay(data, place, id_path)
        first = self._by_key.setdefault(key, overlay)
        if first is not overlay:
            where = self._report.where(first.place, first.id_path)
            what = f"{key.address} is patched twice; the other is at {where}"
            self._report.add(place, [Fault(id_path, what, "join the two")])

    def _nearest(self, key: ResourceKey) -> str:
        same = [one.address for one in sorted(self._known) if one.kind == key.kind]
        otherwise = all_there_are(same) or (
            f"add a {key.kind} manifest: an overlay only patches what there is"
        )
        known = [one.address for one in self._known]
        return similar(key.address, known, otherwise, lambda one: f"`{one}`")


def _check(data: Any) -> list[Fault]:
    """What is wrong with an overlay by itself."""
    if not isinstance(data, dict):
        fix = f"an overlay is a mapping of {', '.join(_FIELDS)}"
        return [Fault((), "this document is no overlay", fix)]
    faults = [
        missing_field((name,), "an overlay says which manifest it patches")
        for name in ("apiVersion", "kind", "metadata")
        if data.get(name) is None
    ]
    faults += [
        Fault((name,), f"unknown field `{shorten(name)}`", "put it under `spec:`", at_key=True)
        for name in data
        if name not in _FIELDS
    ]
    if data.get("apiVersion") not in (None, API_VERSION):
        fix = f"write `apiVersion: {API_VERSION}`"
        faults.append(Fault(("apiVersion",), "this apiVersion is not known", fix))
    if not isinstance(data.get("kind", ""), str):
        faults.append(Fault(("kind",), "`kind` must be text", "write the kind of the manifest"))
    if not isinstance(data.get("spec", {}), dict):
        fix = "write the fields that differ below `spec:`"
        faults.append(Fault(("spec",), "`spec` must be a mapping", fix))
    if data.get("metadata") is not None:
        faults += _check_metadata(data["metadata"])
    return faults


def _check_metadata(metadata: Any) -> list[Fault]:
    if not isinstance(metadata, dict):
        return [Fault(("metadata",), "`metadata` must be a mapping", "write {name: ...}")]
    faults = [
        Fault(("metadata", name), *_metadata_words(name), at_key=True)
        for name in metadata
        if name not in _METADATA
    ]
    if not metadata.get("id") and not metadata.get("name"):
        faults.append(missing_field(("metadata", "name"), "write the id of the manifest's address"))
    return faults


def _metadata_words(name: str) -> tuple[str, str]:
    if name == "moved_from":
        return "an overlay cannot change `moved_from`", "put it in the manifest"
    fix = did_you_mean(name, _METADATA, "an overlay's metadata may have")
    return f"unknown field `{shorten(name)}`", fix


def _merge(data: Mapping[str, Any], overlay: _Overlay) -> tuple[Any, Patch, list[Fault]]:
    """The patched document, where its parts are from, and what is wrong with the overlay."""
    merge = Merge()
    result = dict(data)
    given = overlay.data["metadata"]
    own = data["metadata"]
    if given.get("id") and "name" in given and str(given["name"]) != str(own.get("name")):
        fix = "delete the line; the name is the manifest's"
        merge.faults.append(Fault(("metadata", "name"), "an overlay cannot give another name", fix))
    settings = {name: given[name] for name in _SETTABLE if name in given}
    metadata = ("metadata",)
    result["metadata"] = merge.mappings(own, settings, metadata, Origin(True, metadata))
    spec, patch = data.get("spec"), overlay.data.get("spec")
    if isinstance(spec, dict) and patch:
        result["spec"] = merge.mappings(spec, patch, ("spec",), Origin(True, ("spec",)))
    return result, Patch(overlay.place, merge.origins), merge.faults
