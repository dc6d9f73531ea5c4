"""Differences between two JSON values as a small value, so that what one format cannot say can wait there.

In the flow: a converter maps an entry to the other format and back again; where the way back does not give the
entry it started from, the difference is parked beside the result and applied on the real way back. Only what
the other format cannot say is parked, so an edit of the converted entry is what comes back.

A patch is JSON that reads like what it changes:

    {"key": patch, ...}       changes inside an object
    {"0": patch, "=n": patch} changes inside a list: the item at a place, or the one whose name is n
    {"*": patch, ...}         ... all items that were there
    null                      is absent
    {"=": value}              is this value (needed for objects and null only)
    anything else             is this value

A key that begins with `=` is written with one more. Items are called by name where they have names, so that a
patch survives when others are added or removed before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from thv.domain.canonical import JsonObject

Patch: TypeAlias = Any

_VALUE = "="
_ALL = "*"
_SAME: Patch = {}


def difference(base: Any, target: Any) -> Patch:
    """The patch that turns `base` into `target`; `{}` when they are the same JSON value."""
    if base is target:
        return _SAME
    if isinstance(base, dict) and isinstance(target, dict):
        return _object_difference(base, target)
    if isinstance(base, list) and isinstance(target, list):
        return _list_difference(base, target)
    return _SAME if same(base, target) else _stated(target)


def apply(base: Any, patch: Patch) -> Any:
    """`base` as the patch says; `base` itself is not changed, places that are gone are passed over."""
    if not isinstance(patch, dict):
        return patch
    if patch.keys() == {_VALUE}:
        return patch[_VALUE]
    if isinstance(base, dict):
        return _applied_to_object(base, patch)
    if isinstance(base, list):
        return _applied_to_list(base, patch)
    return base


def parts(patch: Patch, depth: int) -> list[Patch]:
    """The patch as patches of one branch each, told apart down to `depth` levels."""
    if depth == 0 or not _has_children(patch):
        return [patch]
    return [{key: part} for key, child in patch.items() for part in parts(child, depth - 1)]


def size(patch: Patch) -> int:
    """In how many places the patch changes something."""
    if not _has_children(patch):
        return 0 if patch == _SAME and isinstance(patch, dict) else 1
    return sum(size(child) for child in patch.values())


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON value: `1` is not `true`."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _has_children(patch: Patch) -> bool:
    return isinstance(patch, dict) and patch != _SAME and patch.keys() != {_VALUE}


def _stated(value: Any) -> Patch:
    return {_VALUE: value} if value is None or isinstance(value, dict) else value


def _object_difference(base: JsonObject, target: JsonObject) -> Patch:
    patch: JsonObject = {_escaped(key): None for key in base if key not in target}
    for key, value in target.items():
        if key not in base:
            patch[_escaped(key)] = _stated(value)
        elif (child := difference(base[key], value)) != _SAME or not isinstance(child, dict):
            patch[_escaped(key)] = child
    return patch


def _list_difference(base: list[Any], target: list[Any]) -> Patch:
    names, wanted = _item_names(base), _item_names(target)
    if names is None or wanted is None:
        places = [str(index) for index in range(max(len(base), len(target)))]
        names, wanted = places[: len(base)], places[: len(target)]
    kept = [name for name in names if name in set(wanted)]
    if wanted[: len(kept)] != kept:
        return target
    there = dict(zip(names, base, strict=True))
    patch: JsonObject = {}
    for name, item in zip(wanted, target, strict=True):
        patch[name] = difference(there[name], item) if name in there else _stated(item)
    shared = _shared(patch, names)
    patch = {
        name: child
        for name, child in patch.items()
        if child != _SAME or not isinstance(child, dict)
    }
    # From the end, so that the places of the others stay what they are.
    patch.update((name, None) for name in reversed(names) if name not in set(kept))
    return {_ALL: shared, **patch} if shared else patch


def _shared(patch: JsonObject, names: list[str]) -> JsonObject:
    """Takes what is said of every item out of the items' own patches."""
    children: list[JsonObject] = [patch[name] for name in names if _has_children(patch.get(name))]
    if len(children) < 2 or len(children) < len(names):
        return {}
    shared = {
        key: value
        for key, value in children[0].items()
        if all(key in child and same(child[key], value) for child in children)
    }
    for name in names:
        patch[name] = {key: value for key, value in patch[name].items() if key not in shared}
    return shared


def _item_names(items: list[Any]) -> list[str] | None:
    """How the items of a list of named things are called in a patch; None when they are not such."""
    names: list[str] = []
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            return None
        names.append(_VALUE + name)
    return names if len(set(names)) == len(names) and names and _VALUE not in names else None


def _applied_to_object(base: JsonObject, patch: Mapping[str, Patch]) -> JsonObject:
    new = dict(base)
    for written, child in patch.items():
        key = written[1:] if written.startswith(_VALUE) else written
        if child is None:
            new.pop(key, None)
        elif key in new or not _has_children(child):
            new[key] = apply(new.get(key), child)
    return new


def _applied_to_list(base: list[Any], patch: Mapping[str, Patch]) -> list[Any]:
    everywhere = patch.get(_ALL, _SAME)
    items = [apply(item, everywhere) for item in base]
    gone: list[int] = []
    for name, child in patch.items():
        index = None if name == _ALL else _index(base, name)
        if index is None:
            if name != _ALL and child is not None and not _has_children(child):
                items.append(apply(None, child))
        elif child is None:
            gone.append(index)
        else:
            items[index] = apply(items[index], child)
    return [item for index, item in enumerate(items) if index not in gone]


def _index(items: list[Any], name: str) -> int | None:
    if name.startswith(_VALUE):
        wanted = name[1:]
        return next(
            (
                i
                for i, item in enumerate(items)
                if isinstance(item, dict) and item.get("name") == wanted
            ),
            None,
        )
    return int(name) if name.isdecimal() and name.isascii() and int(name) < len(items) else None


def _escaped(key: str) -> str:
    return _VALUE + key if key.startswith(_VALUE) else key
