"""`{env: NAME}` and `{file: PATH}`: what is taken, and what is refused without being shown."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config import Config, Target, load_config, resolve_target
from reconciler.config.control_plane import cut_base_url
from reconciler.config.text_source import MOST_BYTES
from reconciler.errors import ConfigError

TEXT = """\
apiVersion: reconciler/v1
stack: ml
default_target: live
targets:
  live:
    runai:
      base_url: {{{url}}}
      client_id: {{{id}}}
      client_secret: {{{secret}}}
    docker: {{host: {{file: host}}, base_image: {{file: base}}}}
    ca_bundle: {{file: ca}}
    proxy: {{file: proxy}}
"""


def configure(directory: Path, secret: str = "file: secret") -> Config:
    path = directory / "reconciler.yaml"
    path.write_text(TEXT.format(url="file: url", id="file: id", secret=secret))
    (directory / "ca.pem").touch()
    for name, text in {
        "url": "https://prod.example/",
        "id": "the-id",
        "secret": "canary-s3cr3t",
        "host": "tcp://engine:2375",
        "base": "busybox:1",
        "ca": "ca.pem",
        "proxy": "http://user:pw@proxy:3128",
    }.items():
        (directory / name).write_text(f"{text}\n")
    return load_config(path)


def secret_of(target: Target) -> str:
    assert target.runai is not None
    assert target.runai.client_secret is not None
    return target.runai.client_secret.get_secret_value()


def error_of(config: Config, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolve_target(config, None, environ or {})
    assert "canary" not in str(caught.value)
    return caught.value


def test_every_text_of_a_target_may_be_in_a_file(tmp_path: Path) -> None:
    target = resolve_target(configure(tmp_path), None, {})
    assert target.runai is not None
    assert target.docker is not None
    assert (target.runai.base_url, target.runai.client_id) == ("https://prod.example", "the-id")
    assert secret_of(target) == "canary-s3cr3t"
    assert (target.docker.host, target.docker.base_image) == ("tcp://engine:2375", "busybox:1")
    assert (target.ca_bundle, target.proxies.stated) == (
        tmp_path / "ca.pem",
        "http://user:pw@proxy:3128",
    )
    assert "canary" not in repr(target)


def test_the_path_is_relative_to_the_file_not_to_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("another")
    monkeypatch.chdir(elsewhere)
    assert secret_of(resolve_target(config, None, {})) == "canary-s3cr3t"


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n", "\r"])
@pytest.mark.parametrize("text", ["plain", " p\u00e4ss wort ", "a&b=%+", "\ufefft" * 2])
def test_what_closes_a_line_is_no_part_of_a_secret(tmp_path: Path, text: str, end: str) -> None:
    wanted = text.removeprefix("\ufeff")
    config = configure(tmp_path)
    (tmp_path / "secret").write_text(text + end, newline="")
    assert secret_of(resolve_target(config, None, {})) == wanted
    config = configure(tmp_path, "env: SECRET")
    assert secret_of(resolve_target(config, None, {"SECRET": text + end})) == text


def test_a_written_secret_loses_its_line_end_too(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.yaml"
    head = 'apiVersion: reconciler/v1\nstack: ml\ntargets:\n  a:\n    runai:\n      base_url: "'
    path.write_text(
        head + 'https://h"\n      client_id: |\n        x\n      client_secret: |\n        y\n'
    )
    target = resolve_target(load_config(path), "a", {})
    assert target.runai is not None
    assert (target.runai.client_id, secret_of(target)) == ("x", "y")


@pytest.mark.parametrize("text", ["", "\n", "\r\n"])
def test_a_variable_that_holds_no_text_is_not_set(tmp_path: Path, text: str) -> None:
    error = error_of(configure(tmp_path, "env: SECRET"), {"SECRET": text})
    assert "the environment variable SECRET is not set" in error.what


def break_file(path: Path, how: str) -> None:
    """Put something else than one line of text where the secret was."""
    path.unlink()
    match how:
        case "missing":
            pass
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "dangling":
            path.symlink_to("nowhere")
        case "loop":
            path.symlink_to(path.name)
        case "link out":
            outside = path.parent.parent / f"{path.parent.name}-outside"
            outside.write_text("canary-of-another-file")
            path.symlink_to(outside)
        case "through a file":
            path.write_text("x")
        case _:
            path.write_bytes(CONTENTS[how])


CONTENTS = {
    "empty": b"",
    "blank": b"  \n",
    "large": b"canary" * MOST_BYTES,
    "no text": b"canary\xff\xfe",
    "nul": b"canary\0",
    "a key": b"-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n",
    "two lines": b"canary\ncanary\n",
    "old lines": b"canary\rcanary",
    "escape": b"canary\x1b[1m",
}
WORDS = {
    "missing": "does not exist",
    "directory": "cannot be read: it is a directory",
    "fifo": "cannot be read: it is a pipe or a device",
    "device": "is behind a link that leads out",
    "dangling": "does not exist",
    "loop": "cannot be read",
    "link out": "is behind a link that leads out of the directory of reconciler.yaml",
    "empty": "is empty",
    "blank": "is empty",
    "large": f"cannot be read: it has more than {MOST_BYTES:,} bytes",
    "no text": "holds no text",
    "nul": "holds no text",
    "a key": "has more than one line",
    "two lines": "has more than one line",
    "old lines": "has more than one line",
    "escape": "holds no text",
}


@pytest.mark.parametrize("how", WORDS)
def test_what_is_no_line_of_text_is_refused_and_not_shown(tmp_path: Path, how: str) -> None:
    config = configure(tmp_path)
    break_file(tmp_path / "secret", how)
    error = error_of(config)
    assert error.where == "reconciler.yaml:9:22"
    assert f"the file secret, which target live takes its client_secret from, {WORDS[how]}" in (
        error.what
    )
    assert error.fix


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/tty", "/proc/self/environ", "/proc/self/mem"])
def test_devices_and_the_like_are_not_sent(tmp_path: Path, path: str) -> None:
    error_of(configure(tmp_path, f"file: {path}"))


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    config = configure(tmp_path)
    for name in ("url", "id", "secret"):
        (tmp_path / name).unlink()
    assert len(error_of(config).problems) == 3


def test_a_text_from_a_file_is_checked_like_a_written_one(tmp_path: Path) -> None:
    config = configure(tmp_path)
    (tmp_path / "url").write_text("canary.example")
    error = error_of(config)
    assert error.what == "url: `base_url`: it is not a URL: it does not begin with https://"


@pytest.mark.parametrize("written", ["{}", "{env: A, file: b}", "{env: null, file: null}"])
def test_one_of_both_is_named(tmp_path: Path, written: str) -> None:
    path = tmp_path / "reconciler.yaml"
    path.write_text(
        "apiVersion: reconciler/v1\nstack: ml\ntargets:\n  a:\n"
        f"    runai: {{base_url: https://h, token: {written}}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "neither or both of a variable and a file" in caught.value.what
    assert caught.value.fix == "write {env: NAME} or {file: PATH}"


HOST = "https://run.example"
CUT = {
    HOST: (HOST, ""),
    f"{HOST}/": (HOST, ""),
    f"{HOST}///": (HOST, ""),
    f"{HOST}/api": (HOST, "/api"),
    f"{HOST}/api/": (HOST, "/api"),
    f"{HOST}/api/v1": (HOST, "/api/v1"),
    f"{HOST}/api/v1/": (HOST, "/api/v1"),
    f"{HOST}/API/V1": (HOST, "/API/V1"),
    f"{HOST}/Api": (HOST, "/Api"),
    f"{HOST}/auth/realms/runai": (HOST, "/auth/realms/runai"),
    f"{HOST}/api/v2": (HOST, "/api/v2"),
    f"{HOST}/api/v2/token": (HOST, "/api/v2/token"),
    f"{HOST}/api/v1/asset/environment": (HOST, "/api/v1/asset/environment"),
    f"{HOST}/api/docs": (HOST, "/api/docs"),
    f"{HOST}/workloads": (HOST, "/workloads"),
    f"{HOST}/workloads/train-7": (HOST, "/workloads/train-7"),
    f"{HOST}/Projects": (HOST, "/Projects"),
    f"{HOST}/assets/environments": (HOST, "/assets/environments"),
    f"{HOST}/login": (HOST, "/login"),
    f"{HOST}/node-pools/": (HOST, "/node-pools"),
    f"{HOST}:8443/runai/": (f"{HOST}:8443/runai", ""),
    f"{HOST}/runai/api/v1": (f"{HOST}/runai", "/api/v1"),
    f"{HOST}/api-gateway/runai": (f"{HOST}/api-gateway/runai", ""),
    f"{HOST}/api/runai": (f"{HOST}/api/runai", ""),
    f"{HOST}/v1": (f"{HOST}/v1", ""),
    "http://127.0.0.1:80/api": ("http://127.0.0.1:80", "/api"),
    "https://[::1]:8443/api/v1": ("https://[::1]:8443", "/api/v1"),
}


@pytest.mark.parametrize("url", CUT)
def test_a_base_url_loses_what_belongs_to_the_api_or_a_page(
    tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept, cut = CUT[url]
    assert cut_base_url(url) == (kept, cut)
    config = configure(tmp_path)
    (tmp_path / "url").write_text(f"  {url}  \n")
    with caplog.at_level(logging.WARNING):
        target = resolve_target(config, None, {})
    assert target.runai is not None
    assert target.runai.base_url == kept
    warning = f"base_url of target live ends in {cut}, which is left out: write {kept}"
    assert caplog.messages == ([warning] if cut else [])


@given(st.lists(st.sampled_from(["api", "v1", "runai", "workloads", "x", ""])))
def test_cutting_ends(names: list[str]) -> None:
    """What was cut once stays as it is, and nothing but the end is ever taken away."""
    kept, cut = cut_base_url("/".join([HOST, *names]))
    assert cut_base_url(kept) == (kept, "")
    assert "/".join([HOST, *filter(None, names)]) == kept + cut


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("run.example", "it is not a URL: it does not begin with https://"),
        ("run.example:443/api", "it is not a URL: it does not begin with https://"),
        ("//run.example", "it is not a URL: it does not begin with https://"),
        ("ftp://run.example", "it is not a URL"),
        ("https://", "it is not a URL"),
        ("https://run.example:port", "it is not a URL"),
        ("https://run example", "it is not a URL"),
        ("https://run.example/#/workloads", "it must not have a `?` or `#` part"),
        ("https://run.example/?a=b", "it must not have a `?` or `#` part"),
        ("http://run.example", "http:// would send credentials unencrypted"),
    ],
)
def test_what_is_no_base_url(tmp_path: Path, url: str, what: str) -> None:
    config = configure(tmp_path)
    (tmp_path / "url").write_text(url)
    error = error_of(config)
    assert error.what == f"url: `base_url`: {what}"
    assert "https://" in error.fix or "delete that part" in error.fix


def test_two_targets_of_one_control_plane_are_seen_through_files(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.yaml"
    (tmp_path / "url").write_text("https://run.example/api/v1\n")
    path.write_text(
        "apiVersion: reconciler/v1\nstack: ml\ntargets:\n"
        "  a: {runai: {base_url: https://run.example, token: x}}\n"
        "  b: {runai: {base_url: {file: url}, token: x}}\n"
        "  c: {runai: {base_url: {file: missing}, token: x}}\n"
    )
    with pytest.raises(ConfigError, match="targets b and a are one control plane"):
        resolve_target(load_config(path), "a", {})
