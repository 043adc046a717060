"""Logging in: the ways that servers from 2.18 to 3.0 know, and what their answers mean. Pure.

| way | servers |
|---|---|
| `POST /api/v2/token`, a form, `client_credentials` | 2.24 and later |
| `POST /api/v1/token`, JSON, `client_credentials` | 2.20 and later, deprecated since 2.25 |
| `POST /api/v1/token`, JSON, `app_token` | up to 2.26 |

They are tried in this order, and what the server answers decides. A wrong id or secret ends the
search, since no other way would accept it. Everything else (404, 405, an unknown grant, a page
for people, a redirect) only means that the server does not know this way.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.errors import AccessError, ProviderError, UnreachableError

Version = tuple[int, int]


class Way(NamedTuple):
    """One way to log in. `since` is the oldest version of a server that accepts it."""

    path: str
    grant: str
    since: Version

    @property
    def is_form(self) -> bool:
        """Whether the request is a form, as in OAuth 2.0, and not JSON."""
        return self.path == _OAUTH

    def __str__(self) -> str:
        return f"POST {self.path} ({self.grant})"

    def fields(self, client_id: str, client_secret: str) -> dict[str, str]:
        """What is sent, as this way spells it."""
        if self.is_form:
            names = ("grant_type", "client_id", "client_secret")
        elif self.grant == "app_token":
            names = ("grantType", "AppId", "AppSecret")  # as NVIDIA's SDK writes them
        else:
            names = ("grantType", "clientID", "clientSecret")
        return dict(zip(names, (self.grant, client_id, client_secret), strict=True))


_OAUTH = "/api/v2/token"
WAYS = (
    Way(_OAUTH, "client_credentials", (2, 24)),
    Way("/api/v1/token", "client_credentials", (2, 20)),
    Way("/api/v1/token", "app_token", (2, 18)),
)

_NOT_OFFERED = frozenset({404, 405, 410, 501})
_OTHER_GRANT = frozenset({"unsupported_grant_type", "unsupported_response_type", "invalid_request"})
_WRONG_CLIENT = frozenset({"invalid_client", "invalid_grant", "access_denied"})
_OF_THE_GRANT = re.compile(
    r"grant[ _-]?types?\b|not supported|unsupported|required|missing|must be|must have"
    r"|unknown (field|propert)|additional propert|not allowed|schema",
    re.IGNORECASE,
)
_OF_THE_SECRET = re.compile(
    r"secret|credential|invalid[ _]client|unauthori[sz]ed|authenticat|password|wrong"
    r"|(client|app|application)('s)?[ _-]?id\b|(client|application|service account).*disabled",
    re.IGNORECASE,
)


class Issued(NamedTuple):
    """A token, and the seconds until it ends as the answer states them."""

    token: str
    seconds: float | None


class Refused(NamedTuple):
    """One way that was tried, and how it "was answered". `status` 0: not by an API."""

    way: Way
    status: int
    words: str

    def __str__(self) -> str:
        return f"{self.way} {self.words}"


def read_token(data: Any) -> Issued | None:
    """The token in an answer of either endpoint; None if there is none."""
    if not isinstance(data, Mapping):
        return None
    token = data.get("access_token") or data.get("accessToken")
    if not isinstance(token, str) or not token:
        return None
    return Issued(token, _seconds(data.get("expires_in", data.get("expiresIn"))))


def _seconds(value: Any) -> float | None:
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < math.inf else None


def is_wrong_client(way: Way, status: int, data: Any) -> bool:
    """Whether an answer says that the id or secret is wrong, as opposed to: not in this way.

    RFC 6749 has `error` for that, which a gateway that refuses an unknown path does not state. The
    first endpoint says it in words, with 400 as well, since its contract has no 401 up to 2.19.
    """
    said = data if isinstance(data, Mapping) else {}
    if way.is_form and status == 401 and not said.get("error"):
        return False
    code = str(said.get("error") or "").strip().lower()
    if code in _OTHER_GRANT:
        return False
    if code in _WRONG_CLIENT or status == 401:
        return True
    if status not in (400, 422):
        return False
    names = ("message", "details", "error_description")
    words = " ".join(str(said[name]) for name in names if said.get(name))
    if code == "unauthorized_client":  # "not by this grant", or what Keycloak calls a wrong secret
        return "credential" in words.lower() or "secret" in words.lower()
    words = f"{code} {words}"
    return not _OF_THE_GRANT.search(words) and _OF_THE_SECRET.search(words) is not None


def wrong_client(refused: list[Refused]) -> AccessError:
    """The error for a wrong id or secret, which the last answer says."""
    last, before = refused[-1], refused[:-1]
    what = f"the control plane refused the login with {last.status}: {last}"
    if before:
        what += f"; before that, {_list(before)}"
    return AccessError(what, fix=_CHECK_CLIENT)


def no_way(refused: list[Refused], base_url: str) -> ProviderError:
    """The error after every way was tried in vain."""
    what = f"the control plane accepted no way to log in: {_list(refused)}"
    if all(item.status == 0 or item.status in _NOT_OFFERED for item in refused):
        fix = f"this is not the API of Run:ai: check that base_url, {base_url}, names the control "
        fix += "plane, without a path; a proxy or login page may answer in its place"
        return UnreachableError(what, fix=fix)
    return AccessError(what, fix=_CHECK_CLIENT)


_CHECK_CLIENT = "check client_id and client_secret of the target"


def _list(refused: list[Refused]) -> str:
    return "; ".join(str(item) for item in refused)
