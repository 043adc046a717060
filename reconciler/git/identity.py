"""A configuration -> which repository and manifests it is, as marks on live objects tell it.

The address of `origin` counts, however it is written: with or without user, port, `.git`, by https
or ssh. A clone of a directory of this machine is the same repository as that directory: its
`origin` counts. Where there is none, the first commits of the history do. Without them, in a
shallow clone, nothing is known.

The directory of the configuration counts, too, and so do its manifests, where they are in another
directory than `manifests`: two configurations beside each other are two owners. Nothing is written.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from reconciler.core.mark import ORIGIN_LENGTH, base32
from reconciler.git.head import origin_url
from reconciler.git.process import ask_git, find_top

_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>\[[^\]]+\]|[^/:@]+):(?P<path>.*)")
_PORTS = {"https": ":443", "http": ":80", "ssh": ":22", "git": ":9418"}
_DIRECTORY_LENGTH = 3
_MOST_CLONES = 4
"""Clones of clones on this machine that are followed to an address."""
CONFIG, MANIFESTS = "reconciler.yaml", "manifests"
_TARGETS = re.compile(r"^targets[ \t]*:", re.MULTILINE)
_STATED = re.compile(r"^manifests[ \t]*:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)


class Identity(NamedTuple):
    """`name` as in marks: five characters for the repository, three for the directory in it.

    `source` is the address of `origin` without credentials, and `place` the same for people, such
    as `github.com/acme/ml`; empty if others could not find it there.
    """

    name: str = ""
    source: str = ""
    place: str = ""


def identify(directory: Path, manifests: str = MANIFESTS) -> Identity:
    """The identity of a configuration in this directory; empty outside Git."""
    top = find_top(directory)
    if top is None:
        return Identity()
    source = origin_url(directory) or ""
    place = _address(directory)
    origin = place or _roots(directory)
    if not origin:
        return Identity("", source)
    return Identity(_hash(origin, ORIGIN_LENGTH) + own_name(directory, manifests), source, place)


def origin_names(directory: Path) -> frozenset[str]:
    """The characters that stand for this repository: by its origin, and by its first commits."""
    origins = (_address(directory), _roots(directory))
    return frozenset(_hash(origin, ORIGIN_LENGTH) for origin in origins if origin)


def own_name(directory: Path, manifests: str = MANIFESTS) -> str:
    """The characters that stand for this directory of its repository, and its manifests."""
    top = find_top(directory) or directory
    return directory_name(_inside(directory, top), manifests)


def _inside(directory: Path, top: Path) -> str:
    return Path(os.path.relpath(os.path.realpath(directory), top)).as_posix()


def directory_name(inside: str, manifests: str = MANIFESTS) -> str:
    """The characters that stand for a directory of the repository; `.` is its top."""
    return _hash(inside if manifests == MANIFESTS else f"{inside}/{manifests}", _DIRECTORY_LENGTH)


def sibling_names(directory: Path, manifests: str = MANIFESTS) -> Iterator[str]:
    """The same for every other configuration of this repository.

    In its own directory, a file of any name may be one: see `--config`.
    """
    top = find_top(directory)
    if top is None:
        return
    own = own_name(directory, manifests)
    for path in (ask_git(directory, "ls-files", "-z") or "").split("\0"):
        inside = Path(path).parent.as_posix()
        beside = inside == _inside(directory, top) and path.endswith((".yaml", ".yml"))
        if Path(path).name != CONFIG and not beside:
            continue
        text = _text_of(top / path)
        if Path(path).name == CONFIG or _TARGETS.search(text):
            stated = _STATED.search(text)
            name = directory_name(inside, Path(stated[1] if stated else MANIFESTS).as_posix())
            if name != own:
                yield name


def _text_of(path: Path) -> str:
    """Of a file as it is on the disk; empty where it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def normalise(address: str) -> str:
    """HOST/PATH of an address; empty for a repository on this machine."""
    scp = _SCP.fullmatch(address)
    if "://" in address:
        parts = urlsplit(address)
        host, path = parts.netloc.rpartition("@")[2], unquote(parts.path)
        host = host.removesuffix(_PORTS.get(parts.scheme.lower(), "\0"))
        host = "" if parts.scheme.lower() == "file" else host
    elif scp is not None:
        host, path = scp["host"].strip("[]"), scp["path"]
    else:
        host = path = ""
    path = re.sub(r"/+", "/", path).strip("/").removesuffix(".git").rstrip("/")
    return f"{host}/{path}".lower() if host else ""


def _address(directory: Path) -> str:
    """HOST/PATH of the repository, or of that which it was cloned from on this machine."""
    address = origin_url(directory) or ""
    place = find_top(directory) or directory
    for _ in range(_MOST_CLONES):
        if not address or normalise(address):
            break
        path = unquote(urlsplit(address).path) if address.startswith("file:") else address
        place = place / path
        config = next(filter(Path.is_file, (place / ".git" / "config", place / "config")), None)
        words = ("config", "--file", str(config), "remote.origin.url")
        address = (ask_git(directory, *words) or "") if config else ""
    return normalise(address)


def _roots(directory: Path) -> str:
    """The first commits of the whole history; empty if there is none, or not all of it is here."""
    if ask_git(directory, "rev-parse", "--is-shallow-repository") != "false":
        return ""
    found = ask_git(directory, "rev-list", "--max-parents=0", "HEAD", "--")
    return " ".join(sorted((found or "").split()))


def _hash(text: str, length: int) -> str:
    return base32(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), length)
