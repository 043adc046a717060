"""`reconciler.lock`: which digest stands for which base image, kept in Git.

    {
      "version": 1,
      "bases": {
        "rayproject/ray:latest": "sha256:...",
        "team/base:local": "local"
      }
    }

`local` says on purpose that an image exists only on engines and in no registry: its reference is
its identity, without a warning. JSON, since it is written by a program and must be safe to read.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import BuildError, ConfigError
from reconciler.rayfine.image.context import read_regular_file
from reconciler.rayfine.image.reference import parse_reference
from reconciler.support.merge_markers import CONFLICT, FINISH_MERGE, conflict_line
from reconciler.support.strict_json import parse_json

LOCK_FILE = "reconciler.lock"
LOCAL = "local"
_VERSION = 1
_MAX_BYTES = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Base:
    """A base image as the lock file knows it.

    `identity` enters the digest; `pull` is what a build names; `digest` is empty if it is unknown.
    """

    reference: str
    identity: str
    pull: str
    digest: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class LockFile:
    """Digest, or `local`, by reference in its familiar form."""

    bases: Mapping[str, str] = field(default_factory=dict)

    def base(self, text: str) -> Base:
        """What a reference stands for. Raises `BuildError` where it is none."""
        reference = parse_reference(text)
        if reference.digest:
            return Base(reference.text, reference.text, reference.text, reference.digest, True)
        locked = self.bases.get(reference.text, "")
        if not locked or locked == LOCAL:
            return Base(reference.text, reference.text, reference.text, "", bool(locked))
        identity = f"{reference.text}@{locked}"
        return Base(reference.text, identity, reference.pinned(locked), locked, True)


def read_lock(path: Path) -> LockFile:
    """Read the file; without one nothing is locked. Raises `ConfigError` if it is malformed."""
    data = None
    try:
        data = read_regular_file(path, _MAX_BYTES)
        document = parse_json(data) if data is not None else {"version": _VERSION, "bases": {}}
        return LockFile(_bases(document))
    except BuildError as error:
        raise ConfigError(error.what, where=str(path), fix=error.fix) from error
    except ValueError as error:
        if number := conflict_line((data or b"").decode(errors="replace")):
            fix = f"{FINISH_MERGE}, or run `reconcile lock`"
            raise ConfigError(CONFLICT, where=f"{path}:{number}", fix=fix) from error
        raise ConfigError(
            f"not a lock file: {error}",
            where=str(path),
            fix="restore it from Git, or delete it and run `reconcile lock`",
        ) from error


def write_lock(lock: LockFile) -> str:
    """The text of a lock file: sorted, one entry a line."""
    return (
        json.dumps({"version": _VERSION, "bases": dict(lock.bases)}, indent=2, sort_keys=True)
        + "\n"
    )


def _bases(document: Any) -> dict[str, str]:
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        raise ValueError(f"it has no `version: {_VERSION}`")
    bases = document.get("bases")
    if not isinstance(bases, dict) or document.keys() != {"version", "bases"}:
        raise ValueError("it has to consist of `version` and `bases`")
    found = {}
    for text, digest in bases.items():
        reference = parse_reference(text)
        if not isinstance(digest, str) or not (digest == LOCAL or _DIGEST.fullmatch(digest)):
            raise ValueError(f"the entry of {reference.text} is no digest")
        if reference.digest:
            raise ValueError(f"{reference.text} has its digest already")
        found[reference.text] = digest
    return found
