"""The client against everything that the SDK does not handle, over real HTTP."""

import json
import logging
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3
from pydantic import SecretStr

from reconciler.config.proxies import Proxy
from reconciler.errors import (
    AccessError,
    AmbiguousWriteError,
    ConfigError,
    ConflictError,
    ProviderError,
    UnreachableError,
)
from reconciler.kinds.environment import RunaiEnvironment
from reconciler.providers.runai.api_errors import Call, NotFoundError, RejectedError, from_transport
from reconciler.providers.runai.asset_api import AssetApi
from reconciler.providers.runai.client import Client
from reconciler.providers.runai.connection import Connection, Credentials
from reconciler.providers.runai.organisation import UnitLists
from reconciler.sandbox import Behaviour
from tests.faults.proxy import CERTIFICATE, Fault, FaultProxy, Kind
from tests.providers.runai.test_token import jwt
from tests.providers.runai.worlds import World, connect, wanted, world

NOBODY = "00000000-0000-4000-8000-000000000000"
BODY = {"meta": {"name": "a", "scope": "tenant"}, "spec": {"image": "busybox:1"}}


def environments(made: World) -> AssetApi:
    return AssetApi(RunaiEnvironment(), made.login)


def logged_in(made: World) -> AssetApi:
    """The API after its login, with the proxy counting from zero."""
    api = environments(made)
    api.list()
    made.proxy.clear()
    return api


def hurried(made: World, timeout: float, **settings: Any) -> AssetApi:
    """The API of a client that waits for little, and needs no login for which it would have to."""
    made.call("GET", "/api/v1/clusters")  # past the proxy: it has a token from here on
    token = SecretStr(made.token[0])
    login = connect(made.proxy.base_url, made.endpoint, token=token, timeout=timeout, **settings)
    return AssetApi(RunaiEnvironment(), login)


BUSY = [
    Fault(Kind.RESET),
    Fault(Kind.CLOSE),
    Fault(Kind.CUT),
    Fault(Kind.STATUS, status=429),
    *(Fault(Kind.STATUS, status=status) for status in (500, 502, 503, 504)),
    Fault(Kind.HTML, status=503),
]


