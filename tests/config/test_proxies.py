"""Which proxy leads to a server, as curl, pip and Python's own clients would have it."""

import os
from collections.abc import Mapping

import pytest

from reconciler.config.proxies import Proxies, proxies_of
from reconciler.errors import ConfigError

URL = "https://run.example.com/api"
PROXY = "http://proxy.example:3128"


def used(environ: Mapping[str, str], url: str = URL, stated: str | None = None) -> str:
    found = proxies_of(environ, stated).to(url)
    return "" if found is None else f"{found.address} {found.source}"


@pytest.mark.parametrize(
    ("environ", "url", "wanted"),
    [
        ({}, URL, ""),
        ({"HTTPS_PROXY": PROXY}, URL, f"{PROXY} HTTPS_PROXY"),
        ({"https_proxy": PROXY}, URL, f"{PROXY} https_proxy"),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://b:1"}, URL, f"{PROXY} https_proxy"),
        ({"https_proxy": "", "HTTPS_PROXY": PROXY}, URL, ""),
        ({"HTTP_PROXY": PROXY}, URL, ""),
        ({"HTTP_PROXY": PROXY}, "http://run.example.com", f"{PROXY} HTTP_PROXY"),
        ({"HTTPS_PROXY": PROXY}, "http://run.example.com", ""),
        ({"ALL_PROXY": PROXY}, URL, f"{PROXY} ALL_PROXY"),
        ({"all_proxy": PROXY}, "http://run.example.com", f"{PROXY} all_proxy"),
        ({"ALL_PROXY": "http://b:1", "HTTPS_PROXY": PROXY}, URL, f"{PROXY} HTTPS_PROXY"),
        ({"HTTPS_PROXY": "proxy.example:3128"}, URL, f"{PROXY} HTTPS_PROXY"),
        ({"HTTPS_PROXY": f" {PROXY}\n"}, URL, f"{PROXY} HTTPS_PROXY"),
        ({"HTTPS_PROXY": "https://p:1/"}, URL, "https://p:1 HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://u:canary@p:1"}, URL, "http://p:1 HTTPS_PROXY"),
    ],
)
def test_the_variables(environ: dict[str, str], url: str, wanted: str) -> None:
    assert used(environ, url) == wanted


@pytest.mark.parametrize(
    ("exceptions", "url", "excepted"),
    [
        ("run.example.com", URL, True),
        ("example.com", URL, True),
        (".example.com", URL, True),
        ("*.example.com", URL, True),
        ("EXAMPLE.COM", URL, True),
        ("example.com", "https://RUN.EXAMPLE.COM", True),
        ("example.com.", URL, True),
        ("example.com", "https://run.example.com.", True),
        ("ample.com", URL, False),
        ("run.example", URL, False),
        ("a.run.example.com", URL, False),
        ("com", URL, True),
        ("*", URL, True),
        ("a, b ,example.com", URL, True),
        ("a b\texample.com", URL, True),
        (",,", URL, False),
        (".", URL, False),
        ("example.com:443", URL, True),
        ("example.com:8443", URL, False),
        ("example.com:8443", "https://run.example.com:8443", True),
        ("example.com:80", "http://run.example.com", True),
        ("example.com:x", URL, False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.1/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3:8443", True),
        ("10.1.2.3:8443", "https://10.1.2.3:8443", True),
        ("10.1.2.3:443", "https://10.1.2.3:8443", False),
        ("2.3", "https://10.1.2.3", False),
        ("10.0.0.0/99", "https://10.1.2.3", False),
        ("10.0.0.0/8", URL, False),
        ("fd00::/8", "https://[fd12::1]", True),
        ("fd00::/8", "https://[fe80::1]", False),
        ("fd12::1", "https://[fd12::1]:8443", True),
        ("[fd12::1]:8443", "https://[fd12::1]:8443", True),
        ("[fd12::1]", "https://[fd12::1]", True),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_exceptions(name: str, exceptions: str, url: str, excepted: bool) -> None:
    environ = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, name: exceptions}
    assert (used(environ, url) == "") == excepted


def test_the_targets_own_proxy_wins() -> None:
    environ = {"HTTPS_PROXY": "http://b:1", "NO_PROXY": "*"}
    assert used(environ, stated=PROXY) == f"{PROXY} `proxy` of the target"


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.3.2.1:1", "[::1]:8443"])
@pytest.mark.parametrize("stated", [None, PROXY])
def test_this_machine_needs_no_proxy(host: str, stated: str | None) -> None:
    for scheme in ("http", "https"):
        assert used({"ALL_PROXY": PROXY}, f"{scheme}://{host}", stated) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("socks5://p:1080", "names a SOCKS proxy, which cannot be used"),
        ("socks5h://user:canary@p:1080", "names a SOCKS proxy, which cannot be used"),
        *(
            (value, "is no URL of a proxy")
            for value in (
                *("http://", "http://p:port", "http://p:99999", "ftp://p:1", "http:/p:1", ":1"),
                *("http://a b:1", "http://%zz:1", "http://[::1", "http://[zz]:1", '"http://p:1"'),
                *("http://..:1", "http://a..b:1", f"http://{'x' * 64}:1", "http://\uff41:1"),
            )
        ),
    ],
)
def test_what_is_no_http_proxy_is_an_error(value: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        used({"ALL_PROXY": value})
    assert caught.value.what == f"ALL_PROXY {words}"
    assert "NO_PROXY" in caught.value.fix
    assert used({"ALL_PROXY": value, "NO_PROXY": "example.com"}) == ""


def test_a_login_is_sent_as_a_header_and_shown_nowhere() -> None:
    found = proxies_of({"HTTPS_PROXY": "http://us%40er:can%3Aary@p:1"}, None)
    proxy = found.to(URL)
    assert proxy is not None
    assert proxy.headers == {"proxy-authorization": "Basic dXNAZXI6Y2FuOmFyeQ=="}
    assert "can" not in repr((found, proxy))
    assert Proxies().to(URL) is None


def test_nothing_else_of_the_environment_is_kept() -> None:
    environ = {**os.environ, "HTTPS_PROXY": PROXY, "SECRET": "canary"}
    assert "canary" not in str(proxies_of(environ, None).variables)
