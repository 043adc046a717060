"""The two token endpoints: the control plane's own, and OAuth 2.0's."""

from __future__ import annotations

from urllib.parse import parse_qsl

from reconciler.sandbox.answers import ApiError, dump
from reconciler.sandbox.tokens import Tokens
from reconciler.sandbox.validation import read_json

_SERVICE_ACCOUNT_GRANTS = ("app_token", "client_credentials")


def grant(tokens: Tokens, known: tuple[str, ...], raw: bytes) -> str:
    """POST /api/v1/token. The contract knows no 401 here: wrong credentials are a 400.

    Of the grants that this version knows, those for service accounts are served. Keys match in any
    case: the SDK writes AppId, the contract appID and clientID.
    """
    body = read_json(raw)
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be an object.")
    given = {name.lower(): value for name, value in body.items()}
    served = [each for each in known if each in _SERVICE_ACCOUNT_GRANTS]
    if given.get("granttype") not in served:
        raise ApiError(400, f"grantType must be one of {', '.join(served)}.", "grantType")
    client_id = given.get("clientid", given.get("appid"))
    client_secret = given.get("clientsecret", given.get("appsecret"))
    if not isinstance(client_id, str) or not isinstance(client_secret, str):
        raise ApiError(400, "The client's id and secret are required, both as strings.")
    if not tokens.are_credentials(client_id, client_secret):
        raise ApiError(400, "The client's id or secret is wrong.", "invalid_client")
    return dump({"accessToken": tokens.issue(), **_expiry("expiresIn", tokens)})


def grant_oauth(tokens: Tokens, raw: bytes) -> tuple[int, str]:
    """POST /api/v2/token with a form; status and body, errors in the form of RFC 6749, 5.2."""
    try:
        form = dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return _oauth_error("invalid_request", "The body is not a form.")
    if "grant_type" not in form:
        return _oauth_error("invalid_request", "The form has no grant_type.")
    if form["grant_type"] != "client_credentials":
        return _oauth_error("unsupported_grant_type", "Only client_credentials is served here.")
    if not tokens.are_credentials(form.get("client_id", ""), form.get("client_secret", "")):
        return _oauth_error("invalid_client", "The client's id or secret is wrong.", 401)
    answer = {"access_token": tokens.issue(), "token_type": "Bearer"}
    return 200, dump({**answer, **_expiry("expires_in", tokens)})


def _oauth_error(code: str, description: str, status: int = 400) -> tuple[int, str]:
    return status, dump({"error": code, "error_description": description})


def _expiry(name: str, tokens: Tokens) -> dict[str, int]:
    return {} if tokens.expires_in is None else {name: tokens.expires_in}
