"""`thv catalog categories` and `thv catalog tools`."""

from __future__ import annotations

from typing import NamedTuple

import click

from thv.apps.cli.catalogs.asked import asked_catalog, path_of, registry_named, rows_of
from thv.apps.cli.command import TABLES, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.filters import LIMIT
from thv.apps.cli.finding import object_of, text_of
from thv.apps.cli.options import option
from thv.apps.cli.output import Column, Listing, counted, print_list, print_value
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject


class _Row(NamedTuple):
    """A category of either kind."""

    name: str
    kind: str
    servers: int
    recommended: str
    description: str
    criteria: str


_CATEGORIES: Listing[_Row] = Listing(
    kind="CategoryList",
    name=lambda row: f"category/{row.name}",
    value=lambda row: row._asdict(),
    columns=(
        Column(title="NAME", cell=lambda row: row.name),
        Column(title="KIND", cell=lambda row: row.kind),
        Column(title="SERVERS", cell=lambda row: f"{row.servers:,}", number=True),
        Column(title="ENFORCE", cell=lambda row: row.recommended),
        Column(title="CRITERIA", cell=lambda row: row.criteria, wide=True),
        Column(title="DESCRIPTION", cell=lambda row: row.description, stretch=True, spare=1),
    ),
)


@command(
    "categories",
    examples=("thv catalog categories", "thv catalog categories -o json"),
    outputs=TABLES,
)
async def categories(session: Session) -> None:
    """List the two classes of servers and what they are for, with counts.

    A class says how far servers were verified, and whether it is recommended to enforce it; a subject says what a
    server is for. -o json and yaml give what the API answers.
    """
    async with asked_catalog(session) as asked:
        answer = await asked.read("/api/v1/categories")
    if session.output in ("json", "yaml"):
        print_value(answer, session.output, session.console)
        return
    rows = [*_classes(answer), *_subjects(answer)]
    print_list(_CATEGORIES, rows, session.output, session.console, headers=session.headers)
    session.console.hint(f"Servers of one: {session.program} catalog servers --category validated")


def _classes(answer: JsonObject) -> list[_Row]:
    return [
        _Row(
            name=name,
            kind="class",
            servers=each["server_count"],
            recommended="recommended" if each.get("enforcement_recommended") else "-",
            description=text_of(each, "description"),
            criteria="; ".join(map(str, each.get("verification_criteria") or ())),
        )
        for name, each in object_of(answer, "categories").items()
    ]


def _subjects(answer: JsonObject) -> list[_Row]:
    counts = object_of(answer, "functional_categories")
    return [
        _Row(name, "subject", count, "", "", "")
        for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


# Tools -----------------------------------------------------------------------------------------------------


_SHOWN = 2
_TOOL_SORTS = {None: "", "name": "name", "usage": "-usage"}
"""As the API has them."""


def _offered_by(tool: JsonObject) -> str:
    """The first servers."""
    servers = tool.get("servers")
    names = [str(each) for each in servers] if isinstance(servers, list) else []
    more = tool["usage_count"] - len(names[:_SHOWN])
    return ",".join(names[:_SHOWN]) + (f",+{more:,}" if more else "")


_TOOLS: Listing[JsonObject] = Listing(
    kind="ToolList",
    name=lambda tool: f"tool/{text_of(tool, 'name')}",
    value=lambda tool: tool,
    columns=(
        Column(title="NAME", cell=lambda tool: text_of(tool, "name")),
        Column(title="CATEGORY", cell=lambda tool: text_of(tool, "category"), spare=2),
        Column(title="SERVERS", cell=lambda tool: f"{tool['usage_count']:,}", number=True),
        Column(title="OFFERED-BY", cell=_offered_by, spare=3),
        Column(
            title="DESCRIPTION",
            cell=lambda tool: text_of(tool, "description"),
            stretch=True,
            spare=1,
        ),
    ),
)


@command(
    "tools",
    examples=(
        "thv catalog tools",
        "thv catalog tools --search scan --category security",
        "thv catalog tools --offered-by osv-scanner -o name",
    ),
    outputs=TABLES,
)
@option("--search", default="", metavar="TEXT", help="Words of name or description.")
@option("--category", "subjects", multiple=True, metavar="C", help="What its servers are for.")
@option("--offered-by", "servers", multiple=True, metavar="S", help="Tools of this server.")
@option("--registry", default="", metavar="R", help="Of this one.", shell_complete=registry_names)
@option(
    "--sort",
    type=click.Choice(["name", "usage"]),
    default=None,
    help="By name, or what most servers offer first. Default: what fits --search best, else name.",
)
@LIMIT
async def tools(
    session: Session,
    *,
    search: str,
    subjects: tuple[str, ...],
    servers: tuple[str, ...],
    registry: str,
    sort: str | None,
    limit: int,
) -> None:
    """List the tools of all servers, and which servers offer them."""
    given = {
        "search": search.strip(),
        "category": ",".join(subjects),
        "server": ",".join(servers),
        "sort": _TOOL_SORTS[sort],
    }
    wanted = {key: value for key, value in given.items() if value}
    async with asked_catalog(session) as asked:
        if registry:
            wanted["registry"] = path_of(await registry_named(session, asked, registry))
        rows, metadata = await rows_of(asked, "/api/v1/tools", wanted, "tools", limit)
    counts = {key: metadata[key] for key in ("total_count", "filtered_count") if key in metadata}
    print_list(_TOOLS, rows, session.output, session.console, headers=session.headers, **counts)
    matched = metadata.get("filtered_count", len(rows))
    if not rows:
        session.console.step("note", "no server says that it offers such a tool")
    elif matched > len(rows):
        matches = counted(matched, "tool")
        session.console.step("note", f"{len(rows):,} of {matches} shown; more with --limit")
