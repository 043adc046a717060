"""What uses which asset: seeded, since a sandbox runs no workloads.

A row holds the `usedBy` of every asset that was created with a kind and name, as JSON text.
"""

from __future__ import annotations

from typing import Final

from reconciler.sandbox.answers import dump
from reconciler.sandbox.database import Database

WORKLOADS: Final = ("workspaces", "trainings", "distributed", "inferences")
NO_USAGE: Final = dump({name: [] for name in (*WORKLOADS, "templates")})


def read_usage(database: Database, kind: str) -> dict[str, str]:
    """The `usedBy` texts of one kind, by the name of the asset at its creation."""
    rows = database.connection.execute("SELECT name, body FROM usage WHERE kind = ?", (kind,))
    return dict(rows.fetchall())
