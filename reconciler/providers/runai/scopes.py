"""Names in manifests -> ids of the control plane: scopes, and credentials.

A `scope_id` may be a name or an id, `CLUSTER/NAME` where a name is ambiguous, and `id:ID` or
`name:NAME` where one is the id of one unit and the name of another; a cluster is found by itself
when there is exactly one. What has no match becomes a `Problem` at the manifest, with
the closest names. Everything is collected, and raised as one `ManifestError`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from reconciler.core.resource import Path, Resource, Spec, dotted
from reconciler.errors import ManifestError, Problem
from reconciler.kinds.field_paths import change_at
from reconciler.kinds.runai_asset import AssetKind
from reconciler.providers.runai.naming import NameBook
from reconciler.providers.runai.organisation import CredentialAsset, Unit, UnitLists
from reconciler.providers.runai.server import Server, missing_fields, unknown_version
from reconciler.support.printable import printable
from reconciler.support.suggest import nearest

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SHOWN = 10


class _UnresolvedError(Exception):
    """What is wrong with one name, and how to put it right; names of others make no lines of it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = printable(what)
        self.fix = printable(fix)


class ScopeDirectory:
    """Finds what manifests name, and the `names` of ids; safe to use from several threads."""

    def __init__(self, units: UnitLists, server: Server) -> None:
        self._units = units
        self._server = server
        self.names = NameBook(units)

    def bind(self, resources: Sequence[Resource], kind: AssetKind) -> list[Resource]:
        """The resources with ids in place of names. Raises `ManifestError`, `ProviderError`.

        A field that the server does not have is a problem; one that it may not have is warned of,
        once.
        """
        problems: list[Problem] = []
        found: dict[tuple[str, str | None], str | _UnresolvedError] = {}
        bound: list[Resource] = []
        doubt = ""
        for resource in resources:
            scope, wanted = resource.spec["scope"], resource.spec.get("scope_id")
            spec = dict(resource.spec)
            problems += missing_fields(resource, kind, self._server)
            if scope != "tenant":
                if (scope, wanted) not in found:
                    found[scope, wanted] = self._try_find(scope, wanted)
                answer = found[scope, wanted]
                if isinstance(answer, _UnresolvedError):
                    problems.append(_problem(resource, answer))
                    continue
                spec["scope_id"] = answer
            for pattern in kind.credentials:
                spec = self._bind_credentials(resource, spec, pattern, problems)
            self.names.add_to(spec, kind.credentials)
            warnings = resource.warnings
            if not doubt and (doubt := unknown_version(resource, kind, self._server)):
                warnings = (*warnings, doubt)
            bound.append(replace(resource, spec=spec, warnings=warnings))
        if problems:
            raise ManifestError(problems)
        return bound

    def _try_find(self, scope: str, wanted: str | None) -> str | _UnresolvedError:
        try:
            return self._find(scope, wanted)
        except _UnresolvedError as error:
            return error

    def _find(self, scope: str, wanted: str | None) -> str:
        units = self._units.of_scope(scope)
        if wanted is None:
            return _only(units, scope)
        whole = wanted
        how, _, rest = wanted.partition(":")
        if how in ("id", "name") and rest:
            wanted = rest
        by_id = [unit for unit in units if unit.id.lower() == wanted.lower() and how != "name"]
        named = [unit for unit in units if unit.name == wanted and how != "id"]
        if not named and not by_id and scope != "cluster" and "/" in whole:
            named = self._in_cluster(units, scope, whole)
        if by_id and all(unit.id == by_id[0].id for unit in named):
            return by_id[0].id
        if by_id:
            others = " and ".join(f"{unit.name!r} (id {unit.id})" for unit in named)
            raise _UnresolvedError(
                f"{wanted!r} is the id of {scope} {by_id[0].name!r} and the name of {scope} "
                f"{others}",
                f"write id:{wanted} for {by_id[0].name!r}, or name:{wanted} for the other",
            )
        if len(named) == 1:
            return named[0].id
        if named:
            raise _UnresolvedError(
                f"there are {len(named)} {scope}s named {wanted}",
                f"write one of {', '.join(self._full_names(named))}",
            )
        fix = _suggest(wanted, [unit.name for unit in units], f"{scope}s")
        raise _UnresolvedError(f"there is no {scope} {wanted!r}", fix)

    def _in_cluster(self, units: Sequence[Unit], scope: str, wanted: str) -> list[Unit]:
        cluster, _, name = wanted.partition("/")
        cluster_id = self._find("cluster", cluster)
        inside = [unit for unit in units if unit.cluster_id == cluster_id]
        named = [unit for unit in inside if unit.name == name]
        if not named:
            fix = _suggest(name, [unit.name for unit in inside], f"{scope}s")
            raise _UnresolvedError(f"cluster {cluster} has no {scope} {name!r}", fix)
        return named

    def _full_names(self, units: Sequence[Unit]) -> list[str]:
        clusters = {cluster.id: cluster.name for cluster in self._units.clusters()}
        known = [unit for unit in units if unit.cluster_id in clusters]
        full = sorted(f"{clusters[unit.cluster_id]}/{unit.name}" for unit in known)
        return full if len(set(full)) == len(units) else sorted(unit.id for unit in units)

    def _bind_credentials(
        self, resource: Resource, spec: Spec, pattern: str, problems: list[Problem]
    ) -> dict[str, Any]:
        """The spec with the ids of credentials in place of their names."""
        parts = pattern.split(".")
        shown = parts.index("*") + 1 if "*" in parts else len(parts)

        def bind(path: Path, wanted: str) -> str:
            try:
                return self._find_credential(wanted, spec)
            except _UnresolvedError as error:
                what = f"{dotted(path[:shown])}: {error.what}"
                at = ("spec", *path[:shown])
                problems.append(_problem(resource, _UnresolvedError(what, error.fix), at))
                return wanted

        return change_at(spec, pattern, bind)

    def _find_credential(self, wanted: str, spec: Spec) -> str:
        if _UUID.fullmatch(wanted):
            return wanted.lower()
        named = [item for item in self._units.credentials() if item.name == wanted]
        own = [
            item
            for item in named
            if (item.scope, item.scope_id) == (spec["scope"], spec.get("scope_id", ""))
        ]
        named = own or named
        if len(named) == 1:
            return named[0].id
        if named:
            ids = ", ".join(f"{item.id} ({_place(item)})" for item in named)
            raise _UnresolvedError(
                f"there are {len(named)} credentials named {wanted}", f"write the id of one: {ids}"
            )
        fix = _suggest(wanted, [item.name for item in self._units.credentials()], "credentials")
        raise _UnresolvedError(f"there is no credential {wanted!r}", fix)


def _only(units: Sequence[Unit], scope: str) -> str:
    """The id of the one unit there is."""
    if len(units) == 1:
        return units[0].id
    if not units:
        raise _UnresolvedError(f"no {scope} is visible to this account", "check its access rules")
    names = ", ".join(sorted(unit.name for unit in units))
    raise _UnresolvedError(f"there are {len(units)} {scope}s", f"add scope_id, one of {names}")


def _suggest(wanted: str, names: Sequence[str], what: str) -> str:
    """The names that may have been meant: the closest one first, then some of the others."""
    if not names:
        return f"no {what} are visible to this account: check its access rules"
    meant = nearest(wanted, names)
    known = sorted(set(names))
    shown = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    return (f"did you mean `{meant}`? " if meant else "") + f"the {what} we can see are: {shown}"


def _place(item: CredentialAsset) -> str:
    return f"{item.scope} {item.scope_id}".strip()


def _problem(resource: Resource, error: _UnresolvedError, path: tuple[str, ...] = ()) -> Problem:
    place = resource.source
    path = path or ("spec", "scope_id" if "scope_id" in resource.spec else "scope")
    return Problem(place.file, place.line, 1, error.what, error.fix, path)
