"""The tables of a model, and how rows get into and out of them.

In the flow: `build` fills new tables, `delta` changes them, `model` reads them. A row carries the generations
in which it was born and in which it dies; one row of `state` says which generation is served.

    version   every version, in no order that matters         (body: official form)
    server    the latest version of each name that is served;  its id sorts by standing (body: ToolHive form)
    wording   text for searches, shared by versions that say the same
    words     full text index over the latest versions, by id of `server`
    grams     every three characters in a row of what is plain in a wording, by its id
    common    grams that many wordings held when the model was built, and how many did
    fact      tags, custom metadata, groups and origins of a version, for filters
    tool      tools of a version;  tool_use  who else has them;  member  its groups;  traits  see `rows.Traits`
    change    what happened, for followers;  mark  up to which change a snapshot goes
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from thv.stores.models.rows import FOREVER, SEQUENCE_BITS, Latest, Row, Traits, rank_of

EDITION = "7"
"""Changes whenever a model of the same snapshot would get other rows or bodies."""

TABLES = """
CREATE TABLE state(
    edition TEXT NOT NULL, generation INTEGER NOT NULL, official INTEGER NOT NULL,
    toolhive INTEGER NOT NULL, dead INTEGER NOT NULL, sequence INTEGER NOT NULL,
    sorted INTEGER NOT NULL);
CREATE TABLE generation(
    id INTEGER PRIMARY KEY, content TEXT NOT NULL, digest TEXT NOT NULL, created_at TEXT NOT NULL,
    servers INTEGER NOT NULL, versions INTEGER NOT NULL, packed INTEGER NOT NULL, replaced REAL);
CREATE TABLE chunk(
    place INTEGER PRIMARY KEY, digest TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL);
CREATE TABLE overlay(name TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY(name, version)) WITHOUT ROWID;
CREATE TABLE traits(
    id INTEGER PRIMARY KEY, tier TEXT NOT NULL, category TEXT NOT NULL, transport TEXT NOT NULL,
    kind TEXT NOT NULL, status TEXT NOT NULL, trust TEXT NOT NULL);
CREATE TABLE version(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL,
    born INTEGER NOT NULL, died INTEGER NOT NULL, gone INTEGER NOT NULL, latest INTEGER NOT NULL,
    place INTEGER NOT NULL, size INTEGER NOT NULL, updated INTEGER NOT NULL,
    touched INTEGER NOT NULL, traits INTEGER NOT NULL, wording INTEGER NOT NULL, digest BLOB NOT NULL,
    stamp BLOB NOT NULL);
CREATE TABLE server(
    id INTEGER PRIMARY KEY, item INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
    born INTEGER NOT NULL, died INTEGER NOT NULL, place INTEGER NOT NULL, size INTEGER NOT NULL,
    plain INTEGER NOT NULL, official INTEGER NOT NULL, official_size INTEGER NOT NULL,
    traits INTEGER NOT NULL, updated INTEGER NOT NULL, touched INTEGER NOT NULL,
    stars INTEGER NOT NULL, pulls INTEGER NOT NULL, versions INTEGER NOT NULL, wording INTEGER NOT NULL,
    short TEXT NOT NULL);
CREATE TABLE wording(id INTEGER PRIMARY KEY, plain TEXT NOT NULL, words TEXT NOT NULL);
CREATE TABLE fact(item INTEGER NOT NULL, fact TEXT NOT NULL, PRIMARY KEY(item, fact)) WITHOUT ROWID;
CREATE TABLE tool(
    item INTEGER NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
    PRIMARY KEY(item, name)) WITHOUT ROWID;
CREATE TABLE tool_use(
    name TEXT NOT NULL, born INTEGER NOT NULL, died INTEGER NOT NULL, usage INTEGER NOT NULL,
    category TEXT NOT NULL, description TEXT NOT NULL, words TEXT NOT NULL);
CREATE TABLE member(
    item INTEGER NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL, membership BLOB NOT NULL,
    PRIMARY KEY(item, name)) WITHOUT ROWID;
