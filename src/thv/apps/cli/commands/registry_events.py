"""`thv registry events`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from thv.apps.cli.command import TABLES, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.exits import CommandError
from thv.apps.cli.output import Column, Listing, age, print_list
from thv.apps.cli.registries import Shelf, find_stored
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import without_managed_fields
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.domain.resources import EVENT, metadata_of, name_of


@command(
    "events",
    examples=(
        "thv registry events upstream-community --context prod",
        "thv registry events upstream-community --backend kubernetes -n team -o json",
    ),
    outputs=TABLES,
)
@click.argument("name", shell_complete=registry_names)
async def events(session: Session, *, name: str) -> None:
    """What the cluster tells of a registry, the newest last; it forgets after an hour."""
    shelf = await find_stored(session, name)
    if not session.settings.on_cluster:
        raise CommandError(
            Code.INVALID,
            "only a cluster keeps events",
            tries=[shelf.command("registry", "history", shelf.name)],
        )
    found = await _events_of(shelf)
    shown = _listing(session.local.clock())
    print_list(shown, found, session.output, session.console, headers=session.headers)
    if not found:
        session.console.step("note", f"no events of {shelf.title}")


async def _events_of(shelf: Shelf) -> list[JsonObject]:
    listed = await shelf.place.resources.list(EVENT, shelf.namespace)
    return sorted((obj for obj in listed.items if _regards(obj, shelf.registry.uid)), key=_moment)


def _regards(event: JsonObject, uid: str) -> bool:
    regarding = event.get("regarding")
    return isinstance(regarding, dict) and regarding.get("uid") == uid


def _moment(event: JsonObject) -> str:
    moments: tuple[Any, ...] = (
        event.get("eventTime"),
        event.get("deprecatedLastTimestamp"),
        metadata_of(event).get("creationTimestamp"),
    )
    return next((str(moment) for moment in moments if moment), "")


def _listing(now: datetime) -> Listing[JsonObject]:
    return Listing(
        kind="EventList",
        name=lambda event: f"event/{name_of(event)}",
        value=without_managed_fields,
        columns=(
            Column(title="SEEN", cell=lambda event: age(_moment(event), now)),
            Column(title="TYPE", cell=lambda event: str(event.get("type", ""))),
            Column(title="REASON", cell=lambda event: str(event.get("reason", ""))),
            Column(title="ACTION", cell=lambda event: str(event.get("action", "")), wide=True),
            Column(title="MESSAGE", cell=lambda event: str(event.get("note", "")), stretch=True),
        ),
    )
