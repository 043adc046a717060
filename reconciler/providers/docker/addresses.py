"""Addresses that a registry names -> where they lead, and whether a login may go there."""

import re
from urllib.parse import SplitResult, urljoin, urlsplit

from reconciler.support.hosts import is_loopback

_SERVER = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def joined(base: str, location: str) -> str:
    """Where a `Location` leads; empty where that is no address."""
    try:
        return urljoin(base, location)
    except ValueError:
        return ""


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL: what one login is for. Empty for one that is no plain URL."""
    parts = _parts(url)
    if parts is None:
        return "", "", 0
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def _parts(url: str) -> SplitResult | None:
    """A URL that every parser takes apart alike: without a login in it, backslashes or blanks."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    odd = re.search(r"[\s\\\x00-\x1f\x7f]", url)
    return None if odd or not _SERVER.fullmatch(parts.netloc) else parts


def is_safe(url: str, host: str) -> bool:
    """Whether it has TLS, or is on this machine as the registry itself is."""
    place = _parts(url)
    return place is not None and (
        place.scheme == "https"
        or (place.scheme == "http" and is_loopback(place.netloc) and is_loopback(host))
    )
