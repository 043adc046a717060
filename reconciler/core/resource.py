"""The values that every stage shares: keys, specs, desired resources and live resources.

A *spec* is a tree of plain JSON values in one canonical form per kind: names in snake_case, every
field that is absent, null, empty or equal to its documented default left out, quantities in one
notation, and lists whose order means nothing sorted or turned into mappings by name. Two specs
mean the same exactly when they are equal. This module only holds values; it reads and writes
nothing.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Self, TypeAlias

from reconciler.core.mark import Mark

Spec: TypeAlias = Mapping[str, Any]
"""Canonical tree: str, int, float, bool, list, dict, and `Secret`, `Reference` or `Named` as
leaves. Branches are plain dicts."""

Path: TypeAlias = tuple[str, ...]
"""The keys from the root of a spec to a field."""

SENSITIVE = "(sensitive value)"


UNKNOWN = "~"
"""Stands in the id of an object of which only the name and a hash of its id are known."""


class ResourceKey(NamedTuple):
    """What a resource is called: unique in a stack, needs no network, survives a rename."""

    kind: str
    id: str

    @property
    def address(self) -> str:
        """`KIND.ID`, for example `RunaiEnvironment.ml-training-env`."""
        return f"{self.kind}.{self.id}"


class Source(NamedTuple):
    """Where a manifest stands: path as shown to people, and 1-based line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Secret:
    """A string that must never be shown. Equal to a plain string of the same text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: only for a request body."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Secret):
            return self._text == other._text
        return self._text == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return SENSITIVE

    __str__ = __repr__


class PlainSecret(Secret):
    """A secret that stands in a manifest, or on a live object, for everybody to read.

    It is told by its name or its look, so that no mark has to say that there is one.
    """

    __slots__ = ()


def reveal(value: Any) -> Any:
    """The same value with the text of every secret: only for what is sent or built."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: reveal(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(item) for item in value]
    return value


class Named(str):
    """An id of the live system, with the name that people know it by.

    It is its id in every comparison, digest and request: a renamed project changes no plan.
    """

    __slots__ = ("name",)
    name: str

    def __new__(cls, uid: str, name: str = "") -> Self:
        """The id, with its name beside it."""
        made = super().__new__(cls, uid)
        made.name = name
        return made


class Made(str):
    """The id of an object that was written, with its other `outputs`, as far as the answer told."""

    __slots__ = ("outputs",)
    outputs: Mapping[str, Any]

    def __new__(cls, uid: str, outputs: Mapping[str, Any]) -> Self:
        """The id, with what else others may refer to."""
        made = super().__new__(cls, uid)
        made.outputs = outputs
        return made


class Reference(NamedTuple):
    """A leaf that stands for an output of another resource, until `references.bind` puts it in.

    Every object has the output `id`; others are those of its kind.
    """

    key: ResourceKey
    output: str = "id"

    def __str__(self) -> str:
        return f"{self.key.address}.{self.output}"


class Replacement(StrEnum):
    """How an object is replaced that cannot be changed in place."""

    CREATE_FIRST = "create_first"
    """The new one is created and confirmed before the old one is deleted: there is always one."""
    DELETE_FIRST = "delete_first"
    """For objects that cannot stand beside one another."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class KindTraits:
    """What the core has to know of a kind.

    `immutable` names top-level fields whose change forces a replacement; `identity` names the
    fields that make two objects of the live system clash; `rank` orders kinds by dependency.
    `part_of` is the kind whose manifests may state an object of this one beside their own.
    `destroys` says in words what ends with an object, such as `its workloads`: manifests of such
    a kind protect their objects unless they state otherwise. Where there is no room for a mark
    (`marked` false), an object is ours as long as a manifest states it, by its identity.
    `write_only` names top-level fields that no read gives back: see `fingerprints`.
    """

    name: str
    immutable: frozenset[str]
    identity: tuple[str, ...]
    rank: int
    part_of: str = ""
    replacement: Replacement = Replacement.CREATE_FIRST
    destroys: str = ""
    marked: bool = True
    write_only: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what needs a mark: what a leftover is left of, and fingerprints, stand there."""
        if not self.marked and self.replacement is Replacement.CREATE_FIRST:
            raise ValueError(f"{self.name} has no mark, so it cannot be replaced create-first")
        if not self.marked and self.write_only:
            raise ValueError(f"{self.name} has no mark, so it can have no write-only fields")

    def identify(self, spec: Mapping[str, Any]) -> tuple[Any, ...]:
        """What no two objects of a live system may share: the kind and its identity fields."""
        return (self.name, *map(spec.get, self.identity))

    def write_only_in(self, spec: Spec) -> list[str]:
        """The fields of a spec that no read gives back, sorted."""
        return sorted(self.write_only & spec.keys()) if self.write_only else []

    def readable(self, spec: Spec) -> Spec:
        """The spec without what no read gives back, or only as `****`: this is compared."""
        if not self.write_only:
            return spec
        return {name: item for name, item in spec.items() if name not in self.write_only}


