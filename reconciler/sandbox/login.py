"""The two token endpoints: the control plane's own, and OAuth 2.0's."""

from __future__ import annotations

from urllib.parse import parse_qsl

from reconciler.sandbox.answers import ApiError, dump
from reconciler.sandbox.tokens import GRANTS, Tokens
from reconciler.sandbox.validation import read_json


def grant(tokens: Tokens, raw: bytes) -> str:
    """POST /api/v1/token. The contract knows no 401 here: wrong credentials are a 400.

    Keys match in any case: the SDK writes AppId, the contract appID and clientID.
    """
    body = read_json(raw)
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be an object.")
    given = {name.lower(): value for name, value in body.items()}
    grant_type = given.get("granttype")
    if not isinstance(grant_type, str) or grant_type not in GRANTS:
        raise ApiError(400, f"grantType must be one of {', '.join(sorted(GRANTS))}.")
    client_id = given.get("clientid", given.get("appid"))
    client_secret = given.get("clientsecret", given.get("appsecret"))
    if not isinstance(client_id, str) or not isinstance(client_secret, str):
        raise ApiError(400, "The client's id and secret are required, both as strings.")
    if not tokens.are_credentials(client_id, client_secret):
        raise ApiError(400, "The client's id or secret is wrong.")
    return dump({"accessToken": tokens.issue(), "expiresIn": int(tokens.lifetime)})


def grant_oauth(tokens: Tokens, raw: bytes) -> tuple[int, str]:
    """POST /api/v2/token with a form; status and body, errors in the form of RFC 6749, 5.2."""
    try:
        form = dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        return 400, dump({"error": "invalid_request"})
    if "grant_type" not in form:
        return 400, dump({"error": "invalid_request"})
    if form["grant_type"] != "client_credentials":
        return 400, dump({"error": "unsupported_grant_type"})
    if not tokens.are_credentials(form.get("client_id", ""), form.get("client_secret", "")):
        return 401, dump({"error": "invalid_client"})
    answer = {
        "access_token": tokens.issue(),
        "token_type": "Bearer",
        "expires_in": int(tokens.lifetime),
    }
    return 200, dump(answer)
