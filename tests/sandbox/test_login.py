"""Logging in: both endpoints, all spellings, and tokens that must not pass."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from reconciler.sandbox.api_schema import VERSIONS
from tests.sandbox.conftest import Running, Start

V1, V2, CLUSTERS = "/api/v1/token", "/api/v2/token", "/api/v1/clusters"


def credentials(running: Running) -> tuple[str, str]:
    endpoint = running.endpoint
    return endpoint.client_id, endpoint.client_secret.get_secret_value()


@pytest.mark.parametrize(
    "keys",
    [
        ("app_token", "AppId", "AppSecret"),
        ("app_token", "appID", "appSecret"),
        ("client_credentials", "clientID", "clientSecret"),
        ("client_credentials", "CLIENTid", "clientsecret"),
    ],
)
def test_every_spelling_logs_in(start: Start, keys: tuple[str, str, str]) -> None:
    sandbox = start(version="2.24")
    client_id, secret = credentials(sandbox)
    body = {"grantType": keys[0], keys[1]: client_id, keys[2]: secret}
    answer = sandbox.http.send("POST", V1, body, token="")
    assert (answer.status, answer.body["expiresIn"]) == (200, 3600)
    assert sandbox.http.send("GET", CLUSTERS, token=answer.body["accessToken"]).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"grantType": "app_token"},
        {"grantType": "app_token", "AppId": "reconciler-sandbox", "AppSecret": "wrong"},
        {"grantType": "app_token", "AppId": "reconciler-sandbox", "AppSecret": None},
        {"grantType": "app_token", "AppId": "wrong", "AppSecret": "\ud800"},
        {"grantType": "password", "username": "a", "password": "b"},
        {"grantType": ["app_token"]},
    ],
)
def test_wrong_logins_are_a_400(sandbox: Running, body: Any) -> None:
    answer = sandbox.http.send("POST", V1, body, token="")
    assert (answer.status, answer.body["code"]) == (400, 400)


GRANTS: dict[str, dict[str, bool]] = {
    version: {"app_token": version != "3.0", "client_credentials": version not in ("2.18", "2.19")}
    for version in VERSIONS
}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_has_its_logins(start: Start, version: str) -> None:
    running = start(version=version)
    name, secret = credentials(running)
    for grant, served in GRANTS[version].items():
        body = {"grantType": grant, "clientID": name, "clientSecret": secret}
        answer = running.http.send("POST", V1, body, token="")
        assert answer.status == (200 if served else 400)
        assert answer.body.get("details") == (None if served else "grantType")
    form = f"grant_type=client_credentials&client_id={name}&client_secret={secret}".encode()
    missing = running.http.send("POST", V2, form, token="").status
    assert missing == (200 if version in ("2.24", "3.0") else 404)
    refusing = start(version=version, missing_paths="405")
    missing = refusing.http.send("POST", V2, form, token="").status
    assert missing == (200 if version in ("2.24", "3.0") else 405)


@pytest.mark.parametrize(("where", "stated"), [("stated", 90), ("jwt", None), ("unstated", None)])
def test_where_the_end_of_a_token_is_stated(start: Start, where: str, stated: int | None) -> None:
    running = start(version="2.24", token_expiry=where, token_lifetime=90.0)
    name, secret = credentials(running)
    body = {"grantType": "app_token", "appID": name, "appSecret": secret}
    old = running.http.send("POST", V1, body, token="").body
    form = f"grant_type=client_credentials&client_id={name}&client_secret={secret}"
    new = running.http.send("POST", V2, form.encode(), token="").body
    assert (old.get("expiresIn"), new.get("expires_in")) == (stated, stated)
    for token in (old["accessToken"], new["access_token"]):
        assert ("." in token) == (where != "unstated")
        assert running.http.send("GET", CLUSTERS, token=token).status == 200
        assert start().http.send("GET", CLUSTERS, token=token).status == 200


def test_tokens_are_revoked_at_a_time(start: Start) -> None:
    http = start(revoke_tokens_every=3).http
    other = http.log_in()
    statuses = [http.send("GET", CLUSTERS).status for _ in range(5)]
    assert statuses == [200, 200, 200, 401, 401]
    assert http.send("GET", CLUSTERS, token=other).status == 401
    new = http.log_in()
    assert [http.send("GET", CLUSTERS, token=new).status for _ in range(4)] == [200] * 3 + [401]
    assert start().http.send("GET", CLUSTERS, token=new).status == 200


def test_the_oauth_form(sandbox: Running) -> None:
    client_id, secret = credentials(sandbox)
    form = f"grant_type=client_credentials&client_id={client_id}&client_secret={secret}"
    answer = sandbox.http.send("POST", V2, form.encode(), token="")
    assert (answer.status, answer.body["token_type"]) == (200, "Bearer")
    assert sandbox.http.send("GET", CLUSTERS, token=answer.body["access_token"]).status == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        (b"", 400, "invalid_request"),
        (b"\xff", 400, "invalid_request"),
        (b"grant_type=password", 400, "unsupported_grant_type"),
        (b"grant_type=client_credentials", 401, "invalid_client"),
        (b"grant_type=client_credentials&client_id=a&client_secret=b", 401, "invalid_client"),
    ],
)
def test_the_oauth_errors(sandbox: Running, form: bytes, status: int, error: str) -> None:
    answer = sandbox.http.send("POST", V2, form, token="")
    assert (answer.status, answer.body["error"]) == (status, error)
    assert answer.body.keys() == {"error", "error_description"}


def test_the_token_is_a_signed_jwt_that_the_sdk_can_read(sandbox: Running) -> None:
    header, payload, signature = sandbox.http.token.split(".")
    claims = json.loads(base64.b64decode(payload + "=="))  # the SDK's way, wrong alphabet included
    assert isinstance(claims["exp"], int)
    assert claims["exp"] == claims["iat"] + 3600
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    assert len(base64.urlsafe_b64decode(signature + "=")) == 32


def encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged() -> list[str]:
    claims = encode({"exp": 4e9})
    unsigned = f"{encode({'alg': 'none', 'typ': 'JWT'})}.{claims}."
    signed = f"{encode({'alg': 'HS256', 'typ': 'JWT'})}.{claims}"
    mac = hmac.digest(b"guess", signed.encode(), hashlib.sha256)
    return [
        "",
        "x",
        "a.b.c",
        "....",
        unsigned,
        f"{signed}.{base64.urlsafe_b64encode(mac).decode()}",
    ]


@pytest.mark.parametrize("token", forged())
def test_tokens_of_others_are_a_401(sandbox: Running, token: str) -> None:
    answer = sandbox.http.send("GET", CLUSTERS, token=token)
    assert (answer.status, answer.body["code"]) == (401, 401)


def test_a_changed_token_is_a_401(sandbox: Running) -> None:
    header, payload, signature = sandbox.http.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    token = f"{header}.{encode(claims | {'exp': 4_000_000_000})}.{signature}"
    assert sandbox.http.send("GET", CLUSTERS, token=token).status == 401


def test_no_write_without_a_token(sandbox: Running) -> None:
    body = {"meta": {"name": "a", "scope": "tenant"}, "spec": {}}
    assert sandbox.http.send("POST", "/api/v1/asset/environment", body, token="").status == 401
    assert sandbox.http.names("environment") == []


def test_secrets_differ_between_databases_and_outlive_restarts(start: Start, tmp_path: Any) -> None:
    one, other, again = start(), start(tmp_path / "other.db"), start()
    assert credentials(one) == credentials(again)
    assert credentials(one) != credentials(other)
    assert again.http.send("GET", CLUSTERS, token=one.http.token).status == 200
    assert other.http.send("GET", CLUSTERS, token=one.http.token).status == 401


def test_the_secret_is_not_shown_by_accident(sandbox: Running) -> None:
    assert credentials(sandbox)[1] not in repr(sandbox.endpoint)