@pytest.mark.parametrize("fault", BUSY, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_a_read_is_repeated(plain: World, fault: Fault) -> None:
    api = logged_in(plain)
    plain.proxy.plan = {1: fault, 2: fault}
    assert api.list()
    assert plain.proxy.count("GET") == 3


@pytest.mark.parametrize("fault", BUSY, ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_a_read_is_not_repeated_for_ever(plain: World, fault: Fault) -> None:
    api = logged_in(plain)
    plain.proxy.rule = lambda *_: fault
    with pytest.raises(UnreachableError):
        api.list()
    assert plain.proxy.count("GET") == 4


@pytest.mark.parametrize("fault", BUSY[3:], ids=lambda fault: f"{fault.kind}-{fault.status}")
def test_a_login_is_repeated(plain: World, fault: Fault) -> None:
    plain.proxy.plan = {1: fault, 2: fault}
    assert environments(plain).list()
    assert plain.proxy.count("POST", "/token") == 3


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "fault", [item for item in BUSY if item.status != 429], ids=lambda item: f"{item.kind}"
)
def test_a_post_is_sent_once(plain: World, fault: Fault, after: bool) -> None:
    api = logged_in(plain)
    plain.proxy.plan = {1: Fault(fault.kind, after=after, status=fault.status)}
    with pytest.raises(AmbiguousWriteError):
        api.create(BODY)
    assert plain.proxy.count("POST") == 1
    done = after or fault.kind is Kind.CUT
    assert len([item for item in api.list() if item["meta"]["name"] == "a"]) == done


def test_a_post_that_times_out_is_sent_once(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        api = hurried(made, 0.3)
        made.proxy.plan = {1: Fault(Kind.HOLD, after=True, seconds=1.0)}
        with pytest.raises(AmbiguousWriteError, match="timed out"):
            api.create(BODY)
        assert made.proxy.count("POST") <= 1
        assert [item for item in logged_in(made).list() if item["meta"]["name"] == "a"]


@pytest.mark.parametrize("method", ["update", "delete"])
def test_other_writes_are_sent_once(plain: World, method: str) -> None:
    api = logged_in(plain)
    arguments: list[Any] = [NOBODY, BODY] if method == "update" else [NOBODY]
    plain.proxy.rule = lambda *_: Fault(Kind.STATUS, status=503)
    with pytest.raises(AmbiguousWriteError, match=r"503: made up by the fault proxy \(note-17\)"):
        getattr(api, method)(*arguments)
    assert len(plain.proxy.seen) == 1


def test_too_many_writes_are_refused_not_ambiguous(plain: World) -> None:
    api = logged_in(plain)
    plain.proxy.plan = {1: Fault(Kind.STATUS, status=429)}
    with pytest.raises(RejectedError) as caught:
        api.create(BODY)
    assert "--parallelism" in caught.value.fix
    assert plain.proxy.count("POST") == 1


@pytest.mark.parametrize(
    ("status", "error", "fix"),
    [
        (400, RejectedError, "server's words"),
        (403, AccessError, "lacks the right to view environments"),
        (404, NotFoundError, "run plan again"),
        (409, ConflictError, "run plan again"),
        (422, RejectedError, "server's words"),
    ],
)
def test_what_the_server_says_is_kept(
    plain: World, status: int, error: type[ProviderError], fix: str
) -> None:
    api = logged_in(plain)
    plain.proxy.plan = {1: Fault(Kind.STATUS, status=status)}
    with pytest.raises(error) as caught:
        api.list()
    assert f"answered with {status}: made up by the fault proxy (note-17)" in caught.value.what
    assert fix in caught.value.fix
    assert plain.proxy.count("GET") == 1


def test_a_packed_answer_is_not_unpacked(plain: World) -> None:
    """A bomb of 600 MiB took 1.7 GiB of memory."""
    api = logged_in(plain)
    packed = {"Content-Encoding": "gzip"}
    plain.proxy.rule = lambda *_: Fault(Kind.TEXT, status=200, body="x" * 1_000, headers=packed)
    with pytest.raises(UnreachableError, match="packed"):
        api.list()


@pytest.mark.parametrize("logged", [True, False])
def test_an_answer_of_any_depth_is_an_error(plain: World, logged: bool) -> None:
    api = logged_in(plain) if logged else environments(plain)
    plain.proxy.rule = lambda *_: Fault(Kind.TEXT, status=200, body="[" * 100_000)
    with pytest.raises(UnreachableError, match="no JSON"):
        api.list()


def test_a_page_of_any_size_is_taken_apart_in_no_time(plain: World) -> None:
    """Of a million `<`, each is the beginning of a tag that may end at the very end."""
    api = logged_in(plain)
    plain.proxy.plan = {1: Fault(Kind.TEXT, status=404, body="<" * 1_000_000)}
    begin = time.process_time()
    with pytest.raises(NotFoundError) as caught:
        api.list()
    assert time.process_time() - begin < 20
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("method", "right"), [("create", "create"), ("update", "edit"), ("delete", "delete")]
)
def test_the_missing_right_is_named(plain: World, method: str, right: str) -> None:
    api = logged_in(plain)
    plain.proxy.plan = {1: Fault(Kind.STATUS, status=403)}
    calls: dict[str, list[Any]] = {
        "create": [BODY],
        "update": [NOBODY, BODY],
        "delete": [NOBODY],
    }
    arguments = calls[method]
    with pytest.raises(AccessError) as caught:
        getattr(api, method)(*arguments)
    assert f"lacks the right to {right} environments" in caught.value.fix


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.HTML, status=200),
        Fault(Kind.CUT_UNKNOWN_LENGTH),
        Fault(Kind.BODY, status=200, body=[]),
        Fault(Kind.BODY, status=200, body={}),
        Fault(Kind.BODY, status=200, body=None),
        Fault(Kind.BODY, status=200, body={"entries": None}),
        Fault(Kind.BODY, status=200, body={"entries": {}}),
        Fault(Kind.REDIRECT),
    ],
    ids=lambda fault: f"{fault.kind}-{json.dumps(fault.body)}",
)
def test_what_is_no_list_is_an_error(plain: World, fault: Fault) -> None:
    api = logged_in(plain)
    plain.proxy.rule = lambda *_: fault
    with pytest.raises(UnreachableError):
        api.list()


