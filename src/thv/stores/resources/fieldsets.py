"""Sets of fields: which part of an object is whose, and what two objects differ in.

In the flow: under the ownership of fields. What is one field is decided by the schema, as in a Kubernetes API
server: members of an object are apart, lists are one field unless the schema calls them sets or maps. Pure.

A path is a tuple of elements as `fieldsV1` spells them: `f:name` a member, `k:{"type":"Ready"}` the item of a
list with that key, `v:"a"` the item of a set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from thv.domain.canonical import JsonObject
from thv.stores.resources.schema import ANY, Schema, child_schema, item_schema

Path: TypeAlias = tuple[str, ...]
FieldSet: TypeAlias = frozenset[Path]

NO_FIELDS: FieldSet = frozenset()

_encode = msgspec.json.Encoder(order="sorted").encode


class _Absent(msgspec.Struct, frozen=True):
    """Stands for what is not there, which is not null."""


ABSENT = _Absent()


# ---------------------------------------------------------------- spelling


def to_fields_v1(fields: Iterable[Path]) -> JsonObject:
    """The tree that `managedFields` holds."""
    root: JsonObject = {}
    for path in sorted(fields):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _without_lone_dots(root)


def _without_lone_dots(node: JsonObject) -> JsonObject:
    if node.keys() == {"."}:
        return {}
    return {key: _without_lone_dots(inner) for key, inner in node.items()}


def from_fields_v1(tree: JsonObject) -> FieldSet:
    """The fields of a tree; the inverse of `to_fields_v1`."""
    return frozenset(_paths(tree, ()))


def _paths(tree: JsonObject, path: Path) -> Iterator[Path]:
    for element, inner in tree.items():
        if element == ".":
            yield path
        elif not inner:
            yield (*path, element)
        else:
            yield from _paths(inner, (*path, element))


def spelled(path: Path) -> str:
    """A path for people: `.spec.source.url`, `.status.conditions[type="Ready"].reason`."""
    return "".join(_spelled_element(element) for element in path)


def _spelled_element(element: str) -> str:
    kind, rest = element[0], element[2:]
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    keys = msgspec.json.decode(rest)
    return "[" + ",".join(f"{key}={_encode(value).decode()}" for key, value in keys.items()) + "]"


def starts_with(path: Path, prefixes: Iterable[Path]) -> bool:
    """Whether the path is one of these or below one."""
    return any(path[: len(prefix)] == prefix for prefix in prefixes)


# ---------------------------------------------------------------- what is one field


Members: TypeAlias = dict[str, tuple[Any, Schema]]


def _members(schema: Schema, value: Any) -> Members | None:
    """The parts of a value with their schemas, by path element; None when the value is one field."""
    if isinstance(value, dict):
        if schema.get("x-kubernetes-map-type") == "atomic":
            return None
        return {f"f:{key}": (item, child_schema(schema, key) or ANY) for key, item in value.items()}
    if isinstance(value, list):
        return _items(schema, value)
    return None


def _items(schema: Schema, value: list[Any]) -> Members | None:
    """The items of a set or map; a list whose items cannot be told apart is one field."""
    kind = schema.get("x-kubernetes-list-type", "atomic")
    if kind == "atomic":
        return None
    items: Members = {}
    for item in value:
        element = _key_element(schema, item) if kind == "map" else _value_element(item)
        if element is None or element in items:
            return None
        items[element] = (item, item_schema(schema))
    return items


def _key_element(schema: Schema, item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    described = item_schema(schema).get("properties", {})
    defaults = {key: inner["default"] for key, inner in described.items() if "default" in inner}
    keyed = {**defaults, **item}
    found = {key: keyed[key] for key in schema["x-kubernetes-list-map-keys"] if key in keyed}
    return f"k:{_encode(found).decode()}" if found else None


def _value_element(item: Any) -> str | None:
    return None if isinstance(item, dict | list) or item is None else f"v:{_encode(item).decode()}"


def _is_named(schema: Schema, element: str) -> bool:
    """Whether the element is a member that the schema names, not one of a free map."""
    return element.startswith("f:") and element[2:] in schema.get("properties", {})


# ---------------------------------------------------------------- operations


def fields_of(schema: Schema, value: Any, path: Path = ()) -> FieldSet:
    """Every field that a configuration mentions."""
    return frozenset(_mentioned(schema, value, path))


def _mentioned(schema: Schema, value: Any, path: Path) -> Iterator[Path]:
    members = _members(schema, value)
    if members is None:
        yield path
        return
    for element, (item, inner) in members.items():
        where = (*path, element)
        yield from _mentioned(inner, item, where)
        if item is None or item == {} or not _is_named(schema, element):
            yield where


class Difference(msgspec.Struct, frozen=True):
    """What became of the fields between two objects."""

    added: FieldSet
    removed: FieldSet
    modified: FieldSet

    @property
    def written(self) -> FieldSet:
        return self.added | self.modified

    def outside(self, prefixes: Iterable[Path]) -> Difference:
        """The difference without the fields below these."""
        kept = tuple(prefixes)
        if not kept:
            return self
        parts = (self.added, self.removed, self.modified)
        return Difference(*(without_below(part, kept) for part in parts))


def without_below(fields: FieldSet, prefixes: Iterable[Path]) -> FieldSet:
    """The fields that are neither one of these nor below one."""
    kept = tuple(prefixes)
    return frozenset(path for path in fields if not starts_with(path, kept))


def difference(schema: Schema, old: Any, new: Any) -> Difference:
    """The fields that were added, removed and modified on the way from old to new."""
    found: dict[str, set[Path]] = {"added": set(), "removed": set(), "modified": set()}
    _compare(schema, old, new, (), found)
    return Difference(**{name: frozenset(paths) for name, paths in found.items()})


def _compare(schema: Schema, old: Any, new: Any, path: Path, found: dict[str, set[Path]]) -> None:
    before, after = _both_members(schema, old, new)
    if before is None or after is None or not (before or after):
        _compare_leaf(old, new, path, found)
        return
    for element in before | after:
        lhs, inner = before.get(element, (ABSENT, None))
        rhs, described = after.get(element, (ABSENT, None))
        _compare(described or inner or ANY, lhs, rhs, (*path, element), found)
    if old is ABSENT:
        found["added"].add(path)
    elif new is ABSENT:
        found["removed"].add(path)


def _compare_leaf(old: Any, new: Any, path: Path, found: dict[str, set[Path]]) -> None:
    if old is ABSENT:
        found["added"].add(path)
    elif new is ABSENT:
        found["removed"].add(path)
    elif old != new:
        found["modified"].add(path)


def _both_members(schema: Schema, old: Any, new: Any) -> tuple[Members | None, Members | None]:
    """The parts of two values; nothing and null have none, and take the form of the other side."""
    before = {} if old is ABSENT or old is None else _members(schema, old)
    after = {} if new is ABSENT or new is None else _members(schema, new)
    return before, after


def merge(schema: Schema, live: Any, config: Any) -> Any:
    """The live value with everything that the configuration mentions; nothing is removed."""
    before, after = _both_members(schema, live, config)
    if before is None or after is None or not (before or after):
        return live if config is ABSENT else config
    if isinstance(live, list) or isinstance(config, list):
        return [_merged_item(before, after, e) for e in _merged_order(before, after)] or ABSENT
    return {e[2:]: _merged_item(before, after, e) for e in before | after} or ABSENT


def _merged_item(before: Members, after: Members, element: str) -> Any:
    lhs, inner = before.get(element, (ABSENT, None))
    rhs, described = after.get(element, (ABSENT, None))
    return merge(described or inner or ANY, lhs, rhs)


def _merged_order(before: Members, after: Members) -> list[str]:
    """The order of the configuration for its items; each other item stays behind its neighbour."""
    order: list[str] = []
    live, wanted = list(before), list(after)
    shared = [element for element in wanted if element in before]
    left = right = 0
    done: set[str] = set()
    while left < len(live) or right < len(wanted):
        if left < len(live) and right < len(wanted):
            element = live[left]
            if element == wanted[right]:
                order.append(element)
                done.add(element)
                left, right, shared = left + 1, right + 1, shared[1:]
                continue
            if element in after and shared and shared[0] != element:
                left += 1
                continue
        if left < len(live):
            element = live[left]
            if element not in after:
                order.append(element)
                left += 1
                continue
            if element in done:
                left += 1
        if right < len(wanted):
            element = wanted[right]
            order.append(element)
            done.add(element)
            right += 1
            shared = shared[1:] if shared and shared[0] == element else shared
    return order


def removed(schema: Schema, value: Any, fields: FieldSet) -> Any:
    """The value without these fields; ABSENT when nothing is left.

    A part of which nothing is left becomes null, as in an API server: what a client meant by applying an empty
    object in place of a filled one is for the validation to refuse.
    """
    return _removed(schema, value, to_fields_v1(fields))


def _removed(schema: Schema, value: Any, tree: JsonObject) -> Any:
    members = _members(schema, value)
    if not members:
        return ABSENT if isinstance(value, dict | list) else value
    kept: dict[str, Any] = {}
    for element, (item, inner) in members.items():
        below = tree.get(element)
        if below is None:
            kept[element] = item
        elif below and "." not in below:
            rest = _removed(inner, item, below)
            kept[element] = None if rest is ABSENT else rest
    if isinstance(value, list):
        return list(kept.values()) or ABSENT
    return {element[2:]: item for element, item in kept.items()} or ABSENT


def with_named_parents(schema: Schema, fields: FieldSet) -> FieldSet:
    """The fields and every member that the schema names on the way to one."""
    return fields | frozenset(_named_parents(schema, fields))


def _named_parents(schema: Schema, fields: FieldSet) -> Iterator[Path]:
    for path in fields:
        node: Schema = schema
        for depth, element in enumerate(path[:-1], start=1):
            if _is_named(node, element):
                yield path[:depth]
            node = _below(node, element)


def _below(schema: Schema, element: str) -> Schema:
    if element.startswith("f:"):
        return child_schema(schema, element[2:]) or ANY
    return item_schema(schema)
