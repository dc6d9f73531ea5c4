"""`thv list` and `thv uninstall`: servers that are installed."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence

import click
import msgspec

from thv.apps.cli.command import OBJECTS, TABLES, command
from thv.apps.cli.completion import installed_names, registry_names
from thv.apps.cli.exits import CommandError
from thv.apps.cli.finding import find_servers, object_of, text_of
from thv.apps.cli.fleet import Standing, came_from, servers, standing
from thv.apps.cli.hiding import shown_resource
from thv.apps.cli.installing import drop_tool_config
from thv.apps.cli.manifest_files import title_of
from thv.apps.cli.options import option
from thv.apps.cli.output import Column, Listing, age, counted, print_list, print_value
from thv.apps.cli.picking import shelf_of
from thv.apps.cli.reading import Book, require_book
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES
from thv.catalog.installed import Drift, is_called
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import SERVER_KINDS, uid_of
from thv.stores.models.query import Where

_DRIFT = {
    Drift.UNKNOWN: "",
    Drift.NONE: "none",
    Drift.CHANGED: "other image",
    Drift.GONE: "not in registry",
}


@command(
    "list",
    examples=(
        "thv list",
        "thv list -A -o wide",
        "thv list --registry company-internal",
        "thv list -l toolhive.stacklok.io/registry-name=upstream-community -o name",
    ),
    outputs=TABLES,
)
@option(
    "--registry",
    default="",
    metavar="R",
    help="All servers of this registry, with where they are installed.",
    shell_complete=registry_names,
)
@option("-A", "--all-namespaces", is_flag=True, help="Servers of every namespace.")
@option("-l", "--selector", default="", metavar="SEL", help="Selector over labels of MCPServers.")
@option(
    "--limit",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="With --registry: how many to show.",
)
@option("--all", is_flag=True, hidden=True, help="As ToolHive has it; all are shown always.")
async def list_servers(
    session: Session,
    *,
    registry: str,
    all_namespaces: bool,
    selector: str,
    limit: int,
    all: bool,  # noqa: A002, ARG001 # as it is spelled
) -> None:
    """List installed servers: where they came from, how they are, and whether their registry has moved on.

    DRIFT tells of a newer version, of another image than the registry names for the version, and of a server that
    is in its registry no more. With --registry it is the other way round: what the registry holds, and where that
    is installed.
    """
    if registry:
        await _of_registry(session, registry, selector, limit)
        return
    rows = await standing(session, None if all_namespaces else session.namespace, selector)
    shown = _listing(session, namespaces=all_namespaces)
    print_list(shown, rows, session.output, session.console, headers=session.headers)
    if not rows:
        place = "" if all_namespaces else f' in the namespace "{session.namespace}"'
        what = "no installed server has these labels" if selector else "no server is installed"
        session.console.step("note", what + place)
        session.console.hint(f"Install one: {session.program} install NAME --registry R")


def _listing(session: Session, *, namespaces: bool) -> Listing[Standing]:
    now = session.local.clock()
    namespace = Column[Standing](title="NAMESPACE", cell=lambda row: row.installed.namespace)
    return Listing(
        kind="InstalledServerList",
        name=lambda row: title_of(row.obj, row.kind),
        value=_value,
        columns=(
            *((namespace,) if namespaces else ()),
            Column(title="NAME", cell=lambda row: row.installed.name),
            Column(title="REGISTRY", cell=lambda row: row.installed.registry),
            Column(title="SERVER", cell=lambda row: row.installed.server, stretch=True, spare=2),
            Column(title="VERSION", cell=lambda row: row.installed.version),
            Column(title="STATUS", cell=lambda row: row.installed.status or "Unknown"),
            Column(title="DRIFT", cell=_drift),
            Column(title="URL", cell=lambda row: row.installed.url, wide=True),
            Column(title="IMAGE", cell=lambda row: row.installed.image, wide=True),
            Column(title="AGE", cell=lambda row: age(row.installed.created, now), spare=1),
        ),
    )


def _drift(row: Standing) -> str:
    return f"{row.latest} there" if row.drift is Drift.OUTDATED else _DRIFT[row.drift]


def _value(row: Standing) -> JsonObject:
    installed: JsonObject = msgspec.to_builtins(row.installed)
    names = {"registry_namespace": "registryNamespace", "created": "creationTimestamp"}
    plain = {names.get(key, key): value for key, value in installed.items()}
    return {**plain, "drift": row.drift.value or "unknown", "latestVersion": row.latest}


# Of a registry ---------------------------------------------------------------------------------------------


async def _of_registry(session: Session, name: str, selector: str, limit: int) -> None:
    """What the registry holds; that one may not look where it is installed is no error."""
    book = await require_book(session, await shelf_of(session, name))
    found = find_servers([book], Where(), limit)
    fleet = await _fleet(session, book, selector)
    rows = [{**hit.entry, "deployed": _deployed(fleet, hit.name)} for hit in found.hits]
    print_list(
        _ENTRIES,
        rows,
        session.output,
        session.console,
        headers=session.headers,
        matched=found.matched,
        total=found.total,
    )
    if found.matched > len(rows):
        session.console.step(
            "note", f"{len(rows):,} of {counted(found.matched, 'server')} shown; --limit shows more"
        )


_ENTRIES = Listing[JsonObject](
    kind="ServerList",
    name=lambda entry: text_of(entry, "name"),
    value=lambda entry: entry,
    columns=(
        Column(title="NAME", cell=lambda entry: text_of(entry, "name")),
        Column(
            title="VERSION",
            cell=lambda entry: text_of(object_of(entry, "registry_info"), "version"),
        ),
        Column(title="TIER", cell=lambda entry: text_of(entry, "tier"), spare=3),
        Column(title="TRANSPORT", cell=lambda entry: text_of(entry, "transport"), spare=2),
        Column(title="DEPLOYED", cell=lambda entry: ", ".join(entry["deployed"])),
        Column(
            title="DESCRIPTION",
            cell=lambda entry: text_of(entry, "description"),
            stretch=True,
            spare=1,
        ),
    ),
)


async def _fleet(session: Session, book: Book, selector: str) -> list[Standing]:
    """The servers that came from it, in all namespaces that one may look into."""
    for namespace in (None, session.namespace):
        try:
            rows = await servers(session, namespace, selector)
        except ThvError as error:
            if error.code is not Code.FORBIDDEN and not error.details.get("unknownKind"):
                raise
            session.console.detail(error.message)
            continue
        return [row for row in rows if came_from(row.installed, book.shelf)]
    return []


def _deployed(fleet: Sequence[Standing], name: str) -> list[str]:
    return [
        f"{row.installed.namespace}/{row.installed.name}"
        for row in fleet
        if is_called(row.installed, name)
    ]


# uninstall -------------------------------------------------------------------------------------------------


@command(
    "uninstall",
    examples=(
        "thv uninstall my-postgres -n production",
        "thv uninstall my-postgres docs --yes",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=installed_names)
async def uninstall(session: Session, *, names: tuple[str, ...]) -> None:
    """Remove installed servers, and the tool configs that were made for them.

    NAME is the name that a server has here, which thv list shows first. Secrets stay.
    """
    rows = await servers(session, session.namespace)
    wanted = dict.fromkeys(_plain(session, name) for name in names)
    going = [_named(session, rows, name) for name in wanted]
    session.confirm(f"uninstall {', '.join(row.installed.name for row in going)}?")
    for row in going:
        await _delete(session, row)
    _print_gone(session, going)


def _plain(session: Session, name: str) -> str:
    """What `-o name` prints is accepted as a name; that of another namespace would mean another server here."""
    before, _, last = name.rpartition("/")
    words = {word for kind in SERVER_KINDS for word in kind.words}
    if before.lower() in ("", session.namespace, *words):
        return last
    raise CommandError(
        Code.INVALID,
        f'"{name}" names another namespace than "{session.namespace}"',
        tries=[f"{session.program} uninstall {shlex.quote(last)} -n {shlex.quote(before)}"],
    )


def _named(session: Session, rows: Sequence[Standing], name: str) -> Standing:
    found = next((row for row in rows if row.installed.name == name), None)
    if found is None:
        known = [row.installed.name for row in rows]
        raise CommandError(
            Code.NOT_FOUND,
            f'no server "{name}" is installed in the namespace "{session.namespace}"',
            suggestions=difflib.get_close_matches(name, known, n=3, cutoff=0.5),
            tries=[f"{session.program} list -A"],
            details={"kind": "MCPServer", "namespace": session.namespace, "name": name},
        )
    return found


async def _delete(session: Session, row: Standing) -> None:
    """The server first, as it needs its tool config while it runs."""
    installed = row.installed
    await session.place.resources.delete(
        row.kind, installed.namespace, installed.name, uid=uid_of(row.obj)
    )
    await drop_tool_config(session, row.kind, row.obj)


def _print_gone(session: Session, rows: Sequence[Standing]) -> None:
    match session.output:
        case "name":
            session.console.data("".join(f"{title_of(row.obj, row.kind)}\n" for row in rows))
        case "json" | "yaml":
            values = [shown_resource(row.obj) for row in rows]
            shown = values[0] if len(values) == 1 else {"items": values}
            print_value(shown, session.output, session.console)
        case _:
            for row in rows:
                session.console.data(f"{title_of(row.obj, row.kind)} uninstalled\n")
