"""`thv get` and `thv delete`: resources as they are stored."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

import click
import msgspec

from thv.apps.cli.command import OBJECTS, TABLES, command
from thv.apps.cli.completion import kind_words
from thv.apps.cli.exits import CommandError, Exit, exit_of, show_error
from thv.apps.cli.hiding import shown_resource
from thv.apps.cli.leftovers import clear_away
from thv.apps.cli.manifest_files import read_manifests, title_of
from thv.apps.cli.options import option
from thv.apps.cli.output import Column, Listing, age, print_list, print_value
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import LINES
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.resources import (
    CONFIG_MAP,
    KINDS,
    MCP_REGISTRY,
    MCP_SERVER,
    SECRET,
    TOOL_CONFIG,
    Kind,
    kind_named,
    label,
    metadata_of,
    name_of,
    namespace_of,
    uid_of,
)
from thv.stores.resources.base import EventType

_ALL = ("all", "toolhive", "toolhive-registry")


class Target(msgspec.Struct, frozen=True):
    """A resource that a command line names."""

    kind: Kind
    namespace: str
    name: str


# get -------------------------------------------------------------------------------------------------------


@command(
    "get",
    examples=(
        "thv get mcpregistries",
        "thv get mcpreg upstream-community -o yaml",
        "thv get configmaps -A -o name",
        "thv get secret -l team=mcp",
    ),
    outputs=TABLES,
)
@click.argument("kind", shell_complete=kind_words)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@option("-A", "--all-namespaces", is_flag=True, help="Of every namespace.")
@option("-l", "--selector", default="", metavar="SEL", help="Label selector.")
@option("-w", "--watch", is_flag=True, help="Go on with a line for each change.")
@option("--show-managed-fields", is_flag=True, help="In JSON and YAML: who owns which field.")
async def get(
    session: Session,
    *,
    kind: str,
    names: tuple[str, ...],
    all_namespaces: bool,
    selector: str,
    watch: bool,
    show_managed_fields: bool,
) -> None:
    """Print resources: mcpregistries (mcpreg), mcpservers, mcptoolconfigs (tc), configmaps (cm) and secrets.

    Values of secrets are never shown.
    """
    kinds, wanted = _asked(session, kind, names)
    namespace = None if all_namespaces else session.namespace
    if wanted and (all_namespaces or selector):
        raise CommandError(
            Code.INVALID, "a name excludes -A and -l", tries=["leave out one of them"]
        )
    if wanted:
        objects = [await _one(session, target) for target in wanted]
    else:
        objects = [
            obj
            for each in kinds
            for obj in (
                await session.place.resources.list(each, namespace, selector=selector)
            ).items
        ]
    _print(
        session,
        objects,
        single=len(wanted) == 1,
        wide_view=all_namespaces,
        managed=show_managed_fields,
    )
    if not objects:
        place = "" if all_namespaces else f' in the namespace "{session.namespace}"'
        session.console.step("note", f"no {' and no '.join(k.plural for k in kinds)}{place}")
    if watch:
        await _follow(session, kinds, namespace, {target.name for target in wanted})


def _print(
    session: Session, objects: list[JsonObject], *, single: bool, wide_view: bool, managed: bool
) -> None:
    """A table for each kind; JSON and YAML as kubectl has them."""
    if session.output in ("json", "yaml"):
        values = [shown_resource(obj, managed_fields=managed) for obj in objects]
        many = {
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {"resourceVersion": ""},
            "items": values,
        }
        print_value(values[0] if single else many, session.output, session.console)
        return
    present = [kind for kind in KINDS if any(obj["kind"] == kind.kind for obj in objects)]
    for number, kind in enumerate(present):
        if number and session.output != "name":
            session.console.data("\n")
        rows = [obj for obj in objects if obj["kind"] == kind.kind]
        shown = _listing(session, kind, namespaces=wide_view)
        print_list(shown, rows, session.output, session.console, headers=session.headers)


async def _follow(
    session: Session, kinds: Sequence[Kind], namespace: str | None, names: set[str]
) -> None:
    """Prints each change until somebody stops it."""
    if len(kinds) > 1:
        raise CommandError(Code.INVALID, "-w follows one kind", tries=["name one kind"])
    store, kind = session.place.resources, kinds[0]
    since = (await store.list(kind, namespace)).resource_version
    session.console.out.flush()
    shown = _listing(session, kind, namespaces=namespace is None)
    async with aclosing(store.watch(kind, namespace, since=since)) as events:
        async for event in events:
            if event.type is EventType.BOOKMARK or (names and name_of(event.object) not in names):
                continue
            if session.output in ("json", "yaml"):
                print_value(shown_resource(event.object), session.output, session.console)
            else:
                print_list(shown, [event.object], session.output, session.console, headers=False)
            session.console.out.flush()


# delete ----------------------------------------------------------------------------------------------------


@command(
    "delete",
    examples=(
        "thv delete mcpregistry upstream-community --yes",
        "thv delete -f registry.yaml --yes",
        "thv delete configmap -l team=mcp --yes",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("kind", required=False, shell_complete=kind_words)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@option(
    "-f",
    "--filename",
    "places",
    multiple=True,
    metavar="FILE|DIR|-",
    help="What these manifests name.",
)
@option("-l", "--selector", default="", metavar="SEL", help="Label selector.")
@option("--all", "everything", is_flag=True, help="All of the kind in the namespace.")
@option("--ignore-not-found", is_flag=True, help="What is not there is no error.")
async def delete(
    session: Session,
    *,
    kind: str | None,
    names: tuple[str, ...],
    places: tuple[str, ...],
    selector: str,
    everything: bool,
    ignore_not_found: bool,
) -> Exit | None:
    """Delete resources by name, by label, or those that manifests name."""
    if bool(kind) == bool(places):
        raise CommandError(
            Code.INVALID,
            "name either KIND and NAME, or manifests with -f",
            tries=["thv delete mcpregistry NAME", "thv delete -f FILE"],
        )
    targets = (
        _in_files(session, places)
        if places
        else await _chosen(session, str(kind), names, selector, everything=everything)
    )
    if not targets:
        session.console.step("note", "nothing to delete")
        return None
    present, code = await _present(session, targets, ignore=ignore_not_found)
    if present:
        session.confirm(
            f"delete {', '.join(title_of(obj, target.kind) for target, obj in present)}?"
        )
    for target, obj in present:
        await session.place.resources.delete(
            target.kind, target.namespace, target.name, uid=uid_of(obj)
        )
        _print_deleted(session, target, obj)
    gone = [(each.namespace, each.name) for each, _ in present if each.kind == MCP_REGISTRY]
    if gone:
        await clear_away(session, gone)
    return code


def _in_files(session: Session, places: tuple[str, ...]) -> list[Target]:
    """What the manifests name, last first, as what was applied last may refer to what came before."""
    found = []
    for manifest in read_manifests(session, places):
        if manifest.kind is None:
            what = "left alone" if session.settings.on_cluster else "not kept here"
            session.console.step("note", f"{manifest.title} is {what}")
            continue
        namespace = namespace_of(manifest.obj) or session.namespace
        found.append(Target(manifest.kind, namespace, name_of(manifest.obj)))
    return found[::-1]


async def _chosen(
    session: Session, kind: str, names: tuple[str, ...], selector: str, *, everything: bool
) -> list[Target]:
    kinds, targets = _asked(session, kind, names)
    if bool(targets) + bool(selector) + everything != 1:
        raise CommandError(
            Code.INVALID,
            "say which: by name, by -l SELECTOR, or --all",
            tries=[f"thv get {kind}", f"thv delete {kind} NAME"],
        )
    if targets:
        return targets
    store = session.place.resources
    return [
        Target(each, namespace_of(obj), name_of(obj))
        for each in kinds
        for obj in (await store.list(each, session.namespace, selector=selector)).items
    ]


async def _present(
    session: Session, targets: Sequence[Target], *, ignore: bool
) -> tuple[list[tuple[Target, JsonObject]], Exit | None]:
    """What is there; of the rest it is said that it is not."""
    present: list[tuple[Target, JsonObject]] = []
    code: Exit | None = None
    for target in targets:
        try:
            present.append((target, await _one(session, target)))
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            if not ignore:
                show_error(error, session.console, as_json=session.output == "json")
                code = exit_of(error)
    return present, code


def _print_deleted(session: Session, target: Target, obj: JsonObject) -> None:
    match session.output:
        case "name":
            session.console.data(f"{title_of(obj, target.kind)}\n")
        case "json" | "yaml":
            print_value(shown_resource(obj), session.output, session.console)
        case _:
            group = f".{target.kind.group}" if target.kind.group else ""
            session.console.data(f'{target.kind.singular}{group} "{target.name}" deleted\n')


# What was named --------------------------------------------------------------------------------------------


def _asked(session: Session, word: str, names: tuple[str, ...]) -> tuple[list[Kind], list[Target]]:
    """The kinds, and the resources by name: `cm a b`, `mcpreg,cm`, `cm/a secret/b`."""
    if "/" in word:
        pairs = [each.partition("/") for each in (word, *names)]
        if not all(name for _, _, name in pairs):
            raise CommandError(Code.INVALID, "either KIND NAME..., or KIND/NAME of each")
        targets = [Target(_kind(kind), session.namespace, name) for kind, _, name in pairs]
        return list(dict.fromkeys(target.kind for target in targets)), targets
    words = [each for each in word.split(",") if each] or [word]
    found = [[*KINDS[:2]] if each in _ALL else [_kind(each)] for each in words]
    kinds = list(dict.fromkeys(kind for each in found for kind in each))
    if names and len(kinds) > 1:
        raise CommandError(Code.INVALID, "a name needs one kind", tries=["KIND/NAME of each"])
    targets = [Target(kinds[0], session.namespace, name) for name in dict.fromkeys(names)]
    return kinds, targets


def _kind(word: str) -> Kind:
    """The kind of a word; raises INVALID with what was perhaps meant."""
    found = kind_named(word)
    if found is not None:
        return found
    words = sorted(each for kind in KINDS for each in kind.words if "." not in each)
    raise CommandError(
        Code.INVALID,
        f'there is no kind "{word}"',
        suggestions=difflib.get_close_matches(word.lower(), words, n=2, cutoff=0.5),
        tries=[f"kinds are {', '.join(kind.plural for kind in KINDS)}"],
    )


async def _one(session: Session, target: Target) -> JsonObject:
    """The resource; raises NOT_FOUND with the names that are alike."""
    store = session.place.resources
    try:
        return await store.get(target.kind, target.namespace, target.name)
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        there = (await store.list(target.kind, target.namespace)).items
        space = session.there(target.namespace)
        raise CommandError(
            Code.NOT_FOUND,
            error.message,
            suggestions=difflib.get_close_matches(
                target.name, [name_of(obj) for obj in there], n=3, cutoff=0.5
            ),
            tries=[
                f"{session.program} get {target.kind.plural}{space}"
                if there
                else f"{session.program} get {target.kind.plural} -A"
            ],
            details=error.details,
        ) from error


# Tables ----------------------------------------------------------------------------------------------------


def _listing(session: Session, kind: Kind, *, namespaces: bool) -> Listing[JsonObject]:
    """How resources of a kind are shown; the columns are those of kubectl."""
    now = session.local.clock()
    namespace = Column[JsonObject](title="NAMESPACE", cell=namespace_of)
    return Listing(
        kind="List",
        name=lambda obj: title_of(obj, kind),
        value=shown_resource,
        columns=(
            *((namespace,) if namespaces else ()),
            Column(title="NAME", cell=name_of),
            *_COLUMNS[kind](now),
            Column(
                title="AGE", cell=lambda obj: age(_text(metadata_of(obj), "creationTimestamp"), now)
            ),
        ),
    )


def _registry_columns(now: datetime) -> tuple[Column[JsonObject], ...]:
    return (
        Column(title="READY", cell=lambda obj: _ready(obj, "status") or "Unknown"),
        Column(title="SERVERS", cell=lambda obj: _text(obj, "status", "serverCount"), number=True),
        Column(title="TRUST", cell=lambda obj: _text(obj, "spec", "trustLevel")),
        Column(
            title="LAST-SYNC",
            cell=lambda obj: age(_text(obj, "status", "syncStatus", "lastSyncTime"), now),
        ),
        Column(title="REASON", cell=lambda obj: _ready(obj, "reason"), spare=1),
        Column(title="SOURCE", cell=lambda obj: _text(obj, "spec", "source", "type"), wide=True),
        Column(
            title="FORMAT", cell=lambda obj: _text(obj, "status", "syncStatus", "format"), wide=True
        ),
        Column(
            title="INTERVAL",
            cell=lambda obj: _text(obj, "spec", "syncPolicy", "interval"),
            wide=True,
        ),
        Column(title="MESSAGE", cell=lambda obj: _ready(obj, "message"), wide=True),
    )


def _config_map_columns(_now: datetime) -> tuple[Column[JsonObject], ...]:
    return (
        Column(title="DATA", cell=lambda obj: str(_keys(obj, "data", "binaryData")), number=True),
    )


def _secret_columns(_now: datetime) -> tuple[Column[JsonObject], ...]:
    return (
        Column(title="TYPE", cell=lambda obj: _text(obj, "type")),
        Column(title="DATA", cell=lambda obj: str(_keys(obj, "data")), number=True),
    )


def _server_columns(_now: datetime) -> tuple[Column[JsonObject], ...]:
    return (
        Column(title="STATUS", cell=lambda obj: _text(obj, "status", "phase")),
        Column(title="READY", cell=lambda obj: _ready(obj, "status")),
        Column(title="URL", cell=lambda obj: _text(obj, "status", "url"), spare=1),
        Column(title="REGISTRY", cell=lambda obj: label(obj, "registry-name") or "", wide=True),
        Column(title="IMAGE", cell=lambda obj: _text(obj, "spec", "image"), wide=True),
    )


def _tool_config_columns(_now: datetime) -> tuple[Column[JsonObject], ...]:
    def servers(obj: JsonObject) -> str:
        return ", ".join((obj.get("status") or {}).get("referencingServers") or ())

    return (
        Column(title="VALID", cell=lambda obj: _condition(obj, "Valid", "status")),
        Column(title="SERVERS", cell=servers),
    )


_COLUMNS: dict[Kind, Callable[[datetime], tuple[Column[JsonObject], ...]]] = {
    MCP_REGISTRY: _registry_columns,
    CONFIG_MAP: _config_map_columns,
    SECRET: _secret_columns,
    MCP_SERVER: _server_columns,
    TOOL_CONFIG: _tool_config_columns,
}


def _keys(obj: JsonObject, *fields: str) -> int:
    return sum(len(obj.get(field) or {}) for field in fields)


def _ready(obj: JsonObject, field: str) -> str:
    return _condition(obj, "Ready", field)


def _condition(obj: JsonObject, name: str, field: str) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((_text(each, field) for each in conditions if each.get("type") == name), "")


def _text(value: JsonObject, *path: str) -> str:
    """The value behind a path, `""` when there is none."""
    found: Any = value
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return "" if found is None else str(found)
