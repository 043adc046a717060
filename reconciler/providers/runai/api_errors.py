"""What the SDK and urllib3 raise -> `ProviderError` in words, with what the server said kept.

SDK hazard 2: with the SDK's own retries the body of an error is lost; we let every answer through
and read it here. Errors on the way (`urllib3.exceptions.HTTPError`) reach us as they are.

A server may quote what it was sent, in any form: within `withholding`, no word of it is shown.
"""

import http.client
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from urllib3 import exceptions as transport

from reconciler.errors import (
    AccessError,
    AmbiguousWriteError,
    ConflictError,
    ProviderError,
    UnreachableError,
)
from reconciler.kinds.registry import ASSET_KINDS

_SNIPPET = 200
_LOOKED_AT = 8_000
"""Characters of a text that is not of the documented form: taking it apart is not linear."""
_WITHHELD = "; the server's text is withheld, because the request carried secret values"
_withheld = ContextVar("withheld", default=False)


@contextmanager
def withholding(secret: bool) -> Iterator[None]:
    """Keep what the server says out of the errors made in this block, if it deals with secrets."""
    token = _withheld.set(secret)
    try:
        yield
    finally:
        _withheld.reset(token)


class Call(NamedTuple):
    """One request, as errors speak of it. `changes`: a lost answer leaves its effect unknown."""

    method: str
    path: str
    changes: bool


class UnauthorizedError(AccessError):
    """401: the server does not (or no longer) know who we are. Nothing was changed."""


class NotFoundError(ProviderError):
    """404: the object is not (or no longer) there."""


class RejectedError(ProviderError):
    """The server refused the request itself: 400, 422, 429 and the like. Nothing was changed."""


class BusyError(UnreachableError):
    """The server cannot answer now (429, 5xx, or no answer at all); reading again may help.

    `retry_after` is the pause in seconds that the server asked for.
    """

    def __init__(self, what: str, *, fix: str = "", retry_after: float | None = None) -> None:
        super().__init__(what, fix=fix)
        self.retry_after = retry_after


def from_answer(error: Any, call: Call) -> ProviderError:
    """The error for an answer that is no success. `error` is the SDK's `ApiException`."""
    status = int(error.status or 0)
    said = _what_was_said(error)
    what = f"{call.method} {call.path} was answered with {status}{said}"
    if status == 0:
        return tls_failure(str(error.reason))
    if status == 401:
        fix = "check client_id and client_secret, or the token, of the target: is it expired?"
        return UnauthorizedError(what, fix=fix)
    if status == 403:
        return AccessError(what, fix=_missing_right(call))
    if status == 404:
        return NotFoundError(what, fix="run plan again: it may have been deleted meanwhile")
    if status == 409:
        return ConflictError(what, fix="run plan again: somebody else may have made the same")
    if status == 429 or status >= 500:
        return _from_busy(error, what, call)
    if 300 <= status < 400:
        return UnreachableError(what, fix="base_url leads to a redirect: name its final address")
    fix = "the server's words say what it did not accept"
    if _withheld.get():
        fix = "check the values in the manifest and in its variables"
    return RejectedError(what, fix=fix)


def _from_busy(error: Any, what: str, call: Call) -> ProviderError:
    if not call.changes:
        fix = "the control plane is busy or down: try again later"
        return BusyError(what, fix=fix, retry_after=_retry_after(error))
    if error.status == 429:
        return RejectedError(what, fix="the server limits requests: lower --parallelism")
    return lost(what)


def lost(what: str) -> AmbiguousWriteError:
    """The error for a write of which nobody knows whether it took place."""
    return AmbiguousWriteError(
        f"sent, but the answer was lost: {what}", fix="run plan again to see what is there"
    )


def from_transport(error: Exception, call: Call) -> ProviderError:
    """The error for no answer, or half of one."""
    if isinstance(error, transport.SSLError):
        return tls_failure(str(error))
    if isinstance(error, transport.ProxyError):
        if isinstance(error.original_error, ssl.SSLError | transport.SSLError):
            return tls_failure(str(error.original_error))
        words = _plain(error.original_error)
        fix = "check `proxy` of the target, or else HTTPS_PROXY and NO_PROXY"
        if "407" in words:
            fix = "write the proxy with its login, http://USER:PASSWORD@HOST:PORT, or correct that"
        return UnreachableError(f"the proxy gave no connection: {words}", fix=fix)
    # Left-overs of an answer may be taken for the status line of the next, and be quoted.
    broken = isinstance(error, transport.ProtocolError) and any(
        isinstance(item, http.client.HTTPException) for item in error.args
    )
    words = f"it broke off{_WITHHELD}" if broken and _withheld.get() else _plain(error)
    what = f"{call.method} {call.path} got no answer: {words}"
    if not call.changes or isinstance(
        error, transport.NewConnectionError | transport.ConnectTimeoutError
    ):
        fix = "check base_url, the network, and which proxy `reconcile doctor` names"
        return BusyError(what, fix=fix)
    return lost(what)