@pytest.mark.parametrize(
    "more",
    [
        {"next": 50},
        {"next": {"offset": 50}},
        {"nextPage": "/api/v1/asset/environment?offset=50"},
        {"nextToken": "abc"},
        {"next_page_token": "abc"},
        {"hasMore": True},
        {"offset": 0, "total": 2},
        {"offset": 50, "limit": 50},
        {"totalCount": 2},
        {"pagination": {"next": 50}},
        {"_links": {"next": {"href": "/2"}}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("entries", [0, 1])
def test_a_list_that_is_cut_short_is_an_error(plain: World, more: Any, entries: int) -> None:
    plain.create(wanted())
    whole = plain.call("GET", "/api/v1/asset/environment?name=train")["entries"]
    body = {"entries": whole[:entries], **more}
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body=body)
    with pytest.raises(UnreachableError, match="answered without the whole list"):
        environments(plain).list()
    with pytest.raises(UnreachableError, match="answered without the whole list"):
        UnitLists(plain.login).credentials()


def test_a_list_that_says_that_it_is_whole(plain: World) -> None:
    logged_in(plain)
    end = {"next": None, "nextToken": "", "hasMore": False, "total": 0, "offset": 0}
    body: dict[str, Any] = {"entries": [], **end, "pagination": {"next": 0, "totalCount": 0}}
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body=body)
    assert environments(plain).list() == []


def test_pages_that_end_too_early(plain: World) -> None:
    logged_in(plain)
    page = {"projects": [{"id": "1", "name": "a", "clusterId": "c"}]}
    for more in ({"nextToken": "abc"}, {"total": 2}):
        body = {**page, **more}
        plain.proxy.rule = lambda *_, body=body: Fault(Kind.BODY, status=200, body=body)
        with pytest.raises(UnreachableError, match="answered without the whole list"):
            UnitLists(plain.login).projects()


@pytest.mark.parametrize("status", [201, 202, 206])
def test_only_a_200_is_a_list(plain: World, status: int) -> None:
    api = logged_in(plain)
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=status, body={"entries": []})
    with pytest.raises(UnreachableError, match=f"without status 200: it was {status}"):
        api.list()
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=status, body=[])
    with pytest.raises(UnreachableError, match="without status 200"):
        UnitLists(plain.login).clusters()


@pytest.mark.parametrize(
    "entry",
    [
        None,
        1,
        {},
        {"meta": None},
        {"meta": {"name": "a"}},
        {"meta": {"scope": "tenant", "name": "a"}, "spec": {}},
        {"meta": {"scope": "tenant", "name": "a", "id": NOBODY}, "spec": []},
        {"meta": {"scope": "tenant", "name": "a", "id": NOBODY}, "spec": {"connections": 1}},
    ],
)
def test_an_entry_that_is_no_asset_is_an_error(plain: World, entry: Any) -> None:
    logged_in(plain)
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body={"entries": [entry]})
    with pytest.raises(UnreachableError, match="without assets of the documented form"):
        plain.environments.read()


