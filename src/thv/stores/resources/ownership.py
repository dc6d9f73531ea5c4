"""Who owns which field: `metadata.managedFields`, and what server-side apply makes of it.

In the flow: between the object that a client sent and the object that is stored. A manager that applies owns
what its configuration mentions; one that updates owns what it changed. Applying a value that another manager
owns and has set otherwise is a conflict; a field that its only owner no longer applies is removed. Pure; the
rules are those of a Kubernetes API server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.stores.resources.fieldsets import (
    ABSENT,
    NO_FIELDS,
    FieldSet,
    Path,
    difference,
    fields_of,
    from_fields_v1,
    merge,
    removed,
    spelled,
    to_fields_v1,
    with_named_parents,
    without_below,
)
from thv.stores.resources.schema import Schema

UPDATE_MANAGER_LIMIT = 10

# Fields that nobody owns: what names the object, and what the store itself writes.
_NAMING: FieldSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{key}")
        for key in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    }
)


class Manager(msgspec.Struct, frozen=True, order=True):
    """Somebody who writes, and how."""

    operation: Literal["Apply", "Update"]
    name: str
    subresource: str = ""

    def __str__(self) -> str:
        return f'"{self.name}"' + (
            f' with subresource "{self.subresource}"' if self.subresource else ""
        )


class Owned(msgspec.Struct, frozen=True):
    """The fields of one manager."""

    fields: FieldSet
    api_version: str
    time: str = ""
    """When the manager last changed something, RFC 3339; `""` when it only agreed with others."""


Owners = Mapping[Manager, Owned]

_OLD = Manager("Update", "ancient-changes")


# ---------------------------------------------------------------- reading and writing


def owners_of(obj: JsonObject) -> dict[Manager, Owned]:
    """The owners that an object names."""
    entries = obj.get("metadata", {}).get("managedFields", ())
    return {
        Manager(entry["operation"], entry["manager"], entry.get("subresource", "")): Owned(
            from_fields_v1(entry.get("fieldsV1", {})), entry["apiVersion"], entry.get("time", "")
        )
        for entry in entries
    }


def managed_fields(owners: Owners) -> list[JsonObject]:
    """The value of `metadata.managedFields`, in the order of an API server."""
    ordered = sorted(owners.items(), key=lambda item: (item[0].operation, item[1].time, item[0]))
    return [_entry(manager, owned) for manager, owned in ordered]


def _entry(manager: Manager, owned: Owned) -> JsonObject:
    return {
        "apiVersion": owned.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields_v1(owned.fields),
        "manager": manager.name,
        "operation": manager.operation,
        **({"subresource": manager.subresource} if manager.subresource else {}),
        **({"time": owned.time} if owned.time else {}),
    }


def same_owners(one: Owners, other: Owners) -> bool:
    """Whether they own the same, whenever they wrote it."""
    return _timeless(one) == _timeless(other)


def _timeless(owners: Owners) -> dict[Manager, tuple[FieldSet, str]]:
    return {manager: (owned.fields, owned.api_version) for manager, owned in owners.items()}


# ---------------------------------------------------------------- update


def updated(
    schema: Schema,
    live: Any,
    new: Any,
    owners: Owners,
    manager: Manager,
    *,
    api_version: str,
    now: str,
    ignored: Iterable[Path] = (),
) -> dict[Manager, Owned]:
    """The owners after a manager wrote `new` over `live`: it owns what it changed.

    `ignored` are the parts that this write cannot change, whatever it says about them.
    """
    change = difference(schema, live, new).outside(ignored)
    after = _without(owners, change.written | change.removed)
    gained = change.written - _NAMING
    if gained:
        after[manager] = Owned(gained | _fields(after, manager), api_version, now)
    return _capped(after)


def _without(owners: Owners, fields: FieldSet) -> dict[Manager, Owned]:
    """The owners without these fields; who owns nothing is gone."""
    rest = {
        manager: msgspec.structs.replace(owned, fields=owned.fields - fields)
        for manager, owned in owners.items()
    }
    return {manager: owned for manager, owned in rest.items() if owned.fields}


def _capped(owners: dict[Manager, Owned]) -> dict[Manager, Owned]:
    """At most ten managers that update; the oldest are counted as one."""
    updaters = [manager for manager in owners if manager.operation == "Update"]
    surplus = len(updaters) - UPDATE_MANAGER_LIMIT
    if surplus <= 0:
        return owners
    updaters.sort(key=lambda manager: (owners[manager].time, manager))
    oldest = updaters[: surplus + 1]
    newest = owners[oldest[-1]]
    fields = frozenset().union(*(owners[manager].fields for manager in oldest))
    rest = {manager: owned for manager, owned in owners.items() if manager not in oldest}
    rest[_OLD] = msgspec.structs.replace(newest, fields=fields | _fields(rest, _OLD))
    return rest


def _fields(owners: Owners, manager: Manager) -> FieldSet:
    owned = owners.get(manager)
    return NO_FIELDS if owned is None else owned.fields


# ---------------------------------------------------------------- apply


class Applied(msgspec.Struct, frozen=True):
    """What an apply makes of an object."""

    value: Any
    owners: dict[Manager, Owned]


def applied(
    schema: Schema,
    live: Any,
    config: Any,
    owners: Owners,
    manager: Manager,
    *,
    api_version: str,
    now: str,
    force: bool = False,
    ignored: Iterable[Path] = (),
) -> Applied:
    """The object and its owners after a manager applied a configuration; raises CONFLICT unless forced."""
    kept = tuple(ignored)
    last = _fields(owners, manager)
    time = owners[manager].time if manager in owners else ""
    mentioned = without_below(fields_of(schema, config), kept)
    after = {**owners, manager: Owned(mentioned, api_version, time)}
    value = merge(schema, live, config)
    if not last <= mentioned:
        value = _pruned(schema, value, after, last)
    change = difference(schema, live, value).outside(kept)
    others = {other: owned for other, owned in after.items() if other != manager}
    conflicts = {other: owned.fields & change.written for other, owned in others.items()}
    if not force and any(conflicts.values()):
        raise _conflict({other: fields for other, fields in conflicts.items() if fields})
    result = _without(others, change.written | change.removed)
    if mentioned - _NAMING:
        changed = value != live
        result[manager] = Owned(mentioned - _NAMING, api_version, now if changed else time)
    return Applied(value, result)


def _pruned(schema: Schema, merged: Any, owners: Owners, last: FieldSet) -> Any:
    """The merged object without what the manager applied last time, not now, and nobody else owns."""
    last = with_named_parents(schema, last)
    everything = with_named_parents(schema, fields_of(schema, merged))
    managed = with_named_parents(
        schema, frozenset().union(*(owned.fields for owned in owners.values()))
    )
    first = removed(schema, merged, last)
    left = (
        with_named_parents(schema, fields_of(schema, first)) if first is not ABSENT else NO_FIELDS
    )
    owned = removed(schema, merged, everything - (left | managed))
    left = (
        with_named_parents(schema, fields_of(schema, owned)) if owned is not ABSENT else NO_FIELDS
    )
    return removed(schema, merged, (everything - left) & last)


def _conflict(conflicts: Mapping[Manager, FieldSet]) -> ThvError:
    found = [
        (str(manager), spelled(path))
        for manager, fields in sorted(conflicts.items())
        for path in sorted(fields)
    ]
    listed = "; ".join(f"{field} is owned by {owner}" for owner, field in found[:20])
    count = f"{len(found)} field" + ("s" if len(found) > 1 else "")
    return ThvError(
        Code.CONFLICT,
        f"cannot apply: {count} would take another value than their owner set: {listed}",
        hint="Leave the fields out, give them the owner's value, or force the apply to take them over.",
        details={"conflicts": [{"manager": owner, "field": field} for owner, field in found]},
    )
