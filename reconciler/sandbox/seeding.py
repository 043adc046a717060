"""Puts a seed into a database, in one transaction, so that it is there whole or not at all.

Planting again changes nothing that is there: units and credentials are added by name, and only the
usage is replaced. What a later seed leaves out stays, since assets may refer to it.
"""
# ruff: noqa: S608 -- statements are put together from constants here; values are always bound

from __future__ import annotations

import sqlite3
import uuid
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from reconciler.errors import SeedError
from reconciler.sandbox.answers import dump
from reconciler.sandbox.asset_store import Place, insert_builtin
from reconciler.sandbox.builtin_assets import NAMESPACE, builtin_assets
from reconciler.sandbox.database import CLIENT_ID, Database
from reconciler.sandbox.org_units import TENANT_ID
from reconciler.sandbox.seed import (
    DEFAULT_SEED,
    AssetSeed,
    ClusterSeed,
    CredentialSeed,
    DepartmentSeed,
    ProjectSeed,
    SeedFile,
    UsageSeed,
)
from reconciler.sandbox.usage import WORKLOADS

CREDENTIAL_KINDS: Final = MappingProxyType(
    {
        "generic-secret": "genericSecret",
        "password": "password",
        "access-key": "accessKey",
        "docker-registry": "dockerRegistry",
        "ngc-api-key": "ngcApiKey",
    }
)
"""The type in the API's path, and the kind in an asset's meta."""

Planted = list[tuple[str, dict[str, Any]]]
_At = tuple[str | int, ...]  # where in the seed a value is
_KEY_ID = 1  # of the encryption key; the API's models require one


def plant(database: Database, file: SeedFile | None, *, again: bool = True) -> Planted:
    """Plant a seed; without one, the default organisation, if there is none yet.

    Without `again`, an organisation that is there is left alone. The answer is what is left to do:
    the kind of each asset of the seed, and the body of the request that creates it.
    """
    with database.write() as connection:
        if connection.execute("SELECT 1 FROM asset WHERE scope = 'system'").fetchone() is None:
            for asset in builtin_assets():
                insert_builtin(connection, asset)
        assets: Planted = []
        if file is not None and (again or _is_empty(connection)):
            assets = _Planting(connection, file).plant()
        if _is_empty(connection):
            _Planting(connection, SeedFile(DEFAULT_SEED)).plant()
    return assets


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM cluster").fetchone() is None