def test_a_login_page_is_named(plain: World) -> None:
    plain.proxy.rule = lambda *_: Fault(Kind.HTML, status=200)
    with pytest.raises(UnreachableError) as caught:
        environments(plain).list()
    assert "no JSON" in caught.value.what
    assert "base_url" in caught.value.fix


@pytest.mark.parametrize("body", [{}, [], {"accessToken": ""}, {"accessToken": 5}])
def test_a_login_without_a_token(plain: World, body: Any) -> None:
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body=body)
    with pytest.raises(UnreachableError, match="without an access token"):
        environments(plain).list()


@pytest.mark.parametrize("name", ["a\nb", "a b", "\u20ac"])
def test_a_token_that_is_no_header_is_not_quoted(plain: World, name: str) -> None:
    token = f"canary{name}"
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body={"accessToken": token})
    with pytest.raises(AccessError) as caught:
        environments(plain).list()
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "token",
    ["opaque", jwt({}), jwt({"exp": time.time() - 50}), jwt(b"\xff\xfe\xfd??>>")],
    ids=["opaque", "no-exp", "expired", "no-json"],
)
def test_any_token_is_used(plain: World, token: str) -> None:
    """Opaque, without an end, over by our clock: the server's word counts."""
    plain.proxy.plan = {1: Fault(Kind.BODY, status=200, body={"accessToken": token})}
    assert environments(plain).list()  # a 401, one new login, and the list again
    assert plain.proxy.count("POST", "/token") == 2


def test_a_wrong_secret_is_an_access_error(plain: World) -> None:
    login = connect(plain.proxy.base_url, plain.endpoint, client_secret=SecretStr("canary-wrong"))
    with pytest.raises(AccessError) as caught:
        AssetApi(RunaiEnvironment(), login).list()
    assert "client_secret" in caught.value.fix
    assert "canary" not in str(caught.value)


def test_a_refused_token_is_replaced_once(plain: World) -> None:
    api = logged_in(plain)
    plain.proxy.plan = {1: Fault(Kind.STATUS, status=401)}
    assert api.list()
    assert [item.method for item in plain.proxy.seen] == ["GET", "POST", "GET"]
    plain.proxy.clear()
    plain.proxy.plan = {1: Fault(Kind.STATUS, status=401), 3: Fault(Kind.STATUS, status=401)}
    assert api.list()  # the fresh token is refused once: the server hears of it a little later
    assert [item.method for item in plain.proxy.seen] == ["GET", "POST", "GET", "POST", "GET"]
    plain.proxy.clear()
    plain.proxy.rule = lambda number, method, path: (
        Fault(Kind.STATUS, status=401) if method == "GET" else None
    )
    with pytest.raises(AccessError):
        api.list()
    assert len(plain.proxy.seen) == 5


def test_a_write_is_sent_again_after_a_401(plain: World) -> None:
    api = logged_in(plain)
    plain.proxy.plan = {1: Fault(Kind.STATUS, status=401)}
    assert api.create(BODY)
    assert [item.status for item in plain.proxy.seen] == [401, 200, 202]


def test_a_failed_login_does_not_prevent_the_next(plain: World) -> None:
    api = logged_in(plain)
    plain.proxy.rule = lambda number, method, path: (
        Fault(Kind.STATUS, status=401) if method == "GET" else Fault(Kind.STATUS, status=503)
    )
    with pytest.raises(UnreachableError):
        api.list()
    plain.proxy.rule = None
    assert api.list()


def test_threads_share_one_new_login(plain: World) -> None:
    api = logged_in(plain)
    barrier = threading.Barrier(8)
    read_by: list[int] = []

    def refuse_the_old_token(number: int, method: str, path: str) -> Fault | None:
        logged_in_again = plain.proxy.count("POST", "/token")
        refused = method == "GET" and not logged_in_again
        return Fault(Kind.STATUS, status=401) if refused else None

    plain.proxy.rule = refuse_the_old_token

    def read() -> None:
        barrier.wait()
        read_by.append(len(api.list()))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_by) == 8
    assert plain.proxy.count("POST", "/token") == 1


