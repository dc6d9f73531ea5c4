"""Takes over what changed in one registry, in one transaction.

In the flow: after the read model of a registry serves something else, or the registry's standing changed. SQLite
compares both sides by the stamps that rows carry; only what differs is read, made and written.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import msgspec

from thv.stores.catalogs.query import COMMUNITY, LEVELS, VALIDATED
from thv.stores.catalogs.rows import Found, Made, Shared, made_of
from thv.stores.catalogs.tables import EVERY_TRAITS
from thv.stores.models.folder import DATABASE
from thv.stores.models.query import Form
from thv.stores.models.rows import TAG, Traits
from thv.stores.models.view import Model
from thv.stores.threads import in_thread

_BREATH = 20
"""Entries that are made without giving way to others."""
_TAGS = 10_000
"""Tags whose numbers are at hand."""


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """A registry as it is joined."""

    namespace: str
    name: str
    uid: str
    trust: int
    """0 is the highest level."""
    standing: str
    """Sorts the best first; begins with the trust."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A registry as it is in the catalog."""

    id: int
    namespace: str
    name: str
    uid: str
    trust: int
    standing: str
    content: str
    """Short hash of every byte of its snapshot."""

    @property
    def title(self) -> str:
        """In one word."""
        return f"{self.namespace}/{self.name}"

    @property
    def trust_level(self) -> str:
        """As people say it."""
        return LEVELS[self.trust]

    @property
    def category(self) -> str:
        """What a trusted registry serves is validated, everything else of the community."""
        return VALIDATED if self.trust == 0 else COMMUNITY


_CHANGED = """
INSERT INTO temp.changed SELECT s.name FROM model.server s JOIN model.version v ON v.id = s.item
WHERE s.born <= :generation AND s.died > :generation AND NOT EXISTS (
    SELECT 1 FROM entry e WHERE e.registry = :registry AND e.name = s.name AND e.stamp = v.stamp)
"""
_GONE = """
INSERT INTO temp.gone SELECT e.id, e.name FROM entry e WHERE e.registry = :registry AND (
    e.name IN (SELECT name FROM temp.changed) OR NOT EXISTS (
        SELECT 1 FROM model.server s WHERE s.name = e.name AND s.born <= :generation AND s.died > :generation))
"""
_READ = """
SELECT s.name, s.key, s.short, v.stamp, s.updated, s.stars, s.pulls, s.place, s.size, s.official, s.official_size,
       s.item, t.tier, t.category, t.transport, t.kind, t.status, t.trust
FROM temp.changed c CROSS JOIN model.server s ON s.name = c.name AND s.born <= ?1 AND s.died > ?1
CROSS JOIN model.version v ON v.id = s.item CROSS JOIN model.traits t ON t.id = s.traits ORDER BY c.rowid
"""
_REGISTER = """
INSERT INTO registry(namespace, name, uid, trust, standing, content) VALUES(?,?,?,?,?,?)
ON CONFLICT(namespace, name) DO UPDATE SET
    uid = excluded.uid, trust = excluded.trust, standing = excluded.standing, content = excluded.content
RETURNING id
"""
_TAG = "INSERT INTO tag(name) VALUES(?) ON CONFLICT(name) DO UPDATE SET name = name RETURNING id"
# Of a name that one registry has, rank is 0 and stays so.
_RANK = """
UPDATE entry SET rank = ranked.rank FROM (
    SELECT e.id, row_number() OVER (PARTITION BY e.name ORDER BY r.standing) - 1 AS rank
    FROM temp.touched t CROSS JOIN entry e ON e.name = t.name CROSS JOIN registry r ON r.id = e.registry
) ranked WHERE entry.id = ranked.id AND entry.rank != ranked.rank
"""
_TOUCHED = """
CREATE TEMP TABLE touched AS SELECT name FROM
    (SELECT name FROM temp.changed UNION SELECT name FROM temp.gone) n
    WHERE (SELECT count(*) FROM entry e WHERE e.name = n.name) > 1
    OR EXISTS (SELECT 1 FROM entry e WHERE e.name = n.name AND e.rank > 0)
"""
_FORGET = (
    """INSERT INTO words(words, rowid, host, name, title, description, tags, tools)
    SELECT 'delete', id, host, name, title, description, tags, tools FROM spoken
    WHERE id IN (SELECT id FROM temp.gone)""",
    *(
        f"DELETE FROM {table} WHERE {key} IN (SELECT id FROM temp.gone)"
        for table, key in (
            ("spoken", "id"),
            ("body", "id"),
            ("fact", "item"),
            ("tool", "item"),
            ("entry", "id"),
        )
    ),
)
_TEMPORARY = (
    "CREATE TEMP TABLE changed(name TEXT NOT NULL)",
    "CREATE TEMP TABLE gone(id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
)
_LEFT = tuple(f"DROP TABLE IF EXISTS temp.{name}" for name in ("changed", "gone", "touched"))


