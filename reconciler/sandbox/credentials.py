"""Seeded credential assets, listed as the SDK's credentials API reads them. Never a secret value.

They are here because environment variables may refer to a credential, by its id.
"""

from __future__ import annotations

import json

from reconciler.sandbox.answers import dump
from reconciler.sandbox.database import Database
from reconciler.sandbox.org_units import TENANT_WIDE, OrgUnits, ScopeIds
from reconciler.sandbox.queries import Query
from reconciler.sandbox.seeding import CREDENTIAL_KINDS


class Credentials:
    """The credentials of one database."""

    def __init__(self, database: Database) -> None:
        self._connection = database.connection
        self._units = OrgUnits(database)

    def list_type(self, type_: str, query: Query) -> str:
        """The credentials of one type, e.g. `generic-secret`."""
        found = [body for of_type, body in self._find(query) if of_type == type_]
        return f'{{"entries":[{",".join(found)}]}}'

    def list_all(self, query: Query) -> str:
        """The credentials of all types; the spec is under the name of the kind."""
        entries = []
        for type_, body in self._find(query):
            entry = json.loads(body)
            entries.append({**entry, "spec": {CREDENTIAL_KINDS[type_]: entry["spec"]}})
        return dump({"entries": entries})

    def _find(self, query: Query) -> list[tuple[str, str]]:
        """Type and body of those that the filters leave: those of a unit and of all above it."""
        ids = ScopeIds(query.get("clusterId"), query.get("departmentId"), query.get("projectId"))
        branch = self._units.branch(ids)
        places = None if branch is None else (*TENANT_WIDE, *branch.places())
        rows = self._connection.execute(
            "SELECT type, name, scope, scope_id, body FROM credential ORDER BY rowid"
        )
        return [
            (type_, body)
            for type_, name, scope, scope_id, body in rows
            if query.get("name") in (None, name)
            and query.get("scope") in (None, scope)
            and (places is None or (scope, scope_id) in places)
        ]
