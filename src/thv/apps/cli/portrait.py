"""One server as text for a person: what it is, how to run it, what it needs, and what it may do.

In the flow: behind `thv show`. Every text of an entry comes from a stranger: it is made harmless where it is
printed, and quoted where it stands in a command.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from thv.apps.cli.console import UNBOUNDED, Console, safe
from thv.apps.cli.finding import object_of, objects_of, text_of, texts_of
from thv.apps.cli.output import Column, breadth, counted, table
from thv.domain.canonical import JsonObject
from thv.domain.entry import Entry, Status
from thv.domain.facts import Facts
from thv.domain.reach import outbound_of
from thv.domain.target import Container, NotRunnable, Package, Remote, target_of
from thv.stores.models.rows import definitions_of

_WIDEST = 100
_VERSIONS = 5
DIGEST = len("sha256:") + 12
"""As much of a digest as tells one from another."""


class Release(Protocol):
    """A version of the server."""

    @property
    def version(self) -> str: ...

    @property
    def latest(self) -> bool: ...


class Sitter(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of the server that is shown."""

    entry: Entry
    facts: Facts
    toolhive: JsonObject
    """The same entry in ToolHive's form, with `registry_info`."""
    registries: str
    """Where it is: `corp (raw)`."""
    about: Sequence[tuple[str, str]]
    """What there is to say about the registry."""
    versions: Sequence[Release]
    """Newest first."""