class Joiner:
    """The one who writes the catalog."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._traits: dict[Shared, int] = {}
        self._tags: dict[str, int] = {}
        self._last = 0

    async def join(self, known: Joined | None, joining: Joining, model: Model) -> Joined:
        """Brings the part of a registry to what its model serves; what was there is seen until all of it is."""
        connection = self._connection
        await in_thread(_attach, connection, model)
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                joined = self._registered(joining, model)
                values = {"registry": joined.id, "generation": model.current.id}
                await in_thread(_compare, connection, values, uses=connection)
                await self._take_over(joined.id, model)
                if known is not None and known.standing != joined.standing:
                    _touch_all(connection, joined.id)
                await in_thread(_rank, connection, uses=connection)
                await in_thread(connection.execute, "COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                self._traits.clear()
                self._tags.clear()
                raise
        finally:
            _clean(connection)
            connection.execute("DETACH model")
        return joined

    async def drop(self, known: Joined) -> None:
        """Takes a registry out."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            await in_thread(_drop, connection, known.id, uses=connection)
            await in_thread(connection.execute, "COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        finally:
            _clean(connection)

    def _registered(self, joining: Joining, model: Model) -> Joined:
        """The row of the registry, with the generation that this transaction sees."""
        model.refresh()
        content = model.current.content
        (row,) = self._connection.execute(
            _REGISTER, (*msgspec.structs.astuple(joining), content)
        ).fetchone()
        return Joined(id=row, content=content, **msgspec.structs.asdict(joining))

    async def _take_over(self, registry: int, model: Model) -> None:
        for statement in _FORGET:
            self._connection.execute(statement)
        rows = self._connection.execute(_READ, (model.current.id,))
        try:
            while batch := rows.fetchmany(_BREATH):
                found = [_found(self._connection, row, model) for row in batch]
                self._write(registry, [made_of(each) for each in found])
                await asyncio.sleep(0)
        finally:
            rows.close()

    def _write(self, registry: int, made: list[Made]) -> None:
        write = self._connection.executemany
        first = self._next(len(made))
        ids = range(first, first + len(made))
        numbered = list(zip(ids, made, strict=True))
        write(
            "INSERT INTO entry VALUES(?,?,?,?,?,0,?,?,?,?,?,?,?,?)",
            [(id_, registry, *self._entry(each)) for id_, each in numbered],
        )
        write(
            "INSERT INTO body VALUES(?,?,?)",
            [(id_, each.digest, each.body) for id_, each in numbered],
        )
        words = [(id_, *each.spoken) for id_, each in numbered]
        write("INSERT INTO spoken VALUES(?,?,?,?,?,?,?)", words)
        write(
            "INSERT INTO words(rowid, host, name, title, description, tags, tools) "
            "VALUES(?,?,?,?,?,?,?)",
            words,
        )
        write(
            "INSERT INTO fact VALUES(?,?)",
            [(id_, fact) for id_, each in numbered for fact in each.facts],
        )
        write(
            "INSERT INTO tool VALUES(?,?,?,?,?)",
            [(id_, *tool) for id_, each in numbered for tool in each.tools],
        )

    def _entry(self, made: Made) -> tuple[object, ...]:
        found = made.found
        return (
            found.name,
            found.key,
            found.short,
            self._traits_of(made.traits),
            made.score,
            found.stars,
            found.pulls,
            found.updated,
            self._tags_of(made),
            made.version,
            found.stamp,
        )

    def _next(self, count: int) -> int:
        if not self._last:
            (last,) = self._connection.execute("SELECT ifnull(max(id), 0) FROM entry").fetchone()
            self._last = last
        first = self._last + 1
        self._last += count
        return first

    def _traits_of(self, traits: Shared) -> int:
        if not self._traits:
            rows = self._connection.execute(EVERY_TRAITS)
            self._traits = {Shared(*values): place for place, *values in rows}
        place = self._traits.get(traits)
        if place is None:
            place = self._traits[traits] = len(self._traits) + 1
            values = msgspec.structs.astuple(traits)
            self._connection.execute("INSERT INTO traits VALUES(?,?,?,?,?,?,?,?)", (place, *values))
        return place

    def _tags_of(self, made: Made) -> str | None:
        tags = [fact.removeprefix(TAG) for fact in made.facts if fact.startswith(TAG)]
        return ",".join(str(self._number(tag)) for tag in tags if tag) or None

    def _number(self, tag: str) -> int:
        number = self._tags.get(tag)
        if number is None:
            if len(self._tags) == _TAGS:
                self._tags.clear()
            (number,) = self._connection.execute(_TAG, (tag,)).fetchone()
            self._tags[tag] = number
        return number


def _attach(connection: sqlite3.Connection, model: Model) -> None:
    uri = (model.build / DATABASE).absolute().as_uri() + "?mode=ro"
    connection.execute("ATTACH ? AS model", (uri,))


def _compare(connection: sqlite3.Connection, values: dict[str, int]) -> None:
    for statement in _TEMPORARY:
        connection.execute(statement)
    connection.execute(_CHANGED, values)
    connection.execute(_GONE, values)


def _touch_all(connection: sqlite3.Connection, registry: int) -> None:
    """A registry stands elsewhere now: every name that it has may have another best one."""
    connection.execute(
        "INSERT INTO temp.changed SELECT name FROM entry WHERE registry = ? "
        "AND name NOT IN (SELECT name FROM temp.changed)",
        (registry,),
    )


def _rank(connection: sqlite3.Connection) -> None:
    connection.execute(_TOUCHED)
    connection.execute(_RANK)


def _drop(connection: sqlite3.Connection, registry: int) -> None:
    for statement in _TEMPORARY:
        connection.execute(statement)
    connection.execute(
        "INSERT INTO temp.gone SELECT id, name FROM entry WHERE registry = ?", (registry,)
    )
    for statement in _FORGET:
        connection.execute(statement)
    connection.execute("DELETE FROM registry WHERE id = ?", (registry,))
    _rank(connection)


def _clean(connection: sqlite3.Connection) -> None:
    for statement in _LEFT:
        connection.execute(statement)


def _found(connection: sqlite3.Connection, row: tuple[Any, ...], model: Model) -> Found:
    name, key, short, stamp, updated, stars, pulls, *rest = row
    place, size, official, official_size, item, *traits = rest
    facts = connection.execute("SELECT fact FROM model.fact WHERE item = ?", (item,)).fetchall()
    return Found(
        name=name,
        key=key,
        short=short,
        stamp=stamp,
        traits=Traits(*traits),
        updated=updated,
        stars=stars,
        pulls=pulls,
        toolhive=model.body(Form.TOOLHIVE, place, size),
        official=model.body(Form.OFFICIAL, official, official_size),
        facts=tuple(fact for (fact,) in facts),
    )