def test_a_token_is_renewed_before_its_end(tmp_path: Path) -> None:
    """By the client's own clock: the token itself lives on, however long this machine takes."""
    passed = 0.0
    with world(tmp_path, Behaviour(token_lifetime=10_000)) as made:
        clock = {"clock": lambda: time.monotonic() + passed}
        api = AssetApi(RunaiEnvironment(), connect(made.proxy.base_url, made.endpoint, **clock))
        api.list()
        made.proxy.clear()
        lists = 0
        for passed, logins in ((0.0, 0), (5_000.0, 0), (9_990.0, 1), (14_000.0, 1), (30_000.0, 2)):
            assert api.list()
            lists += 1
            assert made.proxy.count("POST", "/token") == logins, passed
        assert [item.status for item in made.proxy.seen] == [200] * (lists + 2)


def test_a_bearer_token_is_used_as_it_is(plain: World) -> None:
    plain.call("GET", "/api/v1/clusters")
    token = SecretStr(f" {plain.token[0]}\n")
    login = connect(plain.proxy.base_url, plain.endpoint, token=token)
    assert AssetApi(RunaiEnvironment(), login).list()
    assert plain.proxy.count("POST") == 0


def test_a_bearer_token_that_is_over(plain: World) -> None:
    login = connect(plain.proxy.base_url, plain.endpoint, token=SecretStr("canary"))
    with pytest.raises(AccessError) as caught:
        AssetApi(RunaiEnvironment(), login).list()
    assert "token" in caught.value.fix
    assert "canary" not in str(caught.value)
    assert len(plain.proxy.seen) == 1


def test_retry_after_is_obeyed_within_bounds(plain: World) -> None:
    api = logged_in(plain)
    slow = {"Retry-After": "86400"}
    plain.proxy.plan = {1: Fault(Kind.STATUS, status=429, headers=slow)}
    begin = time.monotonic()
    assert api.list()
    assert time.monotonic() - begin < 60


