"""Our reading of .dockerignore against the Docker CLI: what it sends to a pretended engine."""

import http.server
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.rayfine.image.context import read_context

pytestmark = pytest.mark.docker

FILES = (
    "Dockerfile",
    "env.py",
    "README.md",
    "a/b.txt",
    "a/b/c.txt",
    "a/b/keep.txt",
    "a/node_modules/x.js",
    "node_modules/y.js",
    "docs/README.md",
    "docs/api/index.md",
    "deep/er/and/deeper.log",
    "x.log",
    "[odd].txt",
    "sp ace.txt",
    "café.txt",
    ".hidden/file",
)

CASES = (
    "",
    "# comment\n\n*.md\n",
    " # not a comment\n",
    "*.md\n!README.md",
    "!README.md\n*.md",
    "a",
    "a/",
    "/a",
    "a/*",
    "*/b",
    "*/*/*.txt",
    "a/b\n!a/b/keep.txt",
    "*\n!env.py",
    "*\n!a/b/*.txt",
    "**\n!docs",
    "**/node_modules",
    "**/*.log",
    "**/b/**",
    "a/**\n!a/**/keep.txt",
    "a\n!**/keep.txt",
    "docs/**/*.md",
    "**/README.md\n!docs/README.md",
    "a/../docs",
    "./a/./b",
    "../a",
    "!../../a",
    "*\n!../../a\n!../../../env.py\n!../a/../../docs",
    "*\n!a/../../env.py\n!/../env.py",
    ".",
    "/",
    "Dockerfile\n.dockerignore",
    "**",
    "*",
    "[[]odd].txt",
    "\\[odd].txt",
    "[a-e]*",
    "[^a-e]*",
    "??*.py",
    "sp ace.txt",
    "sp*",
    "caf?.txt",
    "\ufeff*.md",
    "a/b/c.txt\r\nx.log\r\n",
    "!env.py",
    "! env.py\n*.py",
    "x.log/",
    "**/deep*/**/*er.log",
    "**/**/**/c.txt",
    "*e*e*p*",
    "**d*/*e*",
    "**log",
    "deep**",
    ".hidden",
    ".*",
)


class _Engine(http.server.BaseHTTPRequestHandler):
    received: bytes = b""

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(b"OK")

    def do_POST(self) -> None:
        body = io.BytesIO()
        while size := int(self.rfile.readline(), 16):
            body.write(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        type(self).received = body.getvalue()
        self._answer(b'{"stream":"done"}\n')

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Api-Version", "1.41")
        self.send_header("Ostype", "linux")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Engine)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"tcp://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("context")
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("FROM scratch\n")
    return root


def sent_by_cli(root: Path, engine: str) -> set[str]:
    environment = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        ["docker", "build", "-q", str(root)], env=environment, capture_output=True, check=False
    )
    if done.returncode:
        return {done.stderr.decode().strip().splitlines()[-1]}
    with tarfile.open(fileobj=io.BytesIO(_Engine.received)) as archive:
        return {item.name for item in archive if item.isfile()}


def ours(root: Path) -> set[str]:
    return {entry.path for entry in read_context(root).entries}


ALWAYS = {"Dockerfile", ".dockerignore"}
"""The CLI sends both for the engine's sake, which drops them again if they are ignored."""


@pytest.mark.parametrize("text", CASES)
def test_the_cli_sends_the_same_files(root: Path, engine: str, text: str) -> None:
    (root / ".dockerignore").write_bytes(text.encode())
    assert sent_by_cli(root, engine) - ALWAYS == ours(root) - ALWAYS


PARTS = ("a", "b", "*", "**", "docs", "keep.txt", "*.md", "?", "[ab]", "deep*", ".*", "c.txt", "..")
LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "!", "/"]), st.lists(st.sampled_from(PARTS), min_size=1, max_size=4)
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=LINES)
def test_any_patterns_mean_what_they_mean_to_the_cli(
    root: Path, engine: str, lines: list[tuple[str, list[str]]]
) -> None:
    text = "\n".join(sign + "/".join(parts) for sign, parts in lines)
    (root / ".dockerignore").write_text(text)
    assert sent_by_cli(root, engine) - ALWAYS == ours(root) - ALWAYS
