"""Logging in to every server: the server's answers decide by which way, and a fault is named."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from urllib3.exceptions import ProxyError

from reconciler.config.proxies import Proxy
from reconciler.errors import AccessError, ConfigError, ProviderError, UnreachableError
from reconciler.providers.runai.api_errors import Call, from_transport
from reconciler.providers.runai.client import Client
from reconciler.providers.runai.connection import Connection, Credentials
from reconciler.providers.runai.login import WAYS, Way, is_wrong_client, read_token
from tests.providers.runai.door import PAGE, V1, V2, Door, Knock, Says, door
from tests.providers.runai.test_token import jwt

SECRET = "canary-s3cr3t"
FORM, CREDENTIALS, APP = (
    f"{V2} client_credentials",
    f"{V1} client_credentials",
    f"{V1} app_token",
)
ALL = [FORM, CREDENTIALS, APP]
OAUTH_TOKEN = Says(200, {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600})
TOKEN = Says(200, {"accessToken": "t0ken", "expiresIn": 3600})
NO_GRANT = Says(400, {"code": 400, "message": "grantType must be one of app_token, password."})
HTML_404 = Says(404, PAGE, "text/html")

OLD_SERVERS_ON_V2 = {
    "404": Says(404, {"code": 404, "message": "Not Found"}),
    "404-html": HTML_404,
    "404-empty": Says(404),
    "405": Says(405, {"code": 405, "message": "Method Not Allowed"}),
    "405-html": Says(405, PAGE, "text/html"),
    "410": Says(410),
    "415": Says(415, {"code": 415, "message": "Unsupported Media Type"}),
    "406": Says(406),
    "501": Says(501, {"code": 501, "message": "Not Implemented"}),
    "gateway-403": Says(403, "<h1>Forbidden</h1>", "text/html"),
    "gateway-401": Says(401),
    "gateway-401-html": Says(401, "<h1>Unauthorized</h1>", "text/html"),
    "gateway-401-json": Says(401, {"code": 401, "message": "Unauthorized"}),
    "403-json": Says(403, {"code": 403, "message": "Forbidden"}),
    "the-ui": Says(200, PAGE, "text/html; charset=utf-8"),
    "empty-200": Says(200),
    "json-of-something-else": Says(200, {"status": "ok"}),
    "redirect": Says(302, "", "text/html", {"Location": "/login"}),
    "redirect-308": Says(308, "", "text/html", {"Location": "https://elsewhere.invalid/"}),
    "unsupported-grant": Says(400, {"error": "unsupported_grant_type"}),
    "unauthorized-client": Says(
        400,
        {
            "error": "unauthorized_client",
            "error_description": "The client is not allowed to use this grant",
        },
    ),
    "invalid-request": Says(400, {"error": "invalid_request"}),
    "400-html": Says(400, "<h1>400 Bad Request</h1>", "text/html"),
    "400-form-not-read": Says(400, {"code": 400, "message": "grantType is required"}),
    "422": Says(422, {"code": 422, "message": "grantType: field required"}),
}


def by_grant(answers: Mapping[str, Says]) -> Callable[[Knock], Says]:
    """Logins as stated, 404 for the others; lists are empty for who bears the token."""

    def rule(knock: Knock) -> Says:
        if knock.method == "POST":
            return answers.get(knock.grant, HTML_404)
        if knock.headers.get("authorization") != "Bearer t0ken":
            return Says(401, {"code": 401, "message": "who?"})
        return Says(200, [])

    return rule


def connect(made: Door, secret: str = SECRET, client_id: str = "id", **more: Any) -> Client:
    credentials = Credentials(client_id, SecretStr(secret))
    settings = {"timeout": 5.0, "first_pause": 0.01, "longest_pause": 0.02, **more}
    return Client(Connection(made.base_url, credentials, **settings))


def clusters(client: Client) -> Any:
    return client.call_api("GET", "/api/v1/clusters").data


@pytest.mark.parametrize("answer", OLD_SERVERS_ON_V2)
@pytest.mark.parametrize("second", [True, False])
def test_an_older_server_is_logged_in_to_another_way(answer: str, second: bool) -> None:
    ways = {CREDENTIALS: TOKEN} if second else {CREDENTIALS: NO_GRANT, APP: TOKEN}
    with door(by_grant({FORM: OLD_SERVERS_ON_V2[answer], **ways})) as made:
        assert clusters(connect(made)) == []
    assert made.grants == ALL[: 2 if second else 3]


@pytest.mark.parametrize("answer", OLD_SERVERS_ON_V2)
def test_what_each_way_was_answered_is_said(answer: str) -> None:
    """Whatever the last way says, no server is entered, and nothing secret is shown."""
    says = OLD_SERVERS_ON_V2[answer]
    answers = {FORM: HTML_404, CREDENTIALS: NO_GRANT, APP: says}
    with door(by_grant(answers)) as made, pytest.raises(ProviderError) as caught:
        connect(made)
    assert made.grants == ALL
    what = caught.value.what
    for part in (
        "POST /api/v2/token (client_credentials) was answered with 404",
        "POST /api/v1/token (client_credentials) was answered with 400: grantType must be one of",
        "POST /api/v1/token (app_token) was answered with",
    ):
        assert part.removesuffix(" with") in what
    assert str(says.status) in what or says.status == 200
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "says",
    [
        Says(404, PAGE, "text/html"),
        Says(405, "", "text/plain"),
        Says(200, PAGE, "text/html"),
        Says(302, "", "text/html", {"Location": "/login"}),
        Says(501),
    ],
    ids=lambda says: f"{says.status}-{says.kind}",
)
def test_what_is_not_the_api_is_named(says: Says) -> None:
    with door(lambda _: says) as made, pytest.raises(UnreachableError) as caught:
        connect(made)
    assert f"this is not the API of Run:ai: check that base_url, {made.base_url}" in (
        caught.value.fix
    )


@pytest.mark.parametrize(
    "body",
    [
        "access_token=t0ken-in-a-form&expires_in=3600",
        '\ufeff{"access_token":"t0ken-after-a-mark"}',
        """)]}'\n{"access_token":"t0ken-in-javascript"}""",
        "t0ken-alone",
        "access_token: t0ken-in-yaml",
    ],
)
def test_a_token_in_an_unexpected_form_is_not_shown(body: str) -> None:
    says = Says(200, body, "text/plain")
    with door(lambda _: says) as made, pytest.raises(ProviderError) as caught:
        connect(made)
    assert "that is no JSON" in caught.value.what
    assert "t0ken" not in str(caught.value)