def test_nothing_is_waited_for_without_end(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        api = hurried(made, 0.25)
        made.proxy.rule = lambda *_: Fault(Kind.HOLD, seconds=30)
        begin = time.monotonic()
        with pytest.raises(UnreachableError):
            api.list()
        assert time.monotonic() - begin < 20


ENDLESS = [Kind.DRIP, Kind.DRIP_HEAD, Kind.CONTINUE]


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("tls", [False, True])
def test_an_answer_without_end_is_cut_off(plain: World, kind: Kind, tls: bool) -> None:
    with FaultProxy(plain.endpoint.base_url, tls=tls) as proxy:
        ca_bundle = CERTIFICATE if tls else None
        limits = {"timeout": 1.0, "longest_answer": 1, "read_attempts": 1}
        login = connect(proxy.base_url, plain.endpoint, **limits, ca_bundle=ca_bundle)
        api = AssetApi(RunaiEnvironment(), login)
        api.list()
        for _ in range(2):
            proxy.rule = lambda *_: Fault(kind, seconds=0.05)
            begin = time.monotonic()
            with pytest.raises(UnreachableError, match="timed out"):
                api.list()
            assert 0.9 < time.monotonic() - begin < 30
            with pytest.raises(AmbiguousWriteError, match="sent, but the answer was lost"):
                api.create({})
            proxy.rule = None
            api.list()


@pytest.mark.parametrize("kind", [*ENDLESS, Kind.HOLD])
def test_nobody_waits_for_an_answer_once_asked_to_stop(plain: World, kind: Kind) -> None:
    login = connect(
        plain.proxy.base_url, plain.endpoint, timeout=60, stop=(stop := threading.Event())
    )
    api = AssetApi(RunaiEnvironment(), login)
    api.list()
    plain.proxy.rule = lambda *_: Fault(kind, seconds=0.05 if kind is not Kind.HOLD else 30)
    ended: list[float] = []

    def wait() -> None:
        with pytest.raises(UnreachableError):
            api.list()
        ended.append(time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not plain.proxy.count("GET", "/asset/"):
        time.sleep(0.01)
    begin = time.monotonic()
    stop.set()
    waiting.join(50)
    assert ended
    assert ended[0] - begin < 20


def test_a_busy_server_is_not_asked_again_once_asked_to_stop(plain: World) -> None:
    stop = threading.Event()
    login = connect(plain.proxy.base_url, plain.endpoint, longest_pause=60, stop=stop)
    api = AssetApi(RunaiEnvironment(), login)
    api.list()
    plain.proxy.clear()
    stop.set()
    plain.proxy.rule = lambda *_: Fault(Kind.STATUS, headers={"Retry-After": "60"})
    with pytest.raises(UnreachableError):
        api.list()
    assert plain.proxy.count("GET") == 1


def test_nobody_listens(plain: World) -> None:
    login = connect("http://127.0.0.1:1", plain.endpoint, read_attempts=2)
    with pytest.raises(UnreachableError) as caught:
        AssetApi(RunaiEnvironment(), login).list()
    assert "refused" in caught.value.what
    assert "object at 0x" not in str(caught.value)
    assert "host=" not in str(caught.value)
    assert "base_url" in caught.value.fix


def test_a_certificate_of_one_s_own_needs_a_ca_bundle(plain: World) -> None:
    with FaultProxy(plain.endpoint.base_url, tls=True) as secure:
        login = connect(secure.base_url, plain.endpoint)
        with pytest.raises(UnreachableError) as caught:
            AssetApi(RunaiEnvironment(), login).list()
        assert "no secure connection" in caught.value.what
        assert "self-signed certificate" in caught.value.what
        assert "ca_bundle" in caught.value.fix
        assert secure.seen == []
        login = connect(secure.base_url, plain.endpoint, ca_bundle=CERTIFICATE)
        assert AssetApi(RunaiEnvironment(), login).list()


def test_a_certificate_of_another_name_needs_another_address(plain: World) -> None:
    with FaultProxy(plain.endpoint.base_url, tls=True) as secure:
        url = secure.base_url.replace("127.0.0.1", "localhost")
        login = connect(url, plain.endpoint, ca_bundle=CERTIFICATE, read_attempts=1)
        with pytest.raises(UnreachableError, match="mismatch") as caught:
            AssetApi(RunaiEnvironment(), login).list()
        assert "with a name that the server's certificate holds" in caught.value.fix


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("unable to get local issuer certificate", "`ca_bundle` of the target"),
        ("self-signed certificate", "`ca_bundle` of the target"),
        ("self-signed certificate in certificate chain", "`ca_bundle` of the target"),
        ("certificate has expired", "the server needs a new certificate"),
        ("certificate is not yet valid", "this machine's clock is wrong"),
        ("Hostname mismatch, certificate is not valid for 'run.ai'", "the server's certificate"),
    ],
)
def test_what_is_wrong_with_a_certificate_leads_to_its_cure(said: str, fix: str) -> None:
    """Directly, and for a proxy that has a certificate of its own."""
    error = ssl.SSLCertVerificationError(f"certificate verify failed: {said} (_ssl.c:1006)")
    call = Call("GET", "/api/v1/clusters", changes=False)
    for raised in (
        urllib3.exceptions.SSLError(error),
        urllib3.exceptions.ProxyError("Unable to connect to proxy", error),
    ):
        found = from_transport(raised, call)
        assert "no secure connection" in found.what
        assert fix in found.fix


def test_a_port_without_tls(plain: World) -> None:
    login = connect(plain.endpoint.base_url.replace("http:", "https:"), plain.endpoint)
    with pytest.raises(UnreachableError) as caught:
        AssetApi(RunaiEnvironment(), login).list()
    assert "there is no TLS on that port" in caught.value.fix