class Portrait:
    """Writes the sections of one server."""

    def __init__(self, console: Console, sitter: Sitter) -> None:
        self._console = console
        self._sitter = sitter
        self._width = min(console.columns, _WIDEST) if console.columns < UNBOUNDED else _WIDEST

    def part(self, part: str, *, info: bool) -> None:
        """One part by its name, everything without one."""
        match part:
            case "tools":
                self.tools()
            case "permissions":
                self.permissions()
            case "versions":
                self.version_list()
            case "provenance":
                self.provenance()
            case _:
                self.whole(info=info)

    def whole(self, *, info: bool) -> None:
        """Everything that a person wants first."""
        self._head()
        self._facts()
        if info:
            self._registry_info()
        self._run()
        self._inputs("Environment", objects_of(self._sitter.toolhive, "env_vars"))
        self._inputs("Headers", objects_of(self._sitter.toolhive, "headers"))
        self._tools_line()
        self._permissions(brief=True)
        self._provenance(brief=True)

    def tools(self) -> None:
        """Every tool with its description."""
        tools = tools_of(self._sitter)
        if not tools:
            self._console.step("note", f"{self._sitter.facts.key} names no tools")
            return
        column = Column[JsonObject](title="TOOL", cell=lambda tool: text_of(tool, "name"))
        self._described([column], tools)

    def permissions(self) -> None:
        """What it may do on the network and on the disk."""
        if not self._permissions(brief=False):
            self._console.step("note", f"{self._sitter.facts.key} declares no permissions")

    def provenance(self) -> None:
        """Who is said to have built it."""
        if not self._provenance(brief=False):
            self._console.step("note", f"{self._sitter.facts.key} declares no provenance")

    def version_list(self) -> None:
        """Every version that the registry serves."""
        columns = (
            Column[Release](title="VERSION", cell=lambda each: each.version),
            Column[Release](title="LATEST", cell=lambda each: "yes" if each.latest else ""),
        )
        self._console.data(table(columns, self._sitter.versions, width=self._console.columns))

    # ------------------------------------------------------------ sections

    def _head(self) -> None:
        sitter, paint = self._sitter, self._console.paint
        name = paint(safe(sitter.facts.key), "bold")
        marks = [safe(sitter.entry.version)]
        if sitter.facts.status is not Status.ACTIVE:
            marks.append(paint(sitter.facts.status.value.upper(), "yellow"))
        self._line(f"{name}  {'  '.join(marks)}")
        if sitter.facts.title and sitter.facts.title != sitter.facts.key:
            self._line(safe(sitter.facts.title))
        self._paragraph(sitter.facts.description)
        if sitter.entry.status_message:
            self._paragraph(f"{sitter.facts.status.value}: {sitter.entry.status_message}")

    def _facts(self) -> None:
        facts, toolhive = self._sitter.facts, self._sitter.toolhive
        derived = " (derived)" if facts.category and facts.category_derived else ""
        rows = [
            ("Registry", self._sitter.registries),
            ("Official name", facts.name if facts.name != facts.key else ""),
            ("Kind", f"{facts.kind}, {facts.transport}" if facts.transport else facts.kind),
            ("Tier", facts.tier),
            ("Category", f"{facts.category}{derived}"),
            ("Tags", ", ".join(facts.tags)),
            ("Repository", text_of(toolhive, "repository_url")),
            ("Website", text_of(self._sitter.entry.server, "websiteUrl")),
            ("Popularity", _popularity(facts)),
            ("Updated", self._updated()),
            ("Versions", self._versions()),
        ]
        self._line("")
        self._pairs(rows)

    def _updated(self) -> str:
        entry = self._sitter.entry
        said = text_of(object_of(self._sitter.toolhive, "metadata"), "last_updated")
        return (said or entry.updated_at or entry.published_at).partition("T")[0]

    def _versions(self) -> str:
        every = self._sitter.versions
        names = [f"{each.version} (latest)" if each.latest else each.version for each in every]
        more = f", and {len(names) - _VERSIONS} more" if len(names) > _VERSIONS else ""
        return ", ".join(names[:_VERSIONS]) + more if len(names) > 1 else ""

    def _registry_info(self) -> None:
        info = object_of(self._sitter.toolhive, "registry_info")
        entry = (
            ("Entry", text_of(info, "digest")[:DIGEST]),
            ("Came through", text_of(object_of(info, "origin"), "name")),
        )
        self._title("Registry")
        self._pairs([*self._sitter.about, *entry], indent="  ")

    def _run(self) -> None:
        target = target_of(self._sitter.entry.server)
        self._title("Run")
        match target:
            case Remote():
                self._line(f"  {safe(target.reference)}   ({safe(target.transport)})")
            case NotRunnable():
                self._line(f"  not runnable here: {safe(target.reason)}")
            case Container() | Package():
                self._line(f"  {safe(self._command(target))}")
                if target.transport != "stdio":
                    port = f" on port {target.port}" if target.port else ""
                    self._line(f"  it answers by {safe(target.transport)}{port}")

    def _command(self, target: Container | Package) -> str:
        toolhive = self._sitter.toolhive
        words = [shlex.quote(word) for word in texts_of(toolhive, "args")]
        if isinstance(target, Package):
            scheme, _, what = target.reference.partition("://")
            return " ".join(
                [*(("npx", "-y") if scheme == "npx" else (scheme,)), shlex.quote(what), *words]
            )
        asked = [
            f"-e {shlex.quote(text_of(variable, 'name'))}"
            for variable in objects_of(toolhive, "env_vars")
            if variable.get("required") is True and text_of(variable, "name")
        ]
        port = [f"-p {target.port}:{target.port}"] if target.port else []
        return " ".join(
            ["docker run -i --rm", *port, *asked, shlex.quote(target.reference), *words]
        )

    def _inputs(self, title: str, inputs: list[JsonObject]) -> None:
        if not inputs:
            return
        ordered = sorted(inputs, key=lambda each: each.get("required") is not True)
        required = sum(each.get("required") is True for each in inputs)
        self._title(f"{title} ({len(inputs)}, {required} required)")
        columns = (
            Column[JsonObject](title="  NAME", cell=lambda each: f"  {text_of(each, 'name')}"),
            Column[JsonObject](title="REQUIRED", cell=lambda each: _yes(each, "required")),
            Column[JsonObject](title="SECRET", cell=lambda each: _yes(each, "secret")),
            Column[JsonObject](
                title="DEFAULT", cell=lambda each: _short(each.get("default")), spare=1
            ),
        )
        kept = [column for column in columns if column.title == "  NAME" or _says(column, ordered)]
        self._described(kept, ordered)

    def _tools_line(self) -> None:
        names = self._sitter.facts.tools
        if names:
            self._title(f"Tools ({len(names)})")
            self._paragraph(", ".join(names), indent="  ")

    def _permissions(self, *, brief: bool) -> bool:
        rows = _permission_rows(object_of(self._sitter.toolhive, "permissions"))
        if rows:
            self._title("Permissions") if brief else None
            self._pairs(rows, indent="  " if brief else "")
        return bool(rows)

    def _provenance(self, *, brief: bool) -> bool:
        provenance = object_of(self._sitter.toolhive, "provenance")
        wanted = ("repository_uri", "signer_identity") if brief else tuple(provenance)
        rows = [(key.replace("_", " ").capitalize(), text_of(provenance, key)) for key in wanted]
        rows = [row for row in rows if row[1]]
        if rows:
            self._title("Provenance (declared)") if brief else None
            self._pairs(rows, indent="  " if brief else "")
        return bool(rows)

    # ------------------------------------------------------------ lines

    def _described(self, columns: Sequence[Column[JsonObject]], rows: Sequence[JsonObject]) -> None:
        """A table whose last column is the description, broken into lines at a terminal."""
        described = any(text_of(row, "description") for row in rows)
        heads = [line.rstrip() for line in table(columns, rows, width=UNBOUNDED).splitlines()]
        texts = ["DESCRIPTION" if described else ""]
        texts += [safe(text_of(row, "description")) for row in rows]
        width = max(breadth(head) for head in heads) + 2
        for head, text in zip(heads, texts, strict=True):
            for number, line in enumerate(self._wrapped(text, width)):
                start = head + " " * (width - breadth(head)) if number == 0 else " " * width
                self._line(f"{start}{line}".rstrip())

    def _wrapped(self, text: str, indent: int) -> list[str]:
        if self._console.columns >= UNBOUNDED:
            return [text]
        room = max(20, self._console.columns - indent)
        return textwrap.wrap(text, room) or [""]

    def _line(self, text: str) -> None:
        self._console.data(f"{text}\n")

    def _title(self, text: str) -> None:
        self._line(f"\n{self._console.paint(text, 'bold')}")

    def _paragraph(self, text: str, indent: str = "") -> None:
        lines = textwrap.wrap(
            safe(text), self._width, initial_indent=indent, subsequent_indent=indent
        )
        for line in lines:
            self._line(line)

    def _pairs(self, rows: Iterable[tuple[str, str]], indent: str = "") -> None:
        """Names and values in two columns; what has no value is left out."""
        filled = [(name, value) for name, value in rows if value]
        width = max((len(name) for name, _ in filled), default=0)
        for name, value in filled:
            head = f"{indent}{name:<{width}}  "
            self._paragraph_of(head, safe(value))

    def _paragraph_of(self, head: str, text: str) -> None:
        lines = textwrap.wrap(
            text, max(20, self._width - len(head)), break_long_words=False, break_on_hyphens=False
        )
        for number, line in enumerate(lines or [""]):
            self._line((head if number == 0 else " " * len(head)) + line)