@dataclass(frozen=True, slots=True)
class Resource:
    """A validated manifest (desired state). `outputs` are known before it is applied.

    `part_of` is the resource that the same manifest states first: both are carried out, or none.
    `absent`: the manifest states that there must be no such object. `fingerprint` stands for its
    write-only values.
    """

    key: ResourceKey
    spec: Spec
    source: Source
    protect: bool = False
    adopt: bool = False
    absent: bool = False
    moved_from: str | None = None
    depends_on: tuple[ResourceKey, ...] = ()
    part_of: ResourceKey | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name on the live system; the id where the kind has no name of its own."""
        return str(self.spec.get("name", self.key.id))


@dataclass(frozen=True, slots=True)
class LiveResource:
    """One object as a provider read it, in the same canonical form as a manifest's spec.

    `uid` is the system's own id; `outputs` are what others may refer to besides. `mark` is None
    for an object without a mark, and `detached` says why a mark that is there does not count. `raw`
    is the provider's own, never looked at here.
    """

    kind: str
    uid: str
    name: str
    spec: Spec
    mark: Mark | None = None
    detached: str | None = None
    unknown_fields: tuple[str, ...] = ()
    updated_by: str | None = None
    updated_at: str | None = None
    created_at: str | None = None
    notes: tuple[str, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    raw: Any = field(default=None, compare=False, repr=False)

    def output(self, name: str) -> Any:
        """What a reference to an output of this object stands for; None if there is none yet."""
        return self.uid if name == "id" else self.outputs.get(name)


def leaves(spec: Spec, prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field of a spec, depth first in sorted order: what is no mapping, or an empty one."""
    for name in sorted(spec):
        value = spec[name]
        if value and isinstance(value, dict):
            yield from leaves(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def has_secrets(value: Any) -> bool:
    """Whether a value is a `Secret`, or holds one."""
    return bool(_secrets(value))


def needs_secrecy(spec: Spec) -> bool:
    """Whether a mark has to say that there are secrets, since nothing else tells."""
    return any(not isinstance(secret, PlainSecret) for secret in _secrets(spec))


def _secrets(value: Any) -> list[Secret]:
    if isinstance(value, Secret):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [secret for item in value if not isinstance(item, str) for secret in _secrets(item)]


def redact(value: Any) -> Any:
    """The same tree with every secret replaced by `SENSITIVE`: safe to print, log and store."""
    if type(value) is str:  # by far the most
        return value
    if isinstance(value, Secret):
        return SENSITIVE
    if isinstance(value, Reference):
        return f"${{{value}}}"
    if isinstance(value, Mapping):
        return {name: redact(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def digest_spec(spec: Spec) -> str:
    """`sha256:<hex>` of a spec; secrets do not enter it."""
    text = json.dumps(redact(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def dotted(path: Path) -> str:
    """A path for people: `environment_variables.NCCL_DEBUG`, `context["src/a.py"]`."""
    text = ""
    for part in path:
        if part.replace("_", "a").replace("-", "a").isalnum():
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text
