"""The SQLite file behind a sandbox: opening, tables, settings, write transactions.

Every process that serves one file has its own connection and keeps nothing else: SQLite in WAL mode
is the only truth, so that several may serve it at once. A committed write survives a SIGKILL.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import SandboxError

CLIENT_ID = "reconciler-sandbox"
_VERSION = 2
_TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE cluster (uuid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL);
CREATE TABLE department (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, cluster_uuid TEXT NOT NULL REFERENCES cluster,
  created_at TEXT NOT NULL, UNIQUE (cluster_uuid, name)
);
CREATE TABLE project (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, department_id TEXT NOT NULL REFERENCES department,
  created_at TEXT NOT NULL, UNIQUE (department_id, name)
);
CREATE TABLE credential (
  id TEXT PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL, scope TEXT NOT NULL,
  scope_id TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (type, scope, scope_id, name)
);
CREATE TABLE usage (
  kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)
);
-- What was written last: `seq` is the order of creation, `first_name` the name at creation (the
-- seeded usage follows it through renames, as on a server that goes by ids), `body` JSON text.
CREATE TABLE asset (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL,
  scope TEXT NOT NULL, scope_id TEXT NOT NULL, first_name TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (kind, scope, scope_id, name)
);
CREATE INDEX asset_in_order ON asset (kind, seq);
-- What reads still show until a time (Unix seconds) instead. No body: it does not show yet.
CREATE TABLE outdated (
  until REAL NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, scope TEXT NOT NULL, scope_id TEXT NOT NULL, first_name TEXT NOT NULL,
  body TEXT
);
CREATE INDEX outdated_of_asset ON outdated (id, until);
"""


class Database:
    """One connection, for use in one thread. `fresh` is whether this call made the tables.

    `busy` is for how many seconds it waits for another process that writes.
    """

    def __init__(self, path: Path, busy: float) -> None:
        self._path = path
        self._busy = busy
        try:
            _make_file(path)
            self.connection = sqlite3.connect(path, timeout=busy, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self.connection.close()
            raise self._unusable(error) from error
        except SandboxError:
            self.connection.close()
            raise

    def close(self) -> None:
        """Close the connection; the last one to close folds the write-ahead log into the file."""
        self.connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock of the file; commit at the end, or undo all on an exception."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk may have ended it
                self.connection.execute("ROLLBACK")
            raise

    def setting(self, name: str) -> str:
        """One of `client_id`, `client_secret`, `signing_key`."""
        query = "SELECT value FROM setting WHERE name = ?"
        row = self.connection.execute(query, (name,)).fetchone()
        if row is None:
            raise SandboxError(
                f"the sandbox database has no {name}",
                where=str(self._path),
                fix="Delete the file to start afresh.",
            )
        return str(row[0])

    def _prepare(self) -> None:
        _enter_wal(self.connection, self._busy)
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("PRAGMA foreign_keys = ON")
        with self.write() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise SandboxError(
                    f"the sandbox database has layout {version}; this version reads {_VERSION}",
                    where=str(self._path),
                    fix="Name another file, or delete this one to start afresh.",
                )
            self.fresh = version == 0
            if self.fresh:
                self._create_tables(connection)

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise SandboxError(
                "this is an SQLite database, but not a sandbox's",
                where=str(self._path),
                fix="Name another file.",
            )
        for statement in _TABLES.split(";"):  # executescript() would commit first
            connection.execute(statement)
        settings = {
            "client_id": CLIENT_ID,
            "client_secret": secrets.token_urlsafe(32),
            "signing_key": secrets.token_hex(32),
        }
        connection.executemany("INSERT INTO setting VALUES (?, ?)", settings.items())
        connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _unusable(self, error: Exception) -> SandboxError:
        return SandboxError(
            f"the sandbox database cannot be used: {error}",
            where=str(self._path),
            fix="Name a sandbox's file, or a new one, on a local disk where you may write and "
            "where there is room.",
        )


def has_no_room(error: sqlite3.Error) -> bool:
    """Whether a write failed because the disk is full, or cannot be written for such a reason."""
    return error.sqlite_errorname.startswith(("SQLITE_FULL", "SQLITE_IOERR"))


def _make_file(path: Path) -> None:
    """Create the file for its owner alone, since it holds the client secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _enter_wal(connection: sqlite3.Connection, busy: float) -> None:
    """Switch to write-ahead logging; SQLite does not wait by itself for others that switch."""
    deadline = time.monotonic() + busy
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            if mode != "wal":
                raise sqlite3.OperationalError("this file system allows no write-ahead log")
            return