class _Planting:
    """One transaction."""

    def __init__(self, connection: sqlite3.Connection, file: SeedFile) -> None:
        self._connection = connection
        self._file = file
        self._now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def plant(self) -> Planted:
        seed = self._file.seed
        for i, cluster in enumerate(seed.clusters):
            at: _At = ("clusters", i)
            uuid_ = self._plant_cluster(cluster, at)
            for j, department in enumerate(cluster.departments):
                below: _At = (*at, "departments", j)
                id_ = self._plant_department(department, cluster.name, uuid_, below)
                for k, project in enumerate(department.projects):
                    self._plant_project(project, id_, (*below, "projects", k))
        for i, credential in enumerate(seed.credentials):
            self._plant_credential(credential, ("credentials", i))
        if seed.usage:
            self._connection.execute("DELETE FROM usage")
        for usage in seed.usage:
            self._plant_usage(usage)
        return [
            (asset.kind, self._body(asset, ("assets", i))) for i, asset in enumerate(seed.assets)
        ]

    def _body(self, seed: AssetSeed, at: _At) -> dict[str, Any]:
        meta = {**seed.meta, "name": seed.name, "scope": seed.scope}
        return {"meta": meta | self._scope_id(seed, at), "spec": seed.spec}

    def _scope_id(self, seed: CredentialSeed | AssetSeed, at: _At) -> dict[str, Any]:
        scope, scope_id = self._place(seed, at)
        if scope == "tenant":
            return {}
        return {f"{scope}Id": int(scope_id) if scope == "project" else scope_id}

    def _plant_cluster(self, seed: ClusterSeed, at: _At) -> str:
        wanted = str(seed.uuid or uuid.uuid5(NAMESPACE, f"cluster/{seed.name}"))
        return str(
            self._plant_unit(
                "cluster",
                {"name": seed.name},
                {"uuid": wanted},
                at if seed.uuid is None else (*at, "uuid"),
            )
        )

    def _plant_department(
        self, seed: DepartmentSeed, cluster: str, cluster_uuid: str, at: _At
    ) -> str:
        wanted = seed.id or str(uuid.uuid5(NAMESPACE, f"department/{cluster}/{seed.name}"))
        key = {"name": seed.name, "cluster_uuid": cluster_uuid}
        at = at if seed.id is None else (*at, "id")
        return str(self._plant_unit("department", key, {"id": wanted}, at))

    def _plant_project(self, seed: ProjectSeed, department_id: str, at: _At) -> None:
        key = {"name": seed.name, "department_id": department_id}
        (following,) = self._connection.execute(
            "SELECT coalesce(max(id), 0) + 1 FROM project"
        ).fetchone()
        at = at if seed.id is None else (*at, "id")
        self._plant_unit("project", key, {"id": seed.id or following}, at)

    def _plant_unit(
        self, table: str, key: dict[str, str], wanted: dict[str, Any], at: _At
    ) -> object:
        """Add a unit if its name is new; its id, which must be the one that `at` leads to."""
        ((column, value),) = wanted.items()
        condition = " AND ".join(f"{name} = :{name}" for name in key)
        query = f"SELECT {column} FROM {table} WHERE {condition}"
        row = self._connection.execute(query, key).fetchone()
        if row is not None:
            if at[-1] == column and row[0] != value:
                raise SeedError(
                    f"{table} {key['name']} has the {column} {row[0]} already, not {value}",
                    where=self._file.where(*at),
                    fix="Leave the id out of the seed, or use a new sandbox database.",
                )
            found: object = row[0]
            return found
        columns = {**key, **wanted, "created_at": self._now}
        try:
            self._connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) "
                f"VALUES ({', '.join(f':{name}' for name in columns)})",
                columns,
            )
        except sqlite3.IntegrityError as error:
            raise SeedError(
                f"{table} {key['name']}: another {table} has the {column} {value}",
                where=self._file.where(*at),
                fix="Give each its own id in the seed, or leave the ids out.",
            ) from error
        return value

    def _plant_credential(self, seed: CredentialSeed, at: _At) -> None:
        scope, scope_id = self._place(seed, at)
        id_ = str(uuid.uuid5(NAMESPACE, f"credential/{seed.type}/{scope}/{scope_id}/{seed.name}"))
        meta = {"name": seed.name, "scope": scope} | self._scope_id(seed, at)
        meta |= {"id": id_, "kind": CREDENTIAL_KINDS[seed.type], "tenantId": TENANT_ID}
        meta |= {"createdBy": CLIENT_ID, "createdAt": self._now}
        meta |= {"updatedBy": CLIENT_ID, "updatedAt": self._now, "updateCount": 0}
        spec: dict[str, object] = {"keyId": _KEY_ID}
        if seed.type == "generic-secret":
            spec["keyValuePairs"] = [{"key": key} for key in seed.keys]
        self._connection.execute(
            "INSERT OR IGNORE INTO credential VALUES (?, ?, ?, ?, ?, ?)",
            (id_, seed.type, seed.name, scope, scope_id, dump({"meta": meta, "spec": spec})),
        )

    def _place(self, seed: CredentialSeed | AssetSeed, at: _At) -> Place:
        if seed.unit is None:
            return ("tenant", "")
        cluster, _, name = seed.unit.rpartition("/")
        rows = self._connection.execute(
            _UNITS[seed.scope], {"name": name, "cluster": cluster}
        ).fetchall()
        if len(rows) != 1:
            what = str(at[0]).removesuffix("s")
            raise SeedError(
                f"{what} {seed.name}: {len(rows)} {seed.scope}s are named {seed.unit}",
                where=self._file.where(*at, seed.scope),
                fix=f"Name a {seed.scope} of the seed, as CLUSTER/NAME if there are several.",
            )
        return (seed.scope, str(rows[0][0]))

    def _plant_usage(self, seed: UsageSeed) -> None:
        path = f"{seed.kind}/{seed.name}"
        body: dict[str, object] = {
            field: [
                {
                    "id": str(uuid.uuid5(NAMESPACE, f"{path}/{field}/{workload.name}")),
                    "name": workload.name,
                    "status": workload.status,
                }
                for workload in getattr(seed, field)
            ]
            for field in WORKLOADS
        }
        body["templates"] = [
            {"id": str(uuid.uuid5(NAMESPACE, f"{path}/templates/{name}")), "name": name}
            for name in seed.templates
        ]
        self._connection.execute(
            "INSERT OR REPLACE INTO usage VALUES (?, ?, ?)", (seed.kind, seed.name, dump(body))
        )


_IN_CLUSTER = "WHERE unit.name = :name AND :cluster IN ('', cluster.name)"
_UNITS: Final = MappingProxyType(
    {
        "cluster": "SELECT uuid FROM cluster WHERE name = :name AND :cluster = ''",
        "department": "SELECT unit.id FROM department AS unit "
        f"JOIN cluster ON cluster.uuid = cluster_uuid {_IN_CLUSTER}",
        "project": "SELECT unit.id FROM project AS unit "
        "JOIN department ON department.id = department_id "
        f"JOIN cluster ON cluster.uuid = cluster_uuid {_IN_CLUSTER}",
    }
)
