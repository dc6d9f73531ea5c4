"""`thv registry list`."""

from __future__ import annotations

import click

from thv.apps.cli.output import Column, Listing, age, print_list
from thv.apps.cli.session import Session, common_options, run_command
from thv.domain.canonical import JsonObject
from thv.domain.conditions import condition_of
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY, metadata_of

Row = tuple[JsonObject, Registry]


def ready_of(registry: Registry) -> tuple[str, str, str]:
    """Status, reason and message of the condition Ready; Unknown before the first reconcile."""
    ready = condition_of(registry.status.conditions, "Ready")
    return (ready.status, ready.reason, ready.message) if ready else ("Unknown", "", "")


def listing(session: Session, *, namespaces: bool) -> Listing[Row]:
    """How registries are shown."""
    now = session.local.clock()
    namespace: tuple[Column[Row], ...] = (
        Column(title="NAMESPACE", cell=lambda row: row[1].namespace),
    )
    return Listing(
        kind="RegistryList",
        name=lambda row: f"mcpregistry/{row[1].name}",
        value=lambda row: row[0],
        columns=(
            *(namespace if namespaces else ()),
            Column(title="NAME", cell=lambda row: row[1].name),
            Column(title="TYPE", cell=lambda row: row[1].spec.source.type.value),
            Column(title="FORMAT", cell=lambda row: row[1].status.sync_status.format),
            Column(title="TRUST", cell=lambda row: row[1].spec.trust_level.value),
            Column(title="SERVERS", cell=lambda row: str(row[1].status.server_count), number=True),
            Column(title="READY", cell=lambda row: ready_of(row[1])[0]),
            Column(
                title="LAST-SYNC",
                cell=lambda row: age(row[1].status.sync_status.last_sync_time, now),
            ),
            Column(title="REASON", cell=lambda row: ready_of(row[1])[1], wide=True),
            Column(title="INTERVAL", cell=lambda row: row[1].spec.sync_policy.interval, wide=True),
            Column(
                title="REVISION",
                cell=lambda row: row[1].status.sync_status.revision[:12],
                wide=True,
            ),
            Column(
                title="AGE",
                cell=lambda row: age(str(metadata_of(row[0]).get("creationTimestamp", "")), now),
            ),
        ),
    )


@click.command("list")
@click.option("-A", "--all-namespaces", is_flag=True, help="Registries of every namespace.")
@click.option("-l", "--selector", default="", metavar="SEL", help="Label selector.")
@click.option(
    "--trust", type=click.Choice(["raw", "tested", "trusted"]), help="Only this trust level."
)
@common_options
def list_registries(*, all_namespaces: bool, selector: str, trust: str | None) -> None:
    """List registries.

    Examples:
      thv registry list
      thv registry list -A -o wide
    """

    async def story(session: Session) -> None:
        namespace = None if all_namespaces else session.namespace
        listed = await session.local.resources.list(MCP_REGISTRY, namespace, selector=selector)
        rows = [(obj, load_registry(obj)) for obj in listed.items]
        rows = [row for row in rows if trust in (None, row[1].spec.trust_level.value)]
        print_list(
            listing(session, namespaces=all_namespaces),
            rows,
            session.output,
            session.console,
            headers=session.headers,
        )
        _remarks(session, rows)

    run_command(story)


def _remarks(session: Session, rows: list[Row]) -> None:
    """What a person should know about what is listed; never part of the data."""
    console = session.console
    if not rows:
        console.hint(
            f'No registries in the namespace "{session.namespace}". Try: thv registry add NAME --file FILE'
        )
        return
    for _, registry in rows:
        status, reason, message = ready_of(registry)
        if status == "False":
            place = f"{registry.namespace}/{registry.name}"
            console.step(
                "note", f"{place}: {reason}: {message}. Try: thv registry status {registry.name}"
            )
    console.hint("List servers: thv search")
