"""Printers: one list of things as a table, as JSON, as YAML, or as names.

In the flow: behind every command that reads. At a terminal a table keeps to its width: it leaves out its lesser
columns before it cuts a word; in a pipe it is whole. JSON is `{"apiVersion", "kind", "items"}` and keeps its
members from release to release.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from thv.apps.cli.console import UNBOUNDED, Console, is_safe, safe, safe_json
from thv.apps.cli.loader import load
from thv.domain.canonical import JsonObject
from thv.domain.times import parse_time

OUTPUT_VERSION = "thv.toolhive.stacklok.io/v1"
_LEAST = 12

T = TypeVar("T")


class Column(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One column of a table."""

    title: str
    cell: Callable[[T], str]
    wide: bool = False
    """Shown with -o wide only."""
    number: bool = False
    """Aligned to the right."""
    stretch: bool = False
    """Cut to what is left of the line; one column of a table may be such."""
    spare: int = 0
    """Left out where the line is too short, the highest number first; 0 stays."""


class Listing(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A kind of list and how its items are shown."""

    kind: str
    """In JSON: `RegistryList`."""
    columns: tuple[Column[T], ...]
    name: Callable[[T], str]
    """As `-o name` prints it: `mcpregistry/corp`."""
    value: Callable[[T], JsonObject]
    """The item in JSON."""


def print_list(
    listing: Listing[T],
    items: Sequence[T],
    output: str,
    console: Console,
    *,
    headers: bool = True,
    **more: Any,
) -> None:
    """Prints the items; `more` are further members of the JSON form."""
    match output:
        case "json" | "yaml":
            body = {
                "apiVersion": OUTPUT_VERSION,
                "kind": listing.kind,
                "items": [listing.value(i) for i in items],
            }
            print_value({**body, **more}, output, console)
        case "name":
            console.data("".join(f"{safe(listing.name(item))}\n" for item in items))
        case _ if items:
            columns = [column for column in listing.columns if output == "wide" or not column.wide]
            width = console.columns if output == "table" else UNBOUNDED
            console.data(table(columns, items, width=width, headers=headers))
        case _:
            return


def print_value(value: Any, output: str, console: Console) -> None:
    """Prints one value as JSON or YAML."""
    if output == "yaml":
        console.data(yaml_of(value))
    else:
        console.data(json_of(value))


def json_of(value: Any) -> str:
    """The value as people read JSON; what a terminal would obey is escaped, which changes no value."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return safe_json(text) + "\n"


def yaml_of(value: Any) -> str:
    """The value as YAML; with escapes throughout where a terminal would obey some of it."""
    text = msgspec.yaml.encode(value).decode()
    if is_safe(text):
        return text
    dump = load("yaml:safe_dump")
    plain: str = dump(
        msgspec.to_builtins(value), sort_keys=False, allow_unicode=False, width=10_000
    )
    return plain


def table(
    columns: Sequence[Column[T]], items: Iterable[T], *, width: int, headers: bool = True
) -> str:
    """The items as aligned columns, two spaces apart."""
    rows = [[column.title for column in columns]] if headers else []
    rows += [[safe(column.cell(item)) for column in columns] for item in items]
    widths = [
        max((breadth(row[place]) for row in rows), default=0) for place in range(len(columns))
    ]
    kept = _fitting(columns, widths, width)
    _shrink(columns, widths, kept, width)
    return "".join(_line(row, columns, widths, kept) for row in rows)


def _fitting(columns: Sequence[Column[T]], widths: Sequence[int], width: int) -> list[int]:
    """The places of the columns that stay: the lesser ones go first, and come back where room is left."""
    places = range(len(columns))
    kept = list(places)
    for place in sorted(places, key=lambda place: -columns[place].spare):
        if _needed(columns, widths, kept) <= width or not columns[place].spare:
            break
        kept.remove(place)
    for place in sorted(set(places) - set(kept), key=lambda place: columns[place].spare):
        more = sorted([*kept, place])
        kept = more if _needed(columns, widths, more) <= width else kept
    return kept


def _needed(columns: Sequence[Column[T]], widths: Sequence[int], kept: Sequence[int]) -> int:
    """How wide these columns are at least."""
    least = (min(widths[p], 2 * _LEAST) if columns[p].stretch else widths[p] for p in kept)
    return sum(least) + 2 * (len(kept) - 1)


def _shrink(
    columns: Sequence[Column[T]], widths: list[int], kept: Sequence[int], width: int
) -> None:
    """Takes what is missing from the stretching column, then from the widest one."""
    for place in sorted(kept, key=lambda place: (not columns[place].stretch, -widths[place])):
        excess = sum(widths[p] for p in kept) + 2 * (len(kept) - 1) - width
        if excess <= 0:
            return
        widths[place] = max(min(widths[place], _LEAST), widths[place] - excess)


def _line(
    row: Sequence[str], columns: Sequence[Column[T]], widths: Sequence[int], kept: Sequence[int]
) -> str:
    cells = [_aligned(row[place], widths[place], right=columns[place].number) for place in kept]
    return "  ".join(cells).rstrip() + "\n"


def _aligned(text: str, width: int, *, right: bool) -> str:
    text = cut(text, width)
    blank = " " * (width - breadth(text))
    return blank + text if right else text + blank


def breadth(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def cut(text: str, width: int) -> str:
    """The text, or its beginning and a dot that says so."""
    if breadth(text) <= width:
        return text
    while text and breadth(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def age(since: str, now: datetime) -> str:
    """How long ago, as kubectl says it: `45s`, `12m`, `3h`, `9d`; `""` for what never was."""
    moment = parse_time(since)
    return "" if moment is None else span((now - moment).total_seconds())


def until(moment: str, now: datetime) -> str:
    """How long from now: `in 47m`, `now` when it is due; `""` for what has no time."""
    parsed = parse_time(moment)
    if parsed is None:
        return ""
    seconds = (parsed - now).total_seconds()
    return f"in {span(seconds)}" if seconds >= 1 else "now"


def span(seconds: float) -> str:
    """A length of time in its largest unit."""
    whole = max(0, int(seconds))
    for unit, size, until_ in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172_800)):
        if whole < until_:
            return f"{whole // size}{unit}"
    return f"{whole // 86_400}d"


def took(seconds: float) -> str:
    """How long something took: `0.3s`, `12s`, `3m20s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def counted(count: int, thing: str, things: str = "") -> str:
    """`1 server`, `1,243 servers`."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"
