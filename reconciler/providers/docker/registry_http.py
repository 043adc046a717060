"""Requests to image registries: TLS, proxy, time limits and logins.

TLS always, except on a loopback address that speaks plain HTTP. The login is what the registry
asks for (https://distribution.github.io/distribution/spec/auth/token/): Basic, or a bearer token
from the service that it names, which gets the credentials only over TLS or on loopback. That
service leads nowhere else; where a read leads, there is TLS as well, and no login goes along.
"""

import json
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from reconciler.config.proxies import Proxies, Proxy, is_loopback
from reconciler.errors import AccessError, ProviderError, UnreachableError
from reconciler.providers.docker.login import Login, find_login
from reconciler.rayfine.image.reference import DOCKER_HUB, ImageReference

if TYPE_CHECKING:
    from urllib3 import PoolManager

_LARGEST = 16 << 20
_MOST_REDIRECTS = 4
_REDIRECTS = (301, 302, 303, 307, 308)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_PLAIN_HTTP = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach registries. `timeout` is in seconds, for each answer."""

    ca_bundle: Path | None = None
    proxies: Proxies = field(default_factory=Proxies)
    timeout: float = 30.0
    login: Callable[[str], Login | None] = find_login


class Ask(NamedTuple):
    """A request. `path` is relative to `/v2/`, or a whole URL of the same registry."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = {}


