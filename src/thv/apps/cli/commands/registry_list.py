"""`thv registry list`."""

from __future__ import annotations

from contextlib import aclosing

import click

from thv.apps.cli.command import TABLES, command
from thv.apps.cli.options import option
from thv.apps.cli.output import Column, Listing, age, print_list
from thv.apps.cli.registries import Shelf, every, place_of
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import without_managed_fields
from thv.domain.conditions import Condition, condition_of
from thv.domain.registry import Registry, load_registry
from thv.domain.resources import MCP_REGISTRY, metadata_of
from thv.stores.resources.base import EventType

UNKNOWN = Condition(type="Ready", status="Unknown", reason="Pending")


def ready_of(registry: Registry) -> Condition:
    """The condition Ready; Unknown before the first sync."""
    return condition_of(registry.status.conditions, "Ready") or UNKNOWN


def listing(session: Session, *, namespaces: bool) -> Listing[Shelf]:
    """How registries are shown."""
    now = session.local.clock()
    namespace: tuple[Column[Shelf], ...] = (
        Column(title="NAMESPACE", cell=lambda shelf: shelf.namespace),
    )
    return Listing(
        kind="RegistryList",
        name=lambda shelf: shelf.title,
        value=lambda shelf: without_managed_fields(shelf.obj),
        columns=(
            *(namespace if namespaces else ()),
            Column(title="NAME", cell=lambda shelf: shelf.name),
            Column(title="TYPE", cell=lambda shelf: shelf.registry.spec.source.type.value, spare=1),
            Column(
                title="FORMAT",
                cell=lambda shelf: shelf.registry.status.sync_status.format,
                spare=2,
            ),
            Column(title="TRUST", cell=lambda shelf: shelf.registry.spec.trust_level.value),
            Column(
                title="SERVERS",
                cell=lambda shelf: str(shelf.registry.status.server_count),
                number=True,
            ),
            Column(title="READY", cell=lambda shelf: ready_of(shelf.registry).status),
            Column(
                title="LAST-SYNC",
                cell=lambda shelf: age(shelf.registry.status.sync_status.last_sync_time, now),
            ),
            Column(title="REASON", cell=lambda shelf: ready_of(shelf.registry).reason, wide=True),
            Column(
                title="INTERVAL",
                cell=lambda shelf: shelf.registry.spec.sync_policy.interval,
                wide=True,
            ),
            Column(title="REVISION", cell=lambda shelf: revision_of(shelf.registry), wide=True),
            Column(title="SOURCE", cell=lambda shelf: place_of(shelf.registry), wide=True),
            Column(
                title="AGE",
                cell=lambda shelf: age(str(metadata_of(shelf.obj).get("creationTimestamp")), now),
            ),
        ),
    )


def revision_of(registry: Registry) -> str:
    """As much of the revision as tells one from another."""
    revision = registry.status.sync_status.revision
    return revision[:12] if revision.isalnum() and len(revision) >= 40 else revision[:40]


@command(
    "list",
    examples=(
        "thv registry list",
        "thv registry list -A -o wide",
        "thv registry list --trust trusted -o name",
    ),
    outputs=TABLES,
    served="thv.apps.cli.served.lists:list_registries",
)
@option("-A", "--all-namespaces", is_flag=True, help="Registries of every namespace.")
@option("-l", "--selector", default="", metavar="SEL", help="Label selector.")
@option("--trust", type=click.Choice(["raw", "tested", "trusted"]), help="Only this trust level.")
@option("-w", "--watch", is_flag=True, help="Go on with a line for each change.")
async def list_registries(
    session: Session, *, all_namespaces: bool, selector: str, trust: str | None, watch: bool
) -> None:
    """List registries: those of the data folder, and the files of the registry folder."""
    shelves = await every(session, all_namespaces=all_namespaces, selector=selector)
    shelves = [s for s in shelves if trust in (None, s.registry.spec.trust_level.value)]
    shown = listing(session, namespaces=all_namespaces)
    print_list(shown, shelves, session.output, session.console, headers=session.headers)
    _remarks(session, shelves)
    if watch:
        await _follow(session, shown, None if all_namespaces else session.namespace)


async def _follow(session: Session, shown: Listing[Shelf], namespace: str | None) -> None:
    """Prints each change until somebody stops it."""
    place = session.place
    since = (await place.resources.list(MCP_REGISTRY, namespace)).resource_version
    session.console.out.flush()
    async with aclosing(place.resources.watch(MCP_REGISTRY, namespace, since=since)) as events:
        async for event in events:
            if event.type in (EventType.ADDED, EventType.MODIFIED):
                shelf = Shelf(obj=event.object, registry=load_registry(event.object), place=place)
                print_list(shown, [shelf], session.output, session.console, headers=False)
                session.console.out.flush()


def _remarks(session: Session, shelves: list[Shelf]) -> None:
    """What a person should know about what is listed; never part of the data."""
    console = session.console
    if not shelves:
        console.step("note", f'no registries in the namespace "{session.namespace}"')
        console.hint("Add one: thv registry add NAME --file FILE     Or try it out: thv dev")
        return
    for shelf in shelves:
        ready = ready_of(shelf.registry)
        failure = shelf.registry.status.sync_status.error
        place = f"{shelf.namespace}/{shelf.name}"
        todo = shelf.command("registry", "status", shelf.name)
        if ready.status == "False":
            console.step("note", f"{place}: {ready.reason}: {ready.message}. Try: {todo}")
        elif failure is not None:
            console.step(
                "note",
                f"{place} serves what it had: {failure.code}: {failure.message}. Try: {todo}",
            )
    console.hint("List servers: thv search")