def test_a_proxy_that_cannot_be_used_is_an_error_of_the_configuration() -> None:
    proxy = Proxy("http://a\u0660:1", "HTTPS_PROXY")
    credentials = Credentials("id", SecretStr(SECRET))
    with pytest.raises(ConfigError, match="the address of the proxy cannot be used"):
        Client(Connection("https://example.invalid", credentials, proxy=proxy))


def test_a_proxy_that_wants_a_login_says_so() -> None:
    said = OSError("Tunnel connection failed: 407 Proxy Authentication Required")
    error = from_transport(ProxyError("x", said), Call("GET", "/x", changes=False))
    assert "http://USER:PASSWORD@HOST:PORT" in error.fix


WRONG = {
    "v2-401": (FORM, Says(401, {"error": "invalid_client"})),
    "v2-401-described": (
        FORM,
        Says(401, {"error": "invalid_client", "error_description": "Invalid credentials"}),
    ),
    "v2-400": (FORM, Says(400, {"error": "invalid_client"})),
    "v2-invalid-grant": (FORM, Says(400, {"error": "invalid_grant"})),
    "keycloak-old": (
        FORM,
        Says(400, {"error": "unauthorized_client", "error_description": "Invalid client secret"}),
    ),
    "keycloak": (
        FORM,
        Says(
            401,
            {
                "error": "unauthorized_client",
                "error_description": "Invalid client or Invalid client credentials",
            },
        ),
    ),
    "v1-401": (CREDENTIALS, Says(401, {"code": 401, "message": "Unauthorized"})),
    "v1-400": (CREDENTIALS, Says(400, {"code": 400, "message": "Invalid client credentials"})),
    "v1-400-error": (
        CREDENTIALS,
        Says(400, {"code": 400, "message": "Bad Request", "details": "invalid_client"}),
    ),
    "app-400": (APP, Says(400, {"code": 400, "message": "The client's id or secret is wrong."})),
    "app-400-disabled": (
        APP,
        Says(400, {"code": 400, "message": "the application is disabled"}),
    ),
    "app-401": (APP, Says(401, {"code": 401, "message": "wrong"})),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_secret_ends_the_search(name: str) -> None:
    way, says = WRONG[name]
    before = {FORM: HTML_404, CREDENTIALS: NO_GRANT, APP: TOKEN}
    with door(by_grant({**before, way: says})) as made, pytest.raises(AccessError) as caught:
        connect(made)
    assert made.grants == ALL[: ALL.index(way) + 1]
    assert f"refused the login with {says.status}: POST" in caught.value.what
    assert "client_secret" in caught.value.fix
    for earlier in made.grants[:-1]:
        path, _, grant = earlier.partition(" ")
        assert f"POST {path} ({grant}) was answered with" in caught.value.what


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("way", [0, 1, 2])
def test_a_busy_server_is_asked_again_and_not_taken_for_an_old_one(status: int, way: int) -> None:
    answers = {FORM: HTML_404, CREDENTIALS: NO_GRANT, APP: TOKEN}
    if way < 2:
        answers[ALL[way]] = OAUTH_TOKEN if way == 0 else TOKEN
    left = [2]

    def rule(knock: Knock) -> Says:
        if knock.grant == ALL[way] and left[0]:
            left[0] -= 1
            return Says(status, {"code": status, "message": "busy"}, headers={"Retry-After": "0"})
        return by_grant(answers)(knock)

    with door(rule) as made:
        assert clusters(connect(made)) == []
    assert made.grants == [*ALL[:way], *[ALL[way]] * 3]
    down = Says(status, "<p>down</p>", "text/html")
    with door(lambda _: down) as made, pytest.raises(UnreachableError, match=f"with {status}"):
        connect(made)
    assert set(made.grants) == {FORM}


def test_the_way_is_remembered_for_the_command() -> None:
    tokens = iter(["t0ken", "second", "third"])

    def rule(knock: Knock) -> Says:
        if knock.method != "POST":
            refused = knock.headers.get("authorization") == "Bearer t0ken"
            return Says(401) if refused else Says(200, [])
        if knock.grant == CREDENTIALS:
            return Says(200, {"accessToken": next(tokens)})
        return HTML_404

    with door(rule) as made:
        assert clusters(connect(made)) == []
    assert made.grants == [FORM, CREDENTIALS, CREDENTIALS]


def test_a_server_that_was_upgraded_meanwhile() -> None:
    """The way that worked is gone: the others are tried again."""
    answers = {CREDENTIALS: TOKEN}
    with door(by_grant(answers)) as made:
        client = connect(made)
        del answers[CREDENTIALS]
        answers[FORM] = OAUTH_TOKEN
        assert client._log_in_again(0)
        assert client.way is not None
        assert client.way.since == (2, 24)
    assert made.grants == [FORM, CREDENTIALS, CREDENTIALS, FORM]


HARD = [
    "a&b=c",
    "a+b",
    "100%",
    "a b",
    "p\u00e4ss\u20ac\U0001f511",
    "%41",
    '"\\',
    "a;b",
    "=&=",
    "\t",
]


@pytest.mark.parametrize("secret", HARD)
@pytest.mark.parametrize("way", [0, 1, 2])
def test_secrets_arrive_as_they_are(secret: str, way: int) -> None:
    answers = {FORM: HTML_404, CREDENTIALS: NO_GRANT, APP: TOKEN, ALL[way]: TOKEN}
    with door(by_grant(answers)) as made:
        connect(made, secret, f"id {secret}")
    sent = made.knocks[-1]
    names = [("client_id", "client_secret"), ("clientID", "clientSecret"), ("AppId", "AppSecret")]
    assert [sent.fields[name] for name in names[way]] == [f"id {secret}", secret]
    kind = "application/x-www-form-urlencoded" if way == 0 else "application/json"
    assert sent.headers["content-type"] == kind
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("secret", ["canary&s3cr3t+%", "canary-\u20ac-p\u00e4ss", "canary s3cr3t"])
def test_a_server_that_quotes_the_secret(secret: str) -> None:
    def rule(knock: Knock) -> Says:
        form = "&".join(f"{name}={value}" for name, value in knock.fields.items())
        quoted = json.dumps(dict(knock.fields)) if knock.path == V1 else form
        return Says(400, {"error": "x", "error_description": f"cannot read {quoted}"})

    with door(rule) as made, pytest.raises(ProviderError) as caught:
        connect(made, secret)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"access_token": "t", "expires_in": 100}, 100),
        ({"access_token": "t", "expires_in": "100"}, 100),
        ({"access_token": "t", "expires_in": 100.5}, 100.5),
        ({"accessToken": "t", "expiresIn": 100}, 100),
        ({"accessToken": "t", "expires_in": 100}, 100),
        ({"access_token": 5000, "expires_in": 100}, 100),
        ({"access_token": 5000}, 5000),
        ({"access_token": 5000, "expires_in": 0}, 5000),
        ({"access_token": 5000, "expires_in": "soon"}, 5000),
        ({"access_token": -5000}, None),
        ({"access_token": "t", "expires_in": True}, None),
        ({"access_token": "t", "expires_in": -1}, None),
        ({"access_token": "t", "expires_in": None}, None),
        ({"access_token": "t", "expires_in": 1e999}, None),
        ({"access_token": "t"}, None),
    ],
)
def test_when_a_token_is_renewed(body: Any, seconds: float | None) -> None:
    """A number stands for a JWT that ends so many seconds from now."""
    if isinstance(end := body.get("access_token"), int):
        body = {**body, "access_token": jwt({"exp": time.time() + end})}
    with door(by_grant({FORM: Says(200, body)})) as made:
        client = connect(made)
        if seconds is None:
            assert client._renew_at is None
        else:
            assert client._renew_at is not None
            left = client._renew_at - time.monotonic()
            assert left == pytest.approx(seconds - min(60, seconds / 10), abs=30)


NAMES = st.sampled_from(["error", "message", "details", "access_token", "expires_in"]) | st.text()
ANSWERS = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(st.sampled_from(WAYS), ANSWERS, st.integers(100, 599))
def test_any_answer_is_judged(way: Way, data: Any, status: int) -> None:
    """No form of an answer is a crash, and a success is never a wrong secret by itself."""
    issued = read_token(data)
    assert issued is None or issued.token
    assert is_wrong_client(way, status, data) in (True, False)
