"""Live objects that belong to no stack -> manifests that import them without a change.

Each object becomes a document, by the names that people know. The documents are loaded and planned
like any other manifest: what the plan would import as it is, is *ready*; where it would change
something, the object *differs*; where no manifest can say what the object holds, it *cannot be
expressed*. Nothing is assumed about a kind that this round trip does not prove.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from reconciler import manifest
from reconciler.core.plan import Action, Change
from reconciler.core.planner import PlanInput, make_plan
from reconciler.core.resource import LiveResource, Named, Resource, ResourceKey, Secret, Spec
from reconciler.core.secrecy import is_secret
from reconciler.errors import ConfigError, ManifestError, Problem, ReconcileError
from reconciler.kinds.base import ID_PATTERN, LoadContext
from reconciler.kinds.registry import KIND_NAMED, KIND_TRAITS
from reconciler.kinds.runai_asset import AssetKind
from reconciler.manifest.envelope import API_VERSION
from reconciler.workflow.planning import compare, read_world
from reconciler.workflow.read_live import resolve_all
from reconciler.workflow.session import Session, manifests_of

VARIABLE_PREFIX = "RECONCILE_VAR_"
_SCOPES = ("tenant", "cluster", "department", "project")
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


class Fate(Enum):
    """How well a manifest describes a live object."""

    READY = "ready"
    DIFFERS = "differs"
    IMPOSSIBLE = "cannot be expressed"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Which objects are exported, and how.

    `only` holds globs of names or of KIND.NAME, `scopes` such as `project/vision`. `grouped` puts
    all objects of a scope into one file. `directory` is where the files go, relative to
    `reconciler.yaml`; None is the directory of the manifests.
    """

    only: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    secrets: Secrets = Secrets.ENV
    grouped: bool = False
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """One document: the live objects that it states, the file it goes to, and how well it fits."""

    key: ResourceKey
    live: tuple[LiveResource, ...]
    file: str
    text: bytes
    fate: Fate = Fate.READY
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """What was found. `variables` names what has to be set, `counts` what was left out and why."""

    items: tuple[Exported, ...]
    files: Mapping[str, bytes]
    variables: Mapping[str, str] = field(repr=False)
    counts: Mapping[str, int]

    def of(self, fate: Fate) -> list[Exported]:
        """The documents of one fate."""
        return [item for item in self.items if item.fate is fate]


def export(session: Session, request: ExportRequest) -> Export:
    """Manifests for what belongs to no stack. Raises `ReconcileError`; nothing is written."""
    world = read_world(session)
    for failure in world.failures:
        raise ReconcileError(failure.reason, where=failure.system, fix=failure.fix)
    found, counts = _unmanaged(world)
    chosen = [item for item in found if _is_chosen(item, request)]
    counts["not chosen"] = len(found) - len(chosen)
    writer = _Writer(session, request, {item.key for item in world.desired})
    drafts = writer.drafts(chosen)
    items = _Trial(session, world, writer.secrets.values).judge(drafts)
    ready = [item for item in items if item.fate is Fate.READY]
    used = {name: text for name, text in writer.secrets.values.items() if _names(ready, name)}
    return Export(tuple(items), _files(ready), used, {k: n for k, n in counts.items() if n})


def _names(items: Iterable[Exported], variable: str) -> bool:
    return any(f"env: {variable}\n".encode() in item.text for item in items)


def _unmanaged(world: PlanInput) -> tuple[list[LiveResource], Counter[str]]:
    """The live objects of kinds that manifests can state, and how many others there are."""
    stated = {id(change.live) for change in compare(world).changes if change.desired is not None}
    found: list[LiveResource] = []
    counts: Counter[str] = Counter()
    for item in world.live:
        if not isinstance(KIND_NAMED[item.kind], AssetKind):
            continue
        if id(item) in stated:
            counts["stated by a manifest"] += 1
        elif item.mark is not None:
            own = item.mark.stack == world.stack
            counts["of this stack" if own else "of another stack"] += 1
        else:
            found.append(item)
    return sorted(found, key=_order), counts


def _order(item: LiveResource) -> tuple[Any, ...]:
    scope = item.spec["scope"]
    return (_SCOPES.index(scope), _scope_name(item), item.name, item.kind, item.uid)


def _scope_name(item: LiveResource) -> str:
    scope_id = item.spec.get("scope_id", "")
    return scope_id.name if isinstance(scope_id, Named) else str(scope_id)


