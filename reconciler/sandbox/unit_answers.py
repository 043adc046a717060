"""Clusters, projects and departments as the API answers them: lists in pages, filtered and sorted.

A sandbox has no quotas and runs nothing: every figure of capacity is left out or zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from reconciler.sandbox.answers import ApiError, dump
from reconciler.sandbox.org_units import (
    TENANT_ID,
    Cluster,
    Department,
    OrgUnits,
    Project,
)
from reconciler.sandbox.queries import read_choice, read_flag, read_integer

Row = dict[str, Any]
Query = Mapping[str, str]
Keys = dict[str, str]
"""What a unit can be filtered and sorted by."""

_DEFAULT_LIMIT, _MAXIMUM_LIMIT = 50, 500
_FIGURES = (
    "totalGpuQuota",
    "gpuAllocated",
    *(
        f"avg{figure}{period}"
        for figure in ("GpuAllocation", "GpuUtilization", "GpuMemoryUtilization")
        for period in ("24h", "7d", "30d")
    ),
)
_DEPARTMENT_FIELDS = ("name", "clusterId", "createdAt")
_PROJECT_FIELDS = (*_DEPARTMENT_FIELDS, "departmentId", "parentId", "parentName", "phase")
_COMPARISONS: Final[Mapping[str, Callable[[str, str], bool]]] = MappingProxyType(
    {
        "==": lambda held, given: held == given,
        "!=": lambda held, given: held != given,
        "<=": lambda held, given: held <= given,
        ">=": lambda held, given: held >= given,
        "=@": lambda held, given: given in held,
        "!@": lambda held, given: given not in held,
        "=^": lambda held, given: held.startswith(given),
        "=$": lambda held, given: held.endswith(given),
    }
)
_FILTER = re.compile(r"(\w+?)(==|!=|<=|>=|=@|!@|=\^|=\$)(.+)", re.DOTALL | re.ASCII)


class UnitAnswers:
    """Answers for one database."""

    def __init__(self, units: OrgUnits) -> None:
        self._units = units

    def list_clusters(self, query: Query) -> str:
        """A bare array, as the API has it."""
        read_flag(query, "includeRequestedForDelete")
        return dump([_show_cluster(each, query) for each in self._units.clusters()])

    def get_cluster(self, uuid: str, query: Query) -> str:
        """One cluster; 404."""
        for each in self._units.clusters():
            if each.uuid == uuid.lower():
                return dump(_show_cluster(each, query))
        raise ApiError(404, f"There is no cluster with the uuid {uuid}.")

    def list_projects(self, query: Query) -> str:
        """A page of projects."""
        rows = [(_project_keys(each), _show_project(each)) for each in self._units.projects()]
        return _page("projects", rows, query, _PROJECT_FIELDS)

    def get_project(self, project_id: str) -> str:
        """One project; 404."""
        for each in self._units.projects():
            if str(each.id) == project_id:
                return dump(_show_project(each))
        raise ApiError(404, f"There is no project with the id {project_id}.")

    def list_departments(self, query: Query) -> str:
        """A page of departments."""
        read_choice(query, "verbosity", ("meta", "brief", "verbose"))
        departments = self._units.departments()
        rows = [(_department_keys(each), _show_department(each)) for each in departments]
        return _page("departments", rows, query, _DEPARTMENT_FIELDS)

    def get_department(self, department_id: str) -> str:
        """One department; 404."""
        for each in self._units.departments():
            if each.id == department_id:
                return dump(_show_department(each))
        raise ApiError(404, f"There is no department with the id {department_id}.")


def _page(key: str, rows: Sequence[tuple[Keys, Row]], query: Query, fields: Sequence[str]) -> str:
    """Filter, sort and cut; `next` is the offset of the page after this one, if there is one."""
    limit = read_integer(query, "limit")
    limit = _DEFAULT_LIMIT if limit is None else limit
    offset = read_integer(query, "offset") or 0
    if not 1 <= limit <= _MAXIMUM_LIMIT:
        raise ApiError(400, f"limit must be between 1 and {_MAXIMUM_LIMIT}.", details="limit")
    if offset < 0:
        raise ApiError(400, "offset must not be negative.", details="offset")
    found = [row for _, row in _sort(_filter(rows, query, fields), query, fields)]
    page: Row = {key: found[offset : offset + limit]}
    if offset + limit < len(found):
        page["next"] = offset + limit
    return dump(page)


def _filter(
    rows: Sequence[tuple[Keys, Row]], query: Query, fields: Sequence[str]
) -> Sequence[tuple[Keys, Row]]:
    found = rows
    for text in query["filterBy"].split(",") if "filterBy" in query else ():
        match = _FILTER.fullmatch(text)
        if match is None or match[1] not in fields:
            raise ApiError(
                400,
                f"filterBy must be FIELD OPERATOR VALUE with one of the fields {', '.join(fields)} "
                f"and one of the operators {', '.join(_COMPARISONS)}.",
                details="filterBy",
            )
        name, compare, given = match[1], _COMPARISONS[match[2]], match[3]
        found = [row for row in found if compare(row[0][name], given)]
    search = query.get("search", "")
    return [row for row in found if search in row[0]["name"]]


def _sort(
    rows: Sequence[tuple[Keys, Row]], query: Query, fields: Sequence[str]
) -> Sequence[tuple[Keys, Row]]:
    name = read_choice(query, "sortBy", (*fields, *_FIGURES))
    order = read_choice(query, "sortOrder", ("asc", "desc"))
    # Figures of use are equal for all units here, so that sorting by them keeps the order.
    if name in fields:
        rows = sorted(rows, key=lambda row: row[0][str(name)])
    return rows[::-1] if order == "desc" else rows


def _show_cluster(cluster: Cluster, query: Query) -> Row:
    verbosity = read_choice(query, "verbosity", ("metadata", "full"))
    row: Row = {
        "uuid": cluster.uuid,
        "tenantId": TENANT_ID,
        "name": cluster.name,
        "createdAt": cluster.created_at,
    }
    if verbosity != "metadata":
        row |= {"version": "sandbox", "status": {"state": "Connected"}}
    return row


def _project_keys(project: Project) -> Keys:
    return {
        "name": project.name,
        "clusterId": project.cluster_id,
        "departmentId": project.department_id,
        "parentId": project.department_id,
        "parentName": project.department_name,
        "phase": "Ready",
        "createdAt": project.created_at,
    }


def _department_keys(department: Department) -> Keys:
    return {
        "name": department.name,
        "clusterId": department.cluster_id,
        "createdAt": department.created_at,
    }


def _show_project(project: Project) -> Row:
    return {
        "id": str(project.id),
        "name": project.name,
        "description": "",
        "clusterId": project.cluster_id,
        "parentId": project.department_id,
        "parent": {"id": project.department_id, "name": project.department_name},
        "enforceRunaiScheduler": False,
        "resources": [],
        "totalResources": {},
        "effective": {},
        "status": {"phase": "Ready", "namespace": f"runai-{project.name}"},
        "createdAt": project.created_at,
        "updatedAt": project.created_at,
        "createdBy": "sandbox",
        "updatedBy": "sandbox",
    }


def _show_department(department: Department) -> Row:
    return {
        "id": department.id,
        "name": department.name,
        "description": "",
        "clusterId": department.cluster_id,
        "resources": [],
        "totalResources": {},
        "createdAt": department.created_at,
        "updatedAt": department.created_at,
        "createdBy": "sandbox",
        "updatedBy": "sandbox",
    }
