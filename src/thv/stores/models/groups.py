"""The groups of a registry and who belongs to them.

In the flow: behind `GET /api/v1/groups`. Groups have no rows of their own: a source names them, entries carry
the membership.
"""

from __future__ import annotations

from typing import Any

import msgspec

from thv.domain.canonical import JsonObject
from thv.stores.models.plans import plan_of
from thv.stores.models.query import Form, Plan
from thv.stores.models.view import View


class Member(msgspec.Struct, frozen=True):
    """A server in a group."""

    key: str
    name: str
    remote: bool
    place: int
    size: int
    official: int
    official_size: int


class Group(msgspec.Struct, frozen=True):
    """A group with its members, by key."""

    name: str
    position: int
    fields: JsonObject
    """As the source describes it, members aside."""
    members: tuple[Member, ...]

    @property
    def description(self) -> str:
        """What the source says of it."""
        text = self.fields.get("description")
        return text if isinstance(text, str) else ""


_MEMBERS = (
    "SELECT m.name, m.position, m.membership, s.key, s.name, r.kind = 'remote', s.place, s.size, "
    "s.official, s.official_size "
    "FROM member m CROSS JOIN version v ON v.id = m.item "
    "CROSS JOIN server s ON s.name = v.name AND s.item = v.id AND s.born <= ?1 AND s.died > ?1 "
    "CROSS JOIN traits r ON r.id = s.traits "
    "WHERE v.born <= ?1 AND v.died > ?1 {only} ORDER BY m.position, m.name, s.key"
)
_ALL, _ONE = _MEMBERS.format(only=""), _MEMBERS.format(only="AND m.name = ?2")


def groups(view: View) -> tuple[Group, ...]:
    """All groups in the order of the source."""
    known: tuple[Group, ...] | None = view.remembered("groups")
    if known is None:
        known = tuple(_gathered(view.ask(_ALL, (view.id,)).fetchall()))
        view.remember("groups", known, 500 + 300 * sum(len(group.members) for group in known))
    return known


def group(view: View, name: str) -> Group | None:
    """One group."""
    return next(iter(_gathered(view.ask(_ONE, (view.id, name)).fetchall())), None)


def plan(found: Group, form: Form, *, remote: bool) -> Plan:
    """The bodies of the members that are remote, or of those that are not."""
    chosen = [member for member in found.members if member.remote is remote]
    if form is Form.TOOLHIVE:
        return plan_of(form, [m.place for m in chosen], [m.size for m in chosen])
    return plan_of(form, [m.official for m in chosen], [m.official_size for m in chosen])


def _gathered(rows: list[tuple[Any, ...]]) -> list[Group]:
    found: dict[str, tuple[int, JsonObject, list[Member]]] = {}
    for name, position, membership, *member in rows:
        if name not in found:
            found[name] = (position, msgspec.json.decode(membership)["group"], [])
        key, official, remote, *places = member
        found[name][2].append(Member(key, official, bool(remote), *places))
    return [
        Group(name, at, fields, tuple(members)) for name, (at, fields, members) in found.items()
    ]
