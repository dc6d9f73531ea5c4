"""`thv registry add`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click
import msgspec

from thv.apps.cli.command import OBJECTS, command
from thv.apps.cli.completion import registry_names
from thv.apps.cli.exits import CommandError
from thv.apps.cli.loader import load
from thv.apps.cli.manifests import Wanted, manifest_of
from thv.apps.cli.opening import HTTP, PRIVATE, open_address, target_of
from thv.apps.cli.options import option
from thv.apps.cli.output import print_value
from thv.apps.cli.registries import Shelf, again
from thv.apps.cli.session import Session
from thv.apps.cli.syncing import Order, request_now, require_good, synchronize
from thv.apps.cli.times import DURATION, DURATION_TEXT
from thv.apps.cli.verbs import LINES, MANAGER, print_done
from thv.domain.canonical import JsonObject
from thv.domain.errors import Code, InvalidError, ThvError
from thv.domain.registry import load_registry
from thv.domain.resources import MCP_REGISTRY, name_of

_NO_NAME = re.compile("[^a-z0-9]+")
_SIDES = ("names", "tags", "tiers", "transports", "categories")
_SINGULAR = {
    "names": "name",
    "tags": "tag",
    "tiers": "tier",
    "transports": "transport",
    "categories": "category",
}
SOURCE, FILTER, POLICY, DOING = "Source (one of them)", "Filter", "Policy", "This command"


def _filters(story: Any) -> Any:
    """`--include-name` and its nine siblings."""
    for side, help_ in (("exclude", "Leave out"), ("include", "Take only")):
        for field in reversed(_SIDES):
            singular = _SINGULAR[field]
            what = (
                "entries whose name fits: * and ?"
                if field == "names"
                else f"entries of this {singular}"
            )
            story = option(
                f"--{side}-{singular}",
                f"{side}_{field}",
                multiple=True,
                metavar=singular.upper() if field != "names" else "GLOB",
                section=FILTER,
                help=f"{help_} {what}; may be repeated.",
            )(story)
    return story


def _source(*declarations: str, **attributes: Any) -> Callable[[Any], Any]:
    return option(*declarations, section=SOURCE, **attributes)


def _policy(*declarations: str, **attributes: Any) -> Callable[[Any], Any]:
    return option(*declarations, section=POLICY, **attributes)


def _doing(*declarations: str, **attributes: Any) -> Callable[[Any], Any]:
    return option(*declarations, section=DOING, **attributes)


@command(
    "add",
    examples=(
        "thv registry add community --url https://registry.example/servers.json --format upstream --interval 1h",
        "thv registry add official --registry-url https://registry.modelcontextprotocol.io --versions all",
        "thv registry add corp --git-repo https://git.example/mcp.git --git-path registry/ --auth-secret git-read",
        "thv registry add local --file registry.json --include-tier Official --exclude-tag experimental",
        "thv registry add catalog --configmap corp-servers/registry.json --trust-level tested",
        "thv registry add lab --url http://127.0.0.1:8000/servers.json --allow-private-ip --allow-http",
        "thv registry add corp --file registry.json --dry-run -o yaml",
    ),
    outputs=OBJECTS,
    default=LINES,
)
@click.argument("name")
@_source("--url", default="", metavar="URL", help="A document, or the base of a registry API.")
@_source(
    "--git-repo", default="", metavar="URL", help="A repository: https, ssh or user@host:path."
)
@_source("--git-branch", default="", metavar="BRANCH", help="Branch to follow; default main.")
@_source("--git-tag", default="", metavar="TAG", help="Tag to read instead.")
@_source("--git-commit", default="", metavar="ID", help="Whole commit id to read instead.")
@_source("--git-path", default="", metavar="PATH", help="File or folder; default registry.json.")
@_source(
    "--configmap", default="", metavar="CM[/KEY]", help="A ConfigMap; default key registry.json."
)
@_source(
    "--registry-url", default="", metavar="URL", help="Any server of the official registry API."
)
@_source(
    "--registry-ref",
    default="",
    metavar="NAME",
    help="Another registry of the namespace.",
    shell_complete=registry_names,
)
@_source(
    "--versions",
    type=click.Choice(["latest", "all"]),
    help="Of a registry: the latest version of each server (default), or all.",
)
@_source("--file", default="", metavar="PATH", help="A file or folder of this machine.")
@_source(
    "--format",
    type=click.Choice(["toolhive", "upstream", "auto"]),
    help="Format of the data; detected when absent.",
)
@_source("--auth-secret", default="", metavar="SECRET", help="Secret with the credentials.")
@_source(
    "--header-secret",
    "--headers-secret",
    "header_secret",
    default="",
    metavar="SECRET",
    help="Secret whose keys are headers.",
)
@_source("--header", "headers", multiple=True, metavar="NAME:VALUE", help="Header to send.")
@_source("--ca-configmap", default="", metavar="CM[/KEY]", help="Further trusted certificates.")
@_source(PRIVATE, is_flag=True, help="Open this host if its address is private.")
@_source(HTTP, is_flag=True, help="Open this host for plain http.")
@_filters
@_policy(
    "--interval",
    type=DURATION_TEXT,
    default="",
    metavar="TIME",
    help="Between two syncs; default 1h.",
)
@_policy(
    "--on-update",
    type=click.Choice(["create", "update", "recreate"]),
    help="What a sync does to entries; default update.",
)
@_policy("--max-retries", type=click.IntRange(0, 10), help="Tries after a failure; default 3.")
@_policy(
    "--retry-interval",
    type=DURATION_TEXT,
    default="",
    metavar="TIME",
    help="Before the first; default 30s.",
)
@_policy(
    "--sync-timeout",
    type=DURATION_TEXT,
    default="",
    metavar="TIME",
    help="Budget of one sync; default 30s.",
)
@_policy("--suspended", is_flag=True, help="Synchronize only when asked.")
@_policy(
    "--trust-level",
    "--trust",
    "trust_level",
    type=click.Choice(["raw", "tested", "trusted"]),
    help="How far the entries were checked; default raw.",
)
@_policy("--allow-tier", "allow_tiers", multiple=True, metavar="TIER", help="Serve only this tier.")
@_policy("--block", multiple=True, metavar="GLOB", help="Never serve such names, or NAME@VERSION.")
@_policy("--enforce-servers", is_flag=True, help="MCPServers must use an image of the registry.")
@_policy("--enforce-tools", is_flag=True, help="MCPServers must name their tools.")
@_policy("--display-name", default="", metavar="TEXT", help="Title for people.")
@_policy("--description", default="", metavar="TEXT", help="What the registry holds.")
@_policy("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Label of the registry.")
@_doing("--no-sync", is_flag=True, help="Do not synchronize now.")
@_doing("--wait/--no-wait", default=True, help="Wait for the first sync (default), or not.")
@_doing("--timeout", type=DURATION, metavar="TIME", help="How long to wait, such as 60s or 5m.")
@_doing(
    "--dry-run",
    is_flag=False,
    flag_value="server",
    type=click.Choice(["client", "server"]),
    help="Check everything, store nothing.",
)
async def add(
    session: Session,
    *,
    allow_private_ip: bool,
    allow_http: bool,
    no_sync: bool,
    wait: bool,
    timeout: float | None,
    dry_run: str | None,
    **given: Any,
) -> None:
    """Add a registry and synchronize it.

    An address that is private or speaks plain http is refused without --allow-private-ip and --allow-http, which
    open that one host and port on this machine.
    """
    manifest, content = _carried(session, manifest_of(_wanted(given), session.namespace))
    target = target_of(manifest["spec"]["source"])
    flags = [flag for flag, on in ((PRIVATE, allow_private_ip), (HTTP, allow_http)) if on]
    await _require_new(session, str(given["name"]))
    await _require_valid(session, manifest)
    if target is not None:
        await open_address(session, target, flags, dry_run=bool(dry_run))
    if dry_run:
        _print_manifest(session, manifest)
        return
    if content is not None:
        await session.place.resources.apply(content, manager=MANAGER)
        session.console.step("note", f"{name_of(content)} holds a copy of the file on the cluster")
    shelf = await _store(session, manifest, request=not no_sync)
    if no_sync:
        print_done(session, [shelf], "added")
        return
    session.console.step("ok", f"{shelf.title} added")
    try:
        results = await synchronize(session, [shelf], Order(wait=wait, timeout=timeout, asked=True))
        require_good(results)
    except ThvError as error:
        raise _stored_anyway(shelf, error) from error
    print_done(session, [await again(shelf)], "added")
    session.console.hint(f"Look into it: {shelf.command('search', '--registry', shelf.name)}")


def _wanted(given: dict[str, Any]) -> Wanted:
    for side in ("include", "exclude"):
        given[side] = {field: given.pop(f"{side}_{field}") for field in _SIDES}
    if given["format"] == "auto":
        given["format"] = None
    return Wanted(**given)


def _carried(session: Session, manifest: JsonObject) -> tuple[JsonObject, JsonObject | None]:
    """On a cluster a file of this machine becomes a ConfigMap, which is given back, too."""
    spec = manifest["spec"]
    if not session.settings.on_cluster or spec["source"]["type"] != "file":
        return manifest, None
    path = str(spec["source"]["file"]["path"])
    carried = load("thv.apps.cli.carrying:carried")
    content, source = carried(session, path, name_of(manifest))
    return {**manifest, "spec": {**spec, "source": source}}, content


async def _require_new(session: Session, name: str) -> None:
    try:
        obj = await session.place.resources.get(MCP_REGISTRY, session.namespace, name)
    except ThvError as error:
        if error.code is Code.NOT_FOUND:
            return
        raise
    shelf = _shelf(session, obj)
    raise CommandError(
        Code.ALREADY_EXISTS,
        f'there is a registry "{name}" in the namespace "{session.namespace}" already',
        tries=[
            shelf.command("registry", "show", name),
            f"{shelf.command('registry', 'remove', name)}   (then add it again), or another name",
        ],
    )


async def _store(session: Session, manifest: JsonObject, *, request: bool) -> Shelf:
    """With the request for its first sync, so that whoever synchronizes by itself does not do it twice."""
    if request:
        metadata = {**manifest["metadata"], "annotations": request_now(session)}
        manifest = {**manifest, "metadata": metadata}
    return _shelf(session, await session.place.resources.apply(manifest, manager=MANAGER))


def _shelf(session: Session, obj: JsonObject) -> Shelf:
    return Shelf(obj=obj, registry=load_registry(obj), place=session.place, program=session.program)


async def _require_valid(session: Session, manifest: JsonObject) -> None:
    """Raises INVALID in the words of the command line."""
    try:
        await session.place.resources.apply(manifest, manager=MANAGER, dry_run=True)
    except InvalidError as error:
        name = str(manifest["metadata"]["name"])
        named = any(field.path == "metadata.name" for field in error.errors)
        better = _NO_NAME.sub("-", name.lower()).strip("-0123456789")[:59]
        raise CommandError(
            Code.INVALID,
            error.message,
            suggestions=[better] if named and better not in ("", name) else [],
            tries=["thv registry add --help", "thv explain mcpregistry.spec"],
            details=error.details,
        ) from error


def _print_manifest(session: Session, manifest: JsonObject) -> None:
    name = manifest["metadata"]["name"]
    match session.output:
        case "name":
            session.console.data(f"mcpregistry/{name}\n")
        case "json" | "yaml":
            print_value(manifest, session.output, session.console)
        case _:
            session.console.data(f"mcpregistry/{name} added (dry run)\n")


def _stored_anyway(shelf: Shelf, error: ThvError) -> CommandError:
    """The error of the first sync, with the word that the registry itself is there."""
    known = error if isinstance(error, CommandError) else None
    remove = shelf.command("registry", "remove", shelf.name, "--yes")
    return CommandError(
        error.code,
        f"{shelf.title} is added, but its first sync did not succeed",
        cause=error.message.removeprefix(f"{shelf.title} could not be synchronized: "),
        tries=[*error.hint.splitlines(), f"{remove}   (to take it back)"],
        exit_code=known.exit_code if known else None,
        details=msgspec.to_builtins(error.details),
    )
