"""Where a text of a target comes from: an environment variable, or a file that holds it.

What is read ends up in requests, so a file counts only if it can be meant: one line of text. Its
content is never repeated in an error.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from reconciler.kinds.base import Strict, field_fault
from reconciler.support.plain_file import read_plain

MOST_BYTES = 16 << 10
"""Tokens have up to 4,096 characters, everything else far fewer."""

Reader = Callable[[Path], bytes]
"""Reads a file, all of it or more than `MOST_BYTES`. Raises `OSError`, `SourceError`."""


class Source(Strict):
    """`{env: NAME}` or `{file: PATH}`: the text is taken from there when the target is used."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["env"]}, {"required": ["file"]}]}
    )

    env: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of an environment variable.",
        examples=["RUNAI_CLIENT_SECRET"],
    )
    file: str | None = Field(
        default=None,
        min_length=1,
        description="Path of a file with the text on one line, relative to reconciler.yaml.",
        examples=["/run/secrets/runai-client-secret"],
    )

    @model_validator(mode="after")
    def _check_one(self) -> "Source":
        if (self.env is None) == (self.file is None):
            fix = "write {env: NAME} or {file: PATH}"
            raise field_fault("it names neither or both of a variable and a file", fix)
        return self

    def __str__(self) -> str:
        return f"the environment variable {self.env}" if self.env else f"the file {self.file}"


def _refuse_written(value: Any) -> Any:
    if isinstance(value, Mapping | Source):
        return value
    fix = "write {env: NAME} or {file: PATH}"
    raise field_fault("a key that is written into the file protects nothing", fix)


KeyText = Annotated[Source, BeforeValidator(_refuse_written)]
"""A key that nobody must have who can read the repository."""


class SourceError(Exception):
    """Why a file cannot be taken, in words that do not repeat it, and what to do."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


def read_source(path: Path) -> bytes:
    """The content of a plain file; of a pipe or a device nothing is read, and nothing waits."""
    return read_plain(path, MOST_BYTES)


def take(source: Source, root: Path, read: Reader, environ: Mapping[str, str]) -> str:
    """The text that a source names, without what closes its line. Raises `SourceError`.

    It is empty only for a variable that is not set. `root` is the directory of reconciler.yaml.
    """
    if source.env is not None:
        return environ.get(source.env, "").rstrip("\r\n")
    return _read_line(root / str(source.file), root, read)


def _read_line(path: Path, root: Path, read: Reader) -> str:
    if _leads_out(path, root):
        raise SourceError(
            "is behind a link that leads out of the directory of reconciler.yaml",
            "write the path that it leads to",
        )
    try:
        data = read(path)
    except FileNotFoundError:
        raise SourceError(
            "does not exist", "write its path relative to reconciler.yaml, or whole"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its path is none"
        fix = "name a plain file of one line that this user may read"
        raise SourceError(f"cannot be read: {reason}", fix) from None
    if len(data) > MOST_BYTES:  # one of another commit
        raise SourceError(f"has more than {MOST_BYTES:,} bytes", "name a file of one line")
    try:
        text = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SourceError("holds no text", "name a file of one line in UTF-8") from None
    if "\n" in text or "\r" in text:
        raise SourceError("has more than one line", "keep nothing else in that file")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise SourceError("holds no text", "name a file of one line in UTF-8")
    if not text.strip():
        raise SourceError("is empty", "write the text into it")
    return text


def _leads_out(path: Path, root: Path) -> bool:
    """Whether a path below the directory is, by a link, a file somewhere else."""
    stated, place = (Path(os.path.normpath(item)) for item in (path, root))
    if not stated.is_relative_to(place):
        return False
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
