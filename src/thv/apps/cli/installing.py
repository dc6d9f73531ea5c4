"""Installs a server of a registry: finds the entry, has it decided what it becomes, and writes that.

In the flow: behind `thv install` and `thv run`. Nothing here runs a server; who does is said where it was written.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from thv.apps.cli.choosing import Chosen, advised, again
from thv.apps.cli.doctor.remedies import TOOLHIVE_CHART, Remedies
from thv.apps.cli.exits import CommandError
from thv.apps.cli.locating import Located
from thv.apps.cli.manifest_files import title_of
from thv.apps.cli.picking import the_one
from thv.apps.cli.session import Session
from thv.apps.cli.verbs import MANAGER
from thv.catalog.choices import ChoiceError
from thv.catalog.install import (
    INSTALLER,
    MANAGED_BY,
    Ground,
    Installation,
    Origin,
    default_name,
    installation,
    tool_config_name,
)
from thv.catalog.installed import installed_of
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, ThvError
from thv.domain.facts import facts_of
from thv.domain.resources import (
    GROUP,
    MCP_SERVER,
    OLD_GROUP,
    SECRET,
    SERVER_KINDS,
    TOOL_CONFIG_KINDS,
    Kind,
    annotations_of,
    kind_of,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    uid_of,
)
from thv.stores.models import lookup


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """How it is to be written."""

    replace: bool
    dry_run: str
    """`client` asks nobody, `server` has everything checked, `""` writes."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was written, and what happened to it."""

    kind: Kind
    obj: JsonObject
    verb: str


async def install(
    session: Session, chosen: Chosen, registry: str, order: Order
) -> tuple[Installation, list[Done]]:
    """Writes the objects of a server; raises ALREADY_EXISTS where one of its name is there and stays."""
    located = await the_one(session, chosen.server, registry)
    name = chosen.choices.name or default_name(located.server.key)
    kinds = await _kinds(session, order)
    there = None if order.dry_run == "client" else await _standing(session, kinds, name)
    if there is not None and not order.replace:
        raise _taken(session, there)
    ground = _ground(session, kind_of(there, SERVER_KINDS) if there else kinds[0])
    made = _decided(session, located, chosen, ground)
    done = [
        await _written(session, obj, there if obj is made.server else None, order)
        for obj in made.objects
    ]
    if there is not None and made.tool_config is None and not order.dry_run:
        await drop_tool_config(session, ground.server, there)
    return made, done


# What it becomes -------------------------------------------------------------------------------------------


def _decided(session: Session, located: Located, chosen: Chosen, ground: Ground) -> Installation:
    entry = lookup.read(located.book.view, located.version).entry
    facts = facts_of(entry, session.local.taxonomy)
    origin = Origin(located.book.shelf.namespace, located.book.name)
    try:
        return installation(entry, facts, origin, chosen.choices, ground)
    except ChoiceError as error:
        name = chosen.choices.name or default_name(facts.key)
        raise advised(session, error, name) from error


async def _kinds(session: Session, order: Order) -> tuple[Kind, ...]:
    """Where servers are kept, the preferred kind first."""
    kinds = await session.place.known(SERVER_KINDS)
    if kinds:
        return kinds
    if order.dry_run == "client":
        return (MCP_SERVER,)
    raise no_kind(session)


def _ground(session: Session, kind: Kind) -> Ground:
    packages = not session.settings.on_cluster
    return Ground(server=kind, tool_config=_beside(kind), packages=packages)


def _beside(kind: Kind) -> Kind:
    """The kind of tool configs that servers of a kind refer to."""
    return next(each for each in TOOL_CONFIG_KINDS if each.api_version == kind.api_version)


def no_kind(session: Session) -> CommandError:
    """A cluster on which no MCPServer can be kept."""
    remedies = remedies_of(session)
    return CommandError(
        Code.NOT_FOUND,
        "this cluster knows no kind MCPServer, so no server can be installed on it",
        cause="neither ToolHive nor the optional kinds of this product are installed",
        tries=[
            f"{remedies.optional_kinds(OLD_GROUP)}   (the kinds of ToolHive)",
            f"{remedies.optional_kinds(GROUP)}   (or those of this product)",
            f"{again(session.common, '--dry-run=client', '-o', 'yaml')}   (prints the manifest)",
        ],
        details={"unknownKind": MCP_SERVER.kind},
    )


def remedies_of(session: Session) -> Remedies:
    """Commands for the same cluster."""
    return Remedies(
        name=session.common.program,
        program=session.program,
        context=session.settings.context,
        kubeconfig=session.settings.kubeconfig,
    )


# Writing ---------------------------------------------------------------------------------------------------


async def _standing(session: Session, kinds: Sequence[Kind], name: str) -> JsonObject | None:
    """The server of that name, in whichever group it is."""
    for kind in one_of_each_group(kinds):
        try:
            return await session.place.resources.get(kind, session.namespace, name)
        except ThvError as error:
            if error.code is not Code.NOT_FOUND:
                raise
    return None


