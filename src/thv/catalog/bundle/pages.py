"""The page of a server, for people who can look nowhere else.

In the flow: behind `parts`. Everything on it stands in the entry; what strangers wrote is text, not mark-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry
from thv.domain.facts import Facts, facts_of
from thv.domain.lenient import as_object, as_objects
from thv.formats.definition import tools_of
from thv.formats.toolhive import placed_entry

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&])")
_FENCES = re.compile("`+")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def page(entry: Entry) -> bytes:
    """The page as Markdown."""
    facts, there = facts_of(entry), placed_entry(entry).value
    parts = (
        f"# {_text(facts.title or facts.key)}",
        _text(facts.description),
        _overview(there),
        _facts(entry, facts, there),
        _table("Tools", ("Tool", "Description"), _tools(facts, there)),
        _table(
            "Environment variables",
            ("Variable", "Description", "Required", "Secret", "Default"),
            _variables(there),
        ),
        _hosts(there),
    )
    return "\n\n".join(part for part in parts if part).encode() + b"\n"


def _overview(there: JsonObject) -> str:
    """What the publisher wrote at length, as it stands: a viewer would make something of its mark-up."""
    text = there.get("overview")
    if not isinstance(text, str) or not text.strip():
        return ""
    lines = [_INVISIBLE.sub(" ", line).rstrip() for line in text.strip().splitlines()]
    longest = max((len(run) for run in _FENCES.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence])


def _facts(entry: Entry, facts: Facts, there: JsonObject) -> str:
    rows = (
        ("Name", facts.key),
        ("Official name", facts.name),
        ("Version", entry.version),
        ("Run as", f"{facts.kind} {facts.reference}".strip()),
        ("Transport", facts.transport),
        ("Tier", facts.tier),
        ("Status", facts.status.value),
        ("Category", facts.category),
        ("Tags", ", ".join(facts.tags)),
        ("Repository", there.get("repository_url")),
    )
    lines = [f"- {label}: {_text(value)}" for label, value in rows if value]
    return "\n".join(lines)


def _tools(facts: Facts, there: JsonObject) -> Iterator[tuple[str, ...]]:
    known = dict(tools_of(there))
    for name in facts.tools:
        yield name, str(known.get(name, {}).get("description") or "")


def _variables(there: JsonObject) -> Iterator[tuple[str, ...]]:
    for each in as_objects(there.get("env_vars")):
        is_secret = each.get("secret") is True
        yield (
            str(each.get("name", "")),
            str(each.get("description") or ""),
            "yes" if each.get("required") is True else "",
            "yes" if is_secret else "",
            "" if is_secret else str(each.get("default") or ""),
        )


def _hosts(there: JsonObject) -> str:
    outbound = as_object(
        as_object(as_object(there.get("permissions")).get("network")).get("outbound")
    )
    hosts = outbound.get("allow_host")
    if not isinstance(hosts, list) or not hosts:
        return ""
    lines = [f"- {_text(each)}" for each in hosts]
    return "\n".join(["## Hosts that it calls", "", *lines])


def _table(title: str, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [_row(tuple(_text(cell) for cell in row)) for row in rows]
    rule = _row(tuple("---" for _ in columns))
    return "\n".join([f"## {title}", "", _row(columns), rule, *lines]) if lines else ""


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(value: Any) -> str:
    """As a reader sees it: one line, nothing of it mark-up, nothing invisible."""
    return _SPECIAL.sub(r"\\\1", _INVISIBLE.sub(" ", str(value)).strip())