class Answer(NamedTuple):
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class RegistryHttp:
    """Requests to any registry. Safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is connected yet."""
        self._connection = connection
        self._lock = threading.Lock()
        self._pools: dict[Proxy | None, PoolManager] = {}
        self._schemes: dict[str, str] = {}
        self._logins: dict[str, Login | None] = {}
        self._tokens: dict[tuple[str, str], str] = {}

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for pool in self._pools.values():
                pool.clear()

    def url(self, host: str, path: str) -> str:
        """The URL of a path below `/v2/` on a registry."""
        server = "registry-1.docker.io" if host == DOCKER_HUB else host
        return f"{self._scheme(server)}://{server}/v2/{path}"

    def ask(self, reference: ImageReference, ask: Ask) -> Answer:
        """Send a request about a repository, logging in if the registry asks for it."""
        rights = "pull,push" if ask.method in ("POST", "PUT") else "pull"
        scope = f"repository:{reference.path}:{rights}"
        key = (reference.host, scope)
        path = ask.path if "://" in ask.path else self.url(reference.host, ask.path)
        ask = ask._replace(path=path)
        known = self._tokens.get(key)
        answer = self._follow(_authorised(ask, known))
        if answer.status == 401:
            challenge = answer.headers.get("www-authenticate", "")
            token = self._log_in(reference.host, scope, challenge)
            if token and token != known:
                self._tokens[key] = token
                answer = self._follow(_authorised(ask, token))
        return answer

    def _follow(self, ask: Ask) -> Answer:
        """Send a request, and go where the answer to a read leads: to no service without TLS."""
        for _ in range(_MOST_REDIRECTS):
            answer = self._send(ask)
            place = answer.headers.get("location", "")
            if ask.method not in ("GET", "HEAD") or answer.status not in _REDIRECTS or not place:
                return answer
            place = urljoin(ask.path, place)
            old, new = urlsplit(ask.path), urlsplit(place)
            if not _is_safe(new, old.netloc):
                raise ProviderError(
                    f"the registry leads to an unsafe address: {place[:200]!r}", where=old.netloc
                )
            headers = dict(ask.headers)
            if (old.scheme, old.netloc) != (new.scheme, new.netloc):
                headers.pop("Authorization", None)
            ask = ask._replace(path=place, headers=headers)
        server = urlsplit(ask.path).netloc
        raise ProviderError(f"more than {_MOST_REDIRECTS} redirects lead there", where=server)

    def _scheme(self, server: str) -> str:
        if not is_loopback(server):
            return "https"
        if server not in self._schemes:
            try:
                self._send(Ask("GET", f"https://{server}/v2/"), probe=True)
                self._schemes[server] = "https"
            except _PlainHttpError:
                self._schemes[server] = "http"
        return self._schemes[server]

    def _log_in(self, host: str, scope: str, challenge: str) -> str | None:
        """The value of an Authorization header, None where there is nothing to log in with."""
        from urllib3.util import make_headers  # noqa: PLC0415

        with self._lock:
            if host not in self._logins:
                self._logins[host] = self._connection.login(host)
            login = self._logins[host]
        kind, _, rest = challenge.partition(" ")
        basic = ""
        if login is not None and login.user:
            basic = make_headers(basic_auth=f"{login.user}:{login.password}")["authorization"]
        if kind.lower() == "basic":
            return basic or None
        if kind.lower() != "bearer":
            return None
        return self._token(host, scope, dict(_PARAMETER.findall(rest)), (login, basic))

    def _token(
        self, host: str, scope: str, named: Mapping[str, str], who: tuple[Login | None, str]
    ) -> str:
        realm, service = named.get("realm", ""), named.get("service", "")
        server = urlsplit(realm)
        if not _is_safe(server, host):
            raise ProviderError(
                f"the registry names an unsafe login service: {realm[:200]!r}", where=host
            )
        login, basic = who
        if login is not None and login.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": login.identity_token,
                "service": service,
                "scope": scope,
                "client_id": "reconciler",
            }
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._send(Ask("POST", realm, urlencode(form).encode(), kind))
        else:
            query = urlencode({"service": service, "scope": scope})
            joined = f"{realm}{'&' if server.query else '?'}{query}"
            answer = self._send(_authorised(Ask("GET", joined), basic or None))
        try:
            found = json.loads(answer.data)
            token = found.get("token") or found["access_token"]
        except (ValueError, LookupError, AttributeError) as error:
            raise AccessError(
                f"the login service refuses: HTTP {answer.status}",
                where=host,
                fix=f"run `docker login {host}`, and check that the repository is yours",
            ) from error
        return f"Bearer {token}"

    def _send(self, ask: Ask, *, probe: bool = False) -> Answer:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        server = urlsplit(ask.path).netloc
        extra: dict[str, Any] = {"retries": False} if probe else {}
        try:
            answer = self._pool(ask.path).request(
                ask.method,
                ask.path,
                body=ask.body,
                headers=dict(ask.headers),
                preload_content=False,
                redirect=False,
                **extra,
            )
            data = answer.read(_LARGEST + 1, decode_content=True)
            answer.release_conn()
        except HTTPError as error:
            raise _unreachable(server, error) from error
        if len(data) > _LARGEST:
            raise ProviderError("the registry's answer is too large", where=server)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, headers, data)

    def _pool(self, url: str) -> "PoolManager":
        from urllib3 import PoolManager, ProxyManager, Retry, Timeout  # noqa: PLC0415

        proxy = self._connection.proxies.to(url)
        with self._lock:
            if proxy not in self._pools:
                link = self._connection
                settings: dict[str, Any] = {
                    "timeout": Timeout(connect=min(link.timeout, 10.0), read=link.timeout),
                    "retries": Retry(
                        total=3,
                        backoff_factor=0.2,
                        status_forcelist=(429, 502, 503, 504),
                        allowed_methods=("GET", "HEAD"),
                        raise_on_status=False,
                    ),
                }
                if link.ca_bundle:
                    settings["ca_certs"] = str(link.ca_bundle)
                self._pools[proxy] = (
                    PoolManager(**settings)
                    if proxy is None
                    else ProxyManager(proxy.address, proxy_headers=proxy.headers, **settings)
                )
            return self._pools[proxy]


class _PlainHttpError(UnreachableError):
    """The server answered a TLS greeting in plain HTTP."""


def _is_safe(place: SplitResult, host: str) -> bool:
    """Whether it has TLS, or is on this machine as the registry itself is."""
    return place.scheme == "https" or (
        place.scheme == "http" and is_loopback(place.netloc) and is_loopback(host)
    )


def _authorised(ask: Ask, token: str | None) -> Ask:
    return ask._replace(headers={**ask.headers, "Authorization": token}) if token else ask


def _unreachable(server: str, error: BaseException) -> UnreachableError:
    cause: BaseException | None = error
    reason = str(error)
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and cause.reason in _PLAIN_HTTP:
            return _PlainHttpError(
                "it speaks plain HTTP",
                where=server,
                fix="give it TLS; only registries on a loopback address may do without",
            )
        if isinstance(cause, OSError) and str(cause):
            reason = str(cause)
        inner = (getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__)
        cause = next((item for item in inner if isinstance(item, BaseException)), None)
    return UnreachableError(
        f"the registry gives no answer: {reason}",
        where=server,
        fix="check the network, and `proxy`, `ca_bundle` and `timeout` of the target",
    )
