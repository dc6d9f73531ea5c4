"""Differences between two JSON values as a small value, so that what one format cannot say can wait there.

In the flow: a converter maps an entry to the other format and back again; where the way back does not give the
entry it started from, the difference is parked beside the result and applied on the real way back. Only what
the other format cannot say is parked, so an edit of the converted entry is what comes back.

A patch is JSON that reads like what it changes:

    {"key": patch, ...}       changes inside an object
    {"0": patch, "=n": patch} changes inside a list: the item at a place, or the one whose name is n
    {"+1": patch, ...}        ... an item that is added, and its place in the result
    {"*": patch, ...}         ... all items that were there
    null                      is absent
    {"=": value}              is this value (needed for objects and null only)
    anything else             is this value

An object is stated where none was; members that an edit has put there meanwhile stay.

A key of an object that looks like one of a list gets a `=` before it. Items are called by name where they have names, so that a
patch survives when others are added or removed before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from thv.domain.canonical import JsonObject

Patch: TypeAlias = Any

NOTHING: Patch = {}

_VALUE = "="
_ALL = "*"
_KIND = "type"
_PLACE = re.compile(r"\d{1,9}", re.ASCII)
_ADDED = re.compile(r"\+(\d{1,9})", re.ASCII)
_OF_LIST = re.compile(r"(?s)\+?\d+|\*|=.*", re.ASCII)


def difference(base: Any, target: Any) -> Patch:
    """The patch that turns `base` into `target`; `{}` when they are the same JSON value."""
    if base is target:
        return NOTHING
    if isinstance(target, str) and isinstance(base, str):  # most values, so they come first
        return NOTHING if base == target else target
    if _is_plainly_same(base, target):
        return NOTHING
    if isinstance(base, dict) and isinstance(target, dict):
        return _object_difference(base, target)
    if isinstance(base, list) and isinstance(target, list):
        return _list_difference(base, target)
    return NOTHING if same(base, target) else _stated(target)


def _is_plainly_same(base: Any, target: Any) -> bool:
    """A quick yes for most values; Python's `==` alone would take `1` for `true`."""
    return bool(base == target) and _spelled(base) == _spelled(target)


_spelled = msgspec.json.Encoder(order="sorted").encode


def apply(base: Any, patch: Patch) -> Any:
    """`base` as the patch says; `base` itself is not changed, places that are gone are passed over."""
    if not isinstance(patch, dict):
        return patch
    if patch.keys() == {_VALUE}:
        return _put_under(base, patch[_VALUE])
    if isinstance(base, dict):
        return _applied_to_object(base, patch)
    if isinstance(base, list):
        return _applied_to_list(base, patch)
    return base


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same JSON value: `1` is not `true`."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


# Parts of patches ------------------------------------------------------------------------------------------


def branches(patch: Patch) -> list[Patch]:
    """The patch as several, one for each child of its first fork; none when it stands or falls as a whole."""
    if isinstance(patch, list):
        return [{f"+{place}": _stated(item)} for place, item in enumerate(patch)]
    if not _has_children(patch) or any(map(_goes_by_place, patch.items())):
        return []
    if len(patch) > 1:
        return [{key: child} for key, child in patch.items()]
    ((key, child),) = patch.items()
    if _PLACE.fullmatch(key) and _has_children(child) and _KIND in child:
        return []  # an item that becomes another kind of thing does so with all that belongs to it
    return [{key: part} for part in branches(child)]


def joined(patch: Patch, part: Patch) -> Patch:
    """Both patches as one; where both state a value, `part` does."""
    if not (_has_children(patch) and _has_children(part)):
        return part
    both = {key: joined(patch[key], part[key]) for key in part if key in patch}
    return {**patch, **part, **both}


def changed_again(first: Patch, then: Patch) -> bool:
    """Whether `then`, applied to what `first` has made, changes what that has changed."""
    if _has_children(first) and then is None:
        return False  # what goes as a whole would have gone anyway
    if not (_has_children(first) and _has_children(then)):
        return not (_is_nothing(first) or _is_nothing(then))
    if _shifts(first) and _shifts(then):
        return True
    if _ALL in first or _ALL in then:  # any item may be meant
        return any(changed_again(one, other) for one in first.values() for other in then.values())
    return any(
        name in then and changed_again(child, then[name])
        for key, child in first.items()
        for name in (key, key.removeprefix("+"))  # an added item is at its place now
    )


def _goes_by_place(part: tuple[str, Patch]) -> bool:
    """Whether an item goes by its place, which means something only beside all other changes of the list."""
    key, child = part
    return child is None and _PLACE.fullmatch(key) is not None


def _shifts(patch: JsonObject) -> bool:
    """Whether items have other places afterwards."""
    return any(_ADDED.fullmatch(key) for key in patch) or any(map(_goes_by_place, patch.items()))


def _is_nothing(patch: Patch) -> bool:
    return isinstance(patch, dict) and not patch


def _is_stated(patch: Patch) -> bool:
    return not isinstance(patch, dict) or patch.keys() == {_VALUE}


def _has_children(patch: Patch) -> bool:
    return not _is_stated(patch) and not _is_nothing(patch)


def _stated(value: Any) -> Patch:
    return {_VALUE: value} if value is None or isinstance(value, dict) else value


# Objects ---------------------------------------------------------------------------------------------------


