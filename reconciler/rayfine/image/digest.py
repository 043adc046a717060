"""The content digest of an image, and the table that says afterwards which input changed. Pure.

The digest covers everything that decides what a build makes. It is the same on every machine and
under every path. The tag is part of it: contents are kept under `REPOSITORY:src-DIGEST`, and two
tags of one repository must not claim one such name.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.rayfine.image.context import Entry

SCHEMA = 1
"""Raised when the meaning of the digest changes: every image is then built anew."""

SHORT = 12
"""Hex digits (48 bits) of a digest where it only has to tell a change."""

TABLE_LIMIT = 48 * 1024
"""Estimated bytes of a compressed context table; 64 KiB in base 64."""

_ROW = 10
"""Bytes of a row beside its name, compressed: the digest (6), the mode, the punctuation."""


def content_digest(inputs: Mapping[str, Any], entries: Sequence[Entry]) -> str:
    """`sha256:<hex>` over canonical JSON of the inputs and full rows of the sorted context."""
    rows = [[entry.path, entry.mode, entry.digest] for entry in entries]
    text = json.dumps([SCHEMA, inputs, rows], sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def short_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:SHORT]


def source_tag(repository: str, digest: str) -> str:
    """The immutable tag of a content: `REPOSITORY:src-<24 hex digits>`."""
    return f"{repository}:src-{digest.removeprefix('sha256:')[:24]}"


def context_table(entries: Sequence[Entry]) -> dict[str, str]:
    """`MODE:short digest` by path, with directories in place of their files if it is too large.

    What is reduced depends on the entries alone (never on a compressor), so that both sides of a
    comparison are reduced alike. A reduced directory reads `DIRECTORY/: N files:short digest`.
    """
    rows = {entry.path: f"{entry.mode}:{entry.digest[:SHORT]}" for entry in entries}
    costs: Counter[str] = Counter()
    for path in rows:
        directory, _, name = path.rpartition("/")
        costs[directory] += len(name) + _ROW
    total = costs.total() + sum(map(len, costs))
    if total <= TABLE_LIMIT:
        return rows
    groups: dict[str, str] = {}
    for directory, cost in sorted(costs.items(), key=lambda item: (-item[1], item[0])):
        groups[directory] = directory
        total -= cost - _ROW
        if total <= TABLE_LIMIT:
            return _collapse(rows, groups)
    for depth in range(max(name.count("/") for name in costs), -1, -1):
        groups = {name: "/".join(name.split("/")[:depth]) for name in costs}
        if sum(len(name) + _ROW for name in set(groups.values())) <= TABLE_LIMIT:
            break
    return _collapse(rows, groups)


def _collapse(rows: Mapping[str, str], groups: Mapping[str, str]) -> dict[str, str]:
    table: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for path, value in rows.items():
        group = groups.get(path.rpartition("/")[0])
        if group is None:
            table[path] = value
        else:
            members.setdefault(group, []).append(f"{path}\0{value}\0")
    for group, items in members.items():
        name = f"{group}/" if group else "./"
        table[name] = f"{len(items)} files:{short_digest(''.join(items).encode())}"
    return dict(sorted(table.items()))
