"""`thv catalog list` and `thv catalog show`."""

from __future__ import annotations

from datetime import datetime

import click

from thv.apps.cli.catalogs.asked import (
    Asked,
    Query,
    asked_catalog,
    path_of,
    registry_named,
)
from thv.apps.cli.command import TABLES, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.facts import Facts, ago, print_facts
from thv.apps.cli.finding import object_of, objects_of, text_of
from thv.apps.cli.options import option
from thv.apps.cli.output import Column, Listing, age, print_list, print_value
from thv.apps.cli.session import Session
from thv.domain.canonical import JsonObject

TRUST = option("--trust", type=click.Choice(["raw", "tested", "trusted"]), help="Only this level.")


@command(
    "list",
    examples=(
        "thv catalog list",
        "thv catalog list --trust trusted -o name",
        "thv catalog list --server http://127.0.0.1:8080 -o wide",
    ),
    outputs=TABLES,
)
@TRUST
@option("-l", "--selector", default="", metavar="SEL", help="Label selector.")
@option("--search", default="", metavar="TEXT", help="Words of name, title or description.")
async def list_registries(
    session: Session, *, trust: str | None, selector: str, search: str
) -> None:
    """List the registries that the catalog is made of, of every namespace that you may read."""
    wanted = {
        "trust_level": trust or "",
        "labelSelector": selector,
        "search": search,
        "namespace": session.settings.namespace if session.settings.has_own_namespace else "",
    }
    async with asked_catalog(session, needs="registries") as asked:
        answer = await asked.read("/api/v1/registries", {k: v for k, v in wanted.items() if v})
    registries = objects_of(answer, "registries")
    shown = _listing(session.local.clock())
    print_list(shown, registries, session.output, session.console, headers=session.headers)
    if not registries:
        session.console.step("note", "the catalog has no such registry")
        session.console.hint("Add one: thv registry add NAME --url URL     or: thv dev")
    else:
        session.console.hint(f"Their servers: {session.program} catalog servers")


def _listing(now: datetime) -> Listing[JsonObject]:
    return Listing(
        kind="RegistryList",
        name=lambda registry: f"mcpregistry/{text_of(registry, 'name')}",
        value=lambda registry: registry,
        columns=(
            Column(title="NAMESPACE", cell=lambda each: text_of(each, "namespace")),
            Column(title="NAME", cell=lambda each: text_of(each, "name")),
            Column(title="TYPE", cell=lambda each: _source(each)[0], spare=1),
            Column(title="TRUST", cell=lambda each: text_of(each, "trust_level")),
            Column(title="SERVERS", cell=lambda each: f"{each['server_count']:,}", number=True),
            Column(title="READY", cell=lambda each: "True" if each.get("ready") else "False"),
            Column(title="LAST-SYNC", cell=lambda each: age(text_of(each, "last_sync_time"), now)),
            Column(title="TITLE", cell=lambda each: text_of(each, "display_name"), wide=True),
            Column(title="HOST", cell=lambda each: _source(each)[1], wide=True),
            Column(title="API", cell=lambda each: text_of(each, "api_endpoint"), wide=True),
        ),
    )


def _source(registry: JsonObject) -> tuple[str, str]:
    source = object_of(registry, "source")
    return text_of(source, "type"), text_of(source, "host")


@command(
    "show",
    examples=(
        "thv catalog show production-catalog",
        "thv catalog show production/production-catalog -o json",
    ),
    outputs=("text", "json", "yaml", "name"),
)
@click.argument("name", shell_complete=registry_names)
async def show(session: Session, *, name: str) -> None:
    """Show one registry of the catalog: where it comes from, how far it is trusted, what it holds.

    NAME is namespace/name where several have it. For one server there is thv show.
    """
    async with asked_catalog(session) as asked:
        registry = await registry_named(session, asked, name)
        held = await _held(asked, {"registry": path_of(registry)})
    match session.output:
        case "name":
            session.console.data(f"mcpregistry/{registry['name']}\n")
        case "json" | "yaml":
            print_value(registry, session.output, session.console)
        case _:
            print_facts(session.console, _facts(registry, held, session.local.clock()))
            line = f"{session.program} catalog servers {path_of(registry)}"
            session.console.hint(f"Its servers: {line}")


async def _held(asked: Asked, wanted: Query) -> JsonObject:
    """What the registry offers to the catalog, counted."""
    answer = await asked.read(
        "/api/v1/mcp_servers", {**wanted, "limit": "1", "duplicates": "all", "facets": "true"}
    )
    return object_of(answer, "metadata")


def _facts(registry: JsonObject, held: JsonObject, now: datetime) -> Facts:
    source = " ".join(part for part in _source(registry) if part)
    synced = ago(text_of(registry, "last_sync_time"), now)
    state = object_of(registry, "catalog_state")
    return [
        ("Name", path_of(registry)),
        ("Title", text_of(registry, "display_name")),
        ("About", text_of(registry, "description")),
        ("Trust", text_of(registry, "trust_level")),
        ("Source", source),
        ("Format", text_of(registry, "format")),
        ("Ready", f"{'yes' if registry.get('ready') else 'no'}, {text_of(registry, 'phase')}"),
        ("Sync", f"last {synced}" if synced else "never yet"),
        ("Servers", f"{held.get('filtered_count', 0):,}"),
        ("Subjects", _most(object_of(held, "facets"))),
        ("Pipeline", _pipeline(state)),
        ("Enforces", "MCPServers must use its images" if registry.get("enforce_servers") else ""),
        ("API", text_of(registry, "api_endpoint")),
        ("Snapshot", text_of(registry, "snapshot")),
    ]


def _most(facets: JsonObject) -> str:
    """What most of the servers are for."""
    counts = object_of(facets, "functional_category")
    first = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:6]
    return ", ".join(f"{name} {count:,}" for name, count in first if name)


def _pipeline(state: JsonObject) -> str:
    if not state:
        return ""
    counts = ("approved_servers", "pending_promotion", "rejected_servers")
    approved, pending, rejected = (state.get(each, 0) for each in counts)
    return f"{approved} approved, {pending} pending, {rejected} rejected"
