"""A server that answers logins as it is told to, and shows what it was sent."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs

V2, V1 = "/api/v2/token", "/api/v1/token"


class Knock(NamedTuple):
    """One request: its path without query, its headers in lower case, its fields."""

    method: str
    path: str
    headers: Mapping[str, str]
    fields: Mapping[str, Any]

    @property
    def grant(self) -> str:
        """`/api/v1/token app_token`: which way this is, if it is a login."""
        return f"{self.path} {self.fields.get('grant_type') or self.fields.get('grantType')}"


@dataclass(frozen=True)
class Says:
    """One answer; `body` is text as it stands, or a value that becomes JSON."""

    status: int = 200
    body: Any = ""
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Rule = Callable[[Knock], Says]
PAGE = "<!DOCTYPE html><html><title>Run:ai</title>Sign in</html>"


class Door:
    """What was asked, in order, at `base_url`."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.knocks: list[Knock] = []

    @property
    def grants(self) -> list[str]:
        """The logins that were tried."""
        return [item.grant for item in self.knocks if item.method == "POST"]


@contextmanager
def door(rule: Rule) -> Iterator[Door]:
    """Answers every request by the rule until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0))).decode("ascii")
            kind = self.headers.get("content-type", "")
            fields: dict[str, Any] = {}
            if kind == "application/x-www-form-urlencoded":
                parsed = parse_qs(raw, strict_parsing=True)
                fields = {name: values[-1] for name, values in parsed.items()}
            elif raw:
                fields = json.loads(raw)
            headers = {name.lower(): value for name, value in self.headers.items()}
            knock = Knock(self.command, self.path.partition("?")[0], headers, fields)
            made.knocks.append(knock)
            says = rule(knock)
            text = says.body if isinstance(says.body, str) else json.dumps(says.body)
            data = text.encode()
            self.send_response(says.status)
            self.send_header("Content-Type", says.kind)
            self.send_header("Content-Length", str(len(data)))
            for name, value in says.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Door(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
