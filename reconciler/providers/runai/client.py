"""runapy's `ApiClient`, made safe to reconcile with. Importing this module enters the SDK.

Each hazard of the SDK (runapy 1.224) is named where it is handled, so that a later SDK can drop it:

2  retries of its own, of POST too, with the body of the error lost: none; only reads are retried
3  no time limit: one for connecting and every pause, and one for a whole answer; `Retry-After` and
   the number of retries are bounded; TLS errors are told apart
4  login in the constructor, a broken bearer token, one failed refresh for ever: see
   `_make_token_request` and `_log_in_again`
7  proxy variables ignored (`config.proxies` reads them), a handler added to stderr (our own
   logger is passed on), the token logged with `debug` (never set)
8  the pool is as large as the number of threads

Hazards 1 (imports), 5 and 6 (models and conversions) are dealt with in `sdk` and `mapping`: plain
dicts of strings and numbers go in and come out.
"""

import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote_plus

import urllib3

from reconciler.errors import AccessError, ConfigError, ProviderError
from reconciler.providers.runai import sdk
from reconciler.providers.runai.api_errors import (
    BusyError,
    Call,
    UnauthorizedError,
    from_answer,
    from_transport,
    not_json,
    unexpected,
)
from reconciler.providers.runai.connection import Connection
from reconciler.providers.runai.login import (
    WAYS,
    Issued,
    Refused,
    Way,
    is_wrong_client,
    no_way,
    read_token,
    wrong_client,
)
from reconciler.providers.runai.redaction import without_secrets
from reconciler.providers.runai.token import seconds_left
from reconciler.support.deadline import limit_answers, read_whole

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_SDK = sdk.load()
_ApiClient: Any = _SDK.ApiClient
_TOKEN = re.compile(r"[\x21-\x7e]+")
_LARGEST = 256 << 20
"""Bytes of an answer; it is never unpacked."""
_MARGIN = 60.0
"""Seconds before its end at which a token is renewed, or a tenth of its life if that is less."""


