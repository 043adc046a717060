"""Commits since a base -> which of them last changed what each address says.

A document is known by its kind and id, never by its file: one that only moved or was formatted
anew has not changed. Files are cut into documents as text first, and only documents whose text
differs are parsed, so that a thousand commits on files of a hundred documents take a second.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from reconciler.core.review_notes import Edit
from reconciler.errors import ManifestError
from reconciler.git.process import split_rows
from reconciler.git.repository import Repository
from reconciler.kinds.registry import KIND_NAMED, KINDS
from reconciler.strict_yaml import load

_SEPARATOR = re.compile(rb"^(?:---|\.\.\.)(?=\s|$)", re.MULTILINE)
_NO_BLOB = re.compile(r"0+")
_HASH = re.compile(r"[0-9a-f]{40,64}")
_FIELDS = 4
_RAW = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff")
SUFFIXES = (".yaml", ".yml")


class FileEdit(NamedTuple):
    """One file of one commit: its content before, in each parent, and after; None if not there."""

    path: str
    before: tuple[str | None, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One commit, or with `edit` None what is not committed yet (its blobs are then paths)."""

    edit: Edit | None
    files: tuple[FileEdit, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for. Paths start at the repository's top.

    `addresses` are changed documents; `inputs` their other files, by address; `settings` are files
    that anything may depend on; `manifests` are directories, with a slash.
    """

    addresses: frozenset[str]
    inputs: Mapping[str, Collection[str]] = field(default_factory=dict)
    settings: frozenset[str] = frozenset()
    manifests: tuple[str, ...] = ()


class Found(NamedTuple):
    """The newest step that changed an address: its age (0 is the newest) and its edit."""

    age: int
    edit: Edit


@dataclass(slots=True)
class Edits:
    """By address, the newest step that changed it; `settings` the newest of those files."""

    by_address: dict[str, Found] = field(default_factory=dict)
    settings: Found | None = None


class Text(NamedTuple):
    """One document as text: where it starts (0-based line) and its bytes."""

    line: int
    data: bytes


def find_edits(repository: Repository, steps: Iterator[Step], wanted: Wanted) -> Edits:
    """Go back from the newest step until every address is accounted for."""
    with repository.reader() as read:
        search = _Search(repository, wanted, read)
        for age, step in enumerate(steps):
            search.look(age, step)
            if search.complete:
                break
    return search.edits


def read_steps(repository: Repository, base: str, paths: Sequence[str]) -> Iterator[Step]:
    """What is not committed, then every commit since the base, newest first, on these paths."""
    uncommitted = tuple(_uncommitted(repository, paths))
    if uncommitted:
        yield Step(None, uncommitted)
    words = ("log", "--format=%H%x00%an%x00%aI%x00%s", "--no-color", "--topo-order", *_RAW, "-c")
    yield from _steps(split_rows(repository.run(*words, f"{base}..HEAD", "--", *paths)))


def read_difference(repository: Repository, base: str, paths: Sequence[str]) -> Iterator[Step]:
    """All that HEAD has otherwise than a commit, as one step."""
    yield Step(Edit(base, "", "", ""), tuple(_difference(repository, paths, base, "HEAD")))


def _difference(repository: Repository, paths: Sequence[str], *commits: str) -> Iterator[FileEdit]:
    tokens = split_rows(repository.run("diff", *_RAW, *commits, "--", *paths))
    return map(_raw_file, tokens[::2], tokens[1::2])


def _steps(tokens: Sequence[str]) -> Iterator[Step]:
    """HASH, AUTHOR, DATE, SUBJECT, and two tokens per file: no text can pass for a separator."""
    position = 0
    while position < len(tokens):
        if not tokens[position].strip("\n"):
            position += 1
            continue
        commit, author, when, subject = tokens[position : position + _FIELDS]
        position += _FIELDS
        files = []
        while position < len(tokens) and not _HASH.fullmatch(tokens[position].lstrip("\n")):
            if tokens[position].lstrip("\n").startswith(":"):
                files.append(_raw_file(tokens[position].lstrip("\n"), tokens[position + 1]))
                position += 1
            position += 1
        edit = Edit(commit.lstrip("\n"), _clean(author), when, _clean(subject).strip())
        yield Step(edit, tuple(files))


def _raw_file(token: str, path: str) -> FileEdit:
    """`:MODE MODE BLOB BLOB STATUS`; a merge has one more `:`, mode and blob per parent."""
    parents = len(token) - len(token.lstrip(":"))
    blobs = [
        None if _NO_BLOB.fullmatch(blob) else blob
        for blob in token.lstrip(":").split()[parents + 1 : 2 * parents + 2]
    ]
    return FileEdit(path, tuple(blobs[:-1]), blobs[-1])


def _uncommitted(repository: Repository, paths: Sequence[str]) -> Iterator[FileEdit]:
    """Files of the work tree that differ from HEAD, with their path in place of a blob."""
    for item in _difference(repository, paths, "HEAD"):
        there = (repository.top / item.path).is_file()
        yield FileEdit(item.path, item.before, item.path if there else None)
    words = ("ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", *paths)
    for path in split_rows(repository.run(*words)):
        yield FileEdit(path, (None,), path)


class _Search:
    """Which addresses are accounted for so far."""

    def __init__(
        self, repository: Repository, wanted: Wanted, read: Callable[[str], bytes]
    ) -> None:
        self._repository = repository
        self._read_blob = read
        self._wanted = wanted
        self._open = set(wanted.addresses)
        self._inputs = {
            path: {a for a, paths in wanted.inputs.items() if path in paths}
            for paths in wanted.inputs.values()
            for path in paths
        }
        self._texts: dict[str, list[Text]] = {}
        self._said: dict[bytes, dict[str, Any]] = {}
        self.edits = Edits()

    @property
    def complete(self) -> bool:
        """Whether older steps can tell nothing more."""
        return not self._open

    def look(self, age: int, step: Step) -> None:
        """Account for what this step changed."""
        manifests = []
        for item in step.files:
            if self._is_manifest(item.path):
                manifests.append(item)
            if item.path in self._wanted.settings and self.edits.settings is None:
                self.edits.settings = Found(age, _at(step.edit, self._shown(item.path)))
            for address in self._inputs.get(item.path, ()):
                self._account(address, age, _at(step.edit, self._shown(item.path)))
        if manifests:
            for address, path, line in self._changed(manifests, committed=step.edit is not None):
                self._account(address, age, _at(step.edit, self._shown(path), line))

    def _shown(self, path: str) -> str:
        return path.removeprefix(self._repository.prefix)

    def _is_manifest(self, path: str) -> bool:
        return path.endswith(SUFFIXES) and path.startswith(self._wanted.manifests)

    def _account(self, address: str, age: int, edit: Edit) -> None:
        if address in self._open:
            self._open.discard(address)
            self.edits.by_address[address] = Found(age, edit)

    def _changed(
        self, files: Sequence[FileEdit], *, committed: bool
    ) -> Iterator[tuple[str, str, int]]:
        """(address, path, 1-based line) of what these files say differently after than before."""
        parents = max(len(item.before) for item in files)
        before = [self._all(files, parent) for parent in range(parents)]
        after = {
            (item.path, text)
            for item in files
            if item.after
            for text in self._split(item.after, committed=committed)
        }
        everywhere = [{text.data for _, text in side} for side in before]
        new = [(p, t) for p, t in after if not any(t.data in side for side in everywhere)]
        kept = {text.data for _, text in after}
        old = [[(p, t) for p, t in side if t.data not in kept] for side in before]
        now = {a: (said, p, t) for p, t in new for a, said in self._read(t.data).items()}
        past = [
            {a: (said, p, t) for p, t in side for a, said in self._read(t.data).items()}
            for side in old
        ]
        for address, (said, path, text) in now.items():
            versions = [side.get(address) for side in past]
            if all(version is None or version[0] != said for version in versions):
                earlier = next((version[2] for version in versions if version), None)
                yield address, path, text.line + 1 + _first_difference(earlier, text)
        for side in past:
            for address, (_, path, text) in side.items():
                if address not in now:
                    yield address, path, text.line + 1 + _leading(text.data)

    def _all(self, files: Sequence[FileEdit], parent: int) -> list[tuple[str, Text]]:
        return [
            (item.path, text)
            for item in files
            if parent < len(item.before) and (blob := item.before[parent])
            for text in self._split(blob, committed=True)
        ]

    def _split(self, blob: str, *, committed: bool) -> list[Text]:
        if not committed:
            return split_documents((self._repository.top / blob).read_bytes())
        if blob not in self._texts:
            self._texts[blob] = split_documents(self._read_blob(blob))
        return self._texts[blob]

    def _read(self, data: bytes) -> dict[str, Any]:
        if data not in self._said:
            self._said[data] = dict(_sayings(data))
        return self._said[data]


def split_documents(data: bytes) -> list[Text]:
    """The documents of a YAML text, by the separators that no document can hold in itself."""
    starts = [0, *(found.start() for found in _SEPARATOR.finditer(data))]
    texts = []
    line = 0
    for index, start in enumerate(starts):
        end = starts[index + 1] if index + 1 < len(starts) else len(data)
        chunk = data[start:end]
        texts.append(Text(line, chunk))
        line += chunk.count(b"\n")
    return [text for text in texts if text.data.rstrip() not in (b"", b"---", b"...")]


def input_paths(data: bytes) -> Iterator[tuple[str, str]]:
    """(address, path) of all that objects in a YAML text are made of, but of faulty documents."""
    kinds = [kind for kind in KINDS if kind.files]
    for text in split_documents(data):
        for kind in kinds:
            if kind.traits.name.encode() in text.data:
                for address, (_, spec) in _sayings(text.data):
                    if address.startswith(f"{kind.traits.name}."):
                        yield from ((address, path) for path in kind.inputs(spec))


def _sayings(data: bytes) -> Iterator[tuple[str, Any]]:
    """Every address that a document speaks of, and what it says; nothing for a faulty one."""
    try:
        documents = load(data, "")
    except ManifestError:
        return
    for document, _ in documents:
        if not isinstance(document, dict):
            continue
        metadata, spec = document.get("metadata"), document.get("spec")
        if not isinstance(metadata, dict):
            continue
        kind, name = document.get("kind"), metadata.get("id") or metadata.get("name")
        known = KIND_NAMED.get(str(kind))
        for implied, said in (known.implies(spec) if known else {kind: spec}).items():
            yield f"{implied}.{name}", (metadata, said)


def _at(edit: Edit | None, path: str, line: int = 0) -> Edit:
    return replace(edit or Edit("", "", "", ""), file=_clean(path), line=line)


def _first_difference(old: Text | None, new: Text) -> int:
    """The 0-based line of a document at which it first differs from what it was."""
    lines = new.data.splitlines()
    before = old.data.splitlines() if old else []
    if not before:
        return _leading(new.data)
    for index, line in enumerate(lines):
        if index >= len(before) or before[index] != line:
            return index
    return max(len(lines) - 1, 0)


def _leading(data: bytes) -> int:
    """How many lines of a document come before its content."""
    for index, line in enumerate(data.splitlines()):
        if line.strip() and not line.lstrip().startswith((b"#", b"---", b"...")):
            return index
    return 0


def _clean(text: str) -> str:
    """The text, whatever bytes were in it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
