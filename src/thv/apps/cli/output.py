"""Printers: one list of things as a table, as JSON, as YAML, or as names.

In the flow: behind every command that reads. Tables fit 80 columns, begin with the name and end with the age; JSON
is `{"apiVersion", "kind", "items"}` and keeps its members from release to release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from thv.apps.cli.console import Console, safe
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.times import parse_time

OUTPUT_VERSION = "thv.toolhive.stacklok.io/v1"
FORMATS = ("table", "wide", "json", "yaml", "name")

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
        case "table" | "wide":
            columns = [column for column in listing.columns if output == "wide" or not column.wide]
            width = console.columns if output == "table" else 10_000
            console.data(table(columns, items, width=width, headers=headers))
        case _:
            raise unknown_output(output)


def print_value(value: Any, output: str, console: Console) -> None:
    """Prints one value as JSON or YAML."""
    if output == "yaml":
        console.data(msgspec.yaml.encode(value).decode())
    elif output == "json":
        console.data(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    else:
        raise unknown_output(output)


def table(
    columns: Sequence[Column[T]], items: Iterable[T], *, width: int, headers: bool = True
) -> str:
    """The items as aligned columns, two spaces apart."""
    rows = [[column.title for column in columns]] if headers else []
    rows += [[safe(column.cell(item)) for column in columns] for item in items]
    if not rows:
        return ""
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    for place, column in enumerate(columns):
        if column.stretch:
            others = sum(widths) - widths[place] + 2 * (len(columns) - 1)
            widths[place] = min(widths[place], max(12, width - others))
    return "".join(_line(row, columns, widths) for row in rows)


def _line(row: Sequence[str], columns: Sequence[Column[T]], widths: Sequence[int]) -> str:
    cells = [
        _cut(cell, width).rjust(width) if column.number else _cut(cell, width).ljust(width)
        for cell, column, width in zip(row, columns, widths, strict=True)
    ]
    return "  ".join(cells).rstrip() + "\n"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def age(since: str, now: datetime) -> str:
    """How long ago, as kubectl says it: `45s`, `12m`, `3h`, `9d`; `""` for what never was."""
    moment = parse_time(since)
    if moment is None:
        return ""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, size, until in (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86_400}d"


def unknown_output(output: str) -> ThvError:
    """What is said about an output format that does not exist."""
    return ThvError(
        Code.INVALID,
        f'unknown output format "{output}"',
        hint=f"-o can be {', '.join(FORMATS)}; jsonpath and templates are not offered: pipe -o json into jq.",
    )
