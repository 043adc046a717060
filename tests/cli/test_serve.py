"""What `reconcile serve` refuses before it starts anything; tests/rayfine/remote has the rest."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.cli.main import run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "others could reach this address"),
        (["--host", "::"], "give --tls-cert FILE; or, in a network that you trust, --plain-http"),
        (["--token-env", "NO_SUCH_1"], "the variable NO_SUCH_1 is not set"),
        (["--token-env", "SHORT_1"], "less than 16 characters"),
        (["--host", "192.0.2.1", "--plain-http"], "cannot listen on port"),
        (["--tls-cert", "EMPTY"], "the certificate and its key cannot be used"),
        (["--tls-key", "EMPTY"], "a key without a certificate"),
        (["--setup", "x"], "write it as --setup NAME=VALUE"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHORT_1", "x" * 15)
    (tmp_path / "empty").touch()
    given = [str(tmp_path / "empty") if word == "EMPTY" else word for word in arguments]
    assert run(["serve", "no/such:image", *given]) == 1
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        assert run(["serve", "no/such:image", "--port", str(port)]) == 1
    assert f"cannot listen on port {port}: Address already in use" in capsys.readouterr().err
