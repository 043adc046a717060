"""The tree of clusters, departments and projects in a sandbox's database, for reading.

Gives the units themselves and answers where in the tree an asset belongs; seed.py writes the tree.
"""
# ruff: noqa: S608 -- statements are put together from constants here; values are always bound

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.asset_store import Place
from reconciler.sandbox.database import Database

TENANT_ID = 1001
TENANT_WIDE: tuple[Place, ...] = (("system", ""), ("tenant", ""))


@dataclass(frozen=True)
class Cluster:
    """A cluster; times are RFC 3339 text."""

    uuid: str
    name: str
    created_at: str


@dataclass(frozen=True)
class Department:
    """A department in a cluster."""

    id: str
    name: str
    cluster_id: str
    created_at: str


@dataclass(frozen=True)
class Project:
    """A project in a department; its id is a number here and a string in the projects API."""

    id: int
    name: str
    department_id: str
    department_name: str
    cluster_id: str
    created_at: str


@dataclass(frozen=True)
class ScopeIds:
    """The ids that a request names; None where it names none."""

    cluster_id: str | None = None
    department_id: str | None = None
    project_id: int | None = None


@dataclass(frozen=True)
class Branch:
    """A unit with all above it; `project` only if the unit is one."""

    cluster: Cluster
    department: Department | None = None
    project: Project | None = None

    def places(self) -> tuple[Place, ...]:
        """Where assets lie that can be used in this unit, from the cluster down to itself."""
        found: list[Place] = [("cluster", self.cluster.uuid)]
        if self.department:
            found.append(("department", self.department.id))
        if self.project:
            found.append(("project", str(self.project.id)))
        return tuple(found)


_PROJECTS = """
SELECT project.id, project.name, department.id, department.name, cluster_uuid, project.created_at
FROM project JOIN department ON department.id = department_id
"""


class OrgUnits:
    """The organisation of one tenant."""

    def __init__(self, database: Database) -> None:
        self._connection = database.connection

    def clusters(self) -> list[Cluster]:
        """All clusters, in the order of their making."""
        rows = self._connection.execute("SELECT uuid, name, created_at FROM cluster ORDER BY rowid")
        return [Cluster(*row) for row in rows]

    def departments(self) -> list[Department]:
        """All departments, in the order of their making."""
        rows = self._connection.execute(
            "SELECT id, name, cluster_uuid, created_at FROM department ORDER BY rowid"
        )
        return [Department(*row) for row in rows]

    def projects(self) -> list[Project]:
        """All projects, by id."""
        return [Project(*row) for row in self._connection.execute(f"{_PROJECTS} ORDER BY 1")]

    def branch(self, ids: ScopeIds) -> Branch | None:
        """The unit of the most specific id; None without any. Ids that do not fit are a 400."""
        found = self._lowest(ids)
        if found is None:
            return None
        if ids.cluster_id is not None and ids.cluster_id.lower() != found.cluster.uuid:
            raise ApiError(400, f"clusterId {ids.cluster_id} is not the cluster of the other id.")
        if found.department and ids.department_id not in (None, found.department.id):
            raise ApiError(
                400, f"departmentId {ids.department_id} is not the department of the project."
            )
        return found

    def _lowest(self, ids: ScopeIds) -> Branch | None:
        if ids.project_id is not None:
            return self._project_branch(ids.project_id)
        if ids.department_id is not None:
            return self._department_branch(ids.department_id)
        if ids.cluster_id is not None:
            return Branch(self._cluster(ids.cluster_id))
        return None

    def _project_branch(self, project_id: int) -> Branch:
        query = f"{_PROJECTS} WHERE project.id = ?"
        row = self._connection.execute(query, (project_id,)).fetchone()
        if row is None:
            raise _unknown("projectId", project_id)
        project = Project(*row)
        above = self._department_branch(project.department_id)
        return Branch(above.cluster, above.department, project)

    def _department_branch(self, department_id: str) -> Branch:
        query = "SELECT id, name, cluster_uuid, created_at FROM department WHERE id = ?"
        row = self._connection.execute(query, (department_id,)).fetchone()
        if row is None:
            raise _unknown("departmentId", department_id)
        department = Department(*row)
        return Branch(self._cluster(department.cluster_id), department)

    def _cluster(self, uuid: str) -> Cluster:
        query = "SELECT uuid, name, created_at FROM cluster WHERE uuid = ?"
        row = self._connection.execute(query, (uuid.lower(),)).fetchone()
        if row is None:
            raise _unknown("clusterId", uuid)
        return Cluster(*row)

    def places_below(self, branch: Branch) -> Sequence[Place]:
        """The departments and projects inside a unit, as places of assets."""
        if branch.project:
            return ()
        if branch.department:
            condition, value = "department.id = ?", branch.department.id
        else:
            condition, value = "cluster_uuid = ?", branch.cluster.uuid
        rows = self._connection.execute(
            f"SELECT 'department', id FROM department WHERE {condition} "
            f"UNION ALL SELECT 'project', CAST(project.id AS TEXT) "
            f"FROM project JOIN department ON department.id = department_id WHERE {condition}",
            (value, value),
        )
        return rows.fetchall()


def _unknown(field: str, value: object) -> ApiError:
    return ApiError(400, f"{field} {value} does not exist.", details=field)
