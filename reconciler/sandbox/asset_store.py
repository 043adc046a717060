"""Assets in SQLite: create, change, remove, and reads that may lag behind.

Bodies are JSON text from the first to the last step; they are never parsed here, so that a list of
thousands is one query. Names are unique per kind and place at once; what reads show follows
`visibility_lag` seconds later.
"""
# ruff: noqa: S608 -- statements are put together from constants here; values are always bound

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace

from reconciler.sandbox.answers import ApiError, dump
from reconciler.sandbox.database import Database

Place = tuple[str, str]
"""A scope and the id in it; the id is "" for system and tenant."""

_COLUMNS = "id, kind, name, scope, scope_id, first_name, body"
_FOR_EVER = 1e18
_TYPES = "$.meta.workloadSupportedTypes"
_ALL_TYPES = f"json_extract(body, '{_TYPES}') IS NULL"
_SHOWN = f"""
  SELECT seq, {_COLUMNS} FROM asset
  WHERE id NOT IN (SELECT id FROM outdated WHERE until > :now)
  UNION ALL
  SELECT seq, {_COLUMNS} FROM outdated AS shown
  WHERE body IS NOT NULL AND rowid = (
    SELECT rowid FROM outdated WHERE id = shown.id AND until > :now ORDER BY until, rowid LIMIT 1
  )
"""


@dataclass(frozen=True)
class Asset:
    """One asset; `first_name` is its name at creation, `body` `{"meta", "spec"}` as text."""

    id: str
    kind: str
    name: str
    scope: str
    scope_id: str
    first_name: str
    body: str


@dataclass(frozen=True)
class AssetFilter:
    """Which assets a list shows; None is no restriction.

    `supports` are pairs of a workload type's field and whether it is to be supported; an asset
    without workload types supports all of them.
    """

    name: str | None = None
    name_part: str | None = None
    scope: str | None = None
    places: tuple[Place, ...] | None = None
    supports: tuple[tuple[str, bool], ...] = ()
    framework: str | None = None


class AssetStore:
    """The assets of one database."""

    def __init__(self, database: Database, lag: float) -> None:
        self._database = database
        self._lag = lag

    def add(self, *assets: Asset) -> None:
        """Store new assets, all or none; a name that is taken is a 409."""
        with self._database.write() as connection:
            for asset in assets:
                sequence = _insert(connection, asset)
                self._outdate(connection, sequence, replace(asset, body=""), shown=False)

    def change(self, kind: str, asset_id: str, edit: Callable[[Asset], Asset]) -> Asset:
        """Replace name and body of one asset by what `edit` makes of it; 404 and 409."""
        with self._database.write() as connection:
            sequence, before = _find(connection, kind, asset_id)
            after = edit(before)
            try:
                connection.execute(
                    "UPDATE asset SET name = ?, body = ? WHERE seq = ?",
                    (after.name, after.body, sequence),
                )
            except sqlite3.IntegrityError as error:
                raise _taken(after) from error
            self._outdate(connection, sequence, before, shown=True)
        return after

    def remove(self, kind: str, asset_id: str, trace: Callable[[Asset], Asset | None]) -> None:
        """Delete one asset, unless `trace` raises; 404. What it makes of it is read for ever."""
        with self._database.write() as connection:
            sequence, before = _find(connection, kind, asset_id)
            left = trace(before)
            connection.execute("DELETE FROM asset WHERE seq = ?", (sequence,))
            self._outdate(connection, sequence, before, shown=True)
            if left is not None:
                _show_until(connection, _FOR_EVER, sequence, left)

    def get(self, kind: str, asset_id: str) -> Asset:
        """One asset as reads show it; 404."""
        query = f"SELECT {_COLUMNS} FROM ({self._shown()}) WHERE id = :id AND kind = :kind"
        arguments = {"id": asset_id, "kind": kind, "now": time.time()}
        row = self._database.connection.execute(query, arguments).fetchone()
        if row is None:
            raise _missing(kind, asset_id)
        return Asset(*row)

    def find(self, kind: str, wanted: AssetFilter) -> list[tuple[str, str]]:
        """First name and body of every asset that reads show, in the order of creation."""
        conditions, arguments = _conditions(wanted)
        query = (
            f"SELECT first_name, body FROM ({self._shown()}) "
            f"WHERE {' AND '.join(['kind = :kind', *conditions])} ORDER BY seq"
        )
        arguments |= {"kind": kind, "now": time.time()}
        return self._database.connection.execute(query, arguments).fetchall()

    def _shown(self) -> str:
        """The rows that reads show; without any lag under way, the plain table."""
        query = "SELECT 1 FROM outdated WHERE until > ? LIMIT 1"
        lagging = self._database.connection.execute(query, (time.time(),)).fetchone()
        return _SHOWN if lagging else f"SELECT seq, {_COLUMNS} FROM asset"

    def _outdate(
        self, connection: sqlite3.Connection, sequence: int, asset: Asset, *, shown: bool
    ) -> None:
        """Let reads go on to show this asset, or that there is none, for the length of the lag."""
        if not self._lag:
            return
        now = time.time()
        connection.execute("DELETE FROM outdated WHERE until <= ?", (now,))
        _show_until(connection, now + self._lag, sequence, asset, shown=shown)


