"""The content digest of an image, and the table that says afterwards which input changed. Pure.

The digest covers everything that decides what a build makes. It is the same on every machine and
under every path. The tag is part of it: contents are kept under `REPOSITORY:src-DIGEST`, and two
tags of one repository must not claim one such name.
"""

import hashlib
import json
import posixpath
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


def content_digest(inputs: Mapping[str, Any], entries: Sequence[Entry]) -> str:
    """`sha256:<hex>` over canonical JSON of the inputs and full rows of the sorted context."""
    rows = [[entry.path, entry.mode, entry.digest] for entry in entries]
    text = json.dumps([SCHEMA, inputs, rows], sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def short_digest(data: bytes) -> str:
    """The first hex digits of a SHA-256."""
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
    if _cost(rows) <= TABLE_LIMIT:
        return rows
    counts = Counter(posixpath.dirname(path) for path in rows)
    table, collapsed = rows, set()
    for directory, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        collapsed.add(directory)
        if len(collapsed) & (len(collapsed) - 1) == 0 or len(collapsed) == len(counts):
            table = _collapse(rows, {name: name for name in collapsed})
            if _cost(table) <= TABLE_LIMIT:
                return table
    depth = max(name.count("/") for name in counts) + 1
    while _cost(table) > TABLE_LIMIT and depth:
        depth -= 1
        table = _collapse(rows, {name: "/".join(name.split("/")[:depth]) for name in counts})
    return table


def _collapse(rows: Mapping[str, str], groups: Mapping[str, str]) -> dict[str, str]:
    table: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for path, value in rows.items():
        group = groups.get(posixpath.dirname(path))
        if group is None:
            table[path] = value
        else:
            members.setdefault(group, []).append(f"{path}\0{value}\0")
    for group, items in members.items():
        name = f"{group}/" if group else "./"
        table[name] = f"{len(items)} files:{short_digest(''.join(items).encode())}"
    return dict(sorted(table.items()))


def _cost(table: Mapping[str, str]) -> int:
    """About how many bytes a table takes compressed: digests do not, repeated paths do."""
    total, previous = 0, ""
    for path in table:
        shared = len(posixpath.commonprefix((path, previous)))
        total += 10 + len(path.encode()) - shared
        previous = path
    return total
