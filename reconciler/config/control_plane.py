"""When two targets mean one control plane, as far as the file or a URL tells."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.config.base_url import cut_base_url
from reconciler.config.file import RunaiSection
from reconciler.config.source import Source


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
