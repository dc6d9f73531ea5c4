"""What differs between two versions of a server, and how much of it should be looked at; pure.

In the flow: R5. Both versions are compared as ToolHive entries, the form in which people review them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from thv.domain.canonical import JsonObject


class Difference(msgspec.Struct, frozen=True):
    """One place whose value differs."""

    path: str
    """A JSON pointer."""
    op: str
    """`add`, `remove` or `replace`."""
    old: Any
    new: Any


_ABSENT = object()
_VOLATILE = ("/metadata/stars", "/metadata/pulls", "/metadata/last_updated")
_RUN = ("image", "url", "args", "transport", "target_port")


def differences(base: Any, head: Any, path: str = "") -> Iterator[Difference]:
    """Every place that differs, in the order of keys."""
    if isinstance(base, dict) and isinstance(head, dict):
        for key in sorted(base.keys() | head.keys()):
            inner = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from differences(base.get(key, _ABSENT), head.get(key, _ABSENT), inner)
    elif isinstance(base, list) and isinstance(head, list):
        yield from _list_differences(base, head, path)
    elif path not in _VOLATILE and (base != head or type(base) is not type(head)):
        yield _difference(base, head, path)


def _list_differences(base: list[Any], head: list[Any], path: str) -> Iterator[Difference]:
    """Lists of words are sets to a reader; other lists are compared place by place."""
    if all(isinstance(item, str) for item in (*base, *head)):
        for place, item in enumerate(head):
            if item not in base:
                yield _difference(_ABSENT, item, f"{path}/{place}")
        for place, item in enumerate(base):
            if item not in head:
                yield _difference(item, _ABSENT, f"{path}/{place}")
        return
    for place in range(max(len(base), len(head))):
        old = base[place] if place < len(base) else _ABSENT
        new = head[place] if place < len(head) else _ABSENT
        yield from differences(old, new, f"{path}/{place}")


def _difference(old: Any, new: Any, path: str) -> Difference:
    if old is _ABSENT:
        return Difference(path, "add", None, new)
    if new is _ABSENT:
        return Difference(path, "remove", old, None)
    return Difference(path, "replace", old, new)


def summary(base: JsonObject, head: JsonObject, found: list[Difference]) -> JsonObject:
    """The differences as a reviewer asks about them."""
    old, new = _tools(base), _tools(head)
    permissions = [each.path for each in found if each.path.startswith("/permissions")]
    variables = _changed_variables(base, head)
    image_changed = any(base.get(key) != head.get(key) for key in ("image", "url"))
    return {
        "tools_added": sorted(new.keys() - old.keys()),
        "tools_removed": sorted(old.keys() - new.keys()),
        "tools_changed": sorted(name for name in old.keys() & new.keys() if old[name] != new[name]),
        "permissions": permissions,
        "image_changed": image_changed,
        "env_vars": variables,
        "risk": _risk(found, added_tools=bool(new.keys() - old.keys())),
    }


def _risk(found: list[Difference], *, added_tools: bool) -> str:
    """High where more is allowed, medium where something else runs, low for words."""
    if any(each.path.startswith("/permissions") and each.op != "remove" for each in found):
        return "high"
    touched = {each.path.split("/")[1] for each in found if each.path}
    return "medium" if added_tools or touched & {*_RUN, "env_vars", "headers"} else "low"


def _tools(entry: JsonObject) -> dict[str, Any]:
    names = entry.get("tools")
    found: dict[str, Any] = {}
    if isinstance(names, list):
        found = {name: None for name in names if isinstance(name, str)}
    definitions = entry.get("tool_definitions")
    if isinstance(definitions, list):
        for definition in definitions:
            if isinstance(definition, dict) and isinstance(definition.get("name"), str):
                found[definition["name"]] = definition
    return found


def _changed_variables(base: JsonObject, head: JsonObject) -> list[str]:
    old, new = _variables(base), _variables(head)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _variables(entry: JsonObject) -> dict[str, Any]:
    variables = entry.get("env_vars")
    if not isinstance(variables, list):
        return {}
    return {each["name"]: each for each in variables if isinstance(each, dict) and "name" in each}