def _is_chosen(item: LiveResource, request: ExportRequest) -> bool:
    names = (item.name, f"{item.kind}.{item.name}", item.uid)
    scope, unit = item.spec["scope"], item.spec.get("scope_id", "")
    scopes = (scope, f"{scope}/{_scope_name(item)}", f"{scope}/{unit}")
    return (
        (not request.kinds or item.kind in request.kinds)
        and (not request.scopes or any(wanted in scopes for wanted in request.scopes))
        and (not request.only or any(fnmatchcase(n, glob) for n in names for glob in request.only))
    )


class _Variables:
    """The variables that values are taken from: one for each value."""

    def __init__(self, mode: Secrets) -> None:
        self._mode = mode
        self.values: dict[str, str] = {}

    def hide(self, spec: Spec) -> Spec:
        """The spec with each `Secret` in the clear, or naming the variable that holds it."""
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
        while self.values.setdefault(variable, text) != text:
            number += 1
            variable = f"{word}_{number}"
        return variable


@dataclass(frozen=True, slots=True)
class _Draft:
    """One document to be tried: by names, and, where a name means several things, by ids."""

    key: ResourceKey
    live: tuple[LiveResource, ...]
    file: str
    by_name: bytes
    by_id: bytes


class _Writer:
    """Live objects -> documents, each with an address and a file of its own."""

    def __init__(self, session: Session, request: ExportRequest, taken: set[ResourceKey]) -> None:
        self._config = session.config
        self._context = context_of(session, {})
        self._grouped = request.grouped
        self._directory = request.directory or manifests_of(session.config)
        self._taken = {(key.kind, key.id.lower()) for key in taken}
        self._files: set[str] = set()
        self.secrets = _Variables(request.secrets)

    def drafts(self, chosen: Sequence[LiveResource]) -> list[_Draft]:
        """One for each object; a compute asset that an environment's `compute` makes is in that."""
        same = {(item.kind, *_identity(item)): item for item in chosen}
        folded: dict[int, LiveResource] = {}
        for item in chosen:
            part = same.get((_PART_OF.get(item.kind), *_identity(item)))
            if part is not None and _asset_kind(item).fold({}, part.spec) is not None:
                folded[id(item)] = part
        parts = {id(part) for part in folded.values()}
        return [self._draft(item, folded.get(id(item))) for item in chosen if id(item) not in parts]

    def _draft(self, item: LiveResource, part: LiveResource | None) -> _Draft:
        key = ResourceKey(item.kind, self._new_id(item, part))
        spec = self.secrets.hide(item.spec)
        comments = _unknown(item)
        texts = []
        for shown in (_by_name, _by_id):
            document = _document(key, item.name, self._state(item, shown(spec), part))
            texts.append(comments + manifest.write_document(document))
        live = (item,) if part is None else (item, part)
        return _Draft(key, live, self._file(item, key), *texts)

    def _state(self, item: LiveResource, spec: Spec, part: LiveResource | None) -> dict[str, Any]:
        kind = _asset_kind(item)
        stated = kind.state(spec)
        return stated if part is None else kind.fold(stated, part.spec) or stated

    def _new_id(self, item: LiveResource, part: LiveResource | None) -> str:
        kinds = {item.kind, *([part.kind] if part else [])}
        slug = item.name
        if not _VALID_ID.fullmatch(slug):
            slug = "-".join(re.findall(r"[A-Za-z0-9]+", item.name)).lower()[:100].strip("-") or "x"
        for candidate in _numbered(slug):
            wanted = {(kind, candidate.lower()) for kind in kinds}
            if not wanted & self._taken:
                self._taken |= wanted
                return candidate
        raise AssertionError  # the numbers have no end

    def _file(self, item: LiveResource, key: ResourceKey) -> str:
        scope, place = item.spec["scope"], PurePosixPath(self._directory)
        unit = _path_part(_scope_name(item))
        if self._grouped:
            return str(place / (f"{scope}-{unit}.yaml" if unit else f"{scope}.yaml"))
        folder = place / scope / unit if unit else place / scope
        word = KIND_NAMED[key.kind].words.split()[0]
        names = (key.id, f"{key.id}.{word}", *(f"{key.id}.{word}-{n}" for n in range(2, 100)))
        for name in names:
            file = str(folder / f"{_path_part(name)}.yaml")
            if file.lower() not in self._files and not (self._config.root / file).exists():
                self._files.add(file.lower())
                return file
        raise ConfigError("there is no free name for a file", where=str(folder))


