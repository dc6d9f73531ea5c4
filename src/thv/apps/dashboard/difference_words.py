"""What differs between two versions of a server, and what that means; pure.

In the flow: from two definitions and the comparison of the API to the page that shows both side by side. What lets a
server do more comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from thv.domain.lenient import as_object
from thv.domain.reach import outbound_of

Members: TypeAlias = Mapping[str, Any]

_MOST = 30
_LONGEST = 1200
_NAME = 128
"""Characters of what an element of a list is called."""
_FIRST = (
    "image", "url", "transport", "target_port", "args", "permissions", "provenance", "env_vars", "headers", "tools",
    "tool_definitions",
)  # fmt: skip
_LAST = ("metadata", "custom_metadata")
_TONES = ("bad", "warn", "calm", "good")
_RUNS, _CALLED, _TOOLS = "something else runs", "it is called differently", "its tools differ"
_SET_UP, _REACH = "it is set up differently", "what it may reach differs"
_GISTS = (_RUNS, _CALLED, _TOOLS, _SET_UP, _REACH)
_VARIABLES = "/env_vars/"


class Remark(msgspec.Struct, frozen=True):
    """Something that a person should know before going from one to the other."""

    tone: str
    icon: str
    title: str
    items: tuple[str, ...] = ()
    more: int = 0
    gist: str = ""
    """What it comes to, as a part of a sentence."""


class Change(msgspec.Struct, frozen=True):
    """One place that differs."""

    place: str
    """Its members, and elements of lists by what they are called."""
    kind: str
    """`added`, `removed` or `changed`."""
    old: str
    new: str


class Reach(msgspec.Struct, frozen=True):
    """Where a server may reach, as sets."""

    is_declared: bool = False
    anywhere: bool = False
    hosts: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    write: frozenset[str] = frozenset()
    privileged: bool = False


def verdict(comparison: Members, found: Sequence[Remark]) -> tuple[str, str]:
    """The tone and the words of the whole; `found` are the remarks about it."""
    risk = comparison["summary"]["risk"]
    if not comparison["changes"]:
        return "good", "Nothing differs"
    if risk == "high" or any(each.tone == "bad" for each in found):
        return "bad", "Look closely: what it may do differs"
    if risk == "medium" or found:
        return "warn", _sentence([each.gist for each in found]) or "It is run differently"
    return "calm", "Only what is said about it differs"


def _sentence(gists: Iterable[str]) -> str:
    every = [each for each in _GISTS if each in set(gists)]
    text = " and ".join([", ".join(every[:-1]), every[-1]] if len(every) > 1 else every)
    return text[:1].upper() + text[1:]


def remarks(base: Members, head: Members, summary: Members) -> list[Remark]:
    """What differs in words, the worst first."""
    found = [
        *_reach(_reach_of(base), _reach_of(head)),
        *_tools(summary),
        *_variables(_variables_of(base), _variables_of(head)),
        *_run(base, head),
    ]
    return sorted(found, key=lambda each: _TONES.index(each.tone))


def changes(every: Sequence[Members], most: int, head: Members, base: Members) -> list[Change]:
    """The places that differ, what runs first and what is merely kept last, no more than so many."""
    sides = (head, base)
    return [
        Change(
            place=_place(each, sides),
            kind={"add": "added", "remove": "removed"}.get(each["op"], "changed"),
            old="" if each["op"] == "add" else _spelled(each["old"]),
            new="" if each["op"] == "remove" else _spelled(each["new"]),
        )
        for each in sorted(_matched(every, head, base), key=_weight)[:most]
    ]


def _matched(every: Sequence[Members], head: Members, base: Members) -> Sequence[Members]:
    """Variables by name where their places do not fit: one more before others is not another variable at each place."""
    old, new = _variables_of(base), _variables_of(head)
    if all(before == after for before, after in zip(old, new, strict=False)):
        return every
    others = [each for each in every if not each["path"].startswith(_VARIABLES)]
    differing = (name for name in sorted({*old, *new}) if old.get(name) != new.get(name))
    return [*others, *(_variable_change(name, old, new) for name in differing)]


def _variable_change(
    name: str, old: Mapping[str, Members], new: Mapping[str, Members]
) -> dict[str, Any]:
    op = "add" if name not in old else "remove" if name not in new else "replace"
    path = f"{_VARIABLES}{name.replace('~', '~0').replace('/', '~1')}"
    return {"path": path, "op": op, "old": old.get(name), "new": new.get(name)}


def _weight(change: Members) -> int:
    first = change["path"].split("/")[1] if change["path"] else ""
    return _FIRST.index(first) if first in _FIRST else len(_FIRST) + (first in _LAST)


def _place(change: Members, sides: Iterable[Members]) -> str:
    """Numbers of lists say nothing to a person, and those of the two sides are not the same."""
    parts = [each.replace("~1", "/").replace("~0", "~") for each in change["path"].split("/")[1:]]
    value = change["old"] if change["op"] == "remove" else change["new"]
    for at, part in enumerate(parts):
        if part.isdecimal():
            is_last = at == len(parts) - 1
            there = value if is_last else _element(sides, parts[:at], int(part))
            parts[at] = _called(there) or f"no. {int(part) + 1}"
    return " / ".join(parts)


def _element(sides: Iterable[Members], parts: Sequence[str], number: int) -> Any:
    """An element of a list of one side, the later one first; of lists at the top alone, where those with names are."""
    for side in sides:
        every = _listed(side, parts[0]) if len(parts) == 1 else []
        if number < len(every):
            return every[number]
    return None


def _listed(side: Members, name: str) -> list[Any]:
    every = as_object(side.get("deployment_config")).get(name, side.get(name))
    return every if isinstance(every, list) else []


def _called(element: Any) -> str:
    name = element.get("name") if isinstance(element, dict) else element
    return name if isinstance(name, str) and len(name) <= _NAME else ""


# Where it reaches --------------------------------------------------------------------------------------------


def _reach_of(server: Members) -> Reach:
    permissions = as_object(server.get("permissions"))
    outbound = as_object(as_object(permissions.get("network")).get("outbound"))
    hosts, ports = _set(outbound.get("allow_host")), _set(outbound.get("allow_port"))
    return Reach(
        is_declared=bool(permissions) or "url" in server,
        anywhere=outbound_of(permissions).is_anywhere,
        hosts=hosts,
        ports=ports,
        read=_set(permissions.get("read")),
        write=_set(permissions.get("write")),
        privileged=permissions.get("privileged") is True,
    )


def _reach(old: Reach, new: Reach) -> Iterator[Remark]:
    if old.is_declared and new.is_declared:
        yield from _network(old, new)
        yield from _files(old, new)
    elif old.is_declared:
        yield Remark("bad", "problem", "No longer says what it may reach")
    elif new.is_declared:
        yield Remark("calm", "hint", "Now says what it may reach")
    if new.privileged and not old.privileged:
        yield Remark("bad", "problem", "Now asks to be privileged")


def _network(old: Reach, new: Reach) -> Iterator[Remark]:
    if new.anywhere and not old.anywhere:
        before = "none" if not old.hosts else f"{len(old.hosts)} named before"
        yield Remark("bad", "globe", f"Network wider: may now reach any host ({before})")
    elif new.hosts - old.hosts and not old.anywhere:
        yield _remark("bad", "globe", "Network wider: may now also reach", new.hosts - old.hosts)
    if old.anywhere and not new.anywhere:
        yield _remark("good", "globe", "Network narrower: may no longer reach any host", new.hosts)
    elif old.hosts - new.hosts and not new.anywhere:
        yield _remark("good", "globe", "Network narrower: no longer", old.hosts - new.hosts)
    if new.ports - old.ports:
        yield _remark("warn", "globe", "Ports added", new.ports - old.ports)


def _files(old: Reach, new: Reach) -> Iterator[Remark]:
    if new.write - old.write:
        yield _remark("bad", "folder", "May now write at", new.write - old.write)
    if new.read - old.read:
        yield _remark("warn", "folder", "May now read at", new.read - old.read)
    gone = (old.read | old.write) - (new.read | new.write)
    if gone:
        yield _remark("good", "folder", "No longer reads or writes at", gone)


# What it offers and needs ------------------------------------------------------------------------------------


def _tools(summary: Members) -> Iterator[Remark]:
    for key, tone, title in (
        ("tools_added", "warn", "Tools added"),
        ("tools_removed", "warn", "Tools removed: who uses them finds them no more"),
        (
            "tools_changed",
            "warn",
            "Tools told differently: read again what a model is told of them",
        ),
    ):
        if summary[key]:
            yield _remark(tone, "tool", title, summary[key], _TOOLS)


def _variables(old: Members, new: Members) -> Iterator[Remark]:
    added = {name: each for name, each in new.items() if name not in old}
    needed = [name for name, each in added.items() if each.get("required")]
    if needed:
        yield _remark("warn", "lock", "Variables that must be set now", needed, _SET_UP)
    others = sorted(added.keys() - set(needed))
    if others:
        yield _remark("calm", "lock", "Variables that may be set now", others, _SET_UP)
    gone = old.keys() - new.keys()
    if gone:
        yield _remark("calm", "lock", "Variables that are no longer taken", gone, _SET_UP)
    both = [name for name in old.keys() & new.keys() if old[name] != new[name]]
    if both:
        yield _remark("calm", "lock", "Variables told differently", both, _SET_UP)


def _variables_of(server: Members) -> dict[str, Members]:
    return {each["name"]: each for each in server["deployment_config"]["env_vars"]}


def _run(base: Members, head: Members) -> Iterator[Remark]:
    for key, title in (("image", "Another image"), ("url", "Runs at another address")):
        if base.get(key) != head.get(key):
            yield _step("calm", title, base.get(key), head.get(key))
    old, new = base["air_gapped"].get("image_digest"), head["air_gapped"].get("image_digest")
    if old != new and (base.get("image") == head.get("image") or None in (old, new)):
        tone = "warn" if base.get("image") == head.get("image") or new is None else "calm"
        yield _step(tone, "Another digest of the image", old, new)
    if base.get("packages") != head.get("packages"):
        yield Remark("calm", "download", "Other packages", gist=_RUNS)
    for key, title in (("transport", "Spoken to differently"), ("target_port", "Another port")):
        if base.get(key) != head.get(key):
            yield _step("warn", title, base.get(key), head.get(key), _CALLED)
    for key, title, gist in (
        ("args", "Started with other arguments", _SET_UP),
        ("headers", "Takes other headers", _CALLED),
    ):
        if base.get(key) != head.get(key):
            yield Remark("calm", "download", title, gist=gist)


def _step(tone: str, title: str, old: Any, new: Any, gist: str = _RUNS) -> Remark:
    return Remark(tone, "download", title, (f"{old or 'none'} → {new or 'none'}",), gist=gist)


def _remark(tone: str, icon: str, title: str, items: Iterable[str], gist: str = _REACH) -> Remark:
    every = sorted(items)
    return Remark(tone, icon, title, tuple(every[:_MOST]), max(0, len(every) - _MOST), gist)


def _set(value: Any) -> frozenset[str]:
    every = value if isinstance(value, list) else []
    return frozenset(str(each) for each in every if isinstance(each, str | int))


def _spelled(value: Any) -> str:
    text = value if isinstance(value, str) else _json(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
