"""The resource store in one SQLite file, for a single machine.

In the flow: one of the kinds of `ResourceStore`. Several processes may use the file at once: writers take turns,
readers never wait, and a watch notices what other processes wrote by polling a counter. Values of Secrets lie in
files beside it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import SECRET, metadata_of, uid_of
from thv.stores.resources.base import EventType
from thv.stores.resources.embedded import EmbeddedStore
from thv.stores.resources.pulse import Pulse
from thv.stores.resources.secrets import SecretFiles
from thv.stores.resources.tables import (
    Bookmarks,
    Chances,
    Event,
    Key,
    Retention,
    Row,
    Tables,
)

T = TypeVar("T")

BUSY_SECONDS = 5.0
POLL_SECONDS = 0.1
SCAN_CHUNK = 200
_LOOKS = 5

# Each entry leads from one schema to the next; entries are never changed, only added.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE objects (
            id INTEGER PRIMARY KEY,
            resource TEXT NOT NULL,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            uid TEXT NOT NULL UNIQUE,
            version INTEGER NOT NULL,
            object BLOB NOT NULL,
            secret_file TEXT,
            UNIQUE (resource, namespace, name)
        )
        """,
        """
        CREATE TABLE owners (
            owner TEXT NOT NULL,
            object INTEGER NOT NULL REFERENCES objects ON DELETE CASCADE,
            PRIMARY KEY (owner, object)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX owners_of_object ON owners (object)",
        """
        CREATE TABLE events (
            version INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            type TEXT NOT NULL,
            resource TEXT NOT NULL,
            namespace TEXT NOT NULL,
            name TEXT NOT NULL,
            object BLOB NOT NULL
        )
        """,
        """
        CREATE TABLE feed (
            version INTEGER NOT NULL,
            compacted INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            settled INTEGER NOT NULL
        )
        """,
        "INSERT INTO feed VALUES (0, 0, 0, 0)",
    ),
)

_encode = msgspec.json.encode


class SqliteStore(EmbeddedStore):
    """A `ResourceStore` in the file `path`; values of Secrets are files in the folder `secrets`."""

    def __init__(
        self,
        path: Path,
        secrets: Path,
        *,
        chances: Chances | None = None,
        retention: Retention | None = None,
        bookmarks: Bookmarks | None = None,
    ) -> None:
        """Opens the file, or makes it; raises STORE_UNAVAILABLE when it cannot be used."""
        super().__init__(
            _Sqlite(path, secrets),
            chances or Chances(),
            retention=retention or Retention(),
            bookmarks=bookmarks or Bookmarks(),
        )


class _VanishedError(Exception):
    """The file of a Secret is not there: its row is older than the file, or somebody deleted it."""


class _Sqlite:
    """The tables in the file, and the one connection of this process."""

    def __init__(self, path: Path, secrets: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._is_writing = False
        self._written: set[str] = set()
        self._replaced: set[str] = set()
        with _translated(path), _closing_on_failure(self):
            self._secrets = SecretFiles(secrets)
            self._connection = _opened(path)
            _prepare(self._connection, path)
            self._sweep()
            self._seen = self._data_version()
        self.pulse = Pulse(self._noticed, every=POLL_SECONDS)

    # ------------------------------------------------------------ transactions

    def read(self, look: Callable[[Tables], T]) -> T:
        for _ in range(_LOOKS):
            with _translated(self._path), self._snapshot():
                try:
                    return look(self)
                except _VanishedError as error:
                    vanished = str(error)
        raise ThvError(
            Code.STORE_UNAVAILABLE,
            f"{self._path}: {vanished}",
            hint="Create the Secret again, or restore the folder of Secrets from a backup.",
        )

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        connection = self._open()
        connection.execute("BEGIN")
        try:
            yield
        finally:
            _roll_back(connection)

    @contextmanager
    def writing(self) -> Iterator[Tables]:
        connection = self._open()
        self._written, self._replaced = set(), set()
        with _translated(self._path):
            connection.execute("BEGIN IMMEDIATE")
            self._is_writing = True
            try:
                before = self.version()
                yield self
                changed = self.version() != before
            except BaseException:
                _roll_back(connection)
                self._secrets.remove(self._written)
                raise
            finally:
                self._is_writing = False
            _commit(connection)
        if self._replaced and _settled(connection):
            self._secrets.remove(self._replaced)
        if changed:
            self.pulse.beat()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ThvError(Code.STORE_UNAVAILABLE, f"the resource store {self._path} was closed")
        return self._connection

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._open().execute(statement, values)

    def _data_version(self) -> int:
        version: int = self._execute("PRAGMA data_version").fetchone()[0]
        return version

    def _noticed(self) -> bool:
        """Whether another process wrote; on trouble too, so that who waits looks and sees it."""
        try:
            version = self._data_version()
        except (sqlite3.Error, ThvError):
            return True
        changed, self._seen = version != self._seen, version
        return changed

    # ------------------------------------------------------------ rows

    def get(self, key: Key) -> Row | None:
        found = self._execute(
            "SELECT version, object, secret_file FROM objects"
            " WHERE resource = ? AND namespace = ? AND name = ?",
            key.resource,
            key.namespace,
            key.name,
        ).fetchone()
        return None if found is None else self._row(key, *found)

    def scan(self, resource: str, namespace: str | None, after: Key | None) -> Iterator[Row]:
        low = (after.namespace, after.name) if after is not None else (namespace or "", "")
        while True:
            chunk = self._execute(
                "SELECT namespace, name, version, object, secret_file FROM objects"
                " WHERE resource = ? AND (namespace, name) > (?, ?) AND (? IS NULL OR namespace = ?)"
                " ORDER BY namespace, name LIMIT ?",
                resource,
                *low,
                namespace,
                namespace,
                SCAN_CHUNK,
            ).fetchall()
            for space, name, *rest in chunk:
                yield self._row(Key(resource, space, name), *rest)
            if len(chunk) < SCAN_CHUNK:
                return
            low = (chunk[-1][0], chunk[-1][1])

    def _row(self, key: Key, version: int, body: bytes, file: str | None) -> Row:
        obj: JsonObject = msgspec.json.decode(body)
        if file is None:
            return Row(key, version, obj)
        try:
            return Row(key, version, {**obj, "data": self._secrets.read(file)})
        except (FileNotFoundError, msgspec.MsgspecError) as error:
            if (
                self._is_writing
            ):  # nobody else can have replaced it: it is lost, and may be replaced
                return Row(key, version, obj)
            problem = f'the values of secret "{key.name}" in "{key.namespace}" are missing ({file})'
            raise _VanishedError(problem) from error

    def has_uid(self, uid: str) -> bool:
        return self._execute("SELECT 1 FROM objects WHERE uid = ?", uid).fetchone() is not None

    def owned_by(self, uid: str) -> list[Key]:
        rows = self._execute(
            "SELECT resource, namespace, name FROM owners JOIN objects ON objects.id = owners.object"
            " WHERE owner = ? ORDER BY resource, namespace, name",
            uid,
        )
        return [Key(*row) for row in rows.fetchall()]

    def put(self, row: Row) -> None:
        self._forget_file(row.key)
        obj, file = self._split(row)
        identity: int = self._execute(
            "INSERT INTO objects (resource, namespace, name, uid, version, object, secret_file)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (resource, namespace, name) DO UPDATE SET"
            " uid = excluded.uid, version = excluded.version, object = excluded.object,"
            " secret_file = excluded.secret_file RETURNING id",
            row.key.resource,
            row.key.namespace,
            row.key.name,
            uid_of(obj),
            row.version,
            _encode(obj),
            file,
        ).fetchone()[0]
        owners = {owner["uid"] for owner in metadata_of(obj).get("ownerReferences") or ()}
        self._execute("DELETE FROM owners WHERE object = ?", identity)
        self._open().executemany(
            "INSERT INTO owners VALUES (?, ?)", [(owner, identity) for owner in sorted(owners)]
        )

    def remove(self, key: Key) -> None:
        self._forget_file(key)
        self._execute(
            "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?",
            key.resource,
            key.namespace,
            key.name,
        )

    # ------------------------------------------------------------ Secrets

    def _split(self, row: Row) -> tuple[JsonObject, str | None]:
        """The object without secret values, and the file that has them."""
        values = row.object.get("data") if row.key.resource == SECRET.resource else None
        if not values:
            return row.object, None
        file = f"{uid_of(row.object)}.{row.version}"
        self._secrets.write(file, values)
        self._written.add(file)
        return {field: value for field, value in row.object.items() if field != "data"}, file

    def _forget_file(self, key: Key) -> None:
        if key.resource == SECRET.resource:
            found = self._execute(
                "SELECT secret_file FROM objects WHERE resource = ? AND namespace = ? AND name = ?",
                key.resource,
                key.namespace,
                key.name,
            ).fetchone()
            self._replaced.update(file for file in found or () if file)

    def _sweep(self) -> None:
        """Deletes what a crash left behind; takes the write lock only when there is something."""
        if not self._secrets.names() - self._referenced():
            return
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._secrets.remove(self._secrets.names() - self._referenced())
        finally:
            _roll_back(connection)

    def _referenced(self) -> set[str]:
        rows = self._execute("SELECT secret_file FROM objects WHERE secret_file IS NOT NULL")
        return {file for (file,) in rows.fetchall()}

    # ------------------------------------------------------------ events

    def version(self) -> int:
        version: int = self._execute("SELECT version FROM feed").fetchone()[0]
        return version

    def compacted(self) -> int:
        version: int = self._execute("SELECT compacted FROM feed").fetchone()[0]
        return version

    def append(self, event: Event, at: datetime) -> None:
        body = _encode(event.object)
        self._execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
            event.version,
            at.timestamp(),
            event.type.value,
            event.key.resource,
            event.key.namespace,
            event.key.name,
            body,
        )
        self._execute("UPDATE feed SET version = ?, bytes = bytes + ?", event.version, len(body))

    def events(
        self, since: int, resource: str, namespace: str | None, limit: int
    ) -> tuple[list[Event], int]:
        rows = self._execute(
            "SELECT version, type, namespace, name, object FROM events"
            " WHERE version > ? AND resource = ? AND (? IS NULL OR namespace = ?)"
            " ORDER BY version LIMIT ?",
            since,
            resource,
            namespace,
            namespace,
            limit,
        ).fetchall()
        found = [
            Event(version, EventType(kind), Key(resource, space, name), msgspec.json.decode(body))
            for version, kind, space, name, body in rows
        ]
        return found, found[-1].version if len(found) == limit else self.version()

    def compact(self, retention: Retention, now: datetime) -> None:
        oldest = (now - retention.age).timestamp()
        while (event := self._oldest_event()) is not None:
            version, at, size = event
            last, forgotten, total = self._execute(
                "SELECT version, compacted, bytes FROM feed"
            ).fetchone()
            many = last - forgotten > retention.events
            if not (many or total > retention.bytes or at < oldest):
                return
            self._execute("DELETE FROM events WHERE version = ?", version)
            self._execute("UPDATE feed SET compacted = ?, bytes = bytes - ?", version, size)

    def _oldest_event(self) -> tuple[int, float, int] | None:
        found: tuple[int, float, int] | None = self._execute(
            "SELECT version, at, length(object) FROM events ORDER BY version LIMIT 1"
        ).fetchone()
        return found


# ---------------------------------------------------------------- the file


def _opened(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    _migrate(connection, path)


@contextmanager
def _closing_on_failure(tables: _Sqlite) -> Iterator[None]:
    """A file that cannot be used is let go."""
    try:
        yield
    except BaseException:
        tables.close()
        raise


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Brings the file to the newest schema, in one transaction; refuses a file of a newer program."""
    if _schema_of(connection, path) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in MIGRATIONS[_schema_of(connection, path) :]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        _roll_back(connection)
        raise
    _commit(connection)