def _show_until(
    connection: sqlite3.Connection,
    until: float,
    sequence: int,
    asset: Asset,
    *,
    shown: bool = True,
) -> None:
    connection.execute(
        f"INSERT INTO outdated (until, seq, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (until, sequence, *astuple(asset)[:-1], asset.body if shown else None),
    )


def insert_builtin(connection: sqlite3.Connection, asset: Asset) -> None:
    """Store an asset as part of making a database, visible at once."""
    _insert(connection, asset)


def _insert(connection: sqlite3.Connection, asset: Asset) -> int:
    query = f"INSERT INTO asset ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    try:
        sequence = connection.execute(query, astuple(asset)).lastrowid
    except sqlite3.IntegrityError as error:
        raise _taken(asset) from error
    assert sequence is not None
    return sequence


def _find(connection: sqlite3.Connection, kind: str, asset_id: str) -> tuple[int, Asset]:
    query = f"SELECT seq, {_COLUMNS} FROM asset WHERE id = ? AND kind = ?"
    row = connection.execute(query, (asset_id, kind)).fetchone()
    if row is None:
        raise _missing(kind, asset_id)
    return row[0], Asset(*row[1:])


def _conditions(wanted: AssetFilter) -> tuple[list[str], dict[str, object]]:
    found: list[str] = []
    arguments: dict[str, object] = {}
    if wanted.name is not None:
        found.append("name = :name")
        arguments["name"] = wanted.name
    if wanted.name_part is not None:
        found.append("instr(lower(name), lower(:part)) > 0")
        arguments["part"] = wanted.name_part
    if wanted.scope is not None:
        found.append("scope = :scope")
        arguments["scope"] = wanted.scope
    if wanted.places is not None:
        found.append(
            "(scope, scope_id) IN "
            "(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') "
            "FROM json_each(:places))"
        )
        arguments["places"] = dump(wanted.places)
    for number, (name, supported) in enumerate(wanted.supports):
        found.append(
            f"coalesce(json_extract(body, :type{number}), {_ALL_TYPES}) = :supported{number}"
        )
        arguments |= {f"type{number}": f"{_TYPES}.{name}", f"supported{number}": supported}
    if wanted.framework is not None:
        found.append(
            f"coalesce(json_extract(body, '{_TYPES}.distFramework') = :framework, {_ALL_TYPES})"
        )
        arguments["framework"] = wanted.framework
    return found, arguments


def _missing(kind: str, asset_id: str) -> ApiError:
    return ApiError(404, f"There is no {kind} asset with the id {asset_id}.")


def _taken(asset: Asset) -> ApiError:
    place = f"{asset.scope} {asset.scope_id}".strip()
    return ApiError(
        409,
        "Resource with this name already exists",
        f"The {place} has another {asset.kind} asset named {asset.name!r}.",
    )
