"""Calls of GitHub's REST interface through the runner's `gh`, which has the token."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from reconciler.errors import ReconcileError

_SECONDS = 120


class GitHub:
    """One repository on the server of the run."""

    def __init__(self, repository: str, server: str = "") -> None:
        self._prefix = f"repos/{repository}"
        host = os.environ.get("GH_HOST") or urlsplit(server).netloc or "github.com"
        self._environ = dict(os.environ)
        if host != "github.com":
            self._environ["GH_HOST"] = host
            if token := os.environ.get("GH_TOKEN"):  # which gh takes for github.com alone
                self._environ["GH_ENTERPRISE_TOKEN"] = token

    def get(self, path: str) -> Any:
        """One object."""
        return json.loads(self._run(["--method", "GET", self._path(path)]))

    def each(self, path: str, items: str = ".[]") -> Iterator[Any]:
        """Every object of a list, from all its pages; `items` is where a page holds them."""
        arguments = ["--method", "GET", "--paginate", "--jq", items, self._path(path)]
        for line in self._run(arguments).splitlines():
            yield json.loads(line)

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Write an object and return it."""
        arguments = ["--method", method, self._path(path), "--input", "-"]
        answer = self._run(arguments, json.dumps(body).encode())
        return json.loads(answer) if answer.strip() else None

    def download(self, path: str) -> bytes:
        """The bytes behind a path."""
        return self._run(["--method", "GET", self._path(path)])

    def _path(self, path: str) -> str:
        return f"{self._prefix}/{path}"

    def _run(self, arguments: list[str], body: bytes = b"") -> bytes:
        try:
            ran = subprocess.run(  # noqa: S603  (a list: no shell, no input as an option)
                ["gh", "api", *arguments],  # noqa: S607  (the runner's own)
                check=False,
                input=body,
                capture_output=True,
                env=self._environ,
                timeout=_SECONDS,
            )
        except FileNotFoundError as error:
            raise ReconcileError("there is no `gh` on this runner", fix="install it") from error
        except subprocess.TimeoutExpired as error:
            raise ReconcileError(
                f"no answer within {_SECONDS} s", where=_told(arguments), fix="run the job again"
            ) from error
        if ran.returncode:
            said = ran.stderr.decode("utf-8", "replace").strip()
            raise ReconcileError(
                f"GitHub refused: {said}",
                where=_told(arguments),
                fix="see the job's `permissions:` and that GH_TOKEN is set",
            )
        return ran.stdout


def _told(arguments: list[str]) -> str:
    return " ".join(part for part in arguments if part.startswith("repos/")) or "gh api"
