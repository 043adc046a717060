"""Requests to image registries: TLS, proxy, time limits and logins.

TLS always, except on a loopback address that speaks plain HTTP. The login is what the registry
asks for (https://distribution.github.io/distribution/spec/auth/token/): Basic, or a bearer token
from the service that it names, which gets the credentials only over TLS or on loopback. That
service leads nowhere else; where a read leads, there is TLS as well, no login goes along, and no
login is asked for. An answer has one time limit and one size limit, and is never unpacked.
"""

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from reconciler.config.proxies import Proxies, Proxy
from reconciler.errors import AccessError, ProviderError, UnreachableError, shortened
from reconciler.providers.docker.addresses import is_safe, joined, origin
from reconciler.providers.docker.login import Login, find_login
from reconciler.rayfine.image.reference import DOCKER_HUB, ImageReference
from reconciler.support.hosts import is_loopback

if TYPE_CHECKING:
    from urllib3 import PoolManager

_LARGEST = 16 << 20
_MOST_REDIRECTS = 4
_REDIRECTS = (301, 302, 303, 307, 308)
_PAUSES = (0.2, 0.4, 0.8)
"""Seconds before a read is sent again."""
_LONGEST_PAUSE = 10.0
_BUSY = (429, 502, 503, 504)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_PLAIN_HTTP = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach registries. `timeout` is in seconds, for each pause of an answer.

    `wait` sleeps before a read is sent again.
    """

    ca_bundle: Path | None = None
    proxies: Proxies = field(default_factory=Proxies)
    timeout: float = 30.0
    login: Callable[[str], Login | None] = find_login
    wait: Callable[[float], None] = time.sleep


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
        answer, place = self._follow(_authorised(ask, known))
        if answer.status == 401 and origin(place) == origin(path):
            challenge = answer.headers.get("www-authenticate", "")
            token = self._log_in(reference.host, scope, challenge)
            if token and token != known:
                self._tokens[key] = token
                answer, _ = self._follow(_authorised(ask, token))
        return answer

    def _follow(self, ask: Ask) -> tuple[Answer, str]:
        """Send a request, and go where the answer to a read leads: to no service without TLS.

        Returns the address of the last answer as well: only the registry may ask for its login.
        """
        for _ in range(_MOST_REDIRECTS):
            answer = self._send(ask)
            leads = answer.headers.get("location", "")
            if ask.method not in ("GET", "HEAD") or answer.status not in _REDIRECTS or not leads:
                return answer, ask.path
            old, place = urlsplit(ask.path), joined(ask.path, leads)
            if not is_safe(place, old.netloc):
                raise ProviderError(
                    f"the registry leads to an unsafe address: {leads[:200]!r}", where=old.netloc
                )
            headers = dict(ask.headers)
            if origin(place) != origin(ask.path):
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
        if not is_safe(realm, host):
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
            joined = f"{realm}{'&' if '?' in realm else '?'}{query}"
            answer = self._send(_authorised(Ask("GET", joined), basic or None))
        try:
            found = json.loads(answer.data)
            token = found.get("token") or found["access_token"]
        except (ValueError, LookupError, AttributeError, RecursionError) as error:
            raise refusal(host, answer, f"its login service {urlsplit(realm).netloc}") from error
        return f"Bearer {token}"

    def _send(self, ask: Ask, *, probe: bool = False) -> Answer:
        """Send it; a read again while the registry is busy: a few times, and not for long."""
        begin = time.monotonic()
        pauses = _PAUSES if ask.method in ("GET", "HEAD") and not probe else ()
        for pause in pauses:
            wanted = ""
            try:
                answer = self._exchange(ask)
                if answer.status not in _BUSY:
                    return answer
                wanted = answer.headers.get("retry-after", "")
            except _PlainHttpError:
                raise
            except UnreachableError:
                if time.monotonic() - begin > self._connection.timeout:
                    raise
            seconds = float(wanted) if re.fullmatch(r"\d{1,9}", wanted) else 0.0
            self._connection.wait(min(max(pause, seconds), _LONGEST_PAUSE))
        return self._exchange(ask)

    def _exchange(self, ask: Ask) -> Answer:
        """One request and its whole answer, within the limits of time and size."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        from reconciler.support.deadline import read_whole  # noqa: PLC0415  (enters urllib3)

        server = urlsplit(ask.path).netloc
        if not is_safe(ask.path, server):  # whoever asks: nothing goes unencrypted
            raise ProviderError(f"{ask.path[:200]!r} is an unsafe address", where=server)
        try:
            answer = self._pool(ask.path).request(
                ask.method,
                ask.path,
                body=ask.body,
                headers=dict(ask.headers),
                preload_content=False,
                redirect=False,
                retries=False,
            )
            data = read_whole(answer, _LARGEST)
            answer.release_conn()
        except HTTPError as error:
            raise _unreachable(server, error) from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, headers, data)

    def _pool(self, url: str) -> "PoolManager":
        from urllib3 import PoolManager, ProxyManager, Timeout  # noqa: PLC0415

        from reconciler.support.deadline import limit_answers  # noqa: PLC0415  (enters urllib3)

        proxy = self._connection.proxies.to(url)
        with self._lock:
            if proxy not in self._pools:
                link = self._connection
                settings: dict[str, Any] = {
                    "timeout": Timeout(connect=min(link.timeout, 10.0), read=link.timeout)
                }
                if link.ca_bundle:
                    settings["ca_certs"] = str(link.ca_bundle)
                pool = (
                    PoolManager(**settings)
                    if proxy is None
                    else ProxyManager(proxy.address, proxy_headers=proxy.headers, **settings)
                )
                limit_answers(pool, threading.Event())
                self._pools[proxy] = pool
            return self._pools[proxy]


class _PlainHttpError(UnreachableError):
    """The server answered a TLS greeting in plain HTTP."""


def refusal(host: str, answer: Answer, who: str = "the registry", where: str = "") -> ProviderError:
    """What an answer without success means; only a refused login is mended by logging in."""
    where, text = where or host, _message(answer)
    if answer.status in (401, 403):
        return AccessError(
            f"{who} refuses access: {text}",
            where=where,
            fix=f"run `docker login {host}`, and check that the repository is yours",
        )
    if answer.status == 429 or answer.status >= 500:
        return UnreachableError(
            f"{who} cannot answer now: {text}", where=where, fix="run again later"
        )
    if answer.status < 300:
        return UnreachableError(
            f"{who} answers with something else: {text}",
            where=where,
            fix="look for a proxy or a login page that answers in its place",
        )
    return ProviderError(f"{who} refuses: {text}", where=where)


def _message(answer: Answer) -> str:
    try:
        first = json.loads(answer.data)["errors"][0]
        said = f", {first['code']}: {first.get('message', '')}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        said = ""
    return f"HTTP {answer.status}{shortened(said, 1000)}"


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
