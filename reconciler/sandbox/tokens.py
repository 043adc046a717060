"""Logging in: client credentials to a signed access token, and back to "this request may pass".

Tokens are JWTs (RFC 7519, HS256) signed with the database's own key, so that they stay valid
across restarts and for every process on the same database; an opaque one is a JWT in base64.
runapy decodes the payload with the plain base64 alphabet; the payload here is ASCII without
characters that encode to `-` or `_`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from reconciler.sandbox.answers import ApiError, dump
from reconciler.sandbox.database import Database
from reconciler.sandbox.switches import Behaviour


class Tokens:
    """Issues and checks the access tokens of one database."""

    def __init__(self, database: Database, behaviour: Behaviour) -> None:
        self._client_id = database.setting("client_id")
        self._client_secret = database.setting("client_secret")
        self._key = bytes.fromhex(database.setting("signing_key"))
        self._header = _encode(dump({"alg": "HS256", "typ": "JWT"}).encode())
        self._lifetime = behaviour.token_lifetime
        self._expiry = behaviour.token_expiry
        self._revoke_every = behaviour.revoke_tokens_every
        self._passed = 0
        self._revocations = 0

    @property
    def expires_in(self) -> int | None:
        """The seconds that an answer states; None if it states none."""
        return int(self._lifetime) if self._expiry == "stated" else None

    def are_credentials(self, client_id: str, client_secret: str) -> bool:
        """Whether these are the database's client credentials."""
        right_id = _equal(client_id, self._client_id)
        right_secret = _equal(client_secret, self._client_secret)
        return right_id and right_secret

    def issue(self) -> str:
        """Make a token that is valid from now on."""
        now = time.time()
        # Whole seconds, as servers state them, unless the lifetime is too short for that.
        expiry = int(now) + int(self._lifetime) if self._lifetime >= 60 else now + self._lifetime
        claims = {
            "iss": "reconciler sandbox",
            "sub": self._client_id,
            "iat": int(now),
            "exp": expiry,
            "revocations": self._revocations,
        }
        signed = f"{self._header}.{_encode(dump(claims).encode())}"
        token = f"{signed}.{self._sign(signed)}"
        return _encode(token.encode()) if self._expiry == "unstated" else token

    def check(self, authorization: str) -> None:
        """Pass if an `Authorization` header holds a token of ours that is still valid; 401."""
        scheme, _, token = authorization.partition(" ")
        signed, _, signature = _transparent(token.strip()).rpartition(".")
        header, _, payload = signed.partition(".")
        if (
            scheme.lower() != "bearer"
            or header != self._header
            or not _equal(signature, self._sign(signed))
        ):
            raise ApiError(401, "The request has no valid access token.")
        claims = _claims(payload)
        if claims["exp"] <= time.time():
            raise ApiError(401, "The access token has expired.")
        if claims.get("revocations", 0) < self._revocations:
            raise ApiError(401, "The access token has been revoked.")
        self._passed += 1
        if self._revoke_every and self._passed % self._revoke_every == 0:
            self._revocations += 1

    def _sign(self, signed: str) -> str:
        return _encode(
            hmac.digest(self._key, signed.encode("utf-8", "surrogatepass"), hashlib.sha256)
        )


def _equal(given: str, right: str) -> bool:
    """Compare in constant time; what is given may hold lone surrogates."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())


def _transparent(token: str) -> str:
    """The JWT in an opaque token; anything else as it is."""
    if "." in token:
        return token
    try:
        return _decode(token).decode("ascii")
    except ValueError:
        return token


def _claims(payload: str) -> dict[str, Any]:
    """The claims of a payload that is known to be ours."""
    claims: dict[str, Any] = json.loads(_decode(payload))
    return claims


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
