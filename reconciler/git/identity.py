"""A directory -> which repository it is part of, as marks on live objects tell it. Never writes.

The address of `origin` counts, however it is written: with or without user, port, `.git`, by https
or ssh. Without an origin the first commits of the history do. Of a shallow clone without an origin
nothing is known.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from reconciler.git.head import ask_git, origin_url
from reconciler.git.process import find_top
from reconciler.resource import base32

_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>\[[^\]]+\]|[^/:@]+):(?P<path>.*)")
_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
_ORIGIN_LENGTH, _DIRECTORY_LENGTH = 5, 3
CONFIG = "reconciler.yaml"


class Identity(NamedTuple):
    """`name` as in marks: five characters for the repository, three for the directory in it.

    `source` is the address of `origin` without credentials, and `place` the same for people, such
    as `github.com/acme/ml`; empty if nobody else could find it there.
    """

    name: str = ""
    source: str = ""
    place: str = ""


def identify(directory: Path) -> Identity:
    """The identity of a directory with a configuration; empty outside Git."""
    top = find_top(directory)
    if top is None:
        return Identity()
    source = origin_url(directory) or ""
    inside = Path(os.path.relpath(os.path.realpath(directory), top)).as_posix()
    shown = normalise(source, top) if source else ""
    origin = shown or _roots(directory)
    if not origin:
        return Identity("", source)
    place = "" if shown.startswith("/") else shown
    return Identity(_hash(origin, _ORIGIN_LENGTH) + directory_name(inside), source, place)


def directory_name(inside: str) -> str:
    """The characters that stand for a directory of the repository; `.` is its top."""
    return _hash(inside, _DIRECTORY_LENGTH)


def sibling_names(directory: Path) -> Iterator[str]:
    """The same for every other directory of this repository that has a configuration."""
    top = find_top(directory)
    if top is None:
        return
    own = Path(os.path.relpath(os.path.realpath(directory), top)).as_posix()
    for path in (ask_git(directory, "ls-files", "-z") or "").split("\0"):
        place = Path(path)
        if place.name == CONFIG and place.parent.as_posix() != own:
            yield directory_name(place.parent.as_posix())


def normalise(address: str, top: Path) -> str:
    """HOST/PATH of an address, or the absolute path of a repository on this machine."""
    scp = _SCP.fullmatch(address)
    if "://" in address:
        parts = urlsplit(address)
        host, path = (parts.hostname or "").lower(), unquote(parts.path)
        try:
            port = parts.port
        except ValueError:
            port = None
        if port is not None and port != _PORTS.get(parts.scheme.lower()):
            host += f":{port}"
        if parts.scheme.lower() == "file":
            host = ""
    elif scp and not address.startswith(("/", ".")):
        host, path = scp["host"].strip("[]").lower(), scp["path"]
    else:
        host, path = "", os.path.realpath(top / address)
    path = re.sub(r"/+", "/", path).strip("/").removesuffix(".git").rstrip("/")
    return f"{host}/{path.lower()}" if host else f"/{path}"


def _roots(directory: Path) -> str:
    """The first commits of the whole history; empty if there is none, or not all of it is here."""
    if ask_git(directory, "rev-parse", "--is-shallow-repository") != "false":
        return ""
    found = ask_git(directory, "rev-list", "--max-parents=0", "HEAD", "--")
    return " ".join(sorted((found or "").split()))


def _hash(text: str, length: int) -> str:
    return base32(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), length)