CREATE TABLE change(
    seq INTEGER PRIMARY KEY, type TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
    digest TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE mark(place INTEGER PRIMARY KEY, content TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(
    name, title, description, tags, tools, content='', tokenize='ascii', prefix='1');
CREATE VIRTUAL TABLE grams USING fts5(
    plain, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1');
CREATE TABLE common(gram TEXT NOT NULL, texts INTEGER NOT NULL);
INSERT INTO state VALUES('', 0, 0, 0, 0, 0, 0);
"""

COMMON = 1000
"""Wordings that must hold a gram before it is worth a note: fewer are looked through at once."""

# Made after the rows of a full build: sorting once is cheaper than finding a place for each.
# The order of columns lets a page, a filter and a look-up read the index alone.
INDEXES = (
    "CREATE INDEX version_by_name ON version(name, version, born, died, gone, place, size, traits, latest)",
    "CREATE INDEX version_by_wording ON version(wording)",
    f"CREATE INDEX version_dying ON version(died) WHERE died < {FOREVER}",
    "CREATE INDEX server_by_key ON server(key, name, born, died, place, size, plain, traits, item)",
    "CREATE INDEX server_by_name ON server(name, born, died, official, official_size, traits, item)",
    "CREATE INDEX server_by_short ON server(short, born, died)",
    f"CREATE INDEX server_dying ON server(died) WHERE died < {FOREVER}",
    "CREATE INDEX fact_by_fact ON fact(fact, item)",
    "CREATE INDEX tool_by_name ON tool(name, item)",
    "CREATE INDEX tool_use_by_name ON tool_use(name, born, died, usage, category)",
    f"CREATE INDEX tool_use_dying ON tool_use(died) WHERE died < {FOREVER}",
    "CREATE INDEX member_by_name ON member(name, item)",
    "INSERT INTO grams(rowid, plain) SELECT id, plain FROM wording ORDER BY id",
    "INSERT INTO grams(grams) VALUES('optimize')",
    "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, grams, row)",
    f"INSERT INTO common SELECT term, doc FROM temp.vocabulary WHERE doc >= {COMMON}",
    "DROP TABLE temp.vocabulary",
    # Wordings up to here lie in the order of their names; later ones come as changes come.
    "UPDATE state SET sorted = (SELECT ifnull(max(id), 0) FROM wording)",
    (
        "CREATE TRIGGER wording_born AFTER INSERT ON wording BEGIN "
        "INSERT INTO grams(rowid, plain) VALUES(new.id, new.plain); END"
    ),
    (
        "CREATE TRIGGER wording_gone AFTER DELETE ON wording BEGIN "
        "INSERT INTO grams(grams, rowid, plain) VALUES('delete', old.id, old.plain); END"
    ),
)


class Placed(msgspec.Struct, frozen=True):
    """Where the bodies of a row were put: offsets in the two body files, `-1` where there is no body."""

    official: int
    toolhive: int = -1


_BATCH = 50
_VERSION, _SERVER, _WORDING, _FACT, _TOOL, _MEMBER = _INSERTS = (
    "INSERT INTO version VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "INSERT INTO server VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "INSERT INTO wording VALUES(?,?,?)",
    "INSERT INTO fact VALUES(?,?)",
    "INSERT INTO tool VALUES(?,?,?)",
    "INSERT INTO member VALUES(?,?,?,?)",
)


class Tables:
    """Writes rows through one connection."""

    def __init__(self, connection: sqlite3.Connection, generation: int) -> None:
        """Rows are born in this generation."""
        self._connection = connection
        self._generation = generation
        self._traits = {
            Traits(*values): place
            for place, *values in connection.execute(
                "SELECT id, tier, category, transport, kind, status, trust FROM traits"
            )
        }
        self._item = self._last("SELECT max(id) FROM version")
        self._wording = self._last("SELECT max(id) FROM wording")
        self._spoken = ("", "")
        self._waiting: dict[str, list[tuple[Any, ...]]] = {insert: [] for insert in _INSERTS}
        self.sequence = self._last("SELECT sequence FROM state")

    def add(self, row: Row, placed: Placed, versions: int) -> int | None:
        """Takes one row and what hangs on it, all but its words, and says under which id they belong."""
        self._item += 1
        traits, wording = self._traits_of(row.traits), self._wording_of(row)
        self._version(row, placed, traits, wording)
        server = None
        if row.server is not None:
            server = self._server(row, row.server, placed, (traits, wording, versions))
        self._attached(row)
        if len(self._waiting[_VERSION]) >= _BATCH:
            self.flush()
        return server

    def flush(self) -> None:
        """Writes what waits; many rows at once cost half as much as one after the other."""
        for insert, rows in self._waiting.items():
            if rows:
                self._connection.executemany(insert, rows)
                rows.clear()

    def renew(self, server: int, place: int, size: int, versions: int) -> int:
        """The row of a latest version once more, with another ToolHive body; returns its new id."""
        self.sequence += 1
        fresh = server >> SEQUENCE_BITS << SEQUENCE_BITS | self.sequence
        self._connection.execute(
            "INSERT INTO server SELECT ?, item, key, name, ?, ?, ?, ?, plain, official, official_size, "
            "traits, updated, touched, stars, pulls, ?, wording, short FROM server WHERE id=?",
            (fresh, self._generation, FOREVER, place, size, versions, server),
        )
        self._connection.execute("UPDATE server SET died=? WHERE id=?", (self._generation, server))
        return fresh

    def _version(self, row: Row, placed: Placed, traits: int, wording: int) -> None:
        self._waiting[_VERSION].append(
            (
                self._item,
                row.name,
                row.version,
                self._generation,
                FOREVER,
                row.gone,
                row.latest,
                placed.official,
                len(row.body),
                row.updated,
                row.touched,
                traits,
                wording,
                row.digest,
                row.stamp,
            )
        )

    def _server(self, row: Row, latest: Latest, placed: Placed, more: tuple[int, int, int]) -> int:
        traits, wording, versions = more
        self.sequence += 1
        server = rank_of(latest.score, self.sequence)
        self._waiting[_SERVER].append(
            (
                server,
                self._item,
                latest.key,
                row.name,
                self._generation,
                FOREVER,
                placed.toolhive,
                len(latest.body),
                latest.plain,
                placed.official,
                len(row.body),
                traits,
                row.updated,
                row.touched,
                latest.stars,
                latest.pulls,
                versions,
                wording,
                latest.short,
            )
        )
        return server

    def _attached(self, row: Row) -> None:
        if not (row.facts or row.tools or row.memberships):
            return
        item, waiting = self._item, self._waiting
        waiting[_FACT].extend([(item, fact) for fact in row.facts])
        waiting[_TOOL].extend([(item, tool.name, tool.description) for tool in row.tools])
        waiting[_MEMBER].extend([(item, m.group, m.position, m.item) for m in row.memberships])

    def _traits_of(self, traits: Traits) -> int:
        place = self._traits.get(traits)
        if place is None:
            place = self._traits[traits] = len(self._traits) + 1
            values = msgspec.structs.astuple(traits)
            self._connection.execute("INSERT INTO traits VALUES(?,?,?,?,?,?,?)", (place, *values))
        return place

    def _wording_of(self, row: Row) -> int:
        """Versions of one name come one after the other, and mostly say the same."""
        if self._spoken != (row.plain, row.words):
            self._spoken = (row.plain, row.words)
            self._wording += 1
            self._waiting[_WORDING].append((self._wording, row.plain, row.words))
        return self._wording

    def _last(self, question: str) -> int:
        return int(self._connection.execute(question).fetchone()[0] or 0)


def add_words(connection: sqlite3.Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Puts the words of latest versions into the index; cheap when the ids rise."""
    connection.executemany(
        "INSERT INTO words(rowid, name, title, description, tags, tools) VALUES(?,?,?,?,?,?)",
        ((server, *words.split("\n")) for server, words in rows),
    )


def remove_words(connection: sqlite3.Connection, rows: Iterable[tuple[int, str]]) -> None:
    """Takes them out again; the index keeps no text, so it must be told which words they were."""
    connection.executemany(
        "INSERT INTO words(words, rowid, name, title, description, tags, tools) "
        "VALUES('delete',?,?,?,?,?,?)",
        ((server, *words.split("\n")) for server, words in rows),
    )
