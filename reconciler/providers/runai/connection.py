"""Where a control plane is, who we are to it, and how long we wait for it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from reconciler.config.proxies import Proxy


@dataclass(frozen=True, slots=True)
class Credentials:
    """Either a bearer token, or a client id and its secret."""

    client_id: str | None = None
    client_secret: SecretStr | None = None
    token: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """How to talk to one control plane. Times are in seconds.

    `timeout` holds for connecting and for each pause of an answer; `parallelism` is the number of
    threads that talk at the same time. Reads are tried `read_attempts` times; a pause between
    two tries is never longer than `longest_pause`, whatever `Retry-After` says. A whole answer may
    take `longest_answer` times the `timeout`. Once `stop` is set, nothing is tried again, and an
    answer under way has little time left. `clock` says when a login has to be renewed.
    """

    base_url: str
    credentials: Credentials
    timeout: float = 30.0
    parallelism: int = 10
    ca_bundle: Path | None = None
    proxy: Proxy | None = None
    read_attempts: int = 4
    first_pause: float = 0.25
    longest_pause: float = 10.0
    longest_answer: int = 10
    clock: Callable[[], float] = time.monotonic
    stop: threading.Event = field(default_factory=threading.Event)