def _put_under(base: Any, value: Any) -> Any:
    """The value; on an object that an edit has made meanwhile, only what that does not say."""
    if not (isinstance(base, dict) and isinstance(value, dict)):
        return value
    inner = {
        key: _put_under(item, value[key])
        for key, item in base.items()
        if key in value and isinstance(item, dict)
    }
    return {**value, **base, **inner}


def _object_difference(base: JsonObject, target: JsonObject) -> Patch:
    patch: JsonObject = {_escaped(key): None for key in base if key not in target}
    for key, value in target.items():
        child = difference(base[key], value) if key in base else _stated(value)
        if not _is_nothing(child):
            patch[_escaped(key)] = child
    return patch


def _applied_to_object(base: JsonObject, patch: Mapping[str, Patch]) -> JsonObject:
    new = dict(base)
    for written, child in patch.items():
        key = written[1:] if written.startswith(_VALUE) else written
        if child is None:
            new.pop(key, None)
        elif key in new or _is_stated(child):
            new[key] = apply(new.get(key), child)
        elif made := apply([] if all(map(_OF_LIST.fullmatch, child)) else {}, child):
            new[key] = made
    return new


def _escaped(key: str) -> str:
    return _VALUE + key if _OF_LIST.fullmatch(key) else key


# Lists -----------------------------------------------------------------------------------------------------


def _list_difference(base: list[Any], target: list[Any]) -> Patch:
    names, wanted = _item_names(base), _item_names(target)
    if names is None or wanted is None:
        return _placed_difference(base, target)
    asked = set(wanted)
    kept = [name for name in names if name in asked]
    if wanted[: len(kept)] != kept:
        return target
    there = dict(zip(names, base, strict=True))
    patch: JsonObject = {name: None for name in names if name not in asked}
    for name, item in zip(wanted, target, strict=True):
        patch[name] = difference(there[name], item) if name in there else _stated(item)
    return _shortened(patch, names)


def _placed_difference(base: list[Any], target: list[Any]) -> Patch:
    if not base or not target:
        return target if base or target else NOTHING
    first = _place_of(base, target)
    patch: JsonObject = {str(index): None for index in range(len(target), len(base))}
    for place, item in enumerate(target):
        if first <= place < first + len(base):
            patch[str(place - first)] = difference(base[place - first], item)
        else:
            patch[f"+{place}"] = _stated(item)
    return _shortened(patch, [str(index) for index in range(len(base))])


def _place_of(base: list[Any], target: list[Any]) -> int:
    """Where the base begins in the target: what the other format says is often one thing of several."""
    if len(base) > 1:
        return 0
    return max(range(len(target)), key=lambda place: _likeness(base[0], target[place]))


def _likeness(left: Any, right: Any) -> int:
    if isinstance(left, dict) and isinstance(right, dict):
        return sum(key in right and same(value, right[key]) for key, value in left.items())
    return int(same(left, right))


def _shortened(patch: JsonObject, names: list[str]) -> JsonObject:
    """Says once what is said of every item that was there, and leaves out what says nothing."""
    children: list[JsonObject] = [patch[name] for name in names if _has_children(patch[name])]
    shared: JsonObject = {}
    if len(children) == len(names) > 1:
        shared = {
            key: value
            for key, value in children[0].items()
            if all(key in child and same(child[key], value) for child in children)
        }
    for name in names if shared else ():
        patch[name] = {key: value for key, value in patch[name].items() if key not in shared}
    said = {name: child for name, child in patch.items() if not _is_nothing(child)}
    return {_ALL: shared, **said} if shared else said


def _item_names(items: list[Any]) -> list[str] | None:
    """How the items of a list of named things are called in a patch; None when they are not such."""
    names: list[str] = []
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            return None
        names.append(_VALUE + name)
    return names if len(set(names)) == len(names) and names and _VALUE not in names else None


def _applied_to_list(base: list[Any], patch: Mapping[str, Patch]) -> list[Any]:
    items = [apply(item, patch.get(_ALL, NOTHING)) for item in base]
    places = _places(base)
    gone: set[int] = set()
    added: dict[int, Any] = {}
    more: list[Any] = []
    for name, child in patch.items():
        index = places.get(name)
        if index is not None and child is None:
            gone.add(index)
        elif index is not None:
            items[index] = apply(items[index], child)
        elif child is None or not _is_stated(child):
            continue
        elif match := _ADDED.fullmatch(name):
            added[int(match[1])] = apply(None, child)
        elif name.startswith(_VALUE):
            more.append(apply(None, child))
    kept = (item for index, item in enumerate(items) if index not in gone)
    return [*_woven(kept, added), *more]


def _places(items: list[Any]) -> dict[str, int]:
    """The places of the items, by all that a patch may call them."""
    places = {str(index): index for index in range(len(items))}
    for index, item in enumerate(items):
        name = item.get("name") if isinstance(item, dict) else None
        if isinstance(name, str):
            places.setdefault(_VALUE + name, index)
    return places


def _woven(kept: Iterable[Any], added: Mapping[int, Any]) -> list[Any]:
    """The items in their order, with each added one at its place."""
    rest = iter(kept)
    woven: list[Any] = []
    for place in sorted(added):
        woven.extend(islice(rest, place - len(woven)))
        woven.append(added[place])
    return [*woven, *rest]
