"""Logging in: client credentials to a signed access token, and back to "this request may pass".

Tokens are JWTs (RFC 7519, HS256) signed with the database's own key, so that they stay valid
across restarts and for every process on the same database. runapy decodes the payload with the
plain base64 alphabet; the payload here is ASCII without characters that encode to `-` or `_`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

from reconciler.sandbox.answers import ApiError, dump
from reconciler.sandbox.database import Database

GRANTS = frozenset({"app_token", "client_credentials"})


class Tokens:
    """Issues and checks the access tokens of one database. `lifetime` is in seconds."""

    def __init__(self, database: Database, lifetime: float) -> None:
        self._client_id = database.setting("client_id")
        self._client_secret = database.setting("client_secret")
        self._key = bytes.fromhex(database.setting("signing_key"))
        self._header = _encode(dump({"alg": "HS256", "typ": "JWT"}).encode())
        self.lifetime = lifetime

    def are_credentials(self, client_id: str, client_secret: str) -> bool:
        """Whether these are the database's client credentials."""
        right_id = _equal(client_id, self._client_id)
        right_secret = _equal(client_secret, self._client_secret)
        return right_id and right_secret

    def issue(self) -> str:
        """Make a token that is valid from now on."""
        now = time.time()
        # Whole seconds, as servers state them, unless the lifetime is too short for that.
        expiry = int(now) + int(self.lifetime) if self.lifetime >= 60 else now + self.lifetime
        claims = {
            "iss": "reconciler sandbox",
            "sub": self._client_id,
            "iat": int(now),
            "exp": expiry,
        }
        signed = f"{self._header}.{_encode(dump(claims).encode())}"
        return f"{signed}.{self._sign(signed)}"

    def check(self, authorization: str) -> None:
        """Pass if an `Authorization` header holds a token of ours that has not expired; 401."""
        scheme, _, token = authorization.partition(" ")
        signed, _, signature = token.strip().rpartition(".")
        header, _, payload = signed.partition(".")
        if (
            scheme.lower() != "bearer"
            or header != self._header
            or not _equal(signature, self._sign(signed))
        ):
            raise ApiError(401, "The request has no valid access token.")
        if _expiry(payload) <= time.time():
            raise ApiError(401, "The access token has expired.")

    def _sign(self, signed: str) -> str:
        return _encode(
            hmac.digest(self._key, signed.encode("utf-8", "surrogatepass"), hashlib.sha256)
        )


def _equal(given: str, right: str) -> bool:
    """Compare in constant time; what is given may hold lone surrogates."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())


def _expiry(payload: str) -> float:
    """The end of a token's life, from a payload that is known to be ours."""
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return float(claims["exp"])


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
