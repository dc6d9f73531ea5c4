"""`thv catalog servers`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import click

from thv.apps.cli.catalogs.asked import asked_catalog, path_of, registry_named, rows_of
from thv.apps.cli.command import TABLES, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.filters import LIMIT, SELECTOR, TAGS, TIERS, TOOLS, TRANSPORTS, TRUSTS
from thv.apps.cli.finding import object_of, text_of
from thv.apps.cli.options import option
from thv.apps.cli.output import Column, Listing, counted, print_list
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject
from thv.domain.reach import Reach

_SERVERS = "/api/v1/mcp_servers"


def _listing() -> Listing[JsonObject]:
    return Listing(
        kind="CatalogServerList",
        name=lambda server: f"server/{text_of(server, 'name')}",
        value=lambda server: server,
        columns=(
            Column(title="NAME", cell=lambda each: text_of(each, "name")),
            Column(title="REGISTRY", cell=_registry, spare=2),
            Column(title="TRUST", cell=lambda each: text_of(_info(each), "trust_level"), spare=3),
            Column(title="CATEGORY", cell=lambda each: text_of(each, "category"), spare=5),
            Column(title="TIER", cell=lambda each: text_of(each, "tier"), spare=6),
            Column(title="TRANSPORT", cell=lambda each: text_of(each, "transport"), spare=4),
            Column(
                title="TOOLS",
                cell=lambda each: str(len(each.get("tools") or ())),
                number=True,
                spare=7,
            ),
            Column(title="VERSION", cell=lambda each: text_of(each, "version"), wide=True),
            Column(title="REACH", cell=lambda each: text_of(each, "reach"), wide=True),
            Column(title="STATUS", cell=lambda each: text_of(each, "status"), wide=True),
            Column(title="ALSO-IN", cell=_elsewhere, wide=True),
            Column(
                title="DESCRIPTION",
                cell=lambda each: text_of(each, "description"),
                stretch=True,
                spare=1,
            ),
        ),
    )


def _info(server: JsonObject) -> JsonObject:
    return object_of(server, "registry_info")


def _registry(server: JsonObject) -> str:
    return path_of(_info(server))


def _elsewhere(server: JsonObject) -> str:
    others = _info(server).get("also_in")
    return ",".join(map(str, others)) if isinstance(others, list) else ""


@command(
    "servers",
    examples=(
        "thv catalog servers",
        "thv catalog servers production-catalog",
        'thv catalog servers --search "send slack messages"',
        "thv catalog servers --category validated --tag security -o name",
        "thv catalog servers --reach any-host --reach undeclared",
    ),
    outputs=TABLES,
)
@click.argument("registry", required=False, default="", shell_complete=registry_names)
@option("--search", default="", metavar="TEXT", help="A task in words, or words of the server.")
@option(
    "--category",
    type=click.Choice(["validated", "community"]),
    help="validated: served by a trusted registry.",
)
@option("--functional-category", "subjects", multiple=True, metavar="C", help="What it is for.")
@TAGS
@TOOLS
@TIERS
@TRANSPORTS
@option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(["container", "remote", "package", "none"]),
    help="How it is run.",
)
@option(
    "--reach",
    "reaches",
    multiple=True,
    type=click.Choice([each.value for each in Reach]),
    help="Hosts that it may connect to, as its entry declares.",
)
@TRUSTS
@SELECTOR
@option("--all", "every", is_flag=True, help="A server once for each registry that has it.")
@option(
    "--sort",
    type=click.Choice(["name", "updated", "stars", "pulls", "trust", "relevance"]),
    help="By name, or what has most of it first.",
)
@LIMIT
async def servers(session: Session, *, registry: str, limit: int, **filters: Any) -> None:
    """List the servers of all registries together, or of one.

    A server that several registries have is shown once, from the one that is trusted most; -o wide names the others.
    Where nothing has all words of a search, what has most of them is shown.
    """
    async with asked_catalog(session) as asked:
        wanted = _wanted(filters)
        if registry:
            wanted["registry"] = path_of(await registry_named(session, asked, registry))
        elif session.settings.has_own_namespace:
            wanted["namespace"] = session.settings.namespace
        rows, metadata = await rows_of(asked, _SERVERS, wanted, "servers", limit)
    counts: JsonObject = {
        key: metadata[key] for key in ("total_count", "filtered_count") if key in metadata
    }
    if metadata.get("partial"):
        counts["partial"] = True
    print_list(_listing(), rows, session.output, session.console, headers=session.headers, **counts)
    _remark(session, rows, metadata)


def _wanted(filters: Mapping[str, Any]) -> dict[str, str]:
    """The filters in the words of the API."""
    lists = {
        "functional_category": filters["subjects"],
        "tags": filters["tags"],
        "tools": filters["tools"],
        "tier": filters["tiers"],
        "transport": filters["transports"],
        "kind": filters["kinds"],
        "reach": filters["reaches"],
        "trust_level": filters["trusts"],
    }
    plain = {
        "search": filters["search"].strip(),
        "category": filters["category"],
        "labelSelector": filters["selector"],
        "sort": _sort(filters["sort"]),
        "duplicates": "all" if filters["every"] else "",
    }
    found = {key: ",".join(values) for key, values in lists.items()} | plain
    return {key: value for key, value in found.items() if value}


def _sort(key: str | None) -> str:
    """The most first, but names from the beginning of the alphabet."""
    if key is None:
        return ""
    return key if key in ("name", "relevance", "trust") else f"-{key}"


def _remark(session: Session, rows: Sequence[JsonObject], metadata: JsonObject) -> None:
    """How much of what there is was shown, and where to go on."""
    console = session.console
    matched, total = (metadata.get(each, 0) for each in ("filtered_count", "total_count"))
    if not rows:
        console.step("note", f"none of {counted(total, 'server')} matches")
        return
    if metadata.get("partial"):
        console.step("note", "no server has all of these words; these have most of them")
    if matched > len(rows):
        matches = counted(matched, "match", "matches")
        console.step("note", f"{len(rows):,} of {matches} shown; more with --limit")
    words = shlex.join([text_of(rows[0], "name"), "--registry", _registry(rows[0])])
    console.hint(f"Details: {session.program} show {words}")
    if not session.settings.server:
        console.hint(f"Install: {session.program} install {words} -n NAMESPACE")
