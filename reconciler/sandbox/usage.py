"""What uses which asset: seeded, since a sandbox runs no workloads.

A row holds the `usedBy` of every asset of a kind and name, as JSON text.
"""

from __future__ import annotations

from typing import Final

from reconciler.sandbox.answers import dump
from reconciler.sandbox.database import Database

WORKLOADS: Final = ("workspaces", "trainings", "distributed", "inferences")
NO_USAGE: Final = dump({name: [] for name in (*WORKLOADS, "templates")})


def read_usage(database: Database, kind: str) -> dict[str, str]:
    """The `usedBy` texts of one kind, by asset name."""
    rows = database.connection.execute("SELECT name, body FROM usage WHERE kind = ?", (kind,))
    return dict(rows.fetchall())