def test_a_bad_ca_bundle(plain: World, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    for content in (None, "no certificate"):
        if content is not None:
            bundle.write_text(content)
        login = connect(plain.proxy.base_url, plain.endpoint, ca_bundle=bundle)
        with pytest.raises(ConfigError, match="ca_bundle"):
            login()


def test_a_proxy_is_used(plain: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault proxy sees the absolute URL that only a proxy is sent."""
    seen: list[str] = []

    def note(number: int, method: str, path: str) -> Fault | None:
        seen.append(path)
        return Fault(Kind.STATUS, status=503)

    plain.proxy.rule = note
    login = connect(
        "http://control-plane.invalid",
        plain.endpoint,
        proxy=Proxy(plain.proxy.base_url.replace("//", "//user:canary@"), "a test"),
        read_attempts=1,
    )
    with pytest.raises(UnreachableError) as caught:
        login()
    assert seen == ["http://control-plane.invalid/api/v2/token"]
    assert "canary" not in str(caught.value)


def test_a_proxy_that_is_not_there(plain: World) -> None:
    login = connect(
        plain.proxy.base_url, plain.endpoint, proxy=Proxy("http://u:canary@127.0.0.1:1", "a test")
    )
    with pytest.raises(UnreachableError) as caught:
        login()
    assert "proxy" in caught.value.fix
    assert "canary" not in str(caught.value)


def test_nothing_secret_is_logged_and_no_handler_added(
    plain: World, caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: list(logging.getLogger(name).handlers) for name in ("runai", "urllib3", "")}
    configuration = list(logging.getLogger("runai.configuration").handlers)
    with caplog.at_level(logging.DEBUG):
        login = connect(plain.proxy.base_url, plain.endpoint)
        AssetApi(RunaiEnvironment(), login).list()
        client = login()
    text = caplog.text
    assert plain.endpoint.client_secret.get_secret_value() not in text
    assert client._token not in text
    assert list(logging.getLogger("runai.configuration").handlers) == configuration
    assert before == {
        name: list(logging.getLogger(name).handlers) for name in ("runai", "urllib3", "")
    }


def test_the_pool_has_room_for_every_thread(plain: World) -> None:
    client = connect(plain.proxy.base_url, plain.endpoint, parallelism=7)()
    assert client.rest_client.pool_manager.connection_pool_kw["maxsize"] == 7


def test_only_a_uuid_goes_into_a_path(plain: World) -> None:
    api = environments(plain)
    for bad in ("", "../compute", "a_b", f"{NOBODY}/x", "%2e"):
        with pytest.raises(ProviderError, match="not the id of an asset"):
            api.delete(bad)
    assert plain.proxy.seen == []


def test_clusters_are_a_bare_array(plain: World) -> None:
    logged_in(plain)
    units = UnitLists(plain.login)
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body={"clusters": []})
    with pytest.raises(UnreachableError, match="a list of clusters"):
        units.clusters()
    plain.proxy.rule = None
    assert [unit.name for unit in units.clusters()] == ["main"]


@pytest.mark.parametrize("following", [0.5, "x", 0, 3])
def test_pages_that_do_not_advance(plain: World, following: Any) -> None:
    logged_in(plain)
    page = {"projects": [{"id": "1", "name": "a", "clusterId": "c"}], "next": following}
    plain.proxy.rule = lambda number, *_: Fault(Kind.BODY, status=200, body=page)
    units = UnitLists(plain.login)
    if following == 0:
        assert len(units.projects()) == 1
    else:
        with pytest.raises(UnreachableError, match="next page"):
            units.projects()
        assert plain.proxy.count("GET") <= 2


def test_the_constructor_needs_no_login_for_a_bearer_token() -> None:
    client = Client(Connection("http://127.0.0.1:1", Credentials(token=SecretStr("abc"))))
    assert client._token == "abc"