def tools_of(sitter: Sitter) -> list[JsonObject]:
    """The tools with what the entry says about each."""
    definitions = definitions_of(sitter.entry.server, sitter.facts.reference)
    defined = {text_of(each, "name"): each for each in definitions}
    return [{**defined.get(name, {}), "name": name} for name in sitter.facts.tools]


def _permission_rows(permissions: JsonObject) -> list[tuple[str, str]]:
    outbound = outbound_of(permissions)
    rows = [
        ("Network", "any host" if outbound.is_anywhere else ""),
        ("Hosts", ", ".join(outbound.hosts)),
        ("Ports", ", ".join(map(str, outbound.ports))),
        ("Reads", ", ".join(texts_of(permissions, "read"))),
        ("Writes", ", ".join(texts_of(permissions, "write"))),
        ("Privileged", "yes" if permissions.get("privileged") is True else ""),
    ]
    return [row for row in rows if row[1]]


def _popularity(facts: Facts) -> str:
    counts = [
        counted(count, thing)
        for count, thing in ((facts.stars, "star"), (facts.pulls, "pull"))
        if count is not None
    ]
    return ", ".join(counts)


def _says(column: Column[JsonObject], rows: Sequence[JsonObject]) -> bool:
    return any(column.cell(row) for row in rows)


def _yes(value: JsonObject, key: str) -> str:
    return "yes" if value.get(key) is True else ""


def _short(value: Any) -> str:
    return "" if value is None else str(value)[:40]