def one_of_each_group(kinds: Sequence[Kind]) -> list[Kind]:
    """The same objects are served in every version of a group."""
    return list({kind.group: kind for kind in reversed(kinds)}.values())[::-1]


def _taken(session: Session, there: JsonObject) -> CommandError:
    known = installed_of(there)
    version = f"@{known.version}" if known.version else ""
    origin = f": {known.server}{version} of {known.registry}" if known.registry else ""
    return CommandError(
        Code.ALREADY_EXISTS,
        f'there is a server "{known.name}" in the namespace "{known.namespace}" already{origin}',
        tries=[
            f"{again(session.common, '--replace')}   (in its place)",
            "or another name: --name NAME",
        ],
        details={"kind": MCP_SERVER.kind, "namespace": known.namespace, "name": known.name},
    )


async def _written(
    session: Session, obj: JsonObject, there: JsonObject | None, order: Order
) -> Done:
    """A server in the place of `there`, or anew; a tool config as well when we made the old one."""
    kind = kind_of(obj, (*SERVER_KINDS, *TOOL_CONFIG_KINDS))
    store, dry = session.place.resources, order.dry_run == "server"
    if order.dry_run == "client":
        return Done(kind=kind, obj=obj, verb="created")
    if there is None and kind in TOOL_CONFIG_KINDS:
        there = await _own_config(session, kind, obj)
    if there is None:
        now = await store.create(obj, manager=MANAGER, dry_run=dry)
        return Done(kind=kind, obj=obj if dry else now, verb="created")
    now = await store.replace(_in_place(there, obj), manager=MANAGER, dry_run=dry)
    return Done(kind=kind, obj=obj if dry else now, verb="replaced")


async def _own_config(session: Session, kind: Kind, obj: JsonObject) -> JsonObject | None:
    """What an earlier installation left; raises for one that somebody else made."""
    try:
        there = await session.place.resources.get(kind, namespace_of(obj), name_of(obj))
    except ThvError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise
    if labels_of(there).get(MANAGED_BY) != INSTALLER:
        raise CommandError(
            Code.ALREADY_EXISTS,
            f"{title_of(there, kind)} is there already, and not made by thv install",
            tries=[again(session.common, "--name", "NAME"), "or leave out --tools"],
        )
    return there


async def drop_tool_config(session: Session, kind: Kind, server: JsonObject) -> None:
    """Deletes the tool config that was made for a server which needs it no more."""
    name, store = tool_config_name(name_of(server)), session.place.resources
    if (server["spec"].get("toolConfigRef") or {}).get("name") != name:
        return
    beside, namespace = _beside(kind), namespace_of(server)
    try:
        config = await store.get(beside, namespace, name)
        if labels_of(config).get(MANAGED_BY) == INSTALLER:
            await store.delete(beside, namespace, name, uid=uid_of(config))
    except ThvError as error:
        if error.code is not Code.NOT_FOUND:
            raise


def _in_place(there: JsonObject, obj: JsonObject) -> JsonObject:
    """The spec is the new one alone; labels and annotations of others stay."""
    metadata = {key: value for key, value in metadata_of(there).items() if key != "managedFields"}
    labels = {**labels_of(there), **labels_of(obj)}
    annotations = {**annotations_of(there), **annotations_of(obj)}
    metadata |= {"labels": labels} | ({"annotations": annotations} if annotations else {})
    return {**there, "metadata": metadata, "spec": obj["spec"]}


async def missing_secrets(session: Session, server: JsonObject) -> list[str]:
    """The Secrets that the server names and that are not there, as far as one may see; values are not read."""
    names = dict.fromkeys(each["name"] for each in server["spec"].get("secrets") or ())
    try:
        return [
            name for name in names if not await _has_secret(session, namespace_of(server), name)
        ]
    except ThvError as error:
        if error.code is Code.FORBIDDEN:
            return []
        raise


async def _has_secret(session: Session, namespace: str, name: str) -> bool:
    store = session.place.resources
    return bool((await store.list(SECRET, namespace, name=name, partial=True)).items)


# Who runs it -----------------------------------------------------------------------------------------------


def next_steps(session: Session, server: JsonObject) -> list[str]:
    """What happens to a server that was written, which is little where nothing runs servers."""
    kind = kind_of(server, SERVER_KINDS)
    space, name = namespace_of(server), name_of(server)
    if not session.settings.on_cluster:
        manifest = again(session.common, "--dry-run=client", "-o", "yaml")
        is_image = "://" not in server["spec"]["image"]
        return [
            "it is written down; nothing runs servers on this machine yet",
            *([f"on a cluster: {manifest} | kubectl apply -f -"] if is_image else []),
        ]
    remedies = remedies_of(session)
    if kind.group == OLD_GROUP:
        follow = remedies.kubectl("get", kind.resource, name, "-w", namespace=space)
        return ["it is written down, and the operator of ToolHive runs it", f"follow it: {follow}"]
    return [
        "it is written down; nothing on this cluster runs servers of toolhive.stacklok.io yet",
        f"the operator of ToolHive runs servers of its own group: {TOOLHIVE_CHART}",
    ]
