"""The entries of a generation, one after the other, as a document or another format needs them.

In the flow: behind `GET /api/v1/export` and `thv registry export`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.entry import GROUPS_META, Entry
from thv.stores.models.bodies import read_body
from thv.stores.models.query import Form
from thv.stores.models.rows import Key
from thv.stores.models.view import View

_BATCH = 100
_EVERY = (
    "SELECT id, place, size, name, version FROM version INDEXED BY version_by_name "
    "WHERE (name, version) > (?, ?) AND born <= ? AND died > ? AND gone = 0 {only} "
    "ORDER BY name, version LIMIT ?"
)
_QUESTIONS = {False: _EVERY.format(only=""), True: _EVERY.format(only="AND latest = 1")}


def entries(view: View, *, latest: bool) -> Iterator[Entry]:
    """Every served version, or the latest of each name, with the groups that it belongs to."""
    after = ("", "")
    question = _QUESTIONS[latest]
    while rows := view.ask(question, (*after, view.id, view.id, _BATCH)).fetchall():
        for item, place, size, *_ in rows:
            entry, _said = read_body(view.model.body(Form.OFFICIAL, place, size))
            yield _in_groups(entry, _memberships(view, item))
        after = rows[-1][3:]


def older_versions(view: View) -> list[Key]:
    """The served versions that are not the latest of their name."""
    return view.ask(
        "SELECT name, version FROM version INDEXED BY version_by_name WHERE born <= ? AND died > ? "
        "AND gone = 0 AND latest = 0 ORDER BY name, version",
        (view.id, view.id),
    ).fetchall()


def _memberships(view: View, item: int) -> list[JsonObject]:
    rows = view.ask("SELECT membership FROM member WHERE item=? ORDER BY position", (item,))
    return [msgspec.json.decode(membership) for (membership,) in rows]


def _in_groups(entry: Entry, memberships: list[JsonObject]) -> Entry:
    if not memberships:
        return entry
    meta = {**entry.server.get("_meta", {}), GROUPS_META: memberships}
    return msgspec.structs.replace(entry, server={**entry.server, "_meta": meta})