def _asset_kind(item: LiveResource) -> AssetKind:
    kind = KIND_NAMED[item.kind]
    assert isinstance(kind, AssetKind)
    return kind


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
    """A comment for each field that this version does not manage, with its value."""
    lines = []
    for path in item.unknown_fields:
        value: Any = item.raw.get("spec") if isinstance(item.raw, Mapping) else None
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        text = json.dumps(value, ensure_ascii=True) if value is not None else "set"
        lines.append(f"# not managed: {path}: {text[:200]}\n")
    return "".join(lines).encode("ascii", "backslashreplace")


def _document(key: ResourceKey, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name} if key.id == name else {"name": name, "id": key.id}
    return {"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "spec": dict(spec)}


def context_of(session: Session, variables: Mapping[str, str]) -> LoadContext:
    """What manifests of the session are checked with; every variable is permitted."""
    config = session.config
    return LoadContext(config.root, session.target.stack, config.limits, ("*",), variables)


class _Trial:
    """Loads and plans drafts as the next plan would."""

    def __init__(self, session: Session, world: PlanInput, variables: Mapping[str, str]) -> None:
        self._session = session
        self._world = world
        self._context = context_of(session, variables)

    def judge(self, drafts: Sequence[_Draft]) -> list[Exported]:
        """The documents with their fates, in the same order."""
        by_name = self._try(drafts, [draft.by_name for draft in drafts])
        doubtful = [
            index
            for index, item in enumerate(by_name)
            if item.fate is not Fate.READY and drafts[index].by_id != drafts[index].by_name
        ]
        again = [drafts[index] for index in doubtful]
        for index, item in zip(
            doubtful, self._try(again, [draft.by_id for draft in again]), strict=True
        ):
            if item.fate is Fate.READY:
                by_name[index] = item
        return by_name

    def _try(self, drafts: Sequence[_Draft], texts: Sequence[bytes]) -> list[Exported]:
        files = {f"{index}": text for index, text in enumerate(texts)}
        faults: dict[str, list[str]] = {}
        changes: dict[str, list[Change]] = {}
        while True:
            left = [name for name in files if name not in faults]
            problems = self._plan({name: files[name] for name in left}, changes)
            if not problems:
                break
            for problem in problems:
                faults.setdefault(problem.file, []).append(_reason(problem))
        items = []
        for index, (draft, text) in enumerate(zip(drafts, texts, strict=True)):
            made = Exported(draft.key, draft.live, draft.file, text)
            if wrong := faults.get(str(index)):
                made = replace(made, fate=Fate.IMPOSSIBLE, reasons=tuple(dict.fromkeys(wrong)))
            elif different := _differences(changes.get(str(index), []), draft):
                made = replace(made, fate=Fate.DIFFERS, reasons=tuple(different))
            items.append(made)
        return items

    def _plan(
        self, files: Mapping[str, bytes], changes: dict[str, list[Change]]
    ) -> Sequence[Problem]:
        checked = manifest.check_files(
            [manifest.ManifestFile(name, text) for name, text in files.items()], self._context
        )
        if checked.problems:
            return checked.problems
        bound = resolve_all(checked.resources, self._session.providers)
        if isinstance(bound, ManifestError):
            return bound.problems
        changes.clear()
        plan = make_plan(replace(self._world, desired=bound[0], failures=()))
        for change in plan.changes:
            if isinstance(change.desired, Resource):
                changes.setdefault(change.desired.source.file, []).append(change)
        return ()


def _reason(problem: Problem) -> str:
    path = ".".join(str(part) for part in problem.path)
    return f"{path}: {problem.message}" if path else problem.message


def _differences(changes: Sequence[Change], draft: _Draft) -> list[str]:
    """What the plan would do besides importing exactly these objects."""
    found = []
    imported = {change.live.uid for change in changes if change.live is not None}
    for change in changes:
        if change.action is not Action.ADOPT:
            found.append(f"{change.address} would be {change.action.value}d")
        found += [f"{field.name} would change" for field in change.fields]
    if not found and imported != {item.uid for item in draft.live}:
        found.append("another object would be imported in its place")
    return found


def _files(items: Iterable[Exported]) -> dict[str, bytes]:
    """The text of each file; documents of one file are parted by `---`."""
    files: dict[str, bytes] = {}
    for item in items:
        before = files.get(item.file)
        files[item.file] = item.text if before is None else before + b"---\n" + item.text
    return files