def _schema_of(connection: sqlite3.Connection, path: Path) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > len(MIGRATIONS):
        raise ThvError(
            Code.STORE_UNAVAILABLE,
            f"{path} was written by a newer version: its schema is {found}, this one knows {len(MIGRATIONS)}",
            hint="Run the newer version, or use another data folder.",
        )
    return found


def _settled(connection: sqlite3.Connection) -> bool:
    """Whether all that was committed survives a power failure; only then may old files of Secrets go.

    A commit is not synced by itself, but a synced one takes all earlier ones along. What is not settled now is
    swept on the next opening.
    """
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("UPDATE feed SET settled = settled + 1")
    except sqlite3.Error:
        return False
    finally:
        connection.execute("PRAGMA synchronous = NORMAL")
    return True


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


# ---------------------------------------------------------------- errors of SQLite and of the disk

_FULL = {errno.ENOSPC, errno.EDQUOT}
_PROBLEMS = {
    sqlite3.SQLITE_BUSY: ("is held by another process", "Try again; it lets go soon."),
    sqlite3.SQLITE_READONLY: ("cannot be written", "Give this user the right to write there."),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check that the folder exists and is writable."),
    sqlite3.SQLITE_NOTADB: ("is no resource store", "Name another file or data folder."),
    sqlite3.SQLITE_CORRUPT: ("is damaged", "Restore it from a backup."),
}


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        raise (
            _full(path, error) if code == sqlite3.SQLITE_FULL else _unusable(path, code, error)
        ) from error
    except OSError as error:
        raise _full(path, error) if error.errno in _FULL else _unusable(path, 0, error) from error


def _full(path: Path, error: Exception) -> ThvError:
    return ThvError(
        Code.STORE_FULL,
        f"the disk of {path} is full: {error}",
        hint="Free some space; nothing was changed.",
    )


def _unusable(path: Path, code: int, error: Exception) -> ThvError:
    problem, hint = _PROBLEMS.get(code, ("cannot be used", "Check the disk and the rights on it."))
    return ThvError(Code.STORE_UNAVAILABLE, f"{path} {problem}: {error}", hint=hint)
