"""Addresses of machines, without a look at the network. Needs nothing but the standard library."""

import re
import unicodedata
from urllib.parse import urlsplit


def is_loopback(server: str) -> bool:
    """Whether `HOST` or `HOST:PORT` is this machine."""
    name = server if server == "::1" else urlsplit(f"//{server}").hostname or ""
    return name in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", name) is not None


def has_login(address: str) -> bool:
    """Whether the address of an engine holds more of a login than the user that ssh needs."""
    login, at, _ = address.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and (":" in login or not address.startswith("ssh://"))


def is_host(name: str) -> bool:
    """Whether this can be the host of a URL: a name or an address."""
    if ":" in name:
        return re.fullmatch(r"[0-9a-f:.]+(%[\w.-]+)?", name) is not None
    labels = name.removesuffix(".").split(".")
    is_plain = unicodedata.normalize("NFKC", name) == name
    return is_plain and all(re.fullmatch(r"[\w-]{1,63}", label) for label in labels)
