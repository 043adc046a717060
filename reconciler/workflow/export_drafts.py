"""Live objects -> documents that state them, each with an address and a file of its own."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any

from reconciler import manifest
from reconciler.core.mark import Mark, hash_id
from reconciler.core.resource import (
    LiveResource,
    Named,
    Resource,
    ResourceKey,
    Secret,
    Spec,
    reveal,
)
from reconciler.core.secrecy import is_secret
from reconciler.errors import ConfigError
from reconciler.kinds.base import ID_PATTERN
from reconciler.kinds.registry import KIND_NAMED, KIND_TRAITS
from reconciler.kinds.runai_asset import AssetKind
from reconciler.manifest.envelope import API_VERSION
from reconciler.support.printable import printable
from reconciler.workflow.live_objects import scope_name

VARIABLE_PREFIX = "RECONCILE_VAR_"
_VALID_ID = re.compile(ID_PATTERN)
_PART_OF = {traits.part_of: name for name, traits in KIND_TRAITS.items() if traits.part_of}
"""By kind, the kind of the object that its manifests may state as well."""


class Secrets(Enum):
    """What becomes of the values of variables."""

    ENV = "env"
    """A value that looks secret is taken from a variable of the reconciler's environment."""
    KEEP = "keep"
    """Every value is written in the clear."""
    MASK = "mask"
    """Every value is taken from a variable."""


class Variables:
    """The variables that values are taken from: one for each value.

    A variable that is `given` already serves only its own value: other manifests may take it.
    """

    def __init__(self, mode: Secrets, given: Mapping[str, str]) -> None:
        self._mode = mode
        self._given = given
        self.values: dict[str, str] = {}

    def hide(self, spec: Spec) -> Spec:
        """The spec with each `Secret` in the clear, or naming the variable that holds it."""
        if self._mode is Secrets.KEEP:
            shown: Spec = reveal(spec)
            return shown
        variables = spec.get("environment_variables")
        if not variables:
            return spec
        named = {name: self._one(name, value) for name, value in variables.items()}
        return {**spec, "environment_variables": named}

    def _one(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            if "value" not in value:
                return value
            return {**value, "value": self._one(name, value["value"])}
        text = value.reveal() if isinstance(value, Secret) else value
        hidden = is_secret(name, text) if self._mode is Secrets.ENV else self._mode is Secrets.MASK
        return Secret(self._variable(name, text)) if hidden else text

    def _variable(self, name: str, text: str) -> str:
        word = VARIABLE_PREFIX + (re.sub(r"[^A-Za-z0-9_]", "_", name).upper() or "VALUE")
        variable, number = word, 1
        while (
            self._given.get(variable, text) != text
            or self.values.setdefault(variable, text) != text
        ):
            number += 1
            variable = f"{word}_{number}"
        return variable


@dataclass(frozen=True, slots=True)
class Draft:
    """One document to be tried: by names or, where a name means several things, by ids."""

    key: ResourceKey
    live: tuple[LiveResource, ...]
    file: str
    spec: Spec

    def text(self, *, by_name: bool) -> bytes:
        """The document, behind comments about what it does not say.

        Raises `ConfigError` for what cannot be written.
        """
        item, *parts = self.live
        kind = _asset_kind(item)
        stated = kind.state(_by_name(self.spec) if by_name else _by_id(self.spec))
        for part in parts:
            stated = kind.fold(stated, part.spec) or stated
        _require_plain(stated)
        document = _document(self.key, item.name, stated)
        return _unknown(item) + manifest.write_document(document)


@dataclass(frozen=True, slots=True)
class Place:
    """Where documents go: into one `file`, or below a `directory`; both relative to `root`.

    `grouped`: one file for each scope, not for each object.
    """

    root: Path
    directory: str
    file: str = ""
    grouped: bool = False


class Taken:
    """The ids that are no longer free: of manifests, and of live objects that a stack owns."""

    def __init__(self, keys: Iterable[ResourceKey], hashes: Iterable[str]) -> None:
        self._ids = {(key.kind, key.id.lower()) for key in keys}
        self._hashes = frozenset(hashes)

    @classmethod
    def by(cls, desired: Iterable[Resource], marks: Iterable[Mark | None], stack: str) -> "Taken":
        """By what a stack states, also as what has moved, and by the marks that it left."""
        hashes = (mark.id_hash for mark in marks if mark is not None and mark.stack == stack)
        keys = [item.key for item in desired]
        keys += [ResourceKey(item.key.kind, item.moved_from) for item in desired if item.moved_from]
        return cls(keys, hashes)

    def take(self, kinds: Iterable[str], name: str) -> bool:
        """Take an id for all of the kinds, if it is free for each of them."""
        wanted = {(kind, name.lower()) for kind in kinds}
        if wanted & self._ids or any(hash_id(kind, name) in self._hashes for kind, _ in wanted):
            return False
        self._ids |= wanted
        return True


class DraftWriter:
    """Live objects -> documents, each with an address and a file of its own."""

    def __init__(self, place: Place, secrets: Variables, taken: Taken) -> None:
        self._place = place
        self._taken = taken
        self._files: set[str] = set()
        self._shared: dict[str, str] = {}
        self.secrets = secrets

    def drafts(self, chosen: Sequence[LiveResource]) -> list[Draft]:
        """One for each object; a compute asset that an environment's `compute` makes is in that."""
        same = {(item.kind, *_identity(item)): item for item in chosen}
        folded: dict[int, LiveResource] = {}
        for item in chosen:
            part = same.get((_PART_OF.get(item.kind), *_identity(item)))
            if part is not None and _asset_kind(item).fold({}, part.spec) is not None:
                folded[id(item)] = part
        parts = {id(part) for part in folded.values()}
        return [self._draft(item, folded.get(id(item))) for item in chosen if id(item) not in parts]

    def _draft(self, item: LiveResource, part: LiveResource | None) -> Draft:
        key = ResourceKey(item.kind, self._new_id(item, part))
        live = (item,) if part is None else (item, part)
        return Draft(key, live, self._file(item, key), self.secrets.hide(item.spec))

    def _new_id(self, item: LiveResource, part: LiveResource | None) -> str:
        kinds = {item.kind, *([part.kind] if part else [])}
        slug = item.name
        if not _VALID_ID.fullmatch(slug):
            slug = "-".join(re.findall(r"[A-Za-z0-9]+", item.name)).lower()[:100].strip("-") or "x"
        for candidate in _numbered(slug):
            if self._taken.take(kinds, candidate):
                return candidate
        raise AssertionError  # the numbers have no end

    def _file(self, item: LiveResource, key: ResourceKey) -> str:
        if self._place.file:
            return self._place.file
        scope, place = item.spec["scope"], PurePosixPath(self._place.directory)
        unit = _path_part(scope_name(item))
        if self._place.grouped:
            file = str(place / (f"{scope}-{unit}.yaml" if unit else f"{scope}.yaml"))
            return self._shared.setdefault(file.lower(), file)  # a disk may know no case
        folder = place / scope / unit if unit else place / scope
        _require_inside(self._place.root / folder, self._place.root / place)
        word = KIND_NAMED[key.kind].short
        names = (key.id, f"{key.id}.{word}", *(f"{key.id}.{word}-{n}" for n in range(2, 100)))
        for name in names:
            file = str(folder / f"{_path_part(name)}.yaml")
            if file.lower() not in self._files and not (self._place.root / file).exists():
                self._files.add(file.lower())
                return file
        raise ConfigError("there is no free name for a file", where=str(folder))


def _asset_kind(item: LiveResource) -> AssetKind:
    kind = KIND_NAMED[item.kind]
    assert isinstance(kind, AssetKind)
    return kind


def _require_inside(folder: Path, place: Path) -> None:
    """Refuse a directory that is a link to somewhere else."""
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(place)):
        raise ConfigError("it is a link that leads elsewhere", where=str(folder), fix="remove it")


