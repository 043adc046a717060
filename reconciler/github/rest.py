"""Calls of GitHub's REST interface through the runner's `gh`, which has the token."""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from reconciler.errors import ReconcileError
from reconciler.github.runner import Runner, annotate

_LARGEST = 64 << 20
"""Bytes of an answer: a branch of a pull request may make an artifact of any size."""
_MOST_WORDS = 64 << 10
"""Bytes of what `gh` says beside it."""
_VERSION = "2022-11-28"
"""Of the REST interface: without one, the answers change when GitHub changes its default."""
_FAILED = (2.0, 4.0, 8.0)
"""Seconds to wait after an answer of 5xx."""
_LIMITED = (60.0, 120.0, 240.0)
"""Seconds to wait for a secondary limit: at least a minute, and more each time.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""
_STATUS = re.compile(r"\(HTTP (\d{3})\)")
_SECONDARY = re.compile(r"secondary rate limit|abuse detection", re.IGNORECASE)
_USED_UP = re.compile(r"API rate limit exceeded", re.IGNORECASE)
_NEXT = re.compile(r'^Link:.*<([^>]+)>; *rel="next"', re.IGNORECASE | re.MULTILINE)
_REPEATABLE = ("GET", "PATCH")
"""Methods that do the same when they are sent twice."""


class GitHub:
    """One repository on the server of the run. `wait` sleeps between attempts."""

    def __init__(
        self,
        repository: str,
        server: str = "",
        wait: Callable[[float], None] = time.sleep,
        most_pages: int = 25,
        seconds: float = 120,
    ) -> None:
        self._prefix = f"repos/{repository}"
        self._wait = wait
        self._most_pages = most_pages
        self._seconds = seconds
        host = os.environ.get("GH_HOST") or urlsplit(server).netloc or "github.com"
        self._environ = dict(os.environ)
        if host != "github.com":
            self._environ["GH_HOST"] = host
            if token := os.environ.get("GH_TOKEN"):  # which gh takes for github.com alone
                self._environ["GH_ENTERPRISE_TOKEN"] = token

    @classmethod
    def of(cls, runner: Runner) -> "GitHub":
        """The one that a step runs for."""
        return cls(runner.repository, runner.get("GITHUB_SERVER_URL"))

    def get(self, path: str) -> Any:
        return _parsed(self._run("GET", self._place(path)), path)

    def each(self, path: str, items: str = ".[]") -> Iterator[Any]:
        """Every object of a list; `items` is where a page holds them.

        A page is asked for when it is needed, and no more than `most_pages` are.
        """
        place = self._place(path)
        for _ in range(self._most_pages):
            answer = self._run("GET", place, "--include", "--jq", items)
            head, _, lines = answer.partition(b"\r\n\r\n")
            for line in lines.splitlines():
                yield _parsed(line, path)
            following = _NEXT.search(head.decode("latin-1"))
            if following is None:
                return
            place = following[1]
        annotate(
            "warning",
            f"{path.partition('?')[0]} has more than {self._most_pages} pages: "
            "GitHub was not asked for the rest",
        )

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        answer = self._run(
            method, self._place(path), "--input", "-", body=json.dumps(body).encode()
        )
        return _parsed(answer, path) if answer.strip() else None

    def download(self, path: str) -> bytes:
        return self._run("GET", self._place(path))

    def query(self, text: str) -> Any:
        """The `data` of a GraphQL query."""
        answer = self._run("POST", "graphql", "-f", f"query={text}")
        return _parsed(answer, "graphql")["data"]

    def _place(self, path: str) -> str:
        return f"{self._prefix}/{path}"

    def _run(self, method: str, place: str, *options: str, body: bytes = b"") -> bytes:
        """Send it, and again where GitHub asks for that, or has failed and it does no harm."""
        version = f"X-GitHub-Api-Version: {_VERSION}"
        arguments = ["--method", method, "-H", version, place, *options]
        waits = {"failed": iter(_FAILED), "limited": iter(_LIMITED)}
        while True:
            ran = self._ask(arguments, place, body)
            if not ran.returncode:
                return ran.stdout
            said = ran.stderr.decode("utf-8", "replace").strip()
            repeatable = method in _REPEATABLE or place == "graphql"  # which only queries here
            seconds = next(waits.get(_sort_of(said, repeatable=repeatable), iter(())), None)
            if seconds is None:
                fix = "see the job's `permissions:` and that GH_TOKEN is set"
                if _USED_UP.search(said):
                    fix = "run the job again in an hour, or give it the token of an App"
                raise ReconcileError(f"GitHub refused: {said}", where=place, fix=fix)
            self._wait(seconds)

    def _ask(
        self, arguments: list[str], place: str, body: bytes
    ) -> subprocess.CompletedProcess[bytes]:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(body)
            given.seek(0)
            try:
                gh = subprocess.Popen(  # noqa: S603  (a list: no shell, no input as an option)
                    ["gh", "api", *arguments],  # noqa: S607  (the runner's own)
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    env=self._environ,
                )
            except FileNotFoundError as error:
                raise ReconcileError("there is no `gh` on this runner", fix="install it") from error
            answer = _read(gh, place, self._seconds)
            said.seek(0)
            return subprocess.CompletedProcess(
                gh.args, gh.returncode, answer, said.read(_MOST_WORDS)
            )


def _read(gh: subprocess.Popen[bytes], place: str, seconds: float) -> bytes:
    """All that it prints, until it ends. Raises `ReconcileError` where that is too much."""
    assert gh.stdout is not None
    late = threading.Timer(seconds, gh.kill)
    late.start()
    with gh:
        answer = gh.stdout.read(_LARGEST + 1)
        if len(answer) > _LARGEST:
            gh.kill()
    late.cancel()
    if len(answer) > _LARGEST:
        raise ReconcileError(f"the answer has more than {_LARGEST >> 20} MiB", where=place)
    if gh.returncode == -signal.SIGKILL:
        raise ReconcileError(f"no answer within {seconds} s", where=place, fix="run the job again")
    return answer


def _parsed(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReconcileError(
            "GitHub answered with something that is no JSON", where=place
        ) from error


def _sort_of(said: str, *, repeatable: bool) -> str:
    """Why it may be sent again: `failed`, `limited`, or "" if it may not.

    A failed write may have been carried out; a limited one was not.
    """
    status = _STATUS.search(said)
    number = int(status[1]) if status else 0
    if number in (403, 429) and _SECONDARY.search(said):
        return "limited"
    return "failed" if number >= 500 and repeatable else ""
