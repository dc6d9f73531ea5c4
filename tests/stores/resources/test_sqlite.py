"""The file: what survives, what is refused, and where the values of Secrets lie."""

from __future__ import annotations

import base64
import errno
import sqlite3
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.contracts.resource_store.objects import (
    PATIENCE,
    a_config_map,
    a_registry,
    a_secret,
    changes,
    owned_by,
    refused,
    version,
)
from tests.stores.resources.stores import sqlite_in
from thv.domain.errors import Code, Next, ThvError
from thv.domain.resources import CONFIG_MAP, MCP_REGISTRY, SECRET
from thv.stores.resources import sqlite
from thv.stores.resources.sqlite import MIGRATIONS, SqliteStore
from thv.stores.resources.tables import Key, Row, Tables

pytestmark = pytest.mark.anyio

VALUE = "hunter2-is-no-secret-any-more"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _connection(store: SqliteStore) -> sqlite3.Connection:
    connection: sqlite3.Connection = store._backend._open()  # type: ignore[attr-defined] # the SQLite tables
    return connection


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "secrets").iterdir())


async def test_everything_is_there_after_opening_again(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    registry = await store.create(a_registry("team"), manager="test")
    secret = await store.create(a_secret("team", data={"token": _b64(VALUE)}), manager="test")
    await store.close()
    again = sqlite_in(tmp_path)
    assert await again.get(MCP_REGISTRY, "team", "corp") == registry
    assert await again.get(SECRET, "team", "token") == secret
    assert len(await changes(again, MCP_REGISTRY, None, "0", 1)) == 1
    later = await again.create(a_config_map("team"), manager="test")
    assert int(version(later)) == int(version(secret)) + 1
    await again.close()


async def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    await store.create(a_secret("team", data={"token": _b64(VALUE)}), manager="test")
    assert _mode(tmp_path / "resources.db") == 0o600
    assert _mode(tmp_path / "resources.db-wal") == 0o600
    assert _mode(tmp_path / "secrets") == 0o700
    assert [_mode(file) for file in _files(tmp_path)] == [0o600]
    await store.close()


# ---------------------------------------------------------------- Secrets


async def test_secret_values_never_lie_in_the_database(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    await store.create(a_secret("team", stringData={"token": VALUE}), manager="test")
    await store.apply(a_secret("team", data={"token": _b64(VALUE)}), manager="other")
    await store.merge(SECRET, "team", "token", {"metadata": {"labels": {"a": "b"}}}, manager="test")
    last_applied = {
        "kubectl.kubernetes.io/last-applied-configuration": f'{{"stringData":{{"token":"{VALUE}"}}}}'
    }
    imported = a_secret("team", "imported", data={"token": _b64(VALUE)})
    imported["metadata"]["annotations"] = {**last_applied, "kept": "yes"}
    assert (await store.create(imported, manager="test"))["metadata"]["annotations"] == {
        "kept": "yes"
    }
    await store.delete(SECRET, "team", "imported")
    for name in ("resources.db", "resources.db-wal"):
        content = (tmp_path / name).read_bytes()
        assert VALUE.encode() not in content
        assert _b64(VALUE).encode() not in content
    await store.close()


async def test_old_values_are_deleted(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    await store.create(a_secret("team", stringData={"token": "old"}), manager="test")
    (old,) = _files(tmp_path)
    await store.merge(SECRET, "team", "token", {"stringData": {"token": "new"}}, manager="test")
    (new,) = _files(tmp_path)
    assert new != old
    assert b"bmV3" in new.read_bytes()
    await store.delete(SECRET, "team", "token")
    assert _files(tmp_path) == []
    await store.close()


async def test_values_of_an_owned_secret_go_with_its_owner(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    owner = await store.create(a_registry("team"), manager="test")
    owned = a_secret("team", stringData={"token": "x"})
    owned["metadata"] |= owned_by(owner)
    await store.create(owned, manager="test")
    await store.delete(MCP_REGISTRY, "team", "corp")
    assert _files(tmp_path) == []
    await store.close()


async def test_refused_write_leaves_no_value_behind(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    await store.create(a_secret("team", stringData={"token": "old"}), manager="test")
    before = _files(tmp_path)
    with refused(Code.INVALID):
        await store.replace(
            a_secret("team", type="other", stringData={"token": "new"}), manager="test"
        )
    with pytest.raises(RuntimeError, match="in the middle"):
        _fail_in_the_middle(store, tmp_path)
    assert _files(tmp_path) == before
    assert (await store.get(SECRET, "team", "token"))["data"] == {"token": _b64("old")}
    await store.close()


def _fail_in_the_middle(store: SqliteStore, folder: Path) -> None:
    with store._backend.writing() as tables:
        row = tables.get(Key("secrets", "team", "token"))
        assert row is not None
        tables.put(Row(row.key, 99, {**row.object, "data": {"token": _b64("new")}}))
        assert len(_files(folder)) == 2
        raise RuntimeError("in the middle")


async def test_what_a_crash_left_is_swept_on_opening(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    secret = await store.create(a_secret("team", stringData={"token": "kept"}), manager="test")
    await store.close()
    kept = _files(tmp_path)
    (tmp_path / "secrets" / "uid.99").write_text('{"token": "bmV2ZXI="}')
    (tmp_path / "secrets" / ".new-abc").write_text("half")
    again = sqlite_in(tmp_path)
    assert _files(tmp_path) == kept
    assert await again.get(SECRET, "team", "token") == secret
    await again.close()


async def test_lost_values_are_named_and_can_be_written_again(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    await store.create(a_secret("team", stringData={"token": VALUE}), manager="test")
    _files(tmp_path)[0].unlink()
    with refused(Code.STORE_UNAVAILABLE, 'secret "token" in "team"') as error:
        await store.get(SECRET, "team", "token")
    assert "Create the Secret again" in error.value.hint
    await store.replace(a_secret("team", stringData={"token": "new"}), manager="test")
    assert (await store.get(SECRET, "team", "token"))["data"] == {"token": _b64("new")}
    await store.close()


async def test_a_reader_that_is_overtaken_looks_again(tmp_path: Path) -> None:
    reader, writer = sqlite_in(tmp_path), sqlite_in(tmp_path)
    await writer.create(a_secret("team", stringData={"token": "old"}), manager="test")
    looks: list[int] = []
    pending = [
        writer.merge(SECRET, "team", "token", {"stringData": {"token": "new"}}, manager="test")
    ]

    def look(tables: Tables) -> dict[str, Any]:
        looks.append(tables.version())
        if pending:
            with pytest.raises(StopIteration):  # it never waits, so it runs to its end
                pending.pop().send(None)
        row = tables.get(Key("secrets", "team", "token"))
        assert row is not None
        return row.object

    assert reader._backend.read(look)["data"] == {"token": _b64("new")}
    assert looks == [1, 2]
    await reader.close()
    await writer.close()


# ---------------------------------------------------------------- trouble


async def test_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    kept = await store.create(a_config_map("team", "kept", data={"a": "1"}), manager="test")
    connection = _connection(store)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with refused(Code.STORE_FULL, "resources.db is full") as error:
        await store.create(a_config_map("team", "large", data={"a": "x" * 500_000}), manager="test")
    assert error.value.next is Next.BACKOFF
    assert (await store.list(CONFIG_MAP)).items == [kept]
    assert _files(tmp_path) == []
    connection.execute("PRAGMA max_page_count = 1073741823")
    await store.create(a_config_map("team", "large", data={"a": "x" * 500_000}), manager="test")
    await store.close()


async def test_full_disk_leaves_the_old_secret(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    await store.create(a_secret("team", stringData={"token": "old"}), manager="test")
    connection = _connection(store)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = {"metadata": {"annotations": {"a": "x" * 200_000}}, "stringData": {"token": "new"}}
    with refused(Code.STORE_FULL):
        await store.merge(SECRET, "team", "token", large, manager="test")
    assert (await store.get(SECRET, "team", "token"))["data"] == {"token": _b64("old")}
    assert len(_files(tmp_path)) == 1
    await store.close()


async def test_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    created = await store.create(a_registry("team"), manager="test")
    _connection(store).execute("PRAGMA query_only = ON")
    with refused(Code.STORE_UNAVAILABLE, "resources.db cannot be written"):
        await store.delete(MCP_REGISTRY, "team", "corp")
    assert await store.get(MCP_REGISTRY, "team", "corp") == created
    await store.close()


async def test_secrets_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    (tmp_path / "secrets").rmdir()
    with refused(Code.STORE_UNAVAILABLE):
        await store.create(a_secret("team", stringData={"token": "x"}), manager="test")
    assert (await store.list(SECRET)).items == []
    await store.close()


async def test_file_that_another_process_holds_is_told(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    _connection(store).execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "resources.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with refused(Code.STORE_UNAVAILABLE, "is held by another process") as error:
        await store.create(a_registry("team"), manager="test")
    assert error.value.next is Next.BACKOFF
    assert (await store.list(MCP_REGISTRY)).items == []
    other.execute("ROLLBACK")
    await store.create(a_registry("team"), manager="test")
    other.close()
    await store.close()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, Code.STORE_FULL),
        (errno.EDQUOT, Code.STORE_FULL),
        (errno.EROFS, Code.STORE_UNAVAILABLE),
    ],
)
def test_errors_of_the_disk_are_translated(tmp_path: Path, number: int, code: Code) -> None:
    with pytest.raises(ThvError) as error, sqlite._translated(tmp_path / "resources.db"):
        raise OSError(number, "from the disk")
    assert error.value.code is code
    assert "from the disk" in error.value.message


def test_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "resources.db").write_text("not a database, however long it is" * 10)
    with refused(Code.STORE_UNAVAILABLE, "is no resource store"):
        sqlite_in(tmp_path)


def test_missing_folder_is_told(tmp_path: Path) -> None:
    with refused(Code.STORE_UNAVAILABLE, "resources.db"):
        SqliteStore(tmp_path / "missing" / "resources.db", tmp_path / "secrets")


# ---------------------------------------------------------------- schema of the file


def test_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "resources.db")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with refused(Code.STORE_UNAVAILABLE, "written by a newer version") as error:
        sqlite_in(tmp_path)
    assert "another data folder" in error.value.hint


async def test_older_file_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = sqlite_in(tmp_path)
    created = await store.create(a_registry("team"), manager="test")
    await store.close()
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE later (x)",)))
    again = sqlite_in(tmp_path)
    assert await again.get(MCP_REGISTRY, "team", "corp") == created
    assert _connection(again).execute("SELECT count(*) FROM later").fetchone() == (0,)
    await again.close()


async def test_failed_migration_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = sqlite_in(tmp_path)
    created = await store.create(a_registry("team"), manager="test")
    await store.close()
    broken = ("CREATE TABLE half (x)", "CREATE TABLE no such syntax")
    monkeypatch.setattr(sqlite, "MIGRATIONS", (*MIGRATIONS, broken))
    with refused(Code.STORE_UNAVAILABLE):
        sqlite_in(tmp_path)
    monkeypatch.undo()
    again = sqlite_in(tmp_path)
    assert await again.get(MCP_REGISTRY, "team", "corp") == created
    tables = {name for (name,) in _connection(again).execute("SELECT name FROM sqlite_master")}
    assert "half" not in tables
    await again.close()


# ---------------------------------------------------------------- two stores on one file


async def test_watch_notices_what_another_store_commits(tmp_path: Path) -> None:
    watching, writing = sqlite_in(tmp_path), sqlite_in(tmp_path)
    seen: list[str] = []

    async def watch() -> None:
        found = await changes(watching, CONFIG_MAP, None, "0", 2)
        seen.extend(event.object["metadata"]["name"] for event in found)

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await anyio.lowlevel.checkpoint()
            await writing.create(a_config_map("team", "a"), manager="test")
            await writing.create(a_config_map("team", "b"), manager="test")
    assert seen == ["a", "b"]
    await watching.close()
    await writing.close()


def test_foreign_commits_are_looked_for_often_enough() -> None:
    assert sqlite.POLL_SECONDS <= 0.15


async def test_nobody_polls_when_nobody_watches(tmp_path: Path) -> None:
    store = sqlite_in(tmp_path)
    await store.create(a_config_map("team"), manager="test")
    await changes(store, CONFIG_MAP, None, "0", 1)
    assert store._backend.pulse._poller is None
    await store.close()


async def test_both_stores_share_one_sequence(tmp_path: Path) -> None:
    one, two = sqlite_in(tmp_path), sqlite_in(tmp_path)
    versions = [
        int(version(await store.create(a_config_map("team", f"item-{number}"), manager="test")))
        for number in range(3)
        for store in ((one,) if number % 2 else (two,))
    ]
    assert versions == [1, 2, 3]
    live = await one.get(CONFIG_MAP, "team", "item-0")
    await two.merge(CONFIG_MAP, "team", "item-0", {"data": {"a": "1"}}, manager="test")
    with refused(Code.CONFLICT):
        await one.replace({**live, "data": {"a": "2"}}, manager="test")
    await one.close()
    await two.close()
