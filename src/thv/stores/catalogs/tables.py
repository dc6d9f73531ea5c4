"""The tables of the catalog.

In the flow: `join` writes them, everything else here reads them.

    registry  one row each; trust 0 is the highest level, its standing sorts the best first
    entry     the latest version of a name in a registry; rank 0 is the best registry that has the name; tags by number
    body      the Server Definition, but for what differs by registry and by caller, and the digest of what it is made of
    spoken    its words by field, host is what many names begin with;  words  full text index over them
    fact      tags, custom metadata and groups;  tool  its tools   (both by id of `entry`, as in a registry's model)
    traits    what many entries have in common;  tag  the tags that `entry` numbers
"""

from __future__ import annotations

import sqlite3
from itertools import product
from pathlib import Path

from thv.domain.text import label_value

DATABASE = "catalog.db"
_CACHE_KIB = 2048
_BUSY = 10.0

TABLES = """
CREATE TABLE registry(
    id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
    trust INTEGER NOT NULL, standing TEXT NOT NULL, content TEXT NOT NULL,
    title TEXT NOT NULL GENERATED ALWAYS AS (namespace || '/' || name) STORED, UNIQUE(namespace, name));
CREATE TABLE traits(
    id INTEGER PRIMARY KEY, tier TEXT NOT NULL, category TEXT NOT NULL, transport TEXT NOT NULL,
    kind TEXT NOT NULL, status TEXT NOT NULL, trust TEXT NOT NULL, reach TEXT NOT NULL);
CREATE TABLE entry(
    id INTEGER PRIMARY KEY, registry INTEGER NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL,
    short TEXT NOT NULL, rank INTEGER NOT NULL, traits INTEGER NOT NULL, score INTEGER NOT NULL,
    stars INTEGER NOT NULL, pulls INTEGER NOT NULL, updated INTEGER NOT NULL, tags TEXT,
    version TEXT NOT NULL, stamp BLOB NOT NULL);
CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE body(id INTEGER PRIMARY KEY, digest TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE spoken(
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,
    description TEXT NOT NULL, tags TEXT NOT NULL, tools TEXT NOT NULL);
CREATE TABLE fact(item INTEGER NOT NULL, fact TEXT NOT NULL, PRIMARY KEY(item, fact)) WITHOUT ROWID;
CREATE TABLE tool(
    item INTEGER NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL, schema BLOB,
    words TEXT NOT NULL,
    PRIMARY KEY(item, name)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    host, name, title, description, tags, tools, content='', tokenize='ascii', prefix='1 2');
CREATE UNIQUE INDEX entry_by_registry ON entry(registry, name);
CREATE INDEX entry_by_name ON entry(name, rank, registry);
CREATE INDEX entry_by_key ON entry(key, registry, rank, name, traits);
CREATE INDEX lesser ON entry(registry, traits) WHERE rank > 0;
CREATE INDEX fact_by_fact ON fact(fact, item);
CREATE INDEX tool_by_name ON tool(name, item);
"""
EVERY_TRAITS = "SELECT id, tier, category, transport, kind, status, trust, reach FROM traits"
LESSER = "lesser"
"""The index of entries that are not the best of their names; there are few as a rule."""
_SORTED = "CREATE INDEX entry_by_{0}_{1} ON entry({0} {1}, key, registry, rank, traits)"
"""Names go up in both directions, so that each has an index of its own."""


def create(folder: Path) -> sqlite3.Connection:
    """The connection of the one who writes, over new and empty tables.

    The file is of this process alone and made anew by the next one, so nothing is done for it to outlive a crash.
    """
    connection = connect(folder)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.executescript(TABLES)
    for column, way in product(("updated", "stars", "pulls"), ("ASC", "DESC")):
        connection.execute(_SORTED.format(column, way))
    return connection


def connect(folder: Path) -> sqlite3.Connection:
    """A connection of its own; whoever only reads sees what was written last as a whole."""
    connection = sqlite3.connect(
        (folder / DATABASE).absolute().as_uri(),
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY,
    )
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    connection.create_function("label_value", 1, label_value, deterministic=True)
    return connection
