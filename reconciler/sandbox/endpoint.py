"""What a server is started with, and what a client needs to reach it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from reconciler.sandbox.switches import Behaviour


@dataclass(frozen=True)
class Endpoint:
    """Where a sandbox listens, and the credentials of its database."""

    base_url: str
    client_id: str
    client_secret: SecretStr


@dataclass(frozen=True)
class Setup:
    """How to run a server; `port` 0 is any free one.

    `seed_again` is whether the seed is planted in a database that has an organisation already,
    `busy` the seconds that a write waits for that of another process.
    """

    database: Path
    seed: Path | None
    seed_again: bool
    behaviour: Behaviour
    host: str
    port: int
    busy: float = 10.0