def tls_failure(reason: str) -> UnreachableError:
    """The certificate of the server, or of a proxy in between, is not trusted."""
    text = " ".join(reason.removeprefix("SSLError").split())
    fix = next((fix for sign, fix in _TLS_FIXES if sign in text), _FIX_AUTHORITY)
    return UnreachableError(f"no secure connection: {text}", fix=fix)


_TLS_FIXES = (
    # what OpenSSL says to an answer that is not TLS
    ("WRONG_VERSION_NUMBER", "there is no TLS on that port: check its number and the scheme"),
    ("mismatch", "write the address with a name that the server's certificate holds"),
    ("expired", "the server needs a new certificate, or this machine's clock is wrong"),
    ("not yet valid", "this machine's clock is wrong, or the server's certificate is"),
)
_FIX_AUTHORITY = (
    "if your network has a certificate authority of its own, or the server signed its certificate "
    "itself, name the PEM file of that as `ca_bundle` of the target"
)


def not_json(call: Call, body: bytes | None, content_type: str | None) -> ProviderError:
    """A success whose body is not what the API answers, such as a login page.

    The start of a page is shown, of nothing else: that may hold a token or values of variables.
    """
    start = (body or b"")[:_SNIPPET].decode("utf-8", "replace").strip()
    kind = f" of type {content_type}" if content_type else ""
    shown = f" that starts with {start[:60]!r}" if start.startswith("<") else ""
    if _withheld.get():
        kind, shown = "", _WITHHELD
    what = f"{call.method} {call.path} was answered with something{kind} that is no JSON{shown}"
    if call.changes:
        return lost(what)
    fix = "check that base_url names the Run:ai control plane; a proxy or login page may answer"
    return UnreachableError(what, fix=fix)


def unexpected(path: str, wanted: str) -> UnreachableError:
    """JSON, but not of the documented form: never taken for an empty answer."""
    return UnreachableError(
        f"{path} was answered without {wanted}",
        fix="check that base_url names the Run:ai control plane; is its version supported?",
    )


def _what_was_said(error: Any) -> str:
    """The server's message and details, on one line, or the start of whatever it sent."""
    if _withheld.get():
        return _WITHHELD
    data = error.data
    if isinstance(data, dict) and data.get("message"):
        details = f" ({data['details']})" if data.get("details") else ""
        text = " ".join(f"{data['message']}{details}".split())
        return f": {text[:1000]}"
    if isinstance(data, dict) and data.get("error"):  # the form of OAuth 2.0
        more = f" ({data['error_description']})" if data.get("error_description") else ""
        return ": " + " ".join(f"{data['error']}{more}".split())[:1000]
    text = " ".join(re.sub(r"<[^>]*>", " ", str(error.body or "")[:_LOOKED_AT]).split())
    return f": {text[:_SNIPPET]}" if text else f" {error.reason or ''}".rstrip()


def _missing_right(call: Call) -> str:
    verbs = {"GET": "view", "POST": "create", "PUT": "edit", "DELETE": "delete"}
    verb = verbs.get(call.method, "use")
    others = ("credentials", "clusters", "projects", "departments")
    for path, things in (
        *((kind.listing.path, kind.listing.right) for kind in ASSET_KINDS),
        *((f"/{name}", name) for name in others),
    ):
        if path in call.path:
            return f"the account probably lacks the right to {verb} {things} in this scope"
    return "the account probably lacks a right: ask an administrator for an access rule"


def _retry_after(error: Any) -> float | None:
    value = (error.headers or {}).get("Retry-After")
    return float(value) if value and re.fullmatch(r"\d{1,6}", value) else None


def _plain(error: object) -> str:
    """The words of a urllib3 error without the object addresses it is full of."""
    text = re.sub(r"<[^>]*> ?: ?|<[^>]* at 0x[0-9a-f]+>,? ?", "", str(error)[:_LOOKED_AT])
    text = re.sub(r"HTTPS?Connection(Pool)?\([^)]*\): ?", "", text)
    return " ".join(text.split()) or type(error).__name__
