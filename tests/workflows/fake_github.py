"""The REST endpoints of GitHub that the action uses, kept in memory; every request is recorded.

`gh` is pointed here with GH_HOST=github.localhost, for which it speaks plain HTTP, and with this
server as its HTTP proxy. With TLS it is a GitHub Enterprise Server. Paths and fields are those of
the published REST reference.
"""

import json
import re
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.workflows.history import History

BOT = {"login": "github-actions[bot]", "type": "Bot"}
APP = {"login": "acme-bot[bot]", "type": "Bot"}
APPROVED = {
    "protection_rules": [
        {"id": 1, "type": "required_reviewers", "prevent_self_review": True, "reviewers": []},
        {"id": 2, "type": "branch_policy"},
    ],
    "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
}
"""An environment as the set-up page asks for."""
PAGE = 2
"""Objects a page, whatever is asked for: so that there are several."""


@dataclass
class Repository:
    """What is in `acme/platform`, and the (method, path) of every request that was answered."""

    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    pulls: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    """Numbers of pull requests that are not open."""
    commits: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    zips: dict[int, bytes] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    compared: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    history: History | None = None
    """Where the commits are, of which nothing else is stated here."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    environments: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"production": APPROVED}
    )
    viewer: dict[str, str] = field(default_factory=lambda: BOT)
    tokens: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    failures: list[tuple[int, str]] = field(default_factory=list)
    """What the next requests are answered with, whatever they are."""

    @property
    def writes(self) -> list[tuple[str, str]]:
        """The requests that change anything."""
        return [one for one in self.requests if one[0] != "GET" and "graphql" not in one[1]]


class FakeGitHub:
    """The server, on a loopback port."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.repository = Repository()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        wait = (0.02,)  # seconds until it sees that it is closed
        threading.Thread(target=self._server.serve_forever, args=wait, daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """The object, list or bytes of an answer; None for what is not there."""
        place = self.repository
        for pattern, action in (
            (
                r"POST (?:/api)?/graphql",
                lambda: {"data": {"viewer": {"login": place.viewer["login"]}}},
            ),
            (r"GET pulls", self._open_pulls),
            (r"GET issues/comments", self._latest_comments),
            (r"GET issues/(\d+)/comments", lambda n: place.comments.get(int(n), [])),
            (r"POST issues/(\d+)/comments", lambda n: self._add_comment(int(n), body)),
            (r"PATCH issues/comments/(\d+)", lambda n: self._edit_comment(int(n), body)),
            (r"GET issues", lambda: [i for i in place.issues if i["state"] == query["state"]]),
            (r"POST issues", lambda: self._add_issue(body)),
            (r"PATCH issues/(\d+)", lambda n: self._edit_issue(int(n), body)),
            (r"GET commits/(\w+)/pulls", lambda sha: place.pulls.get(sha, [])),
            (r"GET pulls/(\d+)/commits", lambda n: self._commits(int(n))),
            (r"GET actions/artifacts/(\d+)/zip", lambda n: place.zips.get(int(n))),
            (r"GET actions/artifacts", lambda: self._artifacts(query)),
            (r"GET compare/(\w+\.\.\.\w+)", self._compare),
            (r"GET actions/runs/(\d+)", lambda n: self._run(int(n))),
            (r"GET actions/workflows/(\d+)/runs", lambda n: self._runs(int(n), query)),
            (r"GET git/ref/(.+)", self._ref),
            (r"GET environments/([^/]+)", lambda name: place.environments.get(unquote(name))),
            (r"GET git/tags/(\w+)", lambda sha: {"object": self._object(place.tags[sha])}),
        ):
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                return action(*found.groups())
        return None

    def _open_pulls(self) -> Any:
        found = self.repository.comments.keys() - self.repository.closed
        return [{"number": number} for number in sorted(found, reverse=True)]

    def _latest_comments(self) -> Any:
        url = "https://api.github.com/repos/acme/platform/issues"
        return [
            {**item, "issue_url": f"{url}/{number}"}
            for number, items in sorted(self.repository.comments.items(), reverse=True)
            for item in reversed(items)
        ]

    def _ref(self, name: str) -> Any:
        place = self.repository
        sha = place.refs.get(name) or (place.history and place.history.branch(name))
        return {"object": self._object(sha)} if sha else None

    def _compare(self, commits: str) -> Any:
        place = self.repository
        if place.history and commits not in place.compared:
            return place.history.compare(*commits.split("..."))
        return place.compared.get(commits)

    def _commits(self, number: int) -> Any:
        """Those of a pull request, below the commit that it was merged as."""
        place = self.repository
        for commit, pulls in place.pulls.items():
            for pull in pulls:
                if place.history and pull["number"] == number:
                    before = place.history.first_parent(commit)
                    return place.history.commits(pull["head"]["sha"], before)
        return place.commits.get(number, [])

    def _run(self, number: int) -> Any:
        return next((run for run in self.repository.runs if run["id"] == number), None)

    def _runs(self, workflow: int, query: dict[str, str]) -> Any:
        since = query.get("created", "").removeprefix(">=")
        found = [
            run
            for run in self.repository.runs
            if run["workflow_id"] == workflow
            and query.get("event") in (None, run["event"])
            and query.get("status") in (None, run["status"])
            and run["created_at"] >= since
            and query.get("branch") in (None, run.get("head_branch"))
        ]
        return {"total_count": len(found), "workflow_runs": found}

    def _object(self, sha: str) -> dict[str, str]:
        return {"sha": sha, "type": "tag" if sha in self.repository.tags else "commit"}

    def _add_comment(self, number: int, body: Any) -> Any:
        comments = self.repository.comments.setdefault(number, [])
        comments.append(
            {"id": 100 * number + len(comments), "user": self.repository.viewer, **body}
        )
        return comments[-1]

    def _edit_comment(self, identifier: int, body: Any) -> Any:
        for comments in self.repository.comments.values():
            for comment in comments:
                if comment["id"] == identifier:
                    comment.update(body)
                    return comment
        return None

    def _add_issue(self, body: Any) -> Any:
        number = 40 + len(self.repository.issues)
        self.repository.issues.append(
            {"number": number, "state": "open", "user": self.repository.viewer, **body}
        )
        return self.repository.issues[-1]

    def _edit_issue(self, number: int, body: Any) -> Any:
        for issue in self.repository.issues:
            if issue["number"] == number:
                issue.update(body)
                return issue
        return None

    def _artifacts(self, query: dict[str, str]) -> Any:
        found = [item for item in self.repository.artifacts if item["name"] == query["name"]]
        return {"total_count": len(found), "artifacts": found}


def _handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silent."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/api/v3").removeprefix("/repos/acme/platform/")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            data = self._body()
            body = json.loads(data) if data else None
            github.repository.requests.append((self.command, path))
            github.repository.tokens.add(self.headers.get("Authorization") or "")
            github.repository.versions.add(self.headers.get("X-GitHub-Api-Version") or "")
            if github.repository.failures:
                status, message = github.repository.failures.pop(0)
                self._send(status, json.dumps({"message": message}).encode())
            else:
                self._answer(github.answer(self.command, path, query, body), query)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def _answer(self, found: Any, query: dict[str, str]) -> None:
            link = ""
            if isinstance(found, list):
                number = int(query.get("page", "1"))
                if len(found) > number * PAGE:
                    url = re.sub(r"[?&]page=\d+", "", self.path)
                    link = f'<{url}&page={number + 1}>; rel="next"'
                found = found[(number - 1) * PAGE : number * PAGE]
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            kind = "application/zip" if isinstance(found, bytes) else "application/json"
            self._send(404 if found is None else 200, data, kind, link)

        def _send(
            self, status: int, data: bytes, kind: str = "application/json", link: str = ""
        ) -> None:
            self.send_response(status)
            if link:
                self.send_header("Link", link)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

    return Handler
