"""`thv registry list`, `show` and `export`, of a registry behind an address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from thv.apps.cli.exits import CommandError
from thv.apps.cli.facts import Facts, ago, print_facts
from thv.apps.cli.finding import object_of, text_of
from thv.apps.cli.output import Column, Listing, age, print_list, print_value
from thv.apps.cli.served.api import Api, open_api
from thv.apps.cli.served.registry import require_info
from thv.apps.cli.session import Session
from thv.apps.cli.writing import STDOUT, require_writable, write_out
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code
from thv.formats.documents import Format

_PIECE = 1 << 20


async def list_registries(
    session: Session, *, trust: str | None, watch: bool, selector: str, **_: Any
) -> None:
    """The one registry that is served there."""
    if watch or selector:
        flag = "--watch" if watch else "--selector"
        raise CommandError(
            Code.INVALID,
            f"{flag} is for registries that are resources; {session.settings.server} serves one",
            tries=["leave it out, or name a cluster with --context NAME"],
        )
    api = open_api(session)
    try:
        info = await require_info(api)
    finally:
        await api.close()
    found = [info] if trust in (None, info.get("trust_level")) else []
    shown = _listing(session.local.clock())
    print_list(shown, found, session.output, session.console, headers=session.headers)


async def show_registry(session: Session, *, name: str, **_: Any) -> None:
    """What the registry says of itself."""
    api = open_api(session)
    try:
        info = await require_info(api, name)
    finally:
        await api.close()
    match session.output:
        case "name":
            session.console.data(f"mcpregistry/{info['name']}\n")
        case "json" | "yaml":
            print_value(info, session.output, session.console)
        case _:
            print_facts(session.console, _facts(api, info, session.local.clock()))


async def export(
    session: Session, *, name: str, format_: str | None, file: str, latest: bool
) -> None:
    """Its document, byte for byte as it is served; in ToolHive's form that is the latest of each server."""
    if file != STDOUT:
        require_writable(Path(file))
    api = open_api(session)
    try:
        info = await require_info(api, name)
        chosen = format_ or text_of(info, "format") or Format.TOOLHIVE
        _require_served(session, chosen, latest=latest)
        with TemporaryFile() as draft:  # whole before a byte of it is handed on
            async with api.stream("/api/v1/export", {"format": chosen}) as pieces:
                await _keep(draft, pieces)
            size = write_out(session.console, file, iter(lambda: draft.read(_PIECE), b""))
    finally:
        await api.close()
    if file != STDOUT:
        said = f"wrote mcpregistry/{info['name']} to {file} ({size:,} bytes, {chosen})"
        session.console.step("ok", said)


def _require_served(session: Session, format_: str, *, latest: bool) -> None:
    """Says where the document is another one than the place of the registry would write."""
    if format_ == Format.TOOLHIVE and not latest:
        session.console.step("note", "an address gives the latest version of each server alone")
    elif latest and format_ != Format.TOOLHIVE:
        raise CommandError(
            Code.INVALID,
            "--latest is made where the registry is kept; its API serves every version",
            tries=["leave out --latest, or name a cluster with --context NAME"],
        )


async def _keep(draft: IO[bytes], pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        draft.write(piece)
    draft.seek(0)


def _listing(now: datetime) -> Listing[JsonObject]:
    return Listing(
        kind="RegistryList",
        name=lambda info: f"mcpregistry/{text_of(info, 'name')}",
        value=lambda info: info,
        columns=(
            Column(title="NAMESPACE", cell=lambda info: text_of(info, "namespace"), wide=True),
            Column(title="NAME", cell=lambda info: text_of(info, "name")),
            Column(title="TYPE", cell=lambda info: text_of(object_of(info, "source"), "type")),
            Column(title="FORMAT", cell=lambda info: text_of(info, "format")),
            Column(title="TRUST", cell=lambda info: text_of(info, "trust_level")),
            Column(title="SERVERS", cell=lambda info: _count(info, "servers"), number=True),
            Column(
                title="LAST-SYNC",
                cell=lambda info: age(text_of(object_of(info, "sync"), "last_success"), now),
            ),
        ),
    )


def _facts(api: Api, info: JsonObject, now: datetime) -> Facts:
    source, snapshot = object_of(info, "source"), object_of(info, "snapshot")
    synced = text_of(object_of(info, "sync"), "last_success")
    return [
        ("Name", text_of(info, "name")),
        ("Namespace", text_of(info, "namespace")),
        ("Title", text_of(info, "display_name")),
        ("About", text_of(info, "description")),
        ("Trust", text_of(info, "trust_level")),
        ("Source", f"{text_of(source, 'type')} {text_of(source, 'host')}".strip()),
        ("Format", text_of(info, "format")),
        ("Sync", f"last {ago(synced, now)}" if synced else "never yet"),
        ("Servers", f"{_count(info, 'servers')} in {_count(info, 'versions')} versions"),
        ("Endpoint", api.url),
        ("Revision", text_of(source, "revision")),
        ("Snapshot", text_of(snapshot, "digest")),
    ]


def _count(info: JsonObject, what: str) -> str:
    count = object_of(info, "snapshot").get(what)
    return f"{count:,}" if isinstance(count, int) else ""