class _WrongClientError(Exception):
    """The server does not know this id and secret: it would not in another way, either."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused


class Client(_ApiClient):  # type: ignore[misc]  # the SDK has no usable types
    """A logged-in client. Every call raises `ProviderError`; safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.way: Way | None = None
        self._token = ""
        self._logins = 0
        self._login_lock = threading.Lock()
        self._renew_at: float | None = None
        try:
            super().__init__(_configuration(connection))
        except urllib3.exceptions.LocationParseError as error:  # a name that IDNA does not allow
            raise ConfigError(
                f"the address of the proxy cannot be used: {error}",
                fix="write http://HOST:PORT",
            ) from error

    def _make_token_request(self) -> str:
        """Log in, with a time limit. Hazard 4: the SDK calls this in its constructor."""
        # Hazard 2: urllib3 is told to retry nothing and to follow no redirect.
        self.rest_client.pool_manager.connection_pool_kw["retries"] = False
        link = self._connection
        limit_answers(self.rest_client.pool_manager, link.stop, link.longest_answer)
        bearer = link.credentials.token
        if bearer is not None:
            return _check_token(bearer.get_secret_value().strip())
        issued = self._request_token()
        token = _check_token(issued.token)
        left = issued.seconds or seconds_left(token, time.time())
        self._renew_at = None
        if left is not None:
            self._renew_at = link.clock() + left - min(_MARGIN, left / 10)
        return token

    def _request_token(self) -> Issued:
        """Log in by the way that worked before, or by the first one that this server accepts."""
        ways = sorted(WAYS, key=lambda way: way != self.way)
        refused: list[Refused] = []
        try:
            for way in ways:
                issued = self._reading(partial(self._log_in, way))
                if isinstance(issued, Issued):
                    self.way = way
                    return issued
                refused.append(issued)
        except _WrongClientError as error:
            raise self._clean(wrong_client([*refused, error.refused])) from None
        raise self._clean(no_way(refused, self._connection.base_url))

    def _log_in(self, way: Way) -> Issued | Refused:
        """One login. Neither the secret nor the token is ever part of an error."""
        call = Call("POST", way.path, changes=False)
        configuration = self.configuration
        fields = way.fields(configuration.client_id or "", configuration.client_secret or "")
        kind = "application/x-www-form-urlencoded" if way.is_form else "application/json"
        headers = {"Accept": "application/json", "Content-Type": kind}
        url = configuration.runai_base_url + way.path
        body = None if way.is_form else json.dumps(fields)
        form = list(fields.items()) if way.is_form else None
        answer: Any = None
        try:
            answer = self._exchange("POST", url, headers, body, form)
            data = self.response_deserialize(answer, {"200": dict}).data
        except _SDK.ApiException as error:
            return self._refusal(way, call, error)
        except urllib3.exceptions.HTTPError as error:
            raise from_transport(error, call) from error
        except (ValueError, LookupError, RecursionError):
            return Refused(way, 0, _words(not_json(call, answer.data, _content_type(answer))))
        issued = read_token(data)
        return issued or Refused(way, 0, _words(unexpected(call.path, "an access token")))

    def _refusal(self, way: Way, call: Call, error: Any) -> Refused:
        """What an answer without success says of a way. Raises if it says something of all ways."""
        status, fault = int(error.status or 0), from_answer(error, call)
        if status == 0 or (isinstance(fault, BusyError) and status != 501):
            raise self._clean(fault) from None
        refused = Refused(way, 0 if 300 <= status < 400 else status, _words(fault))
        if is_wrong_client(way, status, error.data):
            raise _WrongClientError(refused)
        return refused

    def call_api(  # noqa: PLR0913, PLR0917  (the SDK's own signature)
        self,
        method: str,
        resource_path: str,
        query_params: Any = None,
        header_params: Any = None,
        body: Any = None,
        post_params: Any = None,
        _request_timeout: Any = None,
    ) -> Any:
        """One request of an API class, with everything that the SDK leaves out.

        A read is repeated when the server is busy; a write never is, except after a 401, which
        says that nothing was done: then there is a new login, or two if the first is refused.
        """
        call = Call(method, resource_path, changes=method != "GET")
        query = [item for item in query_params or () if item[1] is not None]
        headers = {"Accept": "application/json", **(header_params or {})}

        def send() -> Any:
            request = self.param_serialize(
                method, resource_path, None, query, headers, body, post_params
            )
            return self._send(call, request)

        def attempt() -> Any:
            for pause in (0.0, self._connection.first_pause):
                login = self._fresh_login()
                try:
                    return send()
                except UnauthorizedError:
                    time.sleep(pause)  # a token that was just issued may be known a little later
                    if not self._log_in_again(login):
                        raise
            return send()

        return attempt() if call.changes else self._reading(attempt)

    def _send(self, call: Call, request: Any) -> Any:
        """Exactly one request and its answer, as the SDK's `ApiResponse`."""
        try:
            return self._ask(call, request)
        except ProviderError as error:  # nor may the SDK's error show, which prints the answer
            raise self._clean(error) from None

    def _clean(self, error: ProviderError) -> ProviderError:
        """Without what says who we are, in case the server quoted that."""
        credentials = self._connection.credentials
        stated = [item for item in (credentials.client_secret, credentials.token) if item]
        secrets = [self._token, *(item.get_secret_value() for item in stated)]
        return without_secrets(error, [*secrets, *map(quote_plus, secrets)])

    def _ask(self, call: Call, request: Any) -> Any:
        method, url, headers, text, _ = request
        answer: Any = None
        try:
            answer = self._exchange(method, url, headers, text)
            result = self.response_deserialize(answer, {"200": dict})
        except _SDK.ApiException as error:
            raise from_answer(error, call) from None  # its text may quote what was sent
        except urllib3.exceptions.HTTPError as error:
            raise from_transport(error, call) from None
        except (ValueError, LookupError, RecursionError):
            body = None if answer is None else answer.data
            raise not_json(call, body, _content_type(answer)) from None
        if not call.changes and result.status_code != 200:  # 206 and the like: not all of it
            raise unexpected(call.path, f"status 200: it was {result.status_code}")
        return result

    def _exchange(
        self, method: str, url: str, headers: Any, body: str | None, form: Any = None
    ) -> Any:
        """Send, and read the whole answer within the time limits (hazard 3)."""
        limit = self._connection.timeout
        begin = time.monotonic()
        answer = self.rest_client.request(
            method,
            url,
            headers=headers,
            body=body,
            post_params=form,
            _request_timeout=(limit, limit),
        )
        answer.data = read_whole(answer.response, _LARGEST)
        milliseconds = 1000 * (time.monotonic() - begin)
        log.debug("%s %s: %d in %.0f ms", method, url, answer.status, milliseconds)
        return answer

    def _reading(self, attempt: Callable[[], _Result]) -> _Result:
        """Repeat what changes nothing while the server is busy: a few times, and not for long."""
        begin = time.monotonic()
        for number in range(1, self._connection.read_attempts):
            try:
                return attempt()
            except BusyError as error:
                if time.monotonic() - begin > self._connection.timeout:
                    raise
                pause = self._pause(number, error.retry_after)
                log.info("%s; trying again in %.1f s", error.what, pause)
                if self._connection.stop.wait(pause):
                    raise
        return attempt()

    def _pause(self, number: int, retry_after: float | None) -> float:
        jitter: float = random.uniform(0.75, 1.25)  # noqa: S311  (no secret)
        wanted = self._connection.first_pause * (1 << (number - 1)) * jitter
        return min(max(wanted, retry_after or 0.0), self._connection.longest_pause)

    def _fresh_login(self) -> int:
        """The number of the login in use, which is renewed if its end is near."""
        if self._renew_at is not None and self._connection.clock() >= self._renew_at:
            self._log_in_again(self._logins)
        return self._logins

    def _log_in_again(self, number: int) -> bool:
        """Replace a login, once for all threads that use it. False for a bearer token.

        Hazard 4: a failure here is this call's alone; the next call tries again.
        """
        if self._connection.credentials.token is not None:
            return False
        with self._login_lock:
            if self._logins == number:
                self._token = self._make_token_request()
                self.set_default_header("authorization", f"Bearer {self._token}")
                self._logins += 1
        return True


