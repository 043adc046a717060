"""URLs of control planes, as people copy them from a browser; and when two targets mean one."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from reconciler.config.file import RunaiSection
from reconciler.config.text_source import Source

_PAGES = re.compile(
    r"analytics|applications|assets|auth|clusters|compute(-resources)?|credentials|dashboards?"
    r"|data-sources|departments|environments|home|login|models|node(-pool)?s|overview|policies|projects"
    r"|settings|templates|users|workload(-template)?s",
    re.IGNORECASE,
)
"""First parts of the addresses of the user interface's pages."""
_API_PART = re.compile(r"v\d+|docs|swagger.*", re.IGNORECASE)
"""What follows `/api` if that is no part of where the control plane is."""


def cut_base_url(url: str) -> tuple[str, str]:
    """The URL without a closing slash, a path of the API or of a page; and what was cut off."""
    parts = urlsplit(url)
    kept: list[str] = []
    names = [name for name in parts.path.split("/") if name]
    for index, name in enumerate(names):
        following = "".join(names[index + 1 : index + 2])
        if _PAGES.fullmatch(name) or (name.lower() == "api" and _API_PART.fullmatch(following)):
            break
        kept.append(name)
    while kept and kept[-1].lower() == "api":
        kept.pop()
    cut = "/".join(names[len(kept) :])
    path = "".join(f"/{name}" for name in kept)
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), f"/{cut}" if cut else ""


def control_plane(runai: RunaiSection, root: Path) -> str:
    """What tells two control planes apart, as far as the file itself, in `root`, says."""
    if runai.sandbox is not None:
        value = runai.sandbox
        return str(value) if isinstance(value, Source) else same_file(root, value)
    url = runai.base_url
    return str(url) if isinstance(url, Source) else normal_url(url or "")


def same_file(root: Path, path: str) -> str:
    """A sandbox's file, however its path is written."""
    return f"file {os.path.realpath(root / path)}"


def normal_url(url: str) -> str:
    """Host, port and path: the scheme and a closing slash make no other control plane."""
    parts = urlsplit(cut_base_url(url.strip())[0])
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.hostname}:{port}{parts.path.rstrip('/')}"


def twin_words(name: str, twin: str, stack: str) -> tuple[str, str]:
    """What is wrong with two targets that are one, and how to fix it."""
    what = f"targets {twin} and {name} are one control plane under one stack, {stack}"
    return f"{what}: each would delete what the other makes", "give one a `stack` of its own"
