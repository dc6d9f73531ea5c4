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
_FIRST = (
    "image", "url", "transport", "target_port", "args", "permissions", "provenance", "env_vars", "headers", "tools",
    "tool_definitions",
)  # fmt: skip
_LAST = ("metadata", "custom_metadata")
_TONES = ("bad", "warn", "calm", "good")


class Remark(msgspec.Struct, frozen=True):
    """Something that a person should know before going from one to the other."""

    tone: str
    icon: str
    title: str
    items: tuple[str, ...] = ()
    more: int = 0


class Change(msgspec.Struct, frozen=True):
    """One place that differs."""

    place: str
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
        return "warn", "Something else runs, or is to be set up"
    return "calm", "Only what is said about it differs"


def remarks(base: Members, head: Members, summary: Members) -> list[Remark]:
    """What differs in words, the worst first."""
    found = [
        *_reach(_reach_of(base), _reach_of(head)),
        *_tools(summary),
        *_variables(_variables_of(base), _variables_of(head)),
        *_run(base, head),
    ]
    return sorted(found, key=lambda each: _TONES.index(each.tone))


def changes(every: Sequence[Members], most: int) -> list[Change]:
    """The places that differ, what runs first and what is merely kept last, no more than so many."""
    return [
        Change(
            place=each["path"],
            kind={"add": "added", "remove": "removed"}.get(each["op"], "changed"),
            old="" if each["op"] == "add" else _spelled(each["old"]),
            new="" if each["op"] == "remove" else _spelled(each["new"]),
        )
        for each in sorted(every, key=_weight)[:most]
    ]


def _weight(change: Members) -> int:
    first = change["path"].split("/")[1] if change["path"] else ""
    return _FIRST.index(first) if first in _FIRST else len(_FIRST) + (first in _LAST)


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
            yield _remark(tone, "tool", title, summary[key])


def _variables(old: Members, new: Members) -> Iterator[Remark]:
    added = {name: each for name, each in new.items() if name not in old}
    needed = [name for name, each in added.items() if each.get("required")]
    if needed:
        yield _remark("warn", "lock", "Variables that must be set now", needed)
    others = sorted(added.keys() - set(needed))
    if others:
        yield _remark("calm", "lock", "Variables that may be set now", others)
    if old.keys() - new.keys():
        yield _remark("calm", "lock", "Variables that are no longer taken", old.keys() - new.keys())
    both = [name for name in old.keys() & new.keys() if old[name] != new[name]]
    if both:
        yield _remark("calm", "lock", "Variables told differently", both)


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
        yield Remark("calm", "download", "Other packages")
    if base.get("transport") != head.get("transport"):
        yield _step("warn", "Spoken to differently", base.get("transport"), head.get("transport"))


def _step(tone: str, title: str, old: Any, new: Any) -> Remark:
    return Remark(tone, "download", title, (f"{old or 'none'} → {new or 'none'}",))


def _remark(tone: str, icon: str, title: str, items: Iterable[str]) -> Remark:
    every = sorted(items)
    return Remark(tone, icon, title, tuple(every[:_MOST]), max(0, len(every) - _MOST))


def _set(value: Any) -> frozenset[str]:
    every = value if isinstance(value, list) else []
    return frozenset(str(each) for each in every if isinstance(each, str | int))


def _spelled(value: Any) -> str:
    text = value if isinstance(value, str) else _json(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