def _numbered(word: str) -> Iterator[str]:
    yield word
    number = 2
    while True:
        yield f"{word}-{number}"
        number += 1


def _path_part(text: str) -> str:
    """A name as part of a path: no separators, no leading dot."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")


def _identity(item: LiveResource) -> tuple[Any, ...]:
    return (item.name, item.spec["scope"], item.spec.get("scope_id"))


def _by_name(spec: Spec) -> dict[str, Any]:
    named: dict[str, Any] = _with_ids(spec, lambda value: value.name)
    return named


def _by_id(spec: Spec) -> dict[str, Any]:
    plain: dict[str, Any] = _with_ids(spec, str)
    if "scope_id" in plain:
        plain["scope_id"] = f"id:{plain['scope_id']}"
    return plain


def _with_ids(value: Any, shown: Callable[[Named], str]) -> Any:
    if isinstance(value, Named):
        return shown(value)
    if isinstance(value, Mapping):
        return {name: _with_ids(item, shown) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_ids(item, shown) for item in value]
    return value


def _unknown(item: LiveResource) -> bytes:
    """A comment for each field that this version does not manage. Its value may be a secret."""
    lines = (f"# not managed: {printable(path)}\n" for path in item.unknown_fields)
    return "".join(lines).encode("ascii", "backslashreplace")


def _require_plain(stated: Any, path: str = "") -> None:
    """Raise `ConfigError` for what looks like a secret and has no place for a variable."""
    if isinstance(stated, Secret):
        what = f"{path} looks like a secret, and only values of variables can be kept out of Git"
        raise ConfigError(what, fix="--secrets keep writes it")
    if isinstance(stated, Mapping):
        for name, item in stated.items():
            _require_plain(item, f"{path}.{name}".lstrip("."))
    elif isinstance(stated, list | tuple):
        for number, item in enumerate(stated):
            _require_plain(item, f"{path}.{number}")


def _document(key: ResourceKey, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name} if key.id == name else {"name": name, "id": key.id}
    return {"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "spec": dict(spec)}
