"""One server, by either of its names, and its versions.

In the flow: behind every address that names a server.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left

import msgspec

from thv.domain.entry import Entry
from thv.domain.target import target_of
from thv.domain.text import label_value, official_name, short_hash
from thv.domain.versions import order_key
from thv.stores.models.bodies import Said, converted, read_body
from thv.stores.models.query import LATEST, Form
from thv.stores.models.view import View


class Server(msgspec.Struct, frozen=True):
    """The latest version of a name."""

    item: int
    key: str
    name: str
    place: int
    size: int
    plain: int
    """Length of the ToolHive body before `registry_info`."""
    official: int
    official_size: int
    versions: int


class Stretch(msgspec.Struct, frozen=True):
    """Where the body of a latest version lies."""

    place: int
    size: int
    plain: int = 0
    """Length of a ToolHive body before `registry_info`."""


class Version(msgspec.Struct, frozen=True):
    """One version of a name."""

    item: int
    name: str
    version: str
    latest: bool
    gone: bool
    place: int
    size: int


class Read(msgspec.Struct, frozen=True):
    """A version with its content."""

    version: Version
    entry: Entry
    said: Said


_SERVER = (
    "SELECT item, key, name, place, size, plain, official, official_size, versions "
    "FROM server WHERE {column}=? AND born <= ? AND died > ?"
)
_BY_KEY, _BY_NAME = _SERVER.format(column="key"), _SERVER.format(column="name")
_STRETCH = "SELECT {} FROM server WHERE {}=? AND born <= ? AND died > ?"
_IN_TOOLHIVE, _IN_OFFICIAL = "place, size, plain", "official, official_size"
# The spelling of the form comes first: there the index alone holds the answer.
_STRETCHES = {
    Form.TOOLHIVE: [_STRETCH.format(_IN_TOOLHIVE, column) for column in ("key", "name")],
    Form.OFFICIAL: [_STRETCH.format(_IN_OFFICIAL, column) for column in ("name", "key")],
}
_VERSION = (
    "SELECT id, name, version, latest, gone, place, size FROM version "
    "WHERE name=? AND born <= ? AND died > ?"
)
_ONE = f"{_VERSION} AND version=?"
_KEYS = "SELECT item, key FROM server WHERE born <= ? AND died > ?"
_NAME = "SELECT name FROM version WHERE id = ?"
_HASHED = re.compile("-([0-9a-f]{8})$")
_ITEM_BITS = 32


def server(view: View, text: str) -> Server | None:
    """The latest served version of what this key or name means."""
    for question in (_BY_KEY, _BY_NAME):
        row = view.ask(question, (text, view.id, view.id)).fetchone()
        if row is not None:
            return Server(*row)
    return None


def labelled(view: View, text: str) -> Server | None:
    """The same of what a label means, which holds a short form of a long name."""
    found = server(view, text)
    hashed = _HASHED.search(text)
    if found is not None or hashed is None:
        return found
    number = int(hashed[1], 16)
    hashes = _hashes(view)
    place = bisect_left(hashes, number << _ITEM_BITS)
    while place < len(hashes) and hashes[place] >> _ITEM_BITS == number:
        (name,) = view.ask(_NAME, (hashes[place] & ((1 << _ITEM_BITS) - 1),)).fetchone()
        found = server(view, name)
        if found is not None and label_value(found.key) == text:
            return found
        place += 1
    return None


def _hashes(view: View) -> array[int]:
    """The hashes that end labels, and which version each is of: eight bytes a server, made when first asked for."""
    known: array[int] | None = view.remembered("hashes")
    if known is None:
        rows = view.ask(_KEYS, (view.id, view.id))
        found = (int(short_hash(key), 16) << _ITEM_BITS | item for item, key in rows)
        known = array("Q", sorted(found))
        view.remember("hashes", known, 8 * len(known) + 100)
    return known


def stretch(view: View, text: str, form: Form) -> Stretch | None:
    """Where the latest served version of what this key or name means lies in this form."""
    for question in _STRETCHES[form]:
        row = view.ask(question, (text, view.id, view.id)).fetchone()
        if row is not None:
            return Stretch(*row)
    return None


def name_of(view: View, text: str) -> str | None:
    """The official name behind a key or name, served or not; None when nobody ever heard of it."""
    for name in (text, official_name(text)):
        if view.ask(_VERSION, (name, view.id, view.id)).fetchone():
            return name
    found = server(view, text)
    return found.name if found else None


def versions(view: View, name: str, *, include_gone: bool = False) -> list[Version]:
    """The versions of an official name, in no order that matters."""
    every = [_version(row) for row in view.ask(_VERSION, (name, view.id, view.id)).fetchall()]
    return every if include_gone else [version for version in every if not version.gone]


def exactly(view: View, name: str, version: str) -> Version | None:
    """One version of an official name, by its own text."""
    row = view.ask(_ONE, (name, view.id, view.id, version)).fetchone()
    return _version(row) if row is not None else None


def _version(row: tuple[int, str, str, int, int, int, int]) -> Version:
    item, name, version, latest, gone, place, size = row
    return Version(item, name, version, bool(latest), bool(gone), place, size)


def version(view: View, name: str, text: str, *, include_gone: bool = False) -> Version | None:
    """One version of an official name; `latest` is a word for the latest one."""
    every = versions(view, name, include_gone=include_gone)
    wanted = (each for each in every if (each.latest if text == LATEST else each.version == text))
    return next(wanted, None)


def read(view: View, found: Version) -> Read:
    """A version with what its body holds."""
    body = view.model.body(Form.OFFICIAL, found.place, found.size)
    return Read(found, *read_body(body))


def runs(view: View, name: str, text: str) -> tuple[str, str] | None:
    """One version of an official name, and what is run of it, such as an image."""
    found = version(view, name, text)
    if found is None:
        return None
    entry = read(view, found).entry
    return entry.version, target_of(entry.server).reference


def newest_first(reads: list[Read]) -> list[Read]:
    """In the order of versions, the newest first."""
    return sorted(
        reads,
        key=lambda each: order_key(each.version.version, each.entry.published_at),
        reverse=True,
    )


def toolhive_body(view: View, body: bytes) -> tuple[bytes, int]:
    """The ToolHive body of an official one, and the length of its part before `registry_info`."""
    name = read_body(body)[0].name
    (count,) = view.ask(
        "SELECT count(*) FROM version WHERE name=? AND born <= ? AND died > ? AND gone = 0",
        (name, view.id, view.id),
    ).fetchone()
    return converted(body, count)
