"""SQLite files as every store of ours opens them.

In the flow: under the mirrors, the selections and whatever else keeps rows. WAL, so that readers never wait for
a writer; schema steps in one transaction each, counted in `user_version`; errors of SQLite become ours here.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from thv.domain.errors import Code, ThvError
from thv.stores.threads import in_thread

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # A crash of the process loses nothing; a crash of the machine loses at most the last commits, never the file.
    "PRAGMA synchronous=NORMAL",
    "PRAGMA busy_timeout=5000",
    "PRAGMA cache_size=-4096",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=8388608",
    # A commit never waits for the disk: what it leaves in the log is written back by `settle`.
    "PRAGMA wal_autocheckpoint=0",
)
_LOG_LIMIT = 4 << 20
"""Bytes of a log that may wait to be written back."""


def open_derived(path: Path | None, steps: Sequence[str]) -> sqlite3.Connection:
    """The same for a file that can be made again: one that is no database any more begins anew."""
    try:
        return open_database(path, steps)
    except ThvError as error:
        cause = error.__cause__
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if path is None or code not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        remove_database(path)
        return open_database(path, steps)


def remove_database(path: Path) -> None:
    """Removes the file with its log."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def open_database(path: Path | None, steps: Sequence[str]) -> sqlite3.Connection:
    """Opens or makes the file (None: in memory) and takes it through the schema steps it has not seen."""
    with translated(path):
        if path is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            _migrate(connection, path, steps)
        except BaseException:
            connection.close()
            raise
    return connection


async def settle(path: Path | None) -> None:
    """Lets others have their turn, and the disk, where much was committed: whoever writes waits, the process does not."""
    if path is None or _log_size(path) <= _LOG_LIMIT:
        await asyncio.sleep(0)
    else:
        await in_thread(_write_back, path)


def _log_size(path: Path) -> int:
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:
        return 0


def _write_back(path: Path) -> None:
    """Empties the log, unless somebody reads what is in it; the next time will do."""
    with translated(path), closing(sqlite3.connect(path, timeout=0)) as connection:
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _migrate(connection: sqlite3.Connection, path: Path | None, steps: Sequence[str]) -> None:
    if _version(connection) == len(steps):
        return
    with transaction(connection, path):
        seen = _version(connection)  # again, behind the lock: another process may have been faster
        if seen > len(steps):
            raise ThvError(
                Code.STORE_UNAVAILABLE,
                f"{path} was written by a newer version of thv (schema {seen}, this one knows {len(steps)})",
                hint="Use the newer version, or another data folder (THV_DATA).",
            )
        for step in steps[seen:]:
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(steps)}")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path | None = None) -> Iterator[None]:
    """All or nothing; the write lock is taken at the start."""
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


@contextmanager
def translated(path: Path | None = None) -> Iterator[None]:
    """Turns what SQLite and the file system raise into our errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(error, path) from error
    except OSError as error:
        raise ThvError(
            Code.STORE_UNAVAILABLE,
            f"cannot use {path}: {error.strerror}",
            hint="Check owner and mode of the data folder, or choose another (THV_DATA).",
        ) from error


def _store_error(error: sqlite3.Error, path: Path | None) -> ThvError:
    where = str(path) if path else "the database in memory"
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return ThvError(
            Code.STORE_FULL,
            f"no space left for {where}",
            hint="Free space, or move the data folder (THV_DATA); what was served stays served.",
        )
    if isinstance(error, sqlite3.DatabaseError) and "malformed" in str(error):
        return ThvError(
            Code.STORE_UNAVAILABLE,
            f"{where} is damaged",
            hint="Restore a backup, or remove the file.",
        )
    return ThvError(
        Code.STORE_UNAVAILABLE,
        f"cannot use {where}: {error}",
        hint="Another process may hold it; try again, or choose another data folder (THV_DATA).",
    )