def _check_token(token: str) -> str:
    """A token with a line break or the like would be quoted by the error for a bad header."""
    if not _TOKEN.fullmatch(token):
        raise AccessError(
            "the access token is not one word of printable characters",
            fix="check `token` of the target; it may have been cut or quoted wrongly",
        )
    return token


def _words(fault: ProviderError) -> str:
    """What was answered, without to what."""
    return fault.what[fault.what.index("was answered") :]


def _content_type(answer: Any) -> str | None:
    return None if answer is None else answer.getheader("content-type")


def _configuration(connection: Connection) -> Any:
    """The SDK's own configuration. Hazards 2, 4, 7 and 8 are switched off or passed on here."""
    proxy = connection.proxy
    secret = connection.credentials.client_secret
    try:
        return _SDK.Configuration(
            client_id=connection.credentials.client_id,
            client_secret=secret.get_secret_value() if secret else None,
            runai_base_url=connection.base_url,
            ssl_ca_cert=str(connection.ca_bundle) if connection.ca_bundle else None,
            pool_maxsize=max(connection.parallelism, 1),
            retry_enabled=False,
            proxy_url=proxy.address if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
            auto_refresh_token=False,
            logger=log,
        )
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"ca_bundle {connection.ca_bundle} cannot be used: {error}",
            fix="name a PEM file with the certificates to trust",
        ) from error
