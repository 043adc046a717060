"""Which proxy leads to a server: the target's own, or the one that the environment names.

The variables are those that curl, pip and Python's own clients read: HTTPS_PROXY, HTTP_PROXY and
ALL_PROXY, and NO_PROXY with names (`example.com` stands for all below it, too), `HOST:PORT`,
addresses, networks (`10.0.0.0/8`) and `*`. Lower case goes before upper case. This machine is
reached without a proxy, whatever is stated.
"""

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from reconciler.errors import ConfigError
from reconciler.support.hosts import is_host, is_loopback

_NAMES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `source` says where it is stated. Its URL may hold a password."""

    url: str = field(repr=False)
    source: str

    @property
    def address(self) -> str:
        """The URL without a login."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def headers(self) -> dict[str, str]:
        """The header for its login, which urllib3 does not make itself."""
        parts = urlsplit(self.url)
        if parts.username is None:
            return {}
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"proxy-authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


@dataclass(frozen=True, slots=True)
class Proxies:
    """What a target and the environment state about proxies."""

    stated: str | None = field(default=None, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def to(self, url: str) -> Proxy | None:
        """The proxy for a URL; None if there is none. Raises `ConfigError` for one of no use."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if is_loopback(host):
            return None
        if self.stated:
            return _checked(self.stated, "`proxy` of the target")
        for name in (f"{parts.scheme}_proxy", "all_proxy"):
            variable, value = self._variable(name)
            if value:
                port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
                _, exceptions = self._variable("no_proxy")
                return None if _is_excepted(host, port, exceptions) else _checked(value, variable)
        return None

    def _variable(self, name: str) -> tuple[str, str]:
        found = name if name in self.variables else name.upper()
        return found, self.variables.get(found, "").strip()


def proxies_of(environ: Mapping[str, str], stated: str | None) -> Proxies:
    """The proxies that the environment names, unless the target states one."""
    names = [form for name in _NAMES for form in (name, name.upper())]
    return Proxies(stated, {name: environ[name] for name in names if name in environ})


def _checked(value: str, source: str) -> Proxy:
    url = value if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/", value) else f"http://{value}"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not is_host(parts.hostname or ""):
        is_socks = parts.scheme.startswith("socks")
        raise ConfigError(
            f"{source} names a SOCKS proxy, which cannot be used"
            if is_socks
            else f"{source} is no URL of a proxy",
            fix="write http://HOST:PORT; NO_PROXY names hosts that are reached without it",
        )
    return Proxy(url, source)


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY names a host in one of its forms."""
    entries = re.split(r"[,\s]+", exceptions.lower())
    return any(_names(entry, host.lower(), port) for entry in entries if entry)


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            pass  # it may name the address with a port
    name, _, its_port = entry.rpartition(":")
    if name and its_port.isdecimal():
        return int(its_port) == port and _names(name.strip("[]"), host, port)
    name = entry.removeprefix("*").lstrip(".").rstrip(".")
    return bool(name) and (host == name or (address is None and host.endswith(f".{name}")))
