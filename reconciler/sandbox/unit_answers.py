"""Clusters, projects and departments as the API answers them: lists in pages, filtered and sorted.

A sandbox has no quotas and runs nothing: every figure of capacity is left out or zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from reconciler.sandbox.answers import ApiError, dump
from reconciler.sandbox.api_schema import VERSIONS, Contract
from reconciler.sandbox.json_types import refuse
from reconciler.sandbox.org_units import (
    TENANT_ID,
    Cluster,
    Department,
    OrgUnits,
    Project,
)
from reconciler.sandbox.queries import Query
from reconciler.sandbox.switches import Behaviour

Row = dict[str, Any]
Keys = dict[str, str]
"""What a unit can be filtered and sorted by; figures are not among them."""

_ZERO = "0"  # each figure of each unit
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
_RANKS = ("VeryLow", "Low", "MediumLow", "Medium", "MediumHigh", "High", "VeryHigh")


class UnitAnswers:
    """Answers for one database."""

    def __init__(self, units: OrgUnits, behaviour: Behaviour, contract: Contract) -> None:
        self._units = units
        self._fields = contract.units
        self._version = _cluster_version(behaviour)

    def list_clusters(self, query: Query) -> str:
        """A bare array, as the API has it."""
        return dump([self._show_cluster(each, query) for each in self._units.clusters()])

    def list_clusters_minimal(self, query: Query) -> str:
        """A bare array of what accounts without a right to clusters may see, too."""
        clusters = [
            ({"name": each.name, "uuid": each.uuid}, {**_name_cluster(each), **self._version})
            for each in self._units.clusters()
        ]
        return dump(_cut([row for _, row in _filter(clusters, query)], query))

    def get_cluster(self, uuid: str, query: Query) -> str:
        """One cluster; 404."""
        for each in self._units.clusters():
            if each.uuid == uuid.lower():
                return dump(self._show_cluster(each, query))
        raise ApiError(404, f"There is no cluster with the uuid {uuid}.")

    def list_projects(self, query: Query) -> str:
        """A page of projects."""
        rows = [(_project_keys(each), self._show_project(each)) for each in self._units.projects()]
        return _page("projects", rows, query)

    def get_project(self, project_id: str) -> str:
        """One project; 404."""
        for each in self._units.projects():
            if str(each.id) == project_id:
                return dump(self._show_project(each))
        raise ApiError(404, f"There is no project with the id {project_id}.")

    def list_departments(self, query: Query) -> str:
        """A page of departments."""
        departments = self._units.departments()
        rows = [(_department_keys(each), self._show_department(each)) for each in departments]
        return _page("departments", rows, query)

    def get_department(self, department_id: str) -> str:
        """One department; 404."""
        for each in self._units.departments():
            if each.id == department_id:
                return dump(self._show_department(each))
        raise ApiError(404, f"There is no department with the id {department_id}.")

    def _show_cluster(self, cluster: Cluster, query: Query) -> Row:
        row = {**_name_cluster(cluster), "createdAt": cluster.created_at}
        if query["verbosity"] != "metadata":
            row |= {**self._version, "status": {"state": "Connected"}}
        return row

    def _show_project(self, project: Project) -> Row:
        parent = {"id": project.department_id, "name": project.department_name}
        row = {
            **_show_unit(str(project.id), project),
            "parentId": project.department_id,
            "parent": parent,
            "enforceRunaiScheduler": False,
            "effective": {},
            "status": {"phase": "Ready", "namespace": f"runai-{project.name}"},
        }
        return {name: value for name, value in row.items() if name in self._fields["Project"]}

    def _show_department(self, department: Department) -> Row:
        row = _show_unit(department.id, department)
        return {name: value for name, value in row.items() if name in self._fields["Department"]}


def list_ranks(name: str) -> str:
    """The ranks of resources: `ranks`, or `priorities` as older versions call them."""
    ranks = [
        {"name": rank, "value": 100 * number, "isDefault": rank == "MediumLow"}
        for number, rank in enumerate(_RANKS, start=1)
    ]
    return dump({name: ranks})


def _cluster_version(behaviour: Behaviour) -> Row:
    position = VERSIONS.index(behaviour.version)
    match behaviour.cluster_version:
        case "same":
            return {"version": f"{behaviour.version}.0"}
        case "older":
            return {"version": f"{VERSIONS[position - 1]}.0" if position else "2.17.0"}
        case _:
            return {}


def _page(key: str, rows: Sequence[tuple[Keys, Row]], query: Query) -> str:
    """Filter, sort and cut; `next` is the offset of the page after this one, if there is one."""
    found = [row for _, row in _sort(_filter(rows, query), query)]
    page: Row = {key: _cut(found, query)}
    if (following := query.get("offset", 0) + query["limit"]) < len(found):
        page["next"] = following
    return dump(page)


def _cut(rows: Sequence[Row], query: Query) -> Sequence[Row]:
    offset = query.get("offset", 0)
    if offset < 0:
        raise refuse("offset", "must not be negative")
    return rows[offset:][: query.get("limit")]


def _filter(rows: Iterable[tuple[Keys, Row]], query: Query) -> Sequence[tuple[Keys, Row]]:
    found = list(rows)
    for text in query.get("filterBy", ()):
        match = _FILTER.fullmatch(text)
        if match is None:
            raise refuse("filterBy", "must be FIELD OPERATOR VALUE")
        name, compare, given = match[1], _COMPARISONS[match[2]], match[3]
        found = [row for row in found if compare(row[0].get(name, _ZERO), given)]
    search = query.get("search", "")
    return [row for row in found if search in row[0]["name"]]


def _sort(rows: Sequence[tuple[Keys, Row]], query: Query) -> Sequence[tuple[Keys, Row]]:
    if "sortBy" in query:
        rows = sorted(rows, key=lambda row: row[0].get(query["sortBy"], _ZERO))
    return rows[::-1] if query["sortOrder"] == "desc" else rows


def _name_cluster(cluster: Cluster) -> Row:
    return {"uuid": cluster.uuid, "tenantId": TENANT_ID, "name": cluster.name}


def _project_keys(project: Project) -> Keys:
    return {
        **_department_keys(project),
        "departmentId": project.department_id,
        "parentId": project.department_id,
        "parentName": project.department_name,
        "phase": "Ready",
    }


def _department_keys(unit: Department | Project) -> Keys:
    return {"name": unit.name, "clusterId": unit.cluster_id, "createdAt": unit.created_at}


def _show_unit(unit_id: str, unit: Department | Project) -> Row:
    return {
        "id": unit_id,
        "name": unit.name,
        "description": "",
        "clusterId": unit.cluster_id,
        "resources": [],
        "totalResources": {},
        "createdAt": unit.created_at,
        "updatedAt": unit.created_at,
        "createdBy": "sandbox",
        "updatedBy": "sandbox",
    }
